"""Gathers what a preview needs: content, a channel, one profile's values, a signer."""

from __future__ import annotations

import asyncio

from api.context import RequestContext
from api.graphql.content.mutations import drafts_of, parts_of
from api.graphql.content.types import PreviewInput
from api.graphql.scalars import json_object
from core import blobs
from core.content.attachments import look_at
from core.content.contents import get_content
from core.content.personalization import FIELDS
from core.content.preview import preview
from core.content.records import Content, ContentDraft, Preview
from core.content.stand_ins import stand_in_channel
from core.db import Connection
from core.delivery.recipient_values import fetch_values
from core.errors import Invalid
from core.ids import from_global_id
from core.public_urls import PublicUrls


async def preview_for(context: RequestContext, input: PreviewInput) -> Preview:
    """Render content for one profile. Raises Invalid, ContentInvalid, NotFound."""
    urls = PublicUrls(context.runtime.settings, context.runtime.keyring)
    async with context.lease.use() as conn:
        content, files = await _content(context, conn, input)
        profile_id = from_global_id("Profile", input.profile_id, "input.profileId")
        row_values = await fetch_values(conn, profile_id, _fields_named(content))
    return await asyncio.to_thread(  # a template may compute for seconds, and the loop serves everybody
        preview,
        content,
        stand_in_channel(context.channels, content.channel),
        urls.signer(urls.newest_key_id),
        row_values=row_values,
        address=row_values["email"] or "",
        date=context.now,
        label=content.label or "Preview",
        files=files,
    )


def _fields_named(content: Content | ContentDraft) -> list[str]:
    """The fields that the content can read: their names are written out in it. And the address it would go to."""
    sources = content.parts.values()
    return [name for name in FIELDS if name == "email" or any(name in source for source in sources)]


async def _content(
    context: RequestContext, conn: Connection, input: PreviewInput
) -> tuple[Content | ContentDraft, dict[str, bytes]]:
    """The content, and the bytes of its inline images by SHA-256."""
    if (input.content_id is None) == (input.parts is None):
        raise Invalid(
            "give either contentId or parts", code="BAD_PREVIEW", path="input",
            hint="contentId previews what is saved, parts what is not yet.",
        )  # fmt: skip
    if input.content_id is not None:
        content = await get_content(conn, from_global_id("Content", input.content_id, "input.contentId"))
        return content, await blobs.read(conn, {one.sha256 for one in content.attachments if one.content_id is not None})
    assert input.parts is not None
    attachments, files = await look_at(conn, context.runtime.files, drafts_of(input.attachments))
    data = json_object(input.data or {}, "data")
    draft = ContentDraft(
        name="preview",
        label="Preview",
        channel=input.channel,
        parts=parts_of(input.parts),
        data=data,
        inline_css=input.inline_css,
        attachments=attachments,
    )
    return draft, files
