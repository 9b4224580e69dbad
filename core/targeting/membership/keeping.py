"""Which audiences' members are kept, and what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from core.access import Actor, Permission, require
from core.audit import record
from core.db import Connection
from core.errors import Conflict, NotFound
from core.outbox import announce
from core.paging import Page, PageRequest, cut
from core.targeting.audiences import lock_audience, open_audience
from core.targeting.cost import check_cost
from core.targeting.errors import ExpressionError
from core.targeting.membership.records import Membership, MembershipChange
from core.targeting.membership.store import kept as store
from core.targeting.records import Audience, AudienceMember


async def keep_audience(conn: Connection, actor: Actor, audience_id: int, *, zone: ZoneInfo, now: datetime) -> Audience:
    """Keep the members of an audience from now on; its days are those of the zone. What is kept already stays as it is.

    Raises NotFound (AUDIENCE_NOT_FOUND), Conflict (KEPT_OTHERWISE: in another zone), LimitReached (QUESTION_TOO_COSTLY).
    """
    require(actor, Permission.EDIT)
    audience = await lock_audience(conn, audience_id)
    if await store.insert_kept(conn, audience_id, zone.key, actor.name, now):
        await _check_cost(conn, audience, zone, now)
        await announce(conn, "audience.kept", audience_id=audience_id)
        await record(conn, actor, "audience.keep", "audience", audience_id, {"time_zone": {"to": zone.key}})
        return audience
    (kept,) = await store.find_memberships(conn, [audience_id], now)
    if kept.time_zone != zone.key:
        raise Conflict(
            f"the members of {audience.name!r} are kept by the days of {kept.time_zone}", code="KEPT_OTHERWISE",
            path="timeZone", hint="Release it first.",
        )  # fmt: skip
    return audience


async def _check_cost(conn: Connection, audience: Audience, zone: ZoneInfo, now: datetime) -> None:
    """Raises LimitReached (QUESTION_TOO_COSTLY). What means nothing at present is kept all the same, with its trouble."""
    try:
        checked = await open_audience(conn, audience)
    except (ExpressionError, Conflict):  # Conflict: it names a file that is not reconciled
        return
    await check_cost(conn, checked, at=now, zone=zone)


async def release_audience(conn: Connection, actor: Actor, audience_id: int) -> Audience:
    """Keep its members no longer; who they were, and the log, are gone. Raises NotFound (AUDIENCE_NOT_FOUND)."""
    require(actor, Permission.EDIT)
    audience = await lock_audience(conn, audience_id)
    if await store.release(conn, audience_id):
        await announce(conn, "audience.released", audience_id=audience_id)
        await record(conn, actor, "audience.release", "audience", audience_id, {})
    return audience


async def find_memberships(conn: Connection, audience_ids: Sequence[int], now: datetime) -> dict[int, Membership]:
    """How the members of these audiences are kept, by audience, of those whose are; one statement however many."""
    return {one.audience_id: one for one in await store.find_memberships(conn, list(audience_ids), now)}


async def list_changes(conn: Connection, audience_id: int, after: int, limit: int) -> list[MembershipChange]:
    """Up to `limit` who entered or left after a position, in the order of commits; 0 is before the first. Fewer than `limit`
    means there are no more now.

    Raises NotFound (NOT_KEPT), Conflict (CURSOR_TOO_OLD: changes after the position are dropped from the log by now).
    """
    dropped = await store.last_dropped(conn, audience_id)
    if dropped is None:
        raise NotFound("the members of this audience are not kept", code="NOT_KEPT", hint="Keep them with keepAudience.")
    if after < dropped:
        raise Conflict(
            "the log does not reach back so far", code="CURSOR_TOO_OLD", path="after",
            hint="Read its present position, then its members, and go on from that position.",
        )  # fmt: skip
    return await store.list_changes(conn, audience_id, after, limit)


async def page_changes(conn: Connection, audience_id: int, page: PageRequest) -> Page[MembershipChange]:
    """The same as a page. Raises as `list_changes`."""
    return cut(await list_changes(conn, audience_id, page.after or 0, page.first + 1), page)


async def list_members(conn: Connection, audience_id: int, page: PageRequest) -> Page[AudienceMember]:
    """The members as they are kept, by number; nobody where they are not."""
    return cut(await store.list_members(conn, audience_id, page.after or 0, page.first + 1), page)


async def count_members(conn: Connection, audience_id: int) -> int:
    """How many members are kept."""
    return await store.count_members(conn, audience_id)


async def newest_position(conn: Connection, audience_id: int) -> int:
    """The position that means "from now on"."""
    return await store.newest_position(conn, audience_id)
