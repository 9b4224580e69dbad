"""Writes of content: parse, call one operation, return its record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import strawberry

from api.context import Info, RequestContext
from api.graphql.content.dynamic_types import dynamic_of
from api.graphql.content.inputs import campaign_parameters_of, draft_of, drafts_of, links_of, parts_of, translations_of
from api.graphql.content.types import (
    FILE,
    AttachmentInput,
    Content,
    ContentWarning,
    CreateContentInput,
    UpdateContentInput,
)
from api.graphql.mutations import given, mutation
from api.graphql.profiles.transfers import address
from api.graphql.scalars import json_object
from core.content import contents, records
from core.content.attachments import create_upload, take_in
from core.ids import from_global_id, to_global_id
from core.planning.columns import library_of
from core.planning.uses import check_unused

_PARSED: dict[str, Callable[[Any], Any]] = {
    "parts": parts_of,
    "dynamic": dynamic_of,
    "translations": translations_of,
    "links": links_of,
    "campaign_parameters": campaign_parameters_of,
}


async def _taken_in(context: RequestContext, attachments: Sequence[AttachmentInput] | None) -> tuple[records.Attachment, ...]:
    drafts = drafts_of(attachments)
    return await take_in(context.conn, context.actor, context.runtime.files, drafts, context.now)


async def _saved(context: RequestContext, content: records.Content) -> dict[str, Any]:
    library = await library_of(context.conn, content)
    return {"content": content, "warnings": await contents.warnings_of(context.channels, content, library)}


@strawberry.type
class ContentMutation:
    """Content."""

    @mutation(content=Content, warnings=list[ContentWarning])
    async def create_content(self, info: Info, input: CreateContentInput) -> Any:
        """Save content; every template in it is compiled and checked. Warnings do not keep it from being saved."""
        context = info.context
        attachments = await _taken_in(context, input.attachments)
        draft = draft_of(input, name=input.name, label=input.label, attachments=attachments)
        content = await contents.create_content(context.conn, context.actor, context.channels, draft)
        return await _saved(context, content)

    @mutation(content=Content, warnings=list[ContentWarning])
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
        if input.attachments is not None:
            changes["attachments"] = await _taken_in(context, input.attachments.value)
        key = from_global_id("Content", input.id, "id")
        content = await contents.update_content(
            context.conn, context.actor, context.channels, key, changes, expected_version=input.expected_version
        )
        return await _saved(context, content)

    @mutation(file_id=strawberry.ID, upload_url=str)
    async def create_attachment_upload(self, info: Info, file_name: str) -> Any:
        """Announce a file for content. PUT its bytes to `uploadUrl`, then name `fileId` in `attachments`."""
        context = info.context
        file, ticket = await create_upload(
            context.conn, context.actor, context.runtime.files, file_name=file_name, now=context.now
        )  # fmt: skip
        return {"file_id": to_global_id(FILE, file.id), "upload_url": address(info, ticket)}

    @mutation(deleted_id=strawberry.ID)
    async def delete_content(self, info: Info, id: strawberry.ID) -> Any:
        """Delete content that no delivery uses."""
        key = from_global_id("Content", id, "id")
        await check_unused(info.context.conn, content_id=key)
        await contents.delete_content(info.context.conn, info.context.actor, key)
        return id
