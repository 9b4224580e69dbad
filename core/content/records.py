"""What content keeps and hands out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentDraft:
    """Content as somebody enters it. `parts` are template sources by content field of the channel."""

    name: str
    label: str
    channel: str
    parts: Mapping[str, str]
    data: Mapping[str, Any] = field(default_factory=dict)  # shared by all recipients, such as a list of products
    inline_css: bool = False  # write the style sheets of the HTML into its elements


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a message says, for one channel."""

    id: int
    name: str
    label: str
    channel: str
    parts: Mapping[str, str]
    data: Mapping[str, Any]
    inline_css: bool
    version: int
    created_at: datetime
    updated_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedLink:
    """A link that is tracked. `number` is what tokens carry."""

    number: int
    url: str  # as authored, entities decoded; may hold Liquid after the host
    label: str | None  # what the reader sees of it, shortened
    part: str
    hidden: bool = False  # no person sees it: whoever follows it is a machine
    conditional: bool = False  # only Outlook sees it


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentWarning:
    """Something that will work and should be looked at."""

    code: str
    message: str
    part: str | None = None
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What one person would get."""

    subject: str | None
    html: str | None
    text: str | None
    warnings: tuple[ContentWarning, ...]
