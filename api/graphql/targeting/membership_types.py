"""GraphQL types of audiences whose members are kept."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry

from api.context import RequestContext
from api.graphql.leaf import leaf
from api.graphql.nodes import aligned, link
from api.graphql.profiles.loaders import load_profiles
from api.graphql.profiles.types import Profile
from api.graphql.scalars import Long
from core.ids import to_global_id
from core.paging import encode_cursor
from core.targeting.membership import keeping, records

MembershipState = strawberry.enum(
    records.KeptState, name="MembershipState", description="How far the members of an audience are that are kept."
)
MembershipUpkeep = strawberry.enum(
    records.Upkeep, name="MembershipUpkeep",
    description="What makes kept members right again: changes and due dates, or a count at intervals too.",
)  # fmt: skip


async def load_memberships(context: RequestContext, audience_ids: list[int]) -> list[Any]:
    """How members are kept, by audience."""
    async with context.lease.use() as conn:
        found = await keeping.find_memberships(conn, audience_ids, context.now)
    return aligned(audience_ids, found.values(), lambda one: one.audience_id)


@strawberry.type(description="How the members of an audience are kept.")
class AudienceMembership:
    """Members that are kept."""

    state: MembershipState  # type: ignore[valid-type]
    upkeep: MembershipUpkeep  # type: ignore[valid-type]
    reasons: list[str] = leaf(lambda kept: list(kept.reasons), description="Why it is recounted.")
    trouble: str | None = strawberry.field(description="Why the members cannot be kept at present.")
    count: Long = leaf(lambda kept: Long(kept.members), description="How many members there are, as of the last change seen.")
    freshness_seconds: float | None = leaf(
        lambda kept: kept.freshness,
        description="The age of the oldest change that is not looked at yet, 0 where there is none; null till the first count.",
    )
    time_zone: str = strawberry.field(description="Whose days count.")
    counted_at: datetime | None = strawberry.field(description="When the last count of everybody began.")
    recount_at: datetime | None = strawberry.field(description="When the next one begins.")
    cursor: str = leaf(
        lambda kept: encode_cursor(kept.position),
        description="The end of the log now. Read it first, then `members`, then the log from here on: nothing is missed.",
    )


@strawberry.type(description="Somebody entered an audience, or left it.")
class MembershipChange:
    """An entry of the log."""

    entered: bool = strawberry.field(description="False: left.")
    at: datetime
    profile_id: strawberry.ID = leaf(
        lambda change: to_global_id("Profile", change.profile_id), description="Also of somebody who is deleted."
    )
    profile: Profile | None = link(load_profiles, lambda change: change.profile_id)


@strawberry.type(description="Who entered and left since the last batch.")
class MembershipChangeBatch:
    """A piece of the log."""

    changes: list[MembershipChange]
    cursor: str = leaf(
        lambda batch: encode_cursor(batch.position), description="Resume from here: nothing is lost or repeated."
    )
