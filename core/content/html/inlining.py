"""Writes style sheets into the `style` attributes of an HTML part; everything else stays byte for byte as it was written.

The inliner works on a copy that has nothing but elements, classes, ids and other attributes, each element with a mark.
Of its work only the styles are read, by their marks, and put into the source: nothing is parsed and written again,
so neither Liquid nor conditional comments, entities or odd nesting can be harmed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import escape

from css_inline import CSSInliner

from core.content.errors import MOST_TOLD, TemplateProblem
from core.content.html.markup import RAW_TEXT, VOID, Kind, Piece, decode_attribute, read
from core.content.html.style_sheets import Names, Sheets, add_sheet, sheets
from core.content.html.styles import Declaration, declarations, family, merged
from core.content.liquid import SpanKind, blocks, is_balanced, mask, outermost, pieces, place, spans, within
from core.content.records import ContentWarning
from core.content.tokens import Tokens

MAX_DEPTH = 500  # of elements; the inliner has a stack to lose
MAX_REPEATED = 2_000_000  # formatting elements that are open, for each element: HTML opens them again and again
MAX_WORK = 20_000_000  # elements times selectors
MAX_DECLARATIONS = 2_000_000  # elements times declarations: each may get all of them
MAX_CHARACTERS = 100_000_000  # elements times characters, for the same reason
_WRITE_OUT = "Write its rules into a <style>."
_WRITE_STYLE = "Write what must be seen everywhere into the style attribute yourself."
_LEFT_OUT = RAW_TEXT | {"link", "base", "template", "frameset", "frame", "noscript"}
_UNSTYLED = frozenset({"html", "head", "meta"})
_FORMATTING = frozenset({"a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"})
_LOOSE = frozenset({"p", "li", "dt", "dd", "option"})  # the next of them ends them
_OPTIONAL = _LOOSE | {"td", "th", "tr", "thead", "tbody", "tfoot", "optgroup"}
_BRANCHED = frozenset({"if", "unless", "case", "for", "tablerow"})
_START = re.compile(r"<[^ \t\n\f\r/>]+")
_ATTRIBUTE_NAME = re.compile(r"[A-Za-z_][\w.-]*\Z", re.ASCII)
_TAG_NAME = re.compile(r"[a-z][\w:-]*\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Inlined:
    """An HTML part with styles in its elements."""

    source: str
    warnings: tuple[ContentWarning, ...] = ()


def inline_css(source: str, more: tuple[str, ...] = (), *, sheets_too: bool = True, part: str = "html") -> Inlined:
    """Write the style sheets of a part (`sheets_too`) and `more` of them into its elements. Raises TemplateProblem."""
    work = _Work(source, part)
    tokens = Tokens(source + "".join(more))
    names = Names.of(source)
    found = sheets(source, names, tokens) if sheets_too else Sheets()
    for css in more:
        add_sheet(found, css, None, names, tokens)
    for message, at in found.left:
        work.told(message, [at])
    css = "\n".join(found.css)
    if not css.strip():
        return Inlined(source, tuple(work.warnings))
    copy = work.copy(tokens)
    elements = len(work.elements)
    if (
        elements * (css.count("{") + css.count(",")) > MAX_WORK
        or elements * css.count(";") > MAX_DECLARATIONS
        or elements * len(css) > MAX_CHARACTERS
    ):
        raise work.problem(0, "CSS_TOO_LARGE", "too many rules for too many elements", "Shorten the style sheet.")
    styles = _computed(work, copy, css, tokens)
    return Inlined(work.written(styles, found.unsafe, tokens), tuple(work.warnings))


def _computed(work: _Work, copy: str, css: str, tokens: Tokens) -> dict[int, str]:
    """Styles by the number of their element. Of an element that HTML splits in two, the style if both agree."""
    inliner = CSSInliner(inline_style_tags=False, load_remote_stylesheets=False, extra_css=css)
    try:
        made = inliner.inline(copy)
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        hint = "Mend the style sheet, or switch the inlining of styles off."
        raise work.problem(0, "CSS_INVALID", f"the style sheet cannot be read: {error}", hint) from None
    found: dict[int, str] = {}
    split: set[int] = set()
    for piece in read(made):
        mark = piece.find(tokens.prefix) if piece.kind is Kind.START else None
        if mark is None:
            continue
        number = int(made[mark.start : mark.end])
        style = piece.find("style")
        text = decode_attribute(made[style.start : style.end]) if style else ""
        if found.setdefault(number, text) != text:
            split.add(number)
    work.told(
        "HTML cuts this element in pieces with different styles; it keeps its own",
        [work.elements[number].start for number in sorted(split)],
    )
    return {number: text for number, text in found.items() if text and number not in split}


class _Opened:
    """How much an HTML parser has open at most, however elements are nested."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.depth = 0
        self.formatting = 0
        self.repeated = 0

    def see(self, piece: Piece) -> None:
        """Count one tag. An end tag closes only what was opened by its name."""
        if piece.name in VOID or piece.name in _OPTIONAL:
            self.repeated += self.formatting
            return
        step = 1 if piece.kind is Kind.START else -min(1, self.counts[piece.name])
        self.counts[piece.name] += step
        self.depth += step
        self.formatting += step if piece.name in _FORMATTING else 0
        self.repeated += self.formatting

    @property
    def too_much(self) -> bool:
        """Whether the inliner would run out of stack or memory."""
        return self.depth > MAX_DEPTH or self.repeated > MAX_REPEATED


class _Work:
    """One source, its elements and what is to be said about it."""

    def __init__(self, source: str, part: str):
        self.source = source
        self.part = part
        self.elements: list[Piece] = []
        self.warnings: list[ContentWarning] = []

    def copy(self, tokens: Tokens) -> str:
        """Elements alone, as an HTML parser can see them; those in conditional comments are not there."""
        written: list[str] = []
        opened = _Opened()
        depth = 0
        branches: list[int] = []  # how deep it was where the open blocks of Liquid began
        for piece in read(self.source):
            if piece.kind is Kind.TEXT:
                self._branches(piece, branches, depth)
            elif piece.kind is Kind.COMMENT and self.source[piece.start : piece.end].lower().startswith("<!doctype"):
                written.append("<!DOCTYPE html>")
            if piece.kind is Kind.START and piece.name == "link" and not piece.conditional:
                self._link(piece)
            named = _TAG_NAME.match(piece.name) and piece.name not in _LEFT_OUT and not piece.conditional
            if not named or piece.kind not in (Kind.START, Kind.END):
                continue
            if piece.name not in VOID and piece.name not in _LOOSE:
                depth = max(0, depth + (1 if piece.kind is Kind.START else -1))
            opened.see(piece)
            if opened.too_much:
                raise self.problem(piece.start, "CSS_TOO_DEEP", "too many elements are open", "Close what was opened.")
            if piece.kind is Kind.END:
                written.append(f"</{piece.name}>")
                continue
            close = "/" if self.source[piece.start : piece.end].endswith("/>") else ""
            attributes = "".join(self._attributes(piece))
            written.append(f'<{piece.name} {tokens.prefix}="{len(self.elements)}"{attributes} {close}>')
            self.elements.append(piece)
        return "".join(written)

    def _attributes(self, piece: Piece) -> Iterator[str]:
        """Those by which selectors find elements; what only some recipients get is not among them."""
        around = self._blocks(piece)
        for found in piece.attributes:
            if found.name == "style" or not _ATTRIBUTE_NAME.match(found.name):
                continue
            value = self.source[found.start : found.end] if found.start >= 0 else ""
            conditional = within(around, found.start)
            if conditional or spans(value):
                if found.name in ("class", "id"):
                    self.told("styles that depend on Liquid are not written into this element", [piece.start])
                if conditional:
                    continue
                value = mask(value, outermost(value))  # no selector finds what stands for Liquid
            yield f' {found.name}="{escape(decode_attribute(value))}"'

    def _branches(self, piece: Piece, branches: list[int], depth: int) -> None:
        """Elements that are opened in one branch of a block and closed in another stand otherwise in the copy."""
        for span in spans(self.source[piece.start : piece.end]):
            if span.kind is not SpanKind.TAG:
                continue
            ends = span.name.startswith("end") and span.name[3:] in _BRANCHED
            if span.name in _BRANCHED:
                branches.append(depth)
            elif branches and (ends or span.name in ("else", "elsif", "when")):
                if branches[-1] != depth:
                    self.told(
                        "elements are opened before this and closed after it: styles may differ", [piece.start + span.start]
                    )
                if ends:
                    branches.pop()

    def written(self, styles: dict[int, str], unsafe: set[int], tokens: Tokens) -> str:
        """The source with the styles in their elements."""
        parts: list[str] = []
        position = 0
        for number, piece in enumerate(self.elements):
            if piece.name in _UNSTYLED or number not in styles:
                continue
            found = list(declarations(styles[number]))
            left = {family(one.name) for one in found if not (one.closed and unsafe.isdisjoint(tokens.within(one.text)))}
            safe = [one for one in found if family(one.name) not in left]
            if left:
                self.told("a style has a value that cannot be moved; it stays in its <style>", [piece.start])
            for at, text in self._changes(piece, safe, tokens):
                parts += [self.source[position:at], text]
                position = at
        return "".join([*parts, self.source[position:]])

    def _changes(self, piece: Piece, computed: list[Declaration], tokens: Tokens) -> list[tuple[int, str]]:
        """What to put where, in order, for one element to have its styles."""
        attribute = next((found for found in piece.attributes if found.name == "style"), None)
        if attribute is None:
            added = _attribute_text(merged(_restored(computed, tokens), "").rstrip(";"), '"')
            start = _START.match(self.source, piece.start)
            return [(start.end(), f' style="{added}"')] if start and added else []
        if attribute.start < 0 or within(self._blocks(piece), attribute.start):
            self.told("Liquid decides whether this element has a style; write it within the value", [piece.start])
            return []
        own = self.source[attribute.start : attribute.end]
        if not is_balanced(own):
            self.told("a block of Liquid begins or ends within this style, and not both", [attribute.start])
            return []
        quote = self.source[attribute.start - 1]
        added = _attribute_text(merged(_restored(computed, tokens), decode_attribute(own)), quote)
        if not added:
            return []
        if quote not in "\"'":
            return [(attribute.start, f'"{added} '), (attribute.end, '"')]
        return [(attribute.start, added + (" " if own.strip() else ""))]

    def _blocks(self, piece: Piece) -> list[tuple[int, int]]:
        """The blocks of Liquid that begin within a tag: what is in them, some recipients only get."""
        tag = self.source[piece.start : piece.end]
        return [(piece.start + start + 1, piece.start + end) for start, end in blocks(tag)] if "{%" in tag else []

    def _link(self, piece: Piece) -> None:
        rel = piece.find("rel")
        if rel is not None and self.source[rel.start : rel.end].strip().lower() == "stylesheet":
            self._tell("CSS_LINKED", "nothing is loaded from elsewhere; this style sheet stays a link", piece.start, _WRITE_OUT)

    def told(self, message: str, places: list[int]) -> None:
        """Warn about what is not written into elements."""
        for at in places:
            self._tell("CSS_NOT_INLINED", message, at, _WRITE_STYLE)

    def _tell(self, code: str, message: str, at: int, hint: str) -> None:
        if len(self.warnings) >= MOST_TOLD:
            return
        line, column = place(self.source, at)
        self.warnings.append(ContentWarning(code=code, message=message, hint=hint, part=self.part, line=line, column=column))

    def problem(self, at: int, code: str, message: str, hint: str) -> TemplateProblem:
        """An error at a place."""
        line, column = place(self.source, at)
        return TemplateProblem(message, code=code, part=self.part, line=line, column=column, hint=hint)


def _restored(computed: list[Declaration], tokens: Tokens) -> list[Declaration]:
    return [replace(one, text=tokens.restore(one.text)) for one in computed]


def _attribute_text(style: str, quote: str) -> str:
    """For an attribute in these quotes; Liquid is no HTML and stays."""
    mark, reference = ("'", "&#39;") if quote == "'" else ('"', "&quot;")
    written = []
    for text, span in pieces(style):
        escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(mark, reference)
        written.append(escaped if span is None else text)
    return "".join(written)
