"""Visitors of forms and pages (feature map 2.15): told in sets, each row with a result of its own.

A visitor is known by the id that the page gave. Who it is comes by one key of a profile, with the visitor or later; visitors
that are profiles that were merged are read as the survivor's, and those of people who are gone go with them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import copy
from datetime import datetime
from typing import Any

from core.access import Actor, Permission, require
from core.audit import record
from core.db import Connection
from core.errors import ClarionError, Invalid, NotFound
from core.paging import Page, PageRequest, cut
from core.profiles.addresses import EmailAddress
from core.profiles.errors import BadValue, FieldsInvalid
from core.profiles.identities import hold_each
from core.profiles.store import visitors as store
from core.profiles.told_in_sets import by_person, check_number
from core.profiles.values import Reading, clean
from core.profiles.visitor_records import SAID, SentVisitor, Visitor, VisitorOutcome, VisitorResult

MOST_SHOWN = 100  # of one profile
FORGET_AT_ONCE = 10_000

_KEY = re.compile(r"[!-~]{1,200}")


async def save_visitors(
    conn: Connection, actor: Actor, sent: Sequence[SentVisitor], *, now: datetime
) -> list[VisitorResult]:  # fmt: skip
    """Add visitors, or change those that are there; the results are in the order of the call. A bad row costs only itself.

    Raises Invalid (BAD_VALUE) for none or too many.
    """
    require(actor, Permission.EDIT)
    check_number(sent, "visitors")
    errors: dict[int, ClarionError] = {}
    first = _first_of_each([one.external_id for one in sent], errors)
    told = {n: values for n in first if (values := _values(sent[n], n, errors, now)) is not None}
    await _identify(conn, sent, told, errors)
    rows = [(n, sent[n].external_id, values) for n, values in told.items() if n not in errors]
    created = await store.insert_new(conn, rows, now) if rows else set()
    known = [row for row in rows if row[0] not in created]
    updated = await store.update_known(conn, known, now) if known else set()
    outcomes = {n: VisitorOutcome.CREATED if n in created else VisitorOutcome.UPDATED for n in created | updated}
    await _record(conn, actor, "visitor.save", Counter(one.value for one in outcomes.values()))
    return _results(len(sent), outcomes, errors, VisitorOutcome.UNCHANGED)


async def remove_visitors(conn: Connection, actor: Actor, keys: Sequence[str]) -> list[VisitorResult]:
    """Remove visitors, by the ids that pages gave them; as `save_visitors`. One that is not there is rejected
    (VISITOR_NOT_FOUND)."""
    require(actor, Permission.EDIT)
    check_number(keys, "visitors")
    errors: dict[int, ClarionError] = {}
    first = _first_of_each(keys, errors)
    gone = await store.delete(conn, [keys[n] for n in first]) if first else set()
    errors |= {n: _not_found() for n in first if keys[n] not in gone}
    await _record(conn, actor, "visitor.remove", Counter({VisitorOutcome.REMOVED.value: len(gone)} if gone else {}))
    return _results(len(keys), {}, errors, VisitorOutcome.REMOVED)


async def forget_unidentified(conn: Connection, before: datetime) -> int:
    """Remove visitors of whom nobody knows who they are and that last changed before a moment, up to FORGET_AT_ONCE; returns
    how many."""
    return await store.delete_unidentified(conn, before, FORGET_AT_ONCE)


async def find_visitors(conn: Connection, ids: Sequence[int]) -> list[Visitor]:
    """Those that exist, by id."""
    return await store.find(conn, ids)


async def find_visitor_by_key(conn: Connection, external_id: str) -> Visitor | None:
    """The visitor that a page knows by this id."""
    return await store.find_by_key(conn, external_id) if _KEY.fullmatch(external_id) else None


async def list_visitors(conn: Connection, page: PageRequest, *, unidentified: bool = False) -> Page[Visitor]:
    """All, or those of whom nobody knows who they are, the oldest first; the cursor is the id."""
    listing = store.list_unidentified if unidentified else store.list_all
    return cut(await listing(conn, page.after, page.first + 1), page)


async def list_of_profiles(conn: Connection, profile_ids: Sequence[int]) -> Mapping[int, Sequence[Visitor]]:
    """Of each profile, and of those merged into it, the newest (MOST_SHOWN)."""
    return by_person(await store.list_of(conn, profile_ids, MOST_SHOWN))


def _first_of_each(keys: Sequence[str], errors: dict[int, ClarionError]) -> list[int]:
    """The places of well-formed keys that no row before has."""
    seen: set[str] = set()
    first = []
    for n, key in enumerate(keys):
        if not _KEY.fullmatch(key):
            errors[n] = Invalid(
                "the id of a visitor has 1 to 200 characters of ASCII without blanks",
                code="BAD_EXTERNAL_ID",
                path="external_id",
            )
        elif key in seen:
            errors[n] = Invalid("a row before is about this visitor", code="REPEATED", path="external_id")
        else:
            seen.add(key)
            first.append(n)
    return first


def _values(one: SentVisitor, n: int, errors: dict[int, ClarionError], now: datetime) -> dict[str, Any] | None:
    """What a row says, by column; None: it cannot, for what stands in `errors`."""
    values: dict[str, Any] = {}
    problems: list[Invalid] = []
    for name, value in one.values.items():
        try:
            found = clean(SAID[name], value, Reading(region="", today=now.date()))
            values[name] = found.key if isinstance(found, EmailAddress) else found
        except BadValue as error:
            problems.append(error.at(name, SAID[name].label))
    if problems:
        errors[n] = FieldsInvalid(problems)
        return None
    if one.forget_profile:
        values["profile_id"] = None
    if one.forget_referrer:
        values["referrer_id"] = None
    return values


async def _identify(
    conn: Connection, sent: Sequence[SentVisitor], told: Mapping[int, dict[str, Any]], errors: dict[int, ClarionError]
) -> None:
    """Add to what rows say the profiles that they name, held until the transaction ends."""
    profiles = {n: one for n in told if (one := sent[n].profile) is not None}
    referrers = {n: one for n in told if (one := sent[n].referrer) is not None}
    for name, path, named in (("profile_id", "profile", profiles), ("referrer_id", "referrer", referrers)):
        wrong: dict[int, ClarionError] = {}
        for n, found in (await hold_each(conn, named, wrong)).items():
            told[n][name] = found
        for n, error in wrong.items():
            located = copy(error)  # several rows may have it
            located.path = f"{path}.{error.path}"
            errors.setdefault(n, located)


def _results(
    number: int, outcomes: Mapping[int, VisitorOutcome], errors: Mapping[int, ClarionError], otherwise: VisitorOutcome
) -> list[VisitorResult]:
    return [
        VisitorResult(index=n, outcome=VisitorOutcome.REJECTED, error=errors[n])
        if n in errors
        else VisitorResult(index=n, outcome=outcomes.get(n, otherwise))
        for n in range(number)
    ]


async def _record(conn: Connection, actor: Actor, action: str, counts: Mapping[str, int]) -> None:
    """One entry for a call: ids of visitors do not enter it."""
    if counts:
        await record(conn, actor, action, "visitor", "set", counts)


def _not_found() -> NotFound:
    return NotFound("there is no such visitor", code="VISITOR_NOT_FOUND", path="external_id")
