"""Inputs of content as the records of the room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from api.graphql.content.dynamic_types import dynamic_of
from api.graphql.content.types import (
    AttachmentInput,
    CampaignParametersInput,
    ContentPartChangeInput,
    ContentPartInput,
    ContentTranslationChangeInput,
    ContentTranslationInput,
    CreateContentInput,
    LinkSettingsInput,
    PreviewInput,
)
from api.graphql.scalars import json_object
from core.content.attachments import AttachmentDraft
from core.content.languages import LONGEST_TAG, given_twice
from core.content.records import Attachment, CampaignParameter, CampaignParameters, ContentDraft, LinkSettings
from core.errors import Invalid


def draft_of(
    input: CreateContentInput | PreviewInput, *, name: str, label: str, attachments: tuple[Attachment, ...]
) -> ContentDraft:
    """Content as it was entered. Raises Invalid (PART_TWICE, LANGUAGE_TWICE)."""
    return ContentDraft(
        name=name,
        label=label,
        channel=input.channel,
        parts=parts_of(input.parts or ()),
        data=json_object(input.data or {}, "data"),
        inline_css=input.inline_css,
        dynamic=dynamic_of(input.dynamic),
        language=input.language,
        translations=translations_of(input.translations),
        links=links_of(input.links),
        campaign_parameters=campaign_parameters_of(input.campaign_parameters),
        attachments=attachments,
    )


def drafts_of(attachments: Sequence[AttachmentInput] | None) -> list[AttachmentDraft]:
    """Files in their order. Raises Invalid (BAD_ID)."""
    return [one.draft(f"attachments/{number}") for number, one in enumerate(attachments or ())]


def parts_of(parts: Sequence[ContentPartInput | ContentPartChangeInput], path: str = "parts") -> dict[str, Any]:
    """Sources by the name of their part. Raises Invalid (PART_TWICE)."""
    named = {part.name: part.source for part in parts}
    if len(named) < len(parts):
        raise Invalid("a part was given twice", code="PART_TWICE", path=path, hint="Give each part once.")
    return named


def translations_of(found: Sequence[ContentTranslationInput | ContentTranslationChangeInput]) -> dict[str, Any]:
    """Parts by language; None for a translation that goes. Raises Invalid (PART_TWICE, LANGUAGE_TWICE)."""
    by_language: dict[str, Any] = {}
    for one in found:
        shown = one.language[:LONGEST_TAG]
        if one.language in by_language:
            raise given_twice(shown)
        by_language[one.language] = None if one.parts is None else parts_of(one.parts, f"translations.{shown}.parts")
    return by_language


def links_of(found: Sequence[LinkSettingsInput]) -> tuple[LinkSettings, ...]:
    """Settings in order."""
    return tuple(
        LinkSettings(
            url=one.url,
            mode=one.mode,
            label=one.label,
            category=one.category,
            campaign_parameters=one.campaign_parameters,
        )
        for one in found
    )


def campaign_parameters_of(found: CampaignParametersInput | None) -> CampaignParameters:
    """None stands for none."""
    if found is None:
        return CampaignParameters()
    parameters = tuple(CampaignParameter(name=one.name, value=one.value) for one in found.parameters)
    return CampaignParameters(parameters=parameters, hosts=tuple(found.hosts))
