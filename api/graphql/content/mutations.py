"""Writes of content: parse, call one operation, return its record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import strawberry

from api.context import Info, RequestContext
from api.graphql.content.types import (
    FILE,
    AttachmentInput,
    Content,
    ContentPartChangeInput,
    ContentPartInput,
    CreateContentInput,
    UpdateContentInput,
)
from api.graphql.mutations import given, mutation
from api.graphql.profiles.transfers import address
from api.graphql.scalars import json_object
from core.content import contents
from core.content.attachments import AttachmentDraft, create_upload, take_in
from core.content.records import Attachment, ContentDraft
from core.errors import Invalid
from core.ids import from_global_id, to_global_id
from core.planning.uses import check_unused


def parts_of(parts: Sequence[ContentPartInput | ContentPartChangeInput]) -> dict[str, Any]:
    """Sources by the name of their part. Raises Invalid (PART_TWICE)."""
    named = {part.name: part.source for part in parts}
    if len(named) < len(parts):
        raise Invalid("a part was given twice", code="PART_TWICE", path="parts", hint="Give each part once.")
    return named


def drafts_of(attachments: Sequence[AttachmentInput] | None) -> list[AttachmentDraft]:
    """Files in their order. Raises Invalid (BAD_ID)."""
    return [one.draft(f"attachments/{number}") for number, one in enumerate(attachments or ())]


async def _taken_in(context: RequestContext, attachments: Sequence[AttachmentInput] | None) -> tuple[Attachment, ...]:
    drafts = drafts_of(attachments)
    return await take_in(context.conn, context.actor, context.runtime.files, drafts, context.now)


@strawberry.type
class ContentMutation:
    """Content."""

    @mutation(content=Content)
    async def create_content(self, info: Info, input: CreateContentInput) -> Any:
        """Save content; every template in it is compiled and checked."""
        context = info.context
        draft = ContentDraft(
            name=input.name,
            label=input.label,
            channel=input.channel,
            parts=parts_of(input.parts),
            data=json_object(input.data or {}, "data"),
            inline_css=input.inline_css,
            attachments=await _taken_in(context, input.attachments),
        )
        return await contents.create_content(context.conn, context.actor, context.channels, draft)

    @mutation(content=Content)
    async def update_content(self, info: Info, input: UpdateContentInput) -> Any:
        """Change content."""
        context = info.context
        changes = given(name=input.name, label=input.label, parts=input.parts, data=input.data, inline_css=input.inline_css)
        if "parts" in changes:
            changes["parts"] = parts_of(changes["parts"])
        if "data" in changes:
            json_object(changes["data"], "data")
        if input.attachments is not None:
            changes["attachments"] = await _taken_in(context, input.attachments.value)
        key = from_global_id("Content", input.id, "id")
        return await contents.update_content(
            context.conn, context.actor, context.channels, key, changes, expected_version=input.expected_version
        )

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
