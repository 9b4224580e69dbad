"""The end of an audience's time, and what may be targeted: not what is expired, not a file of whose rows nobody knows whom they
are about.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from core.access import SYSTEM
from core.audit import record_many
from core.db import Connection
from core.errors import Conflict, Invalid
from core.targeting import expiry_store, store
from core.targeting.audiences import get_audience, let_files_go
from core.targeting.member_columns import check_reconciled
from core.targeting.records import Audience, AudienceKind


async def list_expired(conn: Connection, now: datetime) -> dict[int, str]:
    """The names of all audiences whose time is over, by id."""
    return await expiry_store.list_expired(conn, now)


async def hold_expired(conn: Connection, now: datetime, limit: int, but: Collection[int]) -> list[Audience]:
    """Audiences whose time is over and that no other audience and no filter names, held for `remove_expired`; none of those
    that are still needed, for these would stand before all others."""
    await store.hold_names(conn)
    return await expiry_store.lock_expired(conn, now, limit, but)


async def remove_expired(conn: Connection, expired: Sequence[Audience], now: datetime) -> None:
    """Delete these, of which the caller says that nothing needs them."""
    if expired:
        ids = [one.id for one in expired]
        await let_files_go(conn, ids, now)
        await expiry_store.delete_audiences(conn, ids)
        await record_many(conn, SYSTEM, "audience.expire", "audience", ids)


def check_current(audience: Audience, now: datetime) -> None:
    """Raises Conflict (AUDIENCE_EXPIRED) for one whose time is over: nothing new may target it."""
    if audience.is_expired(now):
        raise Conflict(
            f"the time of the audience {audience.name!r} is over", code="AUDIENCE_EXPIRED", path="audience_id",
            hint="Choose another audience, or let this one expire later.",
        )  # fmt: skip


def check_lasts(audience: Audience, until: datetime) -> None:
    """Raises Invalid (AUDIENCE_EXPIRES) for one that ends before what it is for."""
    if audience.is_expired(until):
        raise Invalid(
            f"the audience {audience.name!r} expires before that", code="AUDIENCE_EXPIRES", path="audience_id",
            hint="Let it expire later, choose another one, or make a list of it that stays.",
        )  # fmt: skip


async def check_is_target(conn: Connection, audience_id: int) -> Audience:
    """The audience, of whose members it is known who they are. Raises NotFound, Conflict (AUDIENCE_NOT_RECONCILED)."""
    audience = await get_audience(conn, audience_id)
    if audience.kind is AudienceKind.FILE:
        named = await store.find_named(conn, [(audience.name, None)])
        for one in named.values():
            check_reconciled(one.name, one.kind, one.reconciled)
    return audience
