"""Writes of content: parse, call one operation, return its record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import strawberry

from api.context import Info
from api.graphql.content.types import (
    Content,
    ContentPartChangeInput,
    ContentPartInput,
    ContentWarning,
    CreateContentInput,
    UpdateContentInput,
)
from api.graphql.mutations import given, mutation
from api.graphql.scalars import json_object
from core.content import contents
from core.content.records import ContentDraft
from core.errors import Invalid
from core.ids import from_global_id
from core.planning.uses import check_unused


def parts_of(parts: Sequence[ContentPartInput | ContentPartChangeInput]) -> dict[str, Any]:
    """Sources by the name of their part. Raises Invalid (PART_TWICE)."""
    named = {part.name: part.source for part in parts}
    if len(named) < len(parts):
        raise Invalid("a part was given twice", code="PART_TWICE", path="parts", hint="Give each part once.")
    return named


@strawberry.type
class ContentMutation:
    """Content."""

    @mutation(content=Content, warnings=list[ContentWarning])
    async def create_content(self, info: Info, input: CreateContentInput) -> Any:
        """Save content; every template in it is compiled and checked. Warnings do not keep it from being saved."""
        context = info.context
        draft = ContentDraft(
            name=input.name,
            label=input.label,
            channel=input.channel,
            parts=parts_of(input.parts),
            data=json_object(input.data or {}, "data"),
            inline_css=input.inline_css,
        )
        content = await contents.create_content(context.conn, context.actor, context.channels, draft)
        return {"content": content, "warnings": await contents.warnings_of(context.channels, content)}

    @mutation(content=Content, warnings=list[ContentWarning])
    async def update_content(self, info: Info, input: UpdateContentInput) -> Any:
        """Change content."""
        context = info.context
        changes = given(name=input.name, label=input.label, parts=input.parts, data=input.data, inline_css=input.inline_css)
        if "parts" in changes:
            changes["parts"] = parts_of(changes["parts"])
        if "data" in changes:
            json_object(changes["data"], "data")
        key = from_global_id("Content", input.id, "id")
        content = await contents.update_content(
            context.conn, context.actor, context.channels, key, changes, expected_version=input.expected_version
        )
        return {"content": content, "warnings": await contents.warnings_of(context.channels, content)}

    @mutation(deleted_id=strawberry.ID)
    async def delete_content(self, info: Info, id: strawberry.ID) -> Any:
        """Delete content that no delivery uses."""
        key = from_global_id("Content", id, "id")
        await check_unused(info.context.conn, content_id=key)
        await contents.delete_content(info.context.conn, info.context.actor, key)
        return id
