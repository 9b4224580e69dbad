"""Writes of targeting: parse, call one operation, return its record."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry

from api.context import Info
from api.graphql.mutations import given, mutation
from api.graphql.targeting.columns import MemberColumnInput, columns_of
from api.graphql.targeting.inputs import ExpressionInput
from api.graphql.targeting.segment_types import SegmentationInput
from api.graphql.targeting.types import (
    Audience,
    CreateAudienceInput,
    CreateListInput,
    UpdateAudienceInput,
    WhomInput,
    zone_of,
)
from core.content.audience_uses import check_audience_unasked, check_contents_asking
from core.delivery.column_uses import check_columns_in_use
from core.ids import from_global_id
from core.planning.uses import check_audience_unnamed, check_unused
from core.targeting import audiences, lists
from core.targeting.records import AudienceDraft
from core.targeting.segments import list_segments, list_together


@strawberry.type
class TargetingMutation:
    """Audiences."""

    @mutation(audience=Audience)
    async def create_audience(self, info: Info, input: CreateAudienceInput) -> Any:
        """Save an expression as an audience."""
        draft = AudienceDraft(
            name=input.name, label=input.label or "", expression=input.expression.parsed(), description=input.description,
            expires_at=input.expires_at,
        )  # fmt: skip
        return await audiences.create_audience(info.context.conn, info.context.actor, draft)

    @mutation(audience=Audience)
    async def update_audience(self, info: Info, input: UpdateAudienceInput) -> Any:
        """Change an audience."""
        changes = given(
            name=input.name, label=input.label, expression=input.expression, description=input.description,
            expires_at=input.expires_at,
        )  # fmt: skip
        if "expression" in changes:
            changes["expression"] = changes["expression"].parsed()
        key = from_global_id("Audience", input.id, "id")
        before = await audiences.get_audience(info.context.conn, key)
        audience = await audiences.update_audience(
            info.context.conn, info.context.actor, key, changes, expected_version=input.expected_version
        )
        if audience.name != before.name:
            await check_audience_unasked(info.context.conn, before.name)
            await check_audience_unnamed(info.context.conn, before.name)
        if "expression" in changes:
            await check_columns_in_use(info.context.conn, audience)
            await check_contents_asking(info.context.conn, audience.name)
        return audience

    @mutation(audience=Audience)
    async def create_list(self, info: Info, input: CreateListInput) -> Any:
        """An audience that is a list: of whom an expression finds now, of profiles, or of nobody yet."""
        context = info.context
        return await lists.create_list(
            context.conn, context.actor, name=input.name, label=input.label,
            whom=[] if input.whom is None else input.whom.parsed(), now=context.now, zone=zone_of(input.time_zone),
            columns=columns_of(input.columns), description=input.description, expires_at=input.expires_at,
        )  # fmt: skip

    @mutation(audience=Audience)
    async def freeze_audience(
        self, info: Info, id: strawberry.ID, name: str, label: str, time_zone: str | None = None,
        columns: list[MemberColumnInput] | None = None, expires_at: datetime | None = None,
    ) -> Any:  # fmt: skip
        """Put whom an audience finds now on a new list, with columns. What takes long is a job: startFreeze."""
        context = info.context
        key = from_global_id("Audience", id, "id")
        return await lists.freeze_audience(
            context.conn,
            context.actor,
            key,
            name=name,
            label=label,
            now=context.now,
            zone=zone_of(time_zone),
            columns=columns_of(columns),
            expires_at=expires_at,
        )

    @mutation(audiences=list[Audience])
    async def create_segment_lists(
        self, info: Info, population: ExpressionInput, into: SegmentationInput, prefix: str, time_zone: str | None = None
    ) -> Any:  # fmt: skip
        """Cut a population up, and put each segment on a list of its own, called by the prefix and the segment's code. Members
        have the code in the column `segment`."""
        context = info.context
        return await list_segments(
            context.conn, context.actor, population.parsed(), into.record(), prefix=prefix, now=context.now,
            zone=zone_of(time_zone),
        )  # fmt: skip

    @mutation(audience=Audience)
    async def create_segmented_list(
        self,
        info: Info,
        population: ExpressionInput,
        into: SegmentationInput,
        name: str,
        label: str,
        time_zone: str | None = None,
    ) -> Any:
        """Cut a population up, and put all segments on one list. Members have the code of theirs in the column `segment`."""
        context = info.context
        return await list_together(
            context.conn, context.actor, population.parsed(), into.record(), name=name, label=label, now=context.now,
            zone=zone_of(time_zone),
        )  # fmt: skip

    @mutation(audience=Audience, added=int)
    async def add_to_list(self, info: Info, id: strawberry.ID, whom: WhomInput, time_zone: str | None = None) -> Any:
        """Put people on a list; `added` says how many were not on it."""
        context = info.context
        audience, added = await lists.add_to_list(
            context.conn, context.actor, from_global_id("Audience", id, "id"), whom.parsed(), now=context.now,
            zone=zone_of(time_zone),
        )  # fmt: skip
        return {"audience": audience, "added": added}

    @mutation(audience=Audience, removed=int)
    async def remove_from_list(self, info: Info, id: strawberry.ID, whom: WhomInput, time_zone: str | None = None) -> Any:
        """Take people off a list; `removed` says how many were on it."""
        context = info.context
        audience, removed = await lists.remove_from_list(
            context.conn, context.actor, from_global_id("Audience", id, "id"), whom.parsed(), now=context.now,
            zone=zone_of(time_zone),
        )  # fmt: skip
        return {"audience": audience, "removed": removed}

    @mutation(deleted_id=strawberry.ID)
    async def delete_audience(self, info: Info, id: strawberry.ID) -> Any:
        """Delete an audience that no delivery uses or names, and about which no content asks."""
        key = from_global_id("Audience", id, "id")
        await check_unused(info.context.conn, audience_id=key)
        audience = await audiences.get_audience(info.context.conn, key)
        await audiences.delete_audience(info.context.conn, info.context.actor, key, info.context.now)
        await check_audience_unasked(info.context.conn, audience.name)
        await check_audience_unnamed(info.context.conn, audience.name)
        return id
