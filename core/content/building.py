"""The HTML that is sent, made from what an author wrote: MJML becomes HTML, style sheets go into elements on request."""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.content.errors import TemplateProblem
from core.content.html.inlining import inline_css
from core.content.liquid import offset_of, place
from core.content.mjml.components import is_mjml
from core.content.mjml.conversion import Converted, convert
from core.content.records import ContentWarning


@dataclass(frozen=True, slots=True)
class Built:
    """An HTML part on its way, and the way back to the author's places."""

    html: str
    plain: str  # before styles were written into elements: what was written itself, or what MJML made of it
    warnings: tuple[ContentWarning, ...] = ()
    converted: Converted | None = None

    def problem(self, found: TemplateProblem) -> TemplateProblem:
        """A problem of `plain` at its place in the source."""
        return found.moved(*self.source_place(found.line, found.column))

    def warning(self, found: ContentWarning) -> ContentWarning:
        """A warning about `plain` at its place in the source."""
        if found.line is None or found.column is None:
            return found
        line, column = self.source_place(found.line, found.column)
        return replace(found, line=line, column=column)

    def source_place(self, line: int, column: int) -> tuple[int, int]:
        """Line and column of a place of `plain` in the source."""
        if self.converted is None:
            return line, column
        return place(self.converted.source, self.source_offset(offset_of(self.plain, line, column)))

    def source_offset(self, offset: int) -> int:
        """Where in the source an offset of `plain` comes from."""
        return offset if self.converted is None else self.converted.origin(offset)


def build_html(source: str, *, inline: bool, part: str = "html") -> Built:
    """Raises TemplateProblem, with its place in the source."""
    if not is_mjml(source):
        if not inline:
            return Built(source, source)
        inlined = inline_css(source, part=part)
        return Built(inlined.source, source, inlined.warnings)
    converted = convert(source, part)
    plain = Built(converted.html, converted.html, converted=converted)
    if not inline and not converted.styles:
        return plain
    try:
        inlined = inline_css(converted.html, converted.styles, sheets_too=inline, part=part)
    except TemplateProblem as problem:
        raise plain.problem(problem) from None
    linked = [plain.warning(one) for one in inlined.warnings if one.code != "CSS_LINKED"]  # MJML links fonts
    return replace(plain, html=inlined.source, warnings=tuple(linked))
