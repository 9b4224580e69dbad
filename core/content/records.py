"""What content keeps and hands out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any


class TrackingMode(StrEnum):
    """What becomes of a link (feature map 4.30)."""

    TRACKED = "tracked"
    MIRROR = "mirror"  # leads to the mirror page; visits count as openings of it
    NEVER = "never"  # left as it is written
    OPT_OUT = "opt_out"  # tracked, and told as a wish to leave


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSettings:
    """What an author says about one address of a message."""

    url: str  # as written, entities decoded
    mode: TrackingMode = TrackingMode.TRACKED
    label: str | None = None  # None: what the reader sees of it
    category: str | None = None
    campaign_parameters: bool = True  # whether those of the content are appended to it


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignParameter:
    """One of them: its value may hold Liquid."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignParameters:
    """What is appended to the query of links, such as `utm_source`."""

    parameters: tuple[CampaignParameter, ...] = ()  # in this order
    hosts: tuple[str, ...] = ()  # the sites they are for, subdomains included; none: every site


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicVariant:
    """What the recipients see for whom `condition` is the first that is true."""

    label: str
    condition: str  # of the targeting language
    html: str
    text: str | None = None  # for text parts; None: made from the HTML


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicContent:
    """A place in the message that is not the same for all: exactly one of its variants, or the default (4.11)."""

    name: str
    variants: tuple[DynamicVariant, ...]  # in order of priority
    html: str = ""  # of the default
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that messages carry. Its bytes are kept by `core.blobs`."""

    name: str
    media_type: str
    size: int
    sha256: str  # of the bytes, in hexadecimal
    content_id: str | None = None  # of an image that the HTML shows as `cid:…`; None: an attachment


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentDraft:
    """Content as somebody enters it. `parts` are template sources by content field of the channel."""

    name: str
    label: str
    channel: str
    parts: Mapping[str, str]
    data: Mapping[str, Any] = field(default_factory=dict)  # shared by all recipients, such as a list of products
    inline_css: bool = False  # write the style sheets of the HTML into its elements
    language: str = "en"  # of `parts`, as a tag of BCP 47
    translations: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # by language, the parts that differ (4.14)
    dynamic: tuple[DynamicContent, ...] = ()
    links: tuple[LinkSettings, ...] = ()
    campaign_parameters: CampaignParameters = CampaignParameters()
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Content(ContentDraft):
    """What a message says, for one channel."""

    id: int
    version: int
    created_at: datetime
    updated_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FragmentParameter:
    """What content says to a fragment that it uses."""

    name: str
    description: str = ""
    default: str | int | float | bool | None = None
    optional: bool = False  # nothing stands for it where it is not given and has no default


@dataclass(frozen=True, slots=True, kw_only=True)
class FragmentDraft:
    """A piece of content as somebody enters it, to be used in any content and by other fragments (4.21)."""

    name: str
    label: str
    html: str
    text: str | None = None  # for parts other than HTML; None: made from the HTML
    parameters: tuple[FragmentParameter, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment(FragmentDraft):
    """A piece that many contents share."""

    id: int
    version: int
    created_at: datetime
    updated_at: datetime
    created_by: str


AUTHORED = tuple(one.name for one in fields(ContentDraft))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedLink:
    """A link that is tracked. `number` is what tokens carry."""

    number: int
    url: str  # as authored, entities decoded; may hold Liquid after the host
    target: str  # where it leads: `url` as an address carries it, with campaign parameters
    label: str | None  # the author's, else what the reader sees of it, shortened
    part: str
    mode: TrackingMode = TrackingMode.TRACKED  # or OPT_OUT: others have no number
    category: str | None = None
    hidden: bool = False  # no person sees it: whoever follows it is a machine
    conditional: bool = False  # only Outlook sees it


class WarningLevel(StrEnum):
    """How bad it is."""

    ERROR = "error"  # cannot be saved, prepared or rendered
    WARNING = "warning"  # will work and should be looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLink:
    """A link of content as it is written, and what becomes of it."""

    url: str  # entities decoded
    label: str | None
    category: str | None
    mode: TrackingMode | None  # None: no web address, so nothing is done to it
    campaign_parameters: bool  # whether any are appended
    language: str  # of the first variant that has it at this place
    part: str
    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentWarning:
    """Something about content that its author should know; `hint` says what to do."""

    code: str
    message: str
    level: WarningLevel = WarningLevel.WARNING
    hint: str | None = None
    part: str | None = None  # or where else it stands, such as `fragments.footer.html`
    line: int | None = None
    column: int | None = None
    language: str | None = None  # of the translation it is about; None: the default, or all


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What one person would get."""

    language: str  # the variant it is made of
    subject: str | None
    html: str | None
    text: str | None
    warnings: tuple[ContentWarning, ...]
    attachments: tuple[Attachment, ...] = ()
