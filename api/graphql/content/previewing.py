"""Gathers what a preview needs: content, a channel, one profile's values, a signer."""

from __future__ import annotations

from api.context import RequestContext
from api.graphql.content.mutations import parts_of
from api.graphql.content.types import PreviewInput
from api.graphql.scalars import json_object
from channels.contract import Channel
from core.content.contents import get_content
from core.content.personalization import personal_values
from core.content.preview import preview
from core.content.records import Content, ContentDraft, Preview
from core.db import Connection
from core.errors import Invalid
from core.ids import from_global_id
from core.profiles.profiles import get_profile
from core.public_urls import PublicUrls

STAND_IN = "preview.invalid"  # a name that RFC 2606 keeps from existing


async def preview_for(context: RequestContext, input: PreviewInput) -> Preview:
    """Render content for one profile. Raises Invalid, ContentInvalid, NotFound."""
    urls = PublicUrls(context.runtime.settings, context.runtime.keyring)
    async with context.lease.use() as conn:
        content = await _content(conn, input)
        profile = await get_profile(conn, from_global_id("Profile", input.profile_id, "input.profileId"))
    return preview(
        content,
        channel_for_preview(context, content.channel),
        urls.signer(urls.newest_key_id),
        row_values=personal_values(profile),
        address=profile.email or "",
        date=context.now,
        label=content.label or "Preview",
    )


async def _content(conn: Connection, input: PreviewInput) -> Content | ContentDraft:
    if (input.content_id is None) == (input.parts is None):
        raise Invalid(
            "give either contentId or parts", code="BAD_PREVIEW", path="input",
            hint="contentId previews what is saved, parts what is not yet.",
        )  # fmt: skip
    if input.content_id is not None:
        return await get_content(conn, from_global_id("Content", input.content_id, "input.contentId"))
    assert input.parts is not None
    data = json_object(input.data or {}, "data")
    return ContentDraft(name="preview", label="Preview", channel=input.channel, parts=parts_of(input.parts), data=data)


def channel_for_preview(context: RequestContext, name: str) -> Channel:
    """The channel with the defaults of its settings, and a stand-in where it requires a text: a preview reaches no provider.

    Raises NotFound (CHANNEL_NOT_FOUND).
    """
    manifest = context.channels.manifest(name)
    config = {field.name: field.default for field in manifest.config if not field.secret}
    needed = {field.name: STAND_IN for field in manifest.config if field.required and config.get(field.name) is None}
    return context.channels.get(name)(config | needed)
