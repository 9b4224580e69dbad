"""Devices that apps may send to (feature map 2.44): told in sets, each row with a result of its own.

A device is known by its app and its token. Whose it is comes by one key of a profile, with the device or later; devices of
profiles that are merged are read as the survivor's, and those of people who are gone go with them.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from core.access import Actor, Permission, require
from core.audit import record_each
from core.datamodel.present import present_model
from core.datamodel.refusals import REFUSED
from core.db import Connection
from core.errors import ClarionError, Invalid, NotFound
from core.paging import Page, PageRequest, cut
from core.profiles.app_records import AppOutcome, AppResult, AppSubscription, SentAppSubscription
from core.profiles.errors import FieldsInvalid
from core.profiles.fields import Field
from core.profiles.identities import hold_each
from core.profiles.store import app_subscriptions as store
from core.profiles.team_fields import team_fields_of
from core.profiles.team_rows import Extended, refused
from core.profiles.team_values import clean_team_values
from core.profiles.told_in_sets import by_person, check_number

MOST_SHOWN = 100  # of one profile

_APP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TOKEN = re.compile(r"[!-~]{1,1000}")

Key = tuple[str, str]  # app and token


async def save_app_subscriptions(
    conn: Connection, actor: Actor, sent: Sequence[SentAppSubscription], *, now: datetime
) -> list[AppResult]:
    """Add devices, or change those that are there; the results are in the order of the call. A bad row costs only itself.

    Raises Invalid (BAD_VALUE) for none or too many, Invalid (ROW_TOO_BIG) where the values of the team's fields of one are.
    """
    require(actor, Permission.EDIT)
    check_number(sent, "subscriptions")
    errors: dict[int, ClarionError] = {}
    first = _first_of_each([(one.app, one.registration_token) for one in sent], errors)
    fields = await _team_fields(conn) if any(sent[n].team for n in first) else {}
    team = {n: values for n in first if (values := _team_values(sent[n], fields, n, errors)) is not None}
    owners = await hold_each(conn, {n: reference for n in team if (reference := sent[n].profile) is not None}, errors)
    rows = [(n, sent[n], owners.get(n), team[n]) for n in team if n not in errors]
    created, updated = await _write(conn, rows, fields, now)
    outcomes = {n: AppOutcome.CREATED if n in created else AppOutcome.UPDATED for n in created | updated}
    await _record(conn, actor, "app_subscription.save", [(sent[n].app, outcome) for n, outcome in outcomes.items()])
    return _results(len(sent), outcomes, errors, AppOutcome.UNCHANGED)


async def remove_app_subscriptions(conn: Connection, actor: Actor, keys: Sequence[Key]) -> list[AppResult]:
    """Remove devices, by app and token; as `save_app_subscriptions`. One that is not there is rejected
    (APP_SUBSCRIPTION_NOT_FOUND)."""
    require(actor, Permission.EDIT)
    check_number(keys, "subscriptions")
    errors: dict[int, ClarionError] = {}
    first = _first_of_each(keys, errors)
    gone = await store.delete(conn, [keys[n] for n in first]) if first else set()
    errors |= {n: _not_found() for n in first if keys[n] not in gone}
    await _record(conn, actor, "app_subscription.remove", [(app, AppOutcome.REMOVED) for app, _ in gone])
    return _results(len(keys), {}, errors, AppOutcome.REMOVED)


async def find_app_subscriptions(conn: Connection, ids: Sequence[int]) -> list[AppSubscription]:
    """Those that exist, by id."""
    return await store.find(conn, ids)


async def list_app_subscriptions(conn: Connection, page: PageRequest, *, app: str | None = None) -> Page[AppSubscription]:
    """Of an app or of all, the oldest first; the cursor is the id."""
    return cut(await store.list_all(conn, app, page.after, page.first + 1), page)


async def list_of_profiles(conn: Connection, profile_ids: Sequence[int]) -> Mapping[int, Sequence[AppSubscription]]:
    """Of each profile, and of those merged into it, the newest (MOST_SHOWN)."""
    return by_person(await store.list_of(conn, profile_ids, MOST_SHOWN))


def _first_of_each(keys: Sequence[Key], errors: dict[int, ClarionError]) -> list[int]:
    """The places of well-formed keys that no row before has."""
    seen: set[Key] = set()
    first = []
    for n, (app, token) in enumerate(keys):
        if not _APP.fullmatch(app):
            errors[n] = Invalid(
                "the id of an app has up to 100 letters, digits, dots, hyphens and underscores", code="BAD_APP", path="app"
            )
        elif not _TOKEN.fullmatch(token):
            errors[n] = Invalid(
                "a token has 1 to 1,000 characters of ASCII without blanks", code="BAD_TOKEN", path="registration_token"
            )
        elif (app, token) in seen:
            errors[n] = Invalid("a row before is about this device", code="REPEATED", path="registration_token")
        else:
            seen.add((app, token))
            first.append(n)
    return first


async def _team_fields(conn: Connection) -> Mapping[str, Field]:
    return team_fields_of(await present_model(conn), Extended.APP_SUBSCRIPTION)


def _team_values(
    one: SentAppSubscription, fields: Mapping[str, Field], n: int, errors: dict[int, ClarionError]
) -> Mapping[str, Any] | None:
    """What a row says of the team's fields, by column; None: it cannot, for what stands in `errors`."""
    try:
        return clean_team_values(fields, one.team)
    except FieldsInvalid as error:
        errors[n] = error
        return None


async def _write(
    conn: Connection, rows: Sequence[store.Row], fields: Mapping[str, Field], now: datetime
) -> tuple[set[int], set[int]]:
    """The places of those that were added, and of those that were changed."""
    if not rows:
        return set(), set()
    columns = {one.column: one for one in fields.values()}
    try:
        async with conn.transaction():
            created = await store.insert_new(conn, rows, columns, now)
            known = [row for row in rows if row[0] not in created]
            return created, await store.update_known(conn, known, columns, now) if known else set()
    except REFUSED as error:
        raise await refused(conn, error) or error from None


def _results(
    number: int, outcomes: Mapping[int, AppOutcome], errors: Mapping[int, ClarionError], otherwise: AppOutcome
) -> list[AppResult]:
    return [
        AppResult(index=n, outcome=AppOutcome.REJECTED, error=errors[n])
        if n in errors
        else AppResult(index=n, outcome=outcomes.get(n, otherwise))
        for n in range(number)
    ]


async def _record(conn: Connection, actor: Actor, action: str, done: Sequence[tuple[str, AppOutcome]]) -> None:
    """One entry for each app; tokens do not enter it."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for app, outcome in done:
        counts[app][outcome.value] += 1
    if counts:
        await record_each(conn, actor, action, "app_subscription", counts)


def _not_found() -> NotFound:
    return NotFound("there is no such device of this app", code="APP_SUBSCRIPTION_NOT_FOUND", path="registration_token")
