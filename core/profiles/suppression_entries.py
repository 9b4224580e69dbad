"""What stands in suppression lists: added, taken out and looked at, in sets; each row has its own result."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core.access import Actor, Permission, require
from core.audit import record_many
from core.authored import not_found
from core.db import Connection
from core.errors import Invalid
from core.profiles.quarantine import AUDIT_PURPOSE
from core.profiles.store import suppression as store
from core.profiles.suppression_forms import Entry, all_forms, read_entry
from core.profiles.suppression_records import (
    EntryForm,
    EntryOutcome,
    EntryResult,
    SuppressionDraft,
    SuppressionEntry,
    SuppressionKind,
    SuppressionList,
)
from core.profiles.values import BREAKING, UNSTORABLE
from core.secrets import Keyring

MOST_BY_HAND = 1000  # rows of one call
WORD_LENGTH = 500  # of a comment or an origin
EXPIRE_AT_ONCE = 10_000
LAST_YEAR = 9000

Read = tuple[Entry, SuppressionDraft] | Invalid


async def add_entries(
    conn: Connection,
    actor: Actor,
    keyring: Keyring,
    list_id: int,
    drafts: Sequence[SuppressionDraft],
    *,
    now: datetime,
    region: str = "US",
) -> list[EntryResult]:
    """Add entries, or give those that are there another comment, origin and end. A bad row costs only itself.

    Raises NotFound (SUPPRESSION_LIST_NOT_FOUND), Invalid (BAD_VALUE) for none or too many.
    """
    require(actor, Permission.ADMINISTER)
    found = await _hold(conn, list_id)
    _check_number(drafts)
    rows = [read_draft(found.kind, one, now, region, f"entries.{n}") for n, one in enumerate(drafts)]
    results, done = await store_drafts(conn, found, rows, actor.name, now)
    await _record(conn, actor, keyring, found, "add", [one for one in done if done[one] is EntryOutcome.ADDED])
    await _record(conn, actor, keyring, found, "change", [one for one in done if done[one] is EntryOutcome.CHANGED])
    return results


async def remove_entries(
    conn: Connection,
    actor: Actor,
    keyring: Keyring,
    list_id: int,
    drafts: Sequence[SuppressionDraft],
    *,
    region: str = "US",
) -> list[EntryResult]:
    """Take entries out; an address takes its hashes with it. A bad row costs only itself.

    Raises NotFound (SUPPRESSION_LIST_NOT_FOUND), Invalid (BAD_VALUE) for none or too many.
    """
    require(actor, Permission.ADMINISTER)
    found = await _hold(conn, list_id)
    _check_number(drafts)
    rows = [read_value(found.kind, one, region, f"entries.{n}") for n, one in enumerate(drafts)]
    results, gone = await take_out(conn, found, rows)
    await _record(conn, actor, keyring, found, "remove", gone)
    return results


async def list_entries(conn: Connection, list_id: int, after: Entry | None, limit: int) -> list[SuppressionEntry]:
    """In the order of form and value; `after` is the last one seen."""
    return await store.list_entries(conn, list_id, after, limit)


async def expire(conn: Connection, now: datetime) -> int:
    """Drop entries whose end has come, some at a time; returns how many. They do not count from that moment, dropped or not."""
    return await store.expire(conn, now, EXPIRE_AT_ONCE)


def read_draft(kind: SuppressionKind, draft: SuppressionDraft, now: datetime, region: str, path: str) -> Read:
    """A row as it is stored, or what is wrong with it."""
    try:
        entry = read_entry(kind, draft.value, draft.form, region, f"{path}.value")
        for name in ("comment", "origin"):
            check_words(getattr(draft, name), f"{path}.{name}")
        if draft.expires_at is not None and draft.expires_at.tzinfo is None:
            raise Invalid("the end has no time zone", code="BAD_DATE", path=f"{path}.expires_at")
        if draft.expires_at is not None and draft.expires_at.year > LAST_YEAR:
            raise Invalid(f"the end is after {LAST_YEAR}", code="BAD_DATE", path=f"{path}.expires_at")
        if draft.expires_at is not None and draft.expires_at <= now:
            raise Invalid("the end has passed", code="BAD_DATE", path=f"{path}.expires_at", hint="Leave it out for no end.")
    except Invalid as error:
        return error
    return entry, draft


def read_value(kind: SuppressionKind, draft: SuppressionDraft, region: str, path: str) -> Read:
    """A row whose entry is to be taken out, or what is wrong with it."""
    try:
        return read_entry(kind, draft.value, draft.form, region, f"{path}.value"), draft
    except Invalid as error:
        return error


async def store_drafts(
    conn: Connection, found: SuppressionList, rows: Sequence[Read], created_by: str, now: datetime
) -> tuple[list[EntryResult], dict[Entry, EntryOutcome]]:
    """Write rows in one statement, the last of those with one entry; their results, and what was written."""
    last = {row[0]: n for n, row in enumerate(rows) if not isinstance(row, Invalid)}
    kept = {row[0]: row[1] for row in rows if not isinstance(row, Invalid)}
    drafts = kept.values()
    done = await store.upsert_entries(
        conn, found.id, list(kept), [one.comment.strip() for one in drafts], [one.origin.strip() for one in drafts],
        [one.expires_at for one in drafts], created_by, now,
    )  # fmt: skip
    outcomes = {entry: done.get(entry, EntryOutcome.UNCHANGED) for entry in kept}
    return _results(rows, last, outcomes), done


async def take_out(conn: Connection, found: SuppressionList, rows: Sequence[Read]) -> tuple[list[EntryResult], list[Entry]]:
    """Delete what rows name in one statement; their results, and what is gone."""
    last = {row[0]: n for n, row in enumerate(rows) if not isinstance(row, Invalid)}
    meant = {entry: all_forms(entry) for entry in last}
    gone = await store.delete_entries(conn, found.id, [one for forms in meant.values() for one in forms])
    outcomes = {
        entry: EntryOutcome.REMOVED if gone.intersection(forms) else EntryOutcome.ABSENT for entry, forms in meant.items()
    }
    return _results(rows, last, outcomes), sorted(gone)


def _results(rows: Sequence[Read], last: dict[Entry, int], outcomes: dict[Entry, EntryOutcome]) -> list[EntryResult]:
    results = []
    for n, row in enumerate(rows):
        if isinstance(row, Invalid):
            results.append(EntryResult(outcome=EntryOutcome.REFUSED, error=row))
        elif last[row[0]] != n:
            results.append(EntryResult(outcome=EntryOutcome.REPEATED))
        else:
            results.append(EntryResult(outcome=outcomes[row[0]]))
    return results


async def _hold(conn: Connection, list_id: int) -> SuppressionList:
    found = await store.hold_list(conn, list_id)
    if found is None:
        raise not_found("suppression list", list_id)
    return found


async def _record(
    conn: Connection, actor: Actor, keyring: Keyring, found: SuppressionList, action: str, entries: Sequence[Entry]
) -> None:
    """One entry of the audit for each of the list, which stands in it by reference."""
    references = keyring.keyed_hashes_of((_referred(found.kind, one) for one in entries), AUDIT_PURPOSE)
    await record_many(conn, actor, f"suppression.{action}", "suppression", references, {"list": found.name})


def _referred(kind: SuppressionKind, entry: Entry) -> str:
    """What a reference is made of; that of an address is the one under which the quarantine's entries are found too."""
    form, value = entry
    return f"{kind.value}/{value}" if form is EntryForm.PLAIN else f"{kind.value}/{form.name.lower()}/{value}"


def _check_number(drafts: Sequence[SuppressionDraft]) -> None:
    if not 1 <= len(drafts) <= MOST_BY_HAND:
        raise Invalid(
            f"give 1 to {MOST_BY_HAND} entries", code="BAD_VALUE", path="entries", hint="Import more of them as a file."
        )  # fmt: skip


def check_words(text: str, path: str) -> None:
    """Raises Invalid (BAD_TEXT) for what is no comment or origin."""
    if len(text.strip()) > WORD_LENGTH or UNSTORABLE.search(text) or BREAKING.search(text.strip()):
        raise Invalid(f"it is one line of up to {WORD_LENGTH} characters", code="BAD_TEXT", path=path)
