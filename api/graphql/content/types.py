"""GraphQL types of content."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import strawberry

from api.context import Info
from api.graphql.content.dynamic_types import DynamicChoiceInput, DynamicContent, DynamicContentInput
from api.graphql.content.loaders import load_libraries
from api.graphql.leaf import field, leaf
from api.graphql.nodes import Node, global_id, optional_id, record_of
from api.graphql.scalars import JSON, Long
from core.content import records
from core.content.attachments import AttachmentDraft
from core.content.links.found import found_links

FILE = "File"  # in ids of uploads


@strawberry.type(description="One authored part, such as `subject` or `html`.")
class ContentPart:
    """A part by its name."""

    name: str = leaf(lambda part: part[0])
    source: str = leaf(lambda part: part[1], description="The Liquid source.")


TrackingMode = strawberry.enum(
    records.TrackingMode,
    name="TrackingMode",
    description=(
        "What becomes of a link: TRACKED; MIRROR leads to the mirror page; NEVER is left as it is written; OPT_OUT is tracked, "
        "and told apart in reports."
    ),
)


@strawberry.type(description="The parts that differ in one language; the others are those of the default language.")
class ContentTranslation:
    """A translation."""

    language: str = leaf(lambda pair: pair[0])
    parts: list[ContentPart] = leaf(lambda pair: list(pair[1].items()))


@strawberry.type(description="What is said about one address of the content.")
class LinkSettings:
    """Settings of a link."""

    url: str
    mode: TrackingMode  # type: ignore[valid-type]
    label: str | None
    category: str | None
    campaign_parameters: bool


@strawberry.type
class CampaignParameter:
    """A parameter and its value."""

    name: str
    value: str


@strawberry.type(description="What is appended to the query of links.")
class CampaignParameters:
    """Campaign parameters."""

    parameters: list[CampaignParameter]
    hosts: list[str] = strawberry.field(description="The sites they are for, subdomains included; none: every site.")


@strawberry.type(description="A link as it is written in the content, and what becomes of it.")
class FoundLink:
    """A link of content."""

    url: str
    label: str | None = strawberry.field(description="What is set, else what the reader sees of it.")
    category: str | None
    mode: TrackingMode | None = strawberry.field(description="Null for what is no web address: it stays as it is.")  # type: ignore[valid-type]
    campaign_parameters: bool = strawberry.field(description="Whether any are appended.")
    language: str
    part: str
    line: int
    column: int


@strawberry.type(description="A file that every recipient gets, or an image that the HTML shows out of the message.")
class Attachment:
    """A file of content."""

    name: str
    media_type: str
    size: Long = strawberry.field(description="In bytes.")
    sha256: str = strawberry.field(description="Of its bytes, in hexadecimal. Names the file when content is changed.")
    content_id: str | None = strawberry.field(description="What the HTML calls the image, as `cid:logo`. Null: an attachment.")


WarningLevel = strawberry.enum(
    records.WarningLevel, name="ContentWarningLevel", description="Errors keep content from being sent, warnings do not."
)


@strawberry.type(description="Something about content that its author should know.")
class ContentWarning:
    """A finding of the checks."""

    code: str
    level: WarningLevel  # type: ignore[valid-type]
    message: str
    hint: str | None = strawberry.field(description="What to do.")
    part: str | None
    line: int | None
    column: int | None
    language: str | None = strawberry.field(description="Of the translation it is about; null: the default, or all.")


@strawberry.type(description="What a message says, for one channel.")
class Content(Node):
    """Content."""

    is_type_of = record_of(records.Content)

    id: strawberry.ID = global_id("Content")
    name: str
    label: str
    channel: str
    parts: list[ContentPart] = leaf(lambda content: list(content.parts.items()))
    data: JSON = strawberry.field(description="Shared by all recipients, such as a list of products.")
    inline_css: bool = strawberry.field(description="Whether the style sheets of the HTML are written into its elements.")
    dynamic: list[DynamicContent] = leaf(lambda content: list(content.dynamic))
    language: str = strawberry.field(description="Of the parts: a tag of BCP 47.")
    translations: list[ContentTranslation] = leaf(lambda content: sorted(content.translations.items()))
    links: list[LinkSettings] = strawberry.field(description="What is set for addresses of the content.")
    campaign_parameters: CampaignParameters
    attachments: list[Attachment]
    version: int
    created_at: datetime
    updated_at: datetime
    created_by: str

    @field(list[FoundLink])
    async def found_links(self: Any, info: Info) -> Any:
        """Every link of all languages, fragments and dynamic content in order; what languages share is told once."""
        library = await info.context.loader(load_libraries).load(self.id)
        async with info.context.computing:
            return await asyncio.to_thread(found_links, self, info.context.channels.manifest(self.channel), library)


@strawberry.type(description="What one person would get. Show `html` in a sandboxed frame: it is foreign HTML.")
class Preview:
    """A rendered message."""

    language: str = strawberry.field(description="The variant that is shown.")
    subject: str | None
    html: str | None
    text: str | None
    warnings: list[ContentWarning]
    attachments: list[Attachment]


@strawberry.input
class ContentPartInput:
    """One authored part by its name; the channel says which there are."""

    name: str
    source: str


@strawberry.input
class ContentPartChangeInput:
    """One part to set; a null source takes the part out."""

    name: str
    source: str | None


@strawberry.input(description="The parts that differ in one language.")
class ContentTranslationInput:
    """A translation."""

    language: str
    parts: list[ContentPartInput]


@strawberry.input(description="Parts of one language to set; null parts take the whole translation out.")
class ContentTranslationChangeInput:
    """A change of a translation."""

    language: str
    parts: list[ContentPartChangeInput] | None


@strawberry.input(description="What to do with one address of the content, written as it stands there, with & for &amp;.")
class LinkSettingsInput:
    """Settings of a link."""

    url: str
    mode: TrackingMode = records.TrackingMode.TRACKED  # type: ignore[valid-type]
    label: str | None = None
    category: str | None = None
    campaign_parameters: bool = True


@strawberry.input(description="A parameter, such as utm_campaign; its value may hold Liquid.")
class CampaignParameterInput:
    """A parameter and its value."""

    name: str
    value: str


@strawberry.input(description="What is appended to the query of links; with hosts only to links to them and their subdomains.")
class CampaignParametersInput:
    """Campaign parameters."""

    parameters: list[CampaignParameterInput]
    hosts: list[str] = strawberry.field(default_factory=list)


@strawberry.input(description="A file: an upload of createAttachmentUpload by `fileId`, or one that content has by `sha256`.")
class AttachmentInput:
    """One file, in its order."""

    file_id: strawberry.ID | None = None
    sha256: str | None = None
    name: str | None = strawberry.field(default=None, description="File name; that of the upload when left out.")
    media_type: str | None = strawberry.field(default=None, description="Such as `application/pdf`; by the name when left out.")
    content_id: str | None = strawberry.field(default=None, description="Makes it an image that the HTML shows as `cid:…`.")

    def draft(self, path: str) -> AttachmentDraft:
        """Parsed. Raises Invalid (BAD_ID)."""
        return AttachmentDraft(
            file_id=optional_id(FILE, self.file_id, f"{path}/fileId"),
            sha256=self.sha256,
            name=self.name,
            media_type=self.media_type,
            content_id=self.content_id,
        )


@strawberry.input(description="New content. The name is its handle: a-z, 0-9, _ and -.")
class CreateContentInput:
    """Input of createContent."""

    name: str
    label: str
    channel: str = "email"
    parts: list[ContentPartInput]
    data: JSON | None = None
    inline_css: bool = False
    dynamic: list[DynamicContentInput] = strawberry.field(default_factory=list)
    language: str = "en"
    translations: list[ContentTranslationInput] = strawberry.field(default_factory=list)
    links: list[LinkSettingsInput] = strawberry.field(default_factory=list)
    campaign_parameters: CampaignParametersInput | None = None
    attachments: list[AttachmentInput] | None = None


@strawberry.input(description="What is to change; fields, parts, and languages left out stay. Links are given as a whole.")
class UpdateContentInput:
    """Input of updateContent."""

    id: strawberry.ID
    expected_version: int | None = None
    name: strawberry.Maybe[str]
    label: strawberry.Maybe[str]
    parts: strawberry.Maybe[list[ContentPartChangeInput]]
    data: strawberry.Maybe[JSON]
    inline_css: strawberry.Maybe[bool]
    dynamic: strawberry.Maybe[list[DynamicContentInput]]
    language: strawberry.Maybe[str]
    translations: strawberry.Maybe[list[ContentTranslationChangeInput]]
    links: strawberry.Maybe[list[LinkSettingsInput]]
    campaign_parameters: strawberry.Maybe[CampaignParametersInput | None]
    attachments: strawberry.Maybe[list[AttachmentInput]] = strawberry.field(description="As a whole, in this order.")


@strawberry.input(description="Content that is saved (by id), or to be tried out before saving (by its parts).")
class PreviewInput:
    """Input of the field `preview`."""

    content_id: strawberry.ID | None = None
    channel: str = "email"
    parts: list[ContentPartInput] | None = None
    data: JSON | None = None
    inline_css: bool = False
    dynamic: list[DynamicContentInput] = strawberry.field(default_factory=list)
    language: str = "en"
    translations: list[ContentTranslationInput] = strawberry.field(default_factory=list)
    links: list[LinkSettingsInput] = strawberry.field(default_factory=list)
    campaign_parameters: CampaignParametersInput | None = None
    attachments: list[AttachmentInput] | None = None
    profile_id: strawberry.ID | None = None
    test_profile_id: strawberry.ID | None = strawberry.field(
        default=None, description="In the place of profileId: shown as this test profile would get it."
    )
    audience_id: strawberry.ID | None = strawberry.field(
        default=None, description="Show what the profile brings along as a member of this audience: audience.<column>."
    )
    variants: list[DynamicChoiceInput] = strawberry.field(default_factory=list)
    time_zone: str | None = strawberry.field(
        default=None,
        description="Whose days conditions of dynamic content mean: as of the delivery to be. UTC if left out.",
    )
    reader_language: str | None = strawberry.field(
        default=None, description="Show what readers of this language get, not what the profile gets in its own."
    )
