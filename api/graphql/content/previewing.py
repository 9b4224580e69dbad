"""Gathers what a preview needs: content, a channel, one profile's values and columns, a signer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

from api.context import RequestContext
from api.graphql.content.dynamic_types import check_choices, choices_of
from api.graphql.content.inputs import draft_of, drafts_of
from api.graphql.content.types import PreviewInput
from api.graphql.targeting.types import zone_of
from core import blobs
from core.content.attachments import look_at
from core.content.contents import get_content
from core.content.dynamic import VARIANTS, check_chosen, check_dynamic, written_out
from core.content.errors import ContentInvalid
from core.content.languages import check_language, with_checked_languages
from core.content.libraries import conditions_of, load_library, sources_of, sources_of_fragment
from core.content.placements import Library
from core.content.preview import preview
from core.content.readable import Readable, with_event
from core.content.records import Content, ContentDraft, Preview
from core.content.stand_ins import stand_in_channel
from core.db import Connection
from core.delivery.recipient_values import fetch_values
from core.errors import Invalid
from core.ids import from_global_id
from core.planning.columns import bound, find_brought
from core.profiles.test_profiles import get_test_profile
from core.public_urls import PublicUrls
from core.targeting.listed import Brought


async def preview_for(context: RequestContext, input: PreviewInput) -> Preview:
    """Render content for one profile. Raises Invalid, ContentInvalid, NotFound."""
    urls = PublicUrls(context.runtime.settings, context.runtime.keyring)
    language = None if input.reader_language is None else check_language(input.reader_language, "input.readerLanguage")
    async with context.lease.use() as conn:
        content, files = await _content(context, conn, input)
        asked = choices_of(input.variants)
        library = await load_library(conn, sources_of(content), conditions_of(content))
        columns: Mapping[str, Brought] = {}
        if input.audience_id is not None:
            audience_id = from_global_id("Audience", input.audience_id, "input.audienceId")
            library = replace(library, readable=await bound(conn, library.readable, audience_id))
            columns = await find_brought(conn, audience_id)
        readable = library.readable
        unusable = check_dynamic(content.dynamic, readable.catalogue, readable.definitions, readable.audiences)
        if wrong := list(chain(unusable, check_choices(input.variants), check_chosen(content.dynamic, asked))):
            raise ContentInvalid(wrong)
        reader_id, is_test = _reader(input)
        if is_test:
            library = replace(library, readable=await _of_test_profile(conn, readable, reader_id))
        conditions = {
            place.name: [written_out(one.condition, readable.definitions) for one in place.variants]
            for place in content.dynamic
        }
        row_values = await fetch_values(
            conn, reader_id, _fields_named(content, library), conditions, context.now, readable,
            columns=list(columns.values()), is_test=is_test, zone=zone_of(input.time_zone),
        )  # fmt: skip
    return await asyncio.to_thread(  # a template may compute for seconds, and the loop serves everybody
        preview,
        content,
        stand_in_channel(context.channels, content.channel),
        urls.signer(urls.newest_key_id),
        row_values=_with_variants(row_values, asked),
        address=row_values["email"] or "",
        date=context.now,
        label=content.label or "Preview",
        language=language,
        library=library,
        files=files,
    )


def _reader(input: PreviewInput) -> tuple[int, bool]:
    """For whom it is shown, and whether that is a test profile. Raises Invalid (BAD_PREVIEW, BAD_ID)."""
    if (input.profile_id is None) == (input.test_profile_id is None):
        raise Invalid("give either profileId or testProfileId", code="BAD_PREVIEW", path="input")
    if input.profile_id is not None:
        return from_global_id("Profile", input.profile_id, "input.profileId"), False
    assert input.test_profile_id is not None
    return from_global_id("TestProfile", input.test_profile_id, "input.testProfileId"), True


async def _of_test_profile(conn: Connection, readable: Readable, test_profile_id: int) -> Readable:
    """With the event that it keeps, if it does. Raises NotFound (TEST_PROFILE_NOT_FOUND)."""
    found = await get_test_profile(conn, test_profile_id)
    return readable if found.event_type is None else with_event(readable, found.event_type, found.event_payload)


def _with_variants(row_values: Mapping[str, Any], asked: Mapping[str, int]) -> Mapping[str, Any]:
    return {**row_values, VARIANTS: {**row_values[VARIANTS], **asked}} if asked else row_values


def _fields_named(content: Content | ContentDraft, library: Library) -> list[str]:
    """The fields that the content can read: their names are written out in it. And those that choose for it."""
    used = (source for one in library.fragments.values() for source in sources_of_fragment(one))
    appended = (one.value for one in content.campaign_parameters.parameters)
    sources = [*sources_of(content), *used, *appended]
    return ["email", "language", *library.readable.named_in(sources)]


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
    attachments, files = await look_at(conn, context.runtime.files, drafts_of(input.attachments))
    draft = draft_of(input, name="preview", label="Preview", attachments=attachments)
    return with_checked_languages(draft), files
