"""Audiences whose members are kept: the mutations that begin and end it, and the log as a subscription."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import strawberry

from api.context import Info, RequestContext
from api.graphql.leaf import subscription
from api.graphql.live import Watches
from api.graphql.mutations import mutation
from api.graphql.targeting.membership_types import MembershipChangeBatch
from api.graphql.targeting.types import Audience, zone_of
from core.ids import from_global_id
from core.paging import decode_cursor
from core.targeting.membership import keeping
from core.targeting.membership.records import MembershipChange

BATCH = 500  # changes


@strawberry.type
class MembershipMutation:
    """Members that are kept."""

    @mutation(audience=Audience)
    async def keep_audience(self, info: Info, id: strawberry.ID, time_zone: str | None = None) -> Any:
        """Keep the members of an audience up to date from now on, with a log of who enters and leaves. Days are those of the
        time zone, UTC by default."""
        context = info.context
        key = from_global_id("Audience", id, "id")
        return await keeping.keep_audience(context.conn, context.actor, key, zone=zone_of(time_zone), now=context.now)

    @mutation(audience=Audience)
    async def release_audience(self, info: Info, id: strawberry.ID) -> Any:
        """Keep the members of an audience no longer. Who they were, and the log, are forgotten."""
        return await keeping.release_audience(info.context.conn, info.context.actor, from_global_id("Audience", id, "id"))


@dataclass(frozen=True, slots=True)
class Batch:
    """What came since the last one."""

    changes: list[MembershipChange]
    position: int


@strawberry.type
class MembershipSubscription:
    """Audiences as they change."""

    @subscription(MembershipChangeBatch)
    async def audience_changes(
        self, info: Info, audience_id: strawberry.ID, after: str | None = None
    ) -> AsyncGenerator[Batch, None]:  # fmt: skip
        """Who enters and leaves an audience whose members are kept, from a cursor on or from now on. Each batch has the cursor
        to resume from: no loss, no repeat."""
        context = info.context
        key = from_global_id("Audience", audience_id, "audienceId")
        async with context.brief() as conn:
            position = await keeping.newest_position(conn, key) if after is None else decode_cursor(after)
            await keeping.list_changes(conn, key, position, 1)  # refuses what cannot be followed
        return _follow(context, key, position)


async def _follow(context: RequestContext, audience_id: int, position: int) -> AsyncGenerator[Batch, None]:
    watches: Watches = context.watches
    newest = watches.follow(
        ("membership", audience_id), lambda conn: keeping.newest_position(conn, audience_id), lambda _: False
    )  # fmt: skip
    async with aclosing(newest):
        async for reached in newest:
            while position < reached:
                async with context.brief() as conn:
                    changes = await keeping.list_changes(conn, audience_id, position, BATCH)
                if not changes:
                    break
                position = changes[-1].position
                yield Batch(changes, position)
