"""What personal data is used for, and what people say to it (feature map 2.50)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

import asyncpg

from core.access import Actor, Permission, require
from core.audit import difference, record
from core.authored import changed, check_label, check_name, check_version, name_taken, not_found
from core.consent.acts import check_act
from core.consent.records import UNKNOWN, Act, Choice, Chosen, Outcome, Purpose, PurposeDraft
from core.consent.store import people
from core.consent.store import purposes as store
from core.db import Connection
from core.errors import Conflict, Invalid
from core.paging import Page, PageRequest, cut

MOST_AT_ONCE = 10_000  # choices of one call


async def create_purpose(conn: Connection, actor: Actor, draft: PurposeDraft) -> Purpose:
    """Raises Invalid (BAD_NAME, BAD_LABEL), Conflict (NAME_TAKEN)."""
    require(actor, Permission.EDIT)
    _check(draft)
    purpose = await store.insert_purpose(conn, draft, actor.name)
    if purpose is None:
        raise name_taken("purpose", draft.name)
    await record(conn, actor, "purpose.create", "purpose", purpose.id, difference({}, asdict(draft)))
    return purpose


async def update_purpose(
    conn: Connection,
    actor: Actor,
    purpose_id: int,
    changes: Mapping[str, Any],
    *,
    expected_version: int | None = None,
) -> Purpose:
    """Change the fields given. Raises as `create_purpose`, NotFound (PURPOSE_NOT_FOUND), Stale (VERSION_CHANGED)."""
    require(actor, Permission.EDIT)
    purpose = await _lock(conn, purpose_id)
    check_version("purpose", purpose.version, expected_version)
    before = PurposeDraft(**{one.name: getattr(purpose, one.name) for one in fields(PurposeDraft)})
    draft = changed(before, changes)
    if draft == before:
        return purpose
    _check(draft)
    try:
        async with conn.transaction():
            updated = await store.update_purpose(conn, purpose_id, draft)
    except asyncpg.UniqueViolationError:
        raise name_taken("purpose", draft.name) from None
    await record(conn, actor, "purpose.update", "purpose", purpose_id, difference(asdict(before), asdict(draft)))
    return updated


async def delete_purpose(conn: Connection, actor: Actor, purpose_id: int) -> None:
    """Raises NotFound (PURPOSE_NOT_FOUND), Conflict (IN_USE) once somebody decided on it or while a delivery names it."""
    require(actor, Permission.EDIT)
    purpose = await _lock(conn, purpose_id)
    try:
        async with conn.transaction():
            await store.delete_purpose(conn, purpose_id)
    except asyncpg.ForeignKeyViolationError:
        raise Conflict(
            f"people decided on the purpose {purpose.name!r}, or deliveries name it", code="IN_USE",
            hint="What people said is kept; give the deliveries another purpose.",
        ) from None  # fmt: skip
    await record(conn, actor, "purpose.delete", "purpose", purpose_id, {"name": {"from": purpose.name}})


async def get_purpose(conn: Connection, purpose_id: int) -> Purpose:
    """Raises NotFound (PURPOSE_NOT_FOUND)."""
    found = await store.find_purposes(conn, [purpose_id])
    if not found:
        raise not_found("purpose", purpose_id)
    return found[0]


async def find_purposes(conn: Connection, ids: Sequence[int]) -> list[Purpose]:
    """Those of the ids that exist, in any order."""
    return await store.find_purposes(conn, ids)


async def list_purposes(conn: Connection, page: PageRequest) -> Page[Purpose]:
    """Purposes, oldest first."""
    return cut(await store.list_purposes(conn, page.after, page.first + 1), page)


async def count_purposes(conn: Connection) -> int:
    """How many there are."""
    return await store.count_purposes(conn)


async def decide(
    conn: Connection, actor: Actor, choices: Sequence[Choice], act: Act = UNKNOWN, *, now: datetime
) -> list[Chosen]:
    """Record what people say to purposes; the results are in the order of the choices, and no bad one fails the others. Who is
    merged into another is that one.

    The same once more under the same wording changes nothing. Raises Invalid (TOO_MANY, BAD_ORIGIN, BAD_PROOF, BAD_MOMENT),
    NotFound (CONSENT_WORDING_NOT_FOUND).
    """
    require(actor, Permission.EDIT)
    done = await decide_own(conn, actor, choices, act, now=now)
    counts: dict[int, int] = {}
    for one in done:
        if one.outcome in (Outcome.RECORDED, Outcome.LATE):
            counts[one.purpose_id] = counts.get(one.purpose_id, 0) + 1
    for purpose_id, number in counts.items():
        await record(conn, actor, "purpose.decide", "purpose", purpose_id, {"profiles": number})
    return done


async def decide_own(conn: Connection, actor: Actor, choices: Sequence[Choice], act: Act, *, now: datetime) -> list[Chosen]:
    """`decide` as a person's own act: asks for no permission, and leaves the audit to its caller."""
    return await _decide(conn, actor, choices, act, now, as_one=True)


async def decide_each(conn: Connection, actor: Actor, choices: Sequence[Choice], act: Act, *, now: datetime) -> list[Chosen]:
    """As `decide_own`, but of one who is merged into another it is written down as theirs, and stays so when they separate."""
    return await _decide(conn, actor, choices, act, now, as_one=False)


async def _decide(
    conn: Connection, actor: Actor, choices: Sequence[Choice], act: Act, now: datetime, *, as_one: bool
) -> list[Chosen]:
    if len(choices) > MOST_AT_ONCE:
        raise Invalid(
            f"at most {MOST_AT_ONCE:,} in one call, not {len(choices):,}", code="TOO_MANY", path="choices",
            hint="Call it several times.",
        )  # fmt: skip
    at = await check_act(conn, act, now)
    if not choices:
        return []
    purpose_ids, profile_ids = [one.purpose_id for one in choices], [one.profile_id for one in choices]
    await store.hold_purposes(conn, purpose_ids)
    survivors = await people.hold_people(conn, profile_ids)
    if as_one:
        profile_ids = [survivors.get(one, one) for one in profile_ids]
    granted = [one.granted for one in choices]
    rows = await store.decide(conn, purpose_ids, profile_ids, granted, act=act, at=at, actor=actor.name, now=now)
    found = {row["n"]: Outcome(row["outcome"]) for row in rows}
    return [
        Chosen(purpose_id=one.purpose_id, profile_id=one.profile_id, outcome=found.get(n, Outcome.REPEATED))
        for n, one in enumerate(choices, 1)
    ]


async def _lock(conn: Connection, purpose_id: int) -> Purpose:
    purpose = await store.lock_purpose(conn, purpose_id)
    if purpose is None:
        raise not_found("purpose", purpose_id)
    return purpose


def _check(draft: PurposeDraft) -> None:
    check_name(draft.name)
    check_label(draft.label)
