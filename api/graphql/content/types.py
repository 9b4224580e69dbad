"""GraphQL types of content."""

from __future__ import annotations

from datetime import datetime

import strawberry

from api.graphql.leaf import leaf
from api.graphql.nodes import Node, global_id, record_of
from api.graphql.scalars import JSON
from core.content import records


@strawberry.type(description="One authored part, such as `subject` or `html`.")
class ContentPart:
    """A part by its name."""

    name: str = leaf(lambda part: part[0])
    source: str = leaf(lambda part: part[1], description="The Liquid source.")


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
    version: int
    created_at: datetime
    updated_at: datetime
    created_by: str


@strawberry.type(description="What one person would get. Show `html` in a sandboxed frame: it is foreign HTML.")
class Preview:
    """A rendered message."""

    subject: str | None
    html: str | None
    text: str | None
    warnings: list[ContentWarning]


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


@strawberry.input(description="New content. The name is its handle: a-z, 0-9, _ and -.")
class CreateContentInput:
    """Input of createContent."""

    name: str
    label: str
    channel: str = "email"
    parts: list[ContentPartInput]
    data: JSON | None = None
    inline_css: bool = False


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


@strawberry.input(description="Content that is saved (by id), or to be tried out before saving (by its parts).")
class PreviewInput:
    """Input of the field `preview`."""

    content_id: strawberry.ID | None = None
    channel: str = "email"
    parts: list[ContentPartInput] | None = None
    data: JSON | None = None
    inline_css: bool = False
    profile_id: strawberry.ID
