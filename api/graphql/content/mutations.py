"""Writes of content: parse, call one operation, return its record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import strawberry

from api.context import Info
from api.graphql.content.dynamic_types import dynamic_of
from api.graphql.content.inputs import campaign_parameters_of, draft_of, links_of, parts_of, translations_of
from api.graphql.content.types import Content, CreateContentInput, UpdateContentInput
from api.graphql.mutations import given, mutation
from api.graphql.scalars import json_object
from core.content import contents
from core.ids import from_global_id
from core.planning.uses import check_unused

_PARSED: dict[str, Callable[[Any], Any]] = {
    "parts": parts_of,
    "dynamic": dynamic_of,
    "translations": translations_of,
    "links": links_of,
    "campaign_parameters": campaign_parameters_of,
}


@strawberry.type
class ContentMutation:
    """Content."""

    @mutation(content=Content)
    async def create_content(self, info: Info, input: CreateContentInput) -> Any:
        """Save content; every template in it is compiled and checked."""
        context = info.context
        draft = draft_of(input, name=input.name, label=input.label)
        return await contents.create_content(context.conn, context.actor, context.channels, draft)

    @mutation(content=Content)
    async def update_content(self, info: Info, input: UpdateContentInput) -> Any:
        """Change content."""
        context = info.context
        names = ("name", "label", "parts", "data", "inline_css", "dynamic", "language", "translations", "links")
        changes = given(**{name: getattr(input, name) for name in (*names, "campaign_parameters")})
        for name, parse in _PARSED.items():
            if name in changes and (changes[name] is not None or name == "campaign_parameters"):
                changes[name] = parse(changes[name])
        if "data" in changes:
            json_object(changes["data"], "data")
        key = from_global_id("Content", input.id, "id")
        return await contents.update_content(
            context.conn, context.actor, context.channels, key, changes, expected_version=input.expected_version
        )

    @mutation(deleted_id=strawberry.ID)
    async def delete_content(self, info: Info, id: strawberry.ID) -> Any:
        """Delete content that no delivery uses."""
        key = from_global_id("Content", id, "id")
        await check_unused(info.context.conn, content_id=key)
        await contents.delete_content(info.context.conn, info.context.actor, key)
        return id
