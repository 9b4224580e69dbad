"""Content on its way through the checks: what several of them need is made once, and only when the first asks for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from channels.contract import Manifest
from core.content.building import Built, build_html
from core.content.checks.known import KnownValues
from core.content.checks.uses import Uses, uses_of
from core.content.html.markup import Attribute, Kind, Piece, decode_attribute, read
from core.content.html.unseen import Unseen
from core.content.links.rewriting import rewrite_html
from core.content.links.settings import NO_RULES, LinkRules
from core.content.liquid import mask, place
from core.content.readable import OURS, Readable
from core.content.records import ContentWarning, WarningLevel
from render_ext import Estimate, Inspection, estimate, inspect

BLANK = "".join(map(chr, range(33)))  # what readers take away around an address


class CheckedContent:
    """Content that could be sent as far as syntax and names go. `elsewhere`: Liquid that is put into the parts later."""

    def __init__(
        self,
        parts: Mapping[str, str],
        data: Mapping[str, Any],
        manifest: Manifest,
        *,
        inline_css: bool = False,
        elsewhere: Sequence[str] = (),
        rules: LinkRules = NO_RULES,
        readable: Readable = OURS,
    ) -> None:
        self.manifest = manifest
        self.tracking = manifest.capabilities.tracking
        self.inline_css = inline_css
        self.elsewhere = elsewhere
        self.rules = rules
        self.known = KnownValues(data, manifest.address_kind, readable)
        self.parts = tuple(
            CheckedPart(self, field.name, parts[field.name])
            for field in manifest.content
            if field.template and parts.get(field.name, "").strip()
        )


@dataclass(frozen=True, slots=True)
class Address:
    """An address in an HTML part."""

    piece: Piece
    index: int  # of the piece
    attribute: Attribute
    value: str  # entities decoded, blanks around taken away; Liquid as it is


class CheckedPart:
    """One part that is a template, and nothing but white space in it is not the whole of it."""

    def __init__(self, content: CheckedContent, name: str, source: str) -> None:
        self.content = content
        self.known = content.known
        self.name = name
        self.source = source
        self.is_html = name == "html"

    # ---- as a template ---------------------------------------------------------------------------

    @cached_property
    def inspection(self) -> Inspection:
        """What the template does with its values."""
        return inspect(self.source, name=self.name, links=self.content.tracking)

    @cached_property
    def uses(self) -> Uses:
        """What it does beside printing them."""
        return uses_of(self.inspection.nodes)

    @cached_property
    def shown(self) -> Inspection:
        """The same of the HTML that is made of it; its offsets are those of `text`."""
        return self.inspection if self.text is self.source else inspect(self.text, name=self.name, links=self.content.tracking)

    @cached_property
    def estimate(self) -> Estimate:
        """The least that it costs and prints, as it is written."""
        return estimate(self.inspection, self.known)

    @cached_property
    def sent(self) -> Estimate:
        """The least that is printed of what is made of it: styles in their elements, links numbered."""
        if not self.is_html:
            return self.estimate
        html = rewrite_html(self.built.html, rules=self.content.rules).source if self.content.tracking else self.built.html
        return estimate(inspect(html, name=self.name, links=True), self.known)

    # ---- as HTML ---------------------------------------------------------------------------------

    @cached_property
    def built(self) -> Built:
        """What is made of an HTML part."""
        return build_html(self.source, inline=self.content.inline_css)

    @property
    def text(self) -> str:
        """The HTML that was written, or what MJML made of what was written; of other parts the source."""
        return self.built.plain if self.is_html else self.source

    @cached_property
    def masked_source(self) -> str:
        """The source without the characters of its Liquid."""
        return mask(self.source)

    @cached_property
    def masked(self) -> str:
        """The same of the HTML; of other parts, of the source."""
        return self.masked_source if self.text is self.source else mask(self.text)

    @cached_property
    def pieces(self) -> list[Piece]:
        """The pieces of the HTML; none of other parts."""
        return list(read(self.text)) if self.is_html else []

    @cached_property
    def unseen(self) -> frozenset[int]:
        """Which of the pieces nobody sees."""
        unseen = Unseen(self.text)
        return frozenset(index for index, piece in enumerate(self.pieces) if unseen.hides(piece))

    def elements(self, *names: str) -> Iterator[Piece]:
        """The opening tags of these names."""
        return (piece for piece in self.pieces if piece.kind is Kind.START and piece.name in names)

    def addresses(self, attribute: str, *names: str) -> Iterator[Address]:
        """The addresses in an attribute of these elements, or of all."""
        for index, piece in enumerate(self.pieces):
            if piece.kind is not Kind.START or (names and piece.name not in names):
                continue
            if found := next((one for one in piece.attributes if one.name == attribute), None):
                value = decode_attribute(self.text[found.start : found.end]) if found.start >= 0 else ""
                yield Address(piece, index, found, value.strip(BLANK))

    # ---- telling ---------------------------------------------------------------------------------

    def told(
        self,
        code: str,
        message: str,
        hint: str,
        *,
        line: int | None = None,
        column: int | None = None,
        level: WarningLevel = WarningLevel.WARNING,
    ) -> ContentWarning:
        """A finding at a place of the source, or about the part as a whole."""
        return ContentWarning(code=code, message=message, level=level, hint=hint, part=self.name, line=line, column=column)

    def told_at(
        self, offset: int, code: str, message: str, hint: str, *, level: WarningLevel = WarningLevel.WARNING
    ) -> ContentWarning:
        """A finding at an offset of the HTML; of other parts, at one of the source."""
        line, column = place(self.text, offset)
        found = self.told(code, message, hint, line=line, column=column, level=level)
        if not self.is_html or self.built.converted is None:
            return found
        placed = self.built.warning(found)
        if (placed.line, placed.column) == self._root:
            return replace(placed, message=f"in what MJML makes of a component, {message}")
        return placed

    @property
    def beginning(self) -> tuple[int, int]:
        """The place of what is about the part as a whole: where its source begins to say something."""
        return place(self.source, len(self.source) - len(self.source.lstrip()))

    @cached_property
    def _root(self) -> tuple[int, int]:
        """Where MJML begins: the place of all that it makes by itself."""
        return place(self.source, self.source.lower().index("<mjml"))
