"""GraphQL types of content."""

from __future__ import annotations

from datetime import datetime

import strawberry

from api.graphql.leaf import leaf
from api.graphql.nodes import Node, global_id, optional_id, record_of
from api.graphql.scalars import JSON, Long
from core.content import records
from core.content.attachments import AttachmentDraft

FILE = "File"  # in ids of uploads


@strawberry.type(description="One authored part, such as `subject` or `html`.")
class ContentPart:
    """A part by its name."""

    name: str = leaf(lambda part: part[0])
    source: str = leaf(lambda part: part[1], description="The Liquid source.")


@strawberry.type(description="A file that every recipient gets, or an image that the HTML shows out of the message.")
class Attachment:
    """A file of content."""

    name: str
    media_type: str
    size: Long = strawberry.field(description="In bytes.")
    sha256: str = strawberry.field(description="Of its bytes, in hexadecimal. Names the file when content is changed.")
    content_id: str | None = strawberry.field(description="What the HTML calls the image, as `cid:logo`. Null: an attachment.")


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
    attachments: list[Attachment]
    version: int
    created_at: datetime
    updated_at: datetime
    created_by: str


@strawberry.type(description="Something that will work and should be looked at.")
class ContentWarning:
    """A warning of the preview."""

    code: str
    message: str
    part: str | None
    line: int | None
    column: int | None


@strawberry.type(description="What one person would get. Show `html` in a sandboxed frame: it is foreign HTML.")
class Preview:
    """A rendered message."""

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
    attachments: list[AttachmentInput] | None = None


@strawberry.input(description="What is to change; fields and parts left out stay.")
class UpdateContentInput:
    """Input of updateContent."""

    id: strawberry.ID
    expected_version: int | None = None
    name: strawberry.Maybe[str]
    label: strawberry.Maybe[str]
    parts: strawberry.Maybe[list[ContentPartChangeInput]]
    data: strawberry.Maybe[JSON]
    inline_css: strawberry.Maybe[bool]
    attachments: strawberry.Maybe[list[AttachmentInput]] = strawberry.field(description="As a whole, in this order.")


@strawberry.input(description="Content that is saved (by id), or to be tried out before saving (by its parts).")
class PreviewInput:
    """Input of the field `preview`."""

    content_id: strawberry.ID | None = None
    channel: str = "email"
    parts: list[ContentPartInput] | None = None
    data: JSON | None = None
    inline_css: bool = False
    attachments: list[AttachmentInput] | None = None
    profile_id: strawberry.ID
