"""What this room keeps of people: their profiles and merges, their addresses in quarantine and on suppression lists, and what
files of people leave behind while they are read."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from sqlalchemy import ColumnElement, FromClause, and_, column, false, or_, select, table, tuple_

from channels.contract import AddressKind
from core.db import Connection
from core.personal import BLOT, Goes, Kept, Person, of_address, of_address_of, of_any, of_nobody, of_profile
from core.profiles.suppression import forget_addresses
from core.profiles.suppression_forms import all_forms
from core.profiles.suppression_records import EntryForm

_ERROR = {"code": "ERASED", "message": BLOT}
_COUNTS = "inserted updated unchanged rejected repeated ambiguous deleted skipped"
_TIMES = "created_by created_at started_at heartbeat_at finished_at"


def _suppressed(rows: FromClause, person: Person) -> ColumnElement[bool]:
    """Addresses as they are, and hashes of them, on lists of their kind."""
    lists = table("suppression_list", column("id"), column("kind"))
    conditions = []
    for kind, keys in _by_kind(person).items():
        entries = [(int(form), value) for key in keys for form, value in all_forms((EntryForm.PLAIN, key))]
        of_kind = rows.c.list_id.in_(select(lists.c.id).where(lists.c.kind == kind))
        conditions.append(and_(of_kind, tuple_(rows.c.form, rows.c.value).in_(entries)))
    return or_(false(), *conditions)


def _by_kind(person: Person) -> dict[str, list[str]]:
    by_kind: dict[str, list[str]] = defaultdict(list)
    for kind, key in person.addresses:
        by_kind[kind].append(key)
    return by_kind


def _sent_by(rows: FromClause, person: Person) -> ColumnElement[bool]:
    return or_(of_profile("referrer_id")(rows, person), of_address_of("email", "referrer_email")(rows, person))


# A profile goes last: others are found by it.
PROFILE = Kept(
    table="profile", rows=of_profile("id"), goes=Goes.ROWS,
    personal="external_id crypted_id opt_in_id email email_key email_domain first_name middle_name last_name salutation gender"
    " birth_date thumbnail_url mobile_phone phone fax address_line1 address_line2 address_line3 address_line4 zip_code city"
    " state country latitude longitude language time_zone search_words",
    other="id address_defined email_format opt_out opt_out_email opt_out_mobile opt_out_phone opt_out_fax opt_out_postal"
    " opt_out_push ccpa_opt_out created_at updated_at merged_into",
)  # fmt: skip

TABLES = (
    Kept(
        table="profile_alias", rows=of_profile(), goes=Goes.ROWS, personal="given_up",
        other="profile_id merge_id stood_under",
    ),
    Kept(
        table="profile_merge", rows=of_profile("survivor_id"), goes=Goes.ROWS, personal="before after",
        other="id survivor_id refused merged_at merged_by undone_at undone_by",
    ),
    Kept(
        table="app_subscription", rows=of_any(of_profile(), of_nobody("app_subscription")), goes=Goes.ROWS,
        personal="registration_token",
        other="id app platform opted_out profile_id created_at updated_at",
    ),
    # First whom the person sent, then the person: by their profile, by an address that nobody else has, or by what the request
    # has found.
    Kept(
        table="visitor", rows=_sent_by, goes=Goes.VALUES,
        personal="referrer_id referrer_email referrer_first_name referrer_last_name referrer_comment",
        other="id external_id email first_name last_name origin forward_url profile_id created_at updated_at",
        given="id referrer_id referrer_email referrer_first_name referrer_last_name referrer_comment created_at updated_at",
    ),
    Kept(
        table="visitor", rows=of_any(of_profile(), of_address_of("email", "email"), of_nobody("visitor")), goes=Goes.ROWS,
        personal="external_id email first_name last_name origin forward_url referrer_id referrer_email referrer_first_name"
        " referrer_last_name referrer_comment",
        other="id profile_id created_at updated_at",
    ),
    Kept(
        table="quarantine", rows=of_address("address_key", "address_kind"), goes=Goes.ROWS,
        personal="address_key", texts={"error_text": BLOT},
        other="address_kind status reason error_count first_error_at last_error_at last_delivery_id created_at updated_at",
    ),
    Kept(
        table="short_code_stop", rows=of_address_of("mobile", "address_key"), goes=Goes.ROWS, personal="address_key",
        other="short_code stopped_at",
    ),
    Kept(table="quarantine_settings", other="is_only soft_errors between_soft_errors forget_soft_after release_full_after"
         " version changed_by changed_at"),
    Kept(
        table="suppression_entry", rows=_suppressed, goes=Goes.ELSEWHERE, personal="value",
        texts={"comment": BLOT, "origin": BLOT},
        other="list_id form expires_at created_at updated_at created_by",
    ),
    Kept(table="suppression_list", authored="name label", other="id kind scope version created_at updated_at created_by"),
    Kept(table="erased_address", other="address_kind key_id hash erased_at spared"),
    Kept(
        table="import_run", texts={"error": _ERROR, "header": None, "options": {}}, ended="finished_at",
        other=f"id state file_id rejects_file_id match_key bytes_total bytes_read lines_read fence position template_id"
        f" {_COUNTS} {_TIMES}",
    ),
    Kept(
        table="import_reject", texts={"message": BLOT, "row_text": BLOT, "cells": []},
        other="import_id line column_name code",
    ),
    Kept(
        table="import_template", authored="name label description options sample",
        other="id match_key status version created_by created_at updated_at",
    ),
    Kept(
        table="export_run", texts={"error": _ERROR, "expression": None, "options": {}, "computed": {}}, ended="finished_at",
        other=f"id state file_id audience_id dimension columns time_zone rows_total rows_written fence {_TIMES}",
    ),
    Kept(
        table="suppression_import", texts={"error": _ERROR, "options": {"form": None}}, ended="finished_at",
        other=f"id list_id state file_id rejects_file_id action bytes_total bytes_read lines_read added changed unchanged"
        f" removed rejected repeated fence {_TIMES}",
    ),
    Kept(
        table="suppression_reject", texts={"message": BLOT, "row_text": BLOT}, other="import_id line column_name code",
    ),
    Kept(
        table="suppression_export", texts={"error": _ERROR}, other=f"id list_id state file_id rows_written fence {_TIMES}",
    ),
    # Of nobody, with values that the team made up.
    Kept(
        table="test_profile",
        authored="label app_token event_type event_payload external_id crypted_id opt_in_id email email_key email_domain"
        " first_name middle_name last_name salutation gender birth_date thumbnail_url mobile_phone phone fax address_line1"
        " address_line2 address_line3 address_line4 zip_code city state country latitude longitude language time_zone",
        other="id uses built_in version created_by address_defined email_format opt_out opt_out_email opt_out_mobile"
        " opt_out_phone opt_out_fax opt_out_postal opt_out_push ccpa_opt_out created_at updated_at",
    ),
    PROFILE,
)  # fmt: skip


async def erase(conn: Connection, person: Person, now: datetime) -> dict[str, int]:
    """Addresses leave suppression lists, whether they stand there as they are or as a hash."""
    found = [await forget_addresses(conn, AddressKind(kind), keys) for kind, keys in _by_kind(person).items()]
    return {"suppression_entry": sum(found)}
