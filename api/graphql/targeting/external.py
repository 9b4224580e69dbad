"""Segments that outside systems fill: writes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry

from api.context import Info
from api.graphql.mutations import mutation
from api.graphql.targeting.types import Audience
from core.ids import from_global_id
from core.targeting import external_segments


@strawberry.input(description="An audience that an outside system fills. The name is its handle: a-z, 0-9, _ and -.")
class CreateExternalSegmentInput:
    """Input of createExternalSegment."""

    name: str
    label: str
    source: str = strawberry.field(description="What the outside system is called.")
    key: str = strawberry.field(
        description="The field of profiles whose values the ids are: id, external_id, crypted_id, email, mobile_phone, phone, "
        "or one of the team's that alone is a unique key, such as the id of a visitor."
    )
    fresh_hours: int | None = strawberry.field(default=None, description="How long it is fresh after a push; null: for ever.")
    description: str = ""
    expires_at: datetime | None = None


@strawberry.input(description="A portion of at most 10,000 ids.")
class PushExternalSegmentInput:
    """Input of pushExternalSegment."""

    id: strawberry.ID
    add: list[str] = strawberry.field(default_factory=list)
    remove: list[str] = strawberry.field(default_factory=list)
    snapshot: str | None = strawberry.field(
        default=None, description="The name of the whole that replaces the segment, of which this is a portion."
    )
    complete: bool = strawberry.field(
        default=False, description="The last portion of the snapshot: ids that it did not name go."
    )


@strawberry.type
class ExternalSegmentsMutation:
    """External segments."""

    @mutation(audience=Audience)
    async def create_external_segment(self, info: Info, input: CreateExternalSegmentInput) -> Any:
        """An empty audience for an outside system to fill."""
        context = info.context
        return await external_segments.create_segment(context.conn, context.actor, **vars(input))

    @mutation(audience=Audience, added=int, known=int, removed=int, unreadable=list[int])
    async def push_external_segment(self, info: Info, input: PushExternalSegmentInput) -> Any:
        """Add and remove ids. Those of nobody are kept, and looked up again each hour. `unreadable` are the places in `add` of
        what no profile can have; it is left out."""
        context, key = info.context, from_global_id("Audience", input.id, "id")
        portion = external_segments.Portion(
            add=input.add, remove=input.remove, snapshot=input.snapshot, complete=input.complete
        )  # fmt: skip
        done = await external_segments.push(
            context.conn, context.actor, key, portion, region=context.runtime.settings.default_country, now=context.now
        )
        return {
            "audience": done.audience, "added": done.added, "known": done.known, "removed": done.removed,
            "unreadable": list(done.unreadable),
        }  # fmt: skip
