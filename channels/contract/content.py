"""From authored content to a program that renders recipients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from msgspec import Struct

from channels.contract.messages import OutgoingMessage
from render_ext import Identity, TokenSigner


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageAttachment:
    """A file that every recipient gets, or an image that the HTML shows as `cid:` and its content id."""

    name: str
    media_type: str
    size: int
    sha256: str  # of the content, in hexadecimal
    content: bytes = field(repr=False)
    content_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentProblem:
    """Why a channel cannot use a part, at its place."""

    part: str
    line: int
    column: int
    message: str
    hint: str | None = None


class ContentRefused(ValueError):
    """The channel cannot use this content; authors are told every problem at its place."""

    def __init__(self, problems: Sequence[ContentProblem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageContent:
    """Everything a rendering depends on besides the recipient; frozen at prepare.

    `parts` are template sources by content field, their links rewritten to `{% link N %}…{% endlink %}`.
    """

    parts: Mapping[str, str]
    tracked: bool  # parts carry link tags, the open pixel and the system URLs
    date: datetime  # the message date, and "now" of every template
    seed: str  # of MIME boundaries
    signer: TokenSigner
    locale: str = "en"
    zone: str = "UTC"
    partials: Mapping[str, str] = field(default_factory=dict)
    attachments: tuple[MessageAttachment, ...] = ()  # none where nothing is sent: pages, links, checks
    shared: Mapping[str, Any] | None = None  # what all templates see alike, where content is checked; None: it was


class RecipientRow(Struct, frozen=True, kw_only=True, gc=False):
    """One recipient to render."""

    address: str
    identity: Identity
    values: Mapping[str, Any]  # what templates see


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderFailure:
    """This recipient's message cannot be rendered; the others are not touched."""

    identity: Identity
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedParts:
    """What a person would see: preview and mirror page."""

    subject: str | None
    html: str | None
    text: str | None


class Program(Protocol):
    """Compiled content of one delivery variant. Pure: the same row always renders the same bytes."""

    def render(self, rows: Sequence[RecipientRow]) -> list[OutgoingMessage | RenderFailure]:
        """One result per row, in order."""
        ...

    def parts(self, row: RecipientRow) -> RenderedParts:
        """The parts of one message as text. Raises render_ext.RenderError."""
        ...

    def link_target(self, row: RecipientRow, link: int, occurrence: int) -> str | None:
        """The address behind a tracked link of this recipient's message; None where there is no such link."""
        ...
