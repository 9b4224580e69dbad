"""Writes of targeting: parse, call one operation, return its record."""

from __future__ import annotations

from typing import Any

import strawberry

from api.context import Info
from api.graphql.mutations import given, mutation
from api.graphql.targeting.types import Audience, CreateAudienceInput, UpdateAudienceInput
from core.ids import from_global_id
from core.planning.uses import check_unused
from core.targeting import audiences
from core.targeting.records import AudienceDraft


@strawberry.type
class TargetingMutation:
    """Audiences."""

    @mutation(audience=Audience)
    async def create_audience(self, info: Info, input: CreateAudienceInput) -> Any:
        """Save an expression as an audience."""
        draft = AudienceDraft(name=input.name, label=input.label, expression=input.expression.parsed())
        return await audiences.create_audience(info.context.conn, info.context.actor, draft)

    @mutation(audience=Audience)
    async def update_audience(self, info: Info, input: UpdateAudienceInput) -> Any:
        """Change an audience."""
        changes = given(name=input.name, label=input.label, expression=input.expression)
        if "expression" in changes:
            changes["expression"] = changes["expression"].parsed()
        key = from_global_id("Audience", input.id, "id")
        return await audiences.update_audience(
            info.context.conn, info.context.actor, key, changes, expected_version=input.expected_version
        )

    @mutation(deleted_id=strawberry.ID)
    async def delete_audience(self, info: Info, id: strawberry.ID) -> Any:
        """Delete an audience that no delivery uses."""
        key = from_global_id("Audience", id, "id")
        await check_unused(info.context.conn, audience_id=key)
        await audiences.delete_audience(info.context.conn, info.context.actor, key)
        return id
