"""The global holdout: a share of all people that no delivery reaches, unless it says that it goes to them too.

Whom chance holds out follows from their number and the holdout's seed, so that they are the same ones in all its time, also
those who come later. Share, seed and beginning stay as they are once it has begun: another share is another holdout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import asyncpg

from core.access import Actor, Permission, require
from core.audit import record
from core.authored import changed, check_label, check_version, not_found
from core.db import Connection
from core.errors import Conflict, Invalid
from core.paging import Page, PageRequest, cut
from core.planning.seed_records import Holdout, HoldoutDraft
from core.planning.store import holdouts as store

MOST = Decimal(50)  # per cent


async def create_holdout(conn: Connection, actor: Actor, draft: HoldoutDraft, *, seed: int, now: datetime) -> Holdout:
    """`seed` is drawn by chance, 0 to 2^63 - 1.

    Raises Invalid (BAD_LABEL, BAD_SHARE, BAD_TIME), Conflict (HOLDOUT_OVERLAPS).
    """
    require(actor, Permission.ADMINISTER)
    _check(draft)
    if draft.starts_at < now:
        raise _bad_time("a holdout begins now or later: what was sent before went to everybody", "starts_at")
    draft = _in_seconds(draft)
    _check(draft)
    try:
        async with conn.transaction():
            holdout = await store.insert_holdout(conn, draft, seed, actor.name)
    except asyncpg.ExclusionViolationError:
        raise _overlaps() from None
    told = {"label": draft.label, "share": str(draft.share), "starts_at": draft.starts_at.isoformat(), **_end(draft.ends_at)}
    await record(conn, actor, "holdout.create", "holdout", holdout.id, told)
    return holdout


async def update_holdout(
    conn: Connection,
    actor: Actor,
    holdout_id: int,
    changes: Mapping[str, Any],
    *,
    expected_version: int | None = None,
    now: datetime,
) -> Holdout:
    """Change `label` or `ends_at`: it does not end in the past, and what has ended does not go on.

    Raises Invalid (BAD_LABEL, BAD_TIME, UNKNOWN_FIELD), NotFound, Stale (VERSION_CHANGED), Conflict (HOLDOUT_OVERLAPS).
    """
    require(actor, Permission.ADMINISTER)
    holdout = await _lock(conn, holdout_id)
    check_version("holdout", holdout.version, expected_version)
    before = HoldoutDraft(
        label=holdout.label, share=holdout.share, starts_at=holdout.starts_at, ends_at=holdout.ends_at
    )  # fmt: skip
    if fixed := sorted(changes.keys() & {"share", "starts_at"}):
        raise Invalid(
            f"{fixed[0]} stays as it is", code="UNKNOWN_FIELD", path=fixed[0], hint="End this holdout, and create another one."
        )
    draft = changed(before, changes)
    _check(draft)
    past = draft.ends_at is not None and draft.ends_at < now
    if draft.ends_at != before.ends_at and (past or _has_ended(holdout, now)):
        raise _bad_time("a holdout ends now or later, and once", "ends_at")
    draft = _in_seconds(draft)
    _check(draft)
    if draft == before:
        return holdout
    try:
        async with conn.transaction():
            updated = await store.update_holdout(conn, holdout_id, draft.label, draft.ends_at)
    except asyncpg.ExclusionViolationError:
        raise _overlaps() from None
    await record(conn, actor, "holdout.update", "holdout", holdout_id, {"label": draft.label, **_end(draft.ends_at)})
    return updated


async def delete_holdout(conn: Connection, actor: Actor, holdout_id: int, *, now: datetime) -> None:
    """Delete one that has not begun. Raises NotFound, Conflict (HOLDOUT_BEGUN)."""
    require(actor, Permission.ADMINISTER)
    holdout = await _lock(conn, holdout_id)
    if holdout.starts_at <= now:
        raise Conflict("people have been held out by it", code="HOLDOUT_BEGUN", path="id", hint="End it.")
    await store.delete_holdout(conn, holdout_id)
    await record(conn, actor, "holdout.delete", "holdout", holdout_id, {"label": holdout.label})


async def find_current(conn: Connection, at: datetime) -> Holdout | None:
    """The holdout that counts at a moment."""
    return await store.find_current(conn, at)


async def find_holdouts(conn: Connection, ids: Sequence[int]) -> list[Holdout]:
    """Those of the ids that exist, in any order."""
    return await store.find_holdouts(conn, ids)


async def list_holdouts(conn: Connection, page: PageRequest) -> Page[Holdout]:
    """A page in the order of ids."""
    return cut(await store.list_holdouts(conn, page.after, page.first + 1), page)


async def count_holdouts(conn: Connection) -> int:
    """How many there are."""
    return await store.count_holdouts(conn)


async def _lock(conn: Connection, holdout_id: int) -> Holdout:
    found = await store.lock_holdout(conn, holdout_id)
    if found is None:
        raise not_found("holdout", holdout_id)
    return found


def _check(draft: HoldoutDraft) -> None:
    check_label(draft.label)
    share = draft.share
    if not share.is_finite() or not 0 < share <= MOST or share != share.quantize(Decimal("0.01")):
        raise Invalid(
            f"a holdout is more than 0 and up to {MOST} per cent, in hundredths at most", code="BAD_SHARE", path="share"
        )  # fmt: skip
    for path, moment in (("starts_at", draft.starts_at), ("ends_at", draft.ends_at)):
        if moment is not None and moment.tzinfo is None:
            raise _bad_time("the time has no zone", path)
    if draft.ends_at is not None and draft.ends_at <= draft.starts_at:
        raise _bad_time("a holdout ends after it begins", "ends_at")


def _in_seconds(draft: HoldoutDraft) -> HoldoutDraft:
    """Preparations count in whole seconds: one that is asked for right after a holdout has begun must know of it."""
    ends_at = None if draft.ends_at is None else draft.ends_at.replace(microsecond=0)
    return replace(draft, starts_at=draft.starts_at.replace(microsecond=0), ends_at=ends_at)


def _has_ended(holdout: Holdout, now: datetime) -> bool:
    return holdout.ends_at is not None and holdout.ends_at <= now


def _bad_time(message: str, path: str) -> Invalid:
    return Invalid(message, code="BAD_TIME", path=path, hint="Write it with an offset, such as 2030-01-31T09:00:00+01:00.")


def _overlaps() -> Conflict:
    return Conflict(
        "another holdout counts at that time", code="HOLDOUT_OVERLAPS", path="starts_at", hint="End the other one first."
    )  # fmt: skip


def _end(ends_at: datetime | None) -> dict[str, str | None]:
    return {"ends_at": None if ends_at is None else ends_at.isoformat()}
