"""`compile`: from source to program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from render_ext._buffer import Escape, Transfer
from render_ext._tokens import TokenSigner
from render_ext._vm import Program
from render_ext.compiler import lay_out
from render_ext.filters import Surroundings
from render_ext.limits import DEFAULT_LIMITS, Limits
from render_ext.partials import read_templates

EscapeName: TypeAlias = Literal["none", "html", "url", "json", "header"]
ESCAPES: dict[str, Escape] = {
    "none": Escape.ESCAPE_NONE,
    "html": Escape.ESCAPE_HTML,
    "url": Escape.ESCAPE_URL,
    "json": Escape.ESCAPE_JSON,
    "header": Escape.ESCAPE_HEADER,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What all the templates of one message share."""

    strict_variables: bool = False
    now: datetime | None = None
    locale: str = "en"
    zone: str = "UTC"
    limits: Limits = DEFAULT_LIMITS
    partials: Mapping[str, str] = field(default_factory=dict)

    def surroundings(self, *, html: bool = False) -> Surroundings:
        """What filters may know. Raises ValueError for a naive `now` or an unknown zone.

        `html`: outputs are escaped for HTML.
        """
        if self.now is not None and self.now.tzinfo is None:
            raise ValueError("now must be an aware datetime")
        try:
            return Surroundings(self.now, ZoneInfo(self.zone), self.locale, self.limits.value_bytes, html)
        except (ZoneInfoNotFoundError, OSError, ValueError) as error:
            raise ValueError(f"unknown time zone {self.zone!r}") from error


def compile(
    source: str,
    *,
    name: str = "template",
    escape: EscapeName = "none",
    partials: Mapping[str, str] | None = None,
    strict_variables: bool = False,
    now: datetime | None = None,
    locale: str = "en",
    zone: str = "UTC",
    limits: Limits = DEFAULT_LIMITS,
    links: bool = False,
    signer: TokenSigner | None = None,
    notes: bool = True,
) -> Program:
    """Compile a template once, to render it for many.

    - `escape`: what every output is escaped for. `raw` switches it off for one output (inside a URL it
      keeps the reserved characters, in a header it changes nothing).
    - `strict_variables`: a variable that is not there fails the rendering instead of printing nothing.
    - `now` (aware) and `zone`: what the `date` filter takes "now" for, and the zone it shows instants in.
    - `locale`: the language that `money`, `number` and `localdate` write in.
    - `partials`: templates by name, for `include` and `render`.
    - `links`: allow the tags `link`, `open_pixel_url`, `mirror_url` and `unsubscribe_url`; `signer` makes
      their URLs.
    - `notes`: allow the tag `footnote`, where outputs are escaped for nothing.

    Raises TemplateSyntaxError, and ValueError for an unknown escape or zone or a naive `now`.
    """
    if escape not in ESCAPES:
        raise ValueError(f"escape must be one of {', '.join(ESCAPES)}, not {escape!r}")
    options = Options(
        strict_variables=strict_variables,
        now=now,
        locale=locale,
        zone=zone,
        limits=limits,
        partials=partials or {},
    )
    return build(source, name, ESCAPES[escape], options, links=links, signer=signer, notes=notes)


def build(
    source: str,
    name: str,
    escape: Escape,
    options: Options,
    *,
    links: bool = False,
    signer: TokenSigner | None = None,
    transfer: Transfer = Transfer.TRANSFER_NONE,
    notes: bool = True,
) -> Program:
    """`compile`, for a part of a message: its fixed text is kept in the part's transfer encoding too.

    `notes`: it may have footnotes, if it is read as it is written.
    """
    notes = notes and escape is Escape.ESCAPE_NONE
    templates = read_templates(source, name, options.partials, limits=options.limits, links=links, notes=notes)
    around = options.surroundings(html=escape is Escape.ESCAPE_HTML)
    layout = lay_out(templates, escape=escape, transfer=transfer, around=around)
    return Program(
        layout,
        name=name,
        source=source,
        limits=options.limits,
        strict=options.strict_variables,
        transfer=transfer,
        signer=signer,
    )
