"""MJML as its author wrote it: where its components stand, and a copy in which tokens keep what MJML must not touch.

MJML computes the frame of a message. What an author writes into it (the HTML of `<mj-text>`, an address, Liquid in an
attribute or around a column) is nothing to compute with: the copy has a token there, and what the token stands for
comes back byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from core.content.errors import TemplateProblem
from core.content.html.markup import Attribute, Kind, Piece, read
from core.content.html.style_sheets import Names, Sheets, add_sheet
from core.content.liquid import SpanKind, is_balanced, literal_text, mask, outermost, place, prints, spans, within
from core.content.liquid_names import bound_by, is_unescaped
from core.content.mjml.components import COMPONENTS, CONTENT, EMPTY, LIQUID_BETWEEN
from core.content.mjml.copying import Copy, Kept, Rule, quoted_text, quoted_value, shows
from core.content.suggestions import nearest
from core.content.tokens import Tokens

MAX_SLIDES = 100
MAX_DEPTH = 64  # of components; MJML itself needs less than ten
MAX_DEFAULTS = 20_000_000  # characters of defaults times components
_ADDRESSES = frozenset({"href", "src"})
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_HINT_RAW = "Write it within <mj-text>, <mj-raw> or another component."


@dataclass(slots=True)
class _Open:
    piece: Piece
    between: list[tuple[int, str]] = field(default_factory=list)  # Liquid directly in it


def copy_of(source: str, part: str) -> Copy:
    """The copy of an MJML source. Raises TemplateProblem where the source is none, or has Liquid where it cannot stay."""
    return _Walk(source, part).walk()


class _Walk:
    """One walk over the pieces of a source."""

    def __init__(self, source: str, part: str):
        self.source = source
        self.part = part
        self.copy = Copy(Tokens(source))
        self.names = Names.of(source)
        self.open: list[_Open] = []
        self.rooted = False
        self.components = 0
        self.slides = 0
        self.defaults = 0  # characters in `<mj-attributes>`, which every component may repeat

    def walk(self) -> Copy:
        pieces = iter(read(self.source))
        for piece in pieces:
            if piece.kind is Kind.UNCLOSED:
                raise self._problem(piece.start, "MJML_SYNTAX", "this tag or comment is never closed", "Close it.")
            if piece.kind is Kind.START:
                self._start(piece, pieces)
            elif piece.kind is Kind.END:
                self._end(piece)
            else:
                self._between(piece)
        if self.open:
            name, start = self.open[-1].piece.name, self.open[-1].piece.start
            raise self._problem(start, "MJML_SYNTAX", f"<{name}> is never closed", f"Write </{name}>.")
        if self.components * self.defaults > MAX_DEFAULTS:
            raise self._problem(0, "MJML_TOO_LARGE", "too long defaults for too many components", "Shorten <mj-attributes>.")
        return self.copy

    # ---- elements

    def _start(self, piece: Piece, following: Iterator[Piece]) -> None:
        name = piece.name
        self._check_start(piece)
        closed = self.source[piece.start : piece.end].endswith("/>")
        start = f"<{name}{''.join(self._attributes(piece))}{'/' if closed else ''}>"
        if name in CONTENT and not closed:
            end = self._content_end(piece, following)
            self._whole(piece, start, self.source[piece.end : end.start])
            return
        self.copy.write(start, piece.start)
        if not closed:
            self.open.append(_Open(piece))

    def _whole(self, piece: Piece, start: str, content: str) -> None:
        """A component with the HTML in it."""
        around = self.open[-1]
        if piece.name == "mj-raw" and around.piece.name in LIQUID_BETWEEN:
            around.between.append((piece.end, content))  # a block may begin in one and end in another
        else:
            self._check_balance(content, piece.end, f"<{piece.name}>")
        if piece.name == "mj-style" and self._value(piece, "inline") == "inline":
            self._check_inline(piece, content)
            self.copy.styles.append(content)
        elif piece.name == "mj-raw" and around.piece.name == "mjml":  # position="file-start"
            self.copy.before += content
        else:
            self.copy.write(f"{start}{self._content(piece, content)}</{piece.name}>", piece.start)

    def _check_inline(self, piece: Piece, css: str) -> None:
        """That all of a style sheet can be written into elements: it has no other place."""
        found = Sheets()
        add_sheet(found, css, piece.end, self.names, Tokens(css))
        if found.left or found.unsafe:
            at = found.left[0][1] if found.left else piece.end
            message = 'Liquid in <mj-style inline="inline"> that cannot be written into elements would be lost'
            raise self._problem(at, "MJML_LOST", message, "Write these rules into an <mj-style> without inline.")

    def _content(self, piece: Piece, content: str) -> str:
        if self.open[-1].piece.name == "mj-wrapper":
            content = self._without_comments(piece, content)
        if not content.strip():
            return ""
        between = piece.name == "mj-raw" and self.open[-1].piece.name != "mj-head"
        rule = Rule.ONCE
        if piece.name == "mj-title":  # MJML writes it into an attribute too
            self._check_escaped(content, piece.end, "an attribute that MJML makes of it")
            content, rule = quoted_value(content), Rule.SOME
        return self.copy.keep(content, Kept(piece.end, rule, f"the content of <{piece.name}>", between))

    def _without_comments(self, piece: Piece, content: str) -> str:
        """What stands in `<mj-wrapper>` MJML writes into a conditional comment, which others would end."""
        written: list[str] = []
        position = 0
        for comment in _COMMENT.finditer(mask(content)):
            self._check_comment(content[comment.start() : comment.end()], piece.end + comment.start())
            written.append(content[position : comment.start()])
            position = comment.end()
        content = "".join([*written, content[position:]])
        if literal_text(content) or shows(content):
            message = "<mj-raw> in <mj-wrapper> would be seen by Outlook alone"
            raise self._problem(piece.start, "MJML_PLACE", message, "Write it into <mj-text>, or outside of <mj-wrapper>.")
        return content

    def _check_start(self, piece: Piece) -> None:
        name = piece.name
        if not self.open and (self.rooted or name != "mjml"):
            raise self._problem(piece.start, "MJML_SYNTAX", f"<{name}> stands outside of <mjml>", "Move it into <mjml>.")
        self.copy.root = self.copy.root if self.rooted else piece.start
        self.rooted = True
        self.components += 1
        if name == "mj-include":
            hint = "Write what is in the file here."
            raise self._problem(piece.start, "MJML_INCLUDE", "nothing is included: there are no files here", hint)
        self.slides += name == "mj-carousel-image"
        if self.slides > MAX_SLIDES:
            hint = "Leave some out: each image of a carousel needs rules for all others."
            raise self._problem(piece.start, "MJML_TOO_LARGE", f"more than {MAX_SLIDES} images in carousels", hint)
        if name not in COMPONENTS:
            near = nearest(name, COMPONENTS) if name.startswith("mj") else None
            hint = f"Did you mean <{near}>?" if near else "HTML goes into <mj-text>, <mj-table> or <mj-raw>."
            raise self._problem(piece.start, "MJML_UNKNOWN", f"there is no component <{name[:80]}>", hint)
        if self.open and self.open[-1].piece.name in EMPTY:
            raise self._problem(piece.start, "MJML_PLACE", f"nothing goes into <{self.open[-1].piece.name}>", "Close it first.")
        if len(self.open) >= MAX_DEPTH:
            hint = "Sections, columns and what is in them are enough."
            raise self._problem(piece.start, "MJML_SYNTAX", "components are nested too deep", hint)

    def _content_end(self, piece: Piece, following: Iterator[Piece]) -> Piece:
        """The end tag of a component that holds HTML; what is between is not MJML."""
        depth = 1
        for inner in following:
            same = inner.name == piece.name and not inner.conditional
            if same and inner.kind in (Kind.START, Kind.END):
                depth += 1 if inner.kind is Kind.START else -1
                if depth == 0:
                    return inner
        raise self._problem(piece.start, "MJML_SYNTAX", f"<{piece.name}> is never closed", f"Write </{piece.name}>.")

    def _end(self, piece: Piece) -> None:
        top = self.open.pop() if self.open else None
        if top is None or top.piece.name != piece.name:
            expected = f"</{top.piece.name}>" if top else "nothing"
            message = f"</{piece.name[:80]}> closes what is not open; expected {expected}"
            raise self._problem(piece.start, "MJML_SYNTAX", message, "Close components in the order in which they were opened.")
        if top.between:
            self._check_balance("".join(text for _, text in top.between), top.between[0][0], f"<{piece.name}>")
        self.copy.write(f"</{piece.name}>", piece.start)

    # ---- attributes

    def _value(self, piece: Piece, name: str) -> str | None:
        found = piece.find(name)
        return None if found is None else self.source[found.start : found.end]

    def _attributes(self, piece: Piece) -> Iterator[str]:
        values = [(found.start, found.end) for found in piece.attributes if found.start >= 0]
        for span in spans(self.source[piece.start : piece.end]):
            at = piece.start + span.start
            if not within(values, at):
                message = f"Liquid stands between the attributes of <{piece.name}>; MJML cannot keep it there"
                raise self._problem(at, "MJML_LIQUID", message, "Write it within the value of an attribute.")
        seen: set[str] = set()
        for found in piece.attributes:
            if found.start >= 0 and found.name not in seen:
                seen.add(found.name)
                yield f' {found.name}="{self._kept_value(piece, found)}"'

    def _kept_value(self, piece: Piece, found: Attribute) -> str:
        value = self.source[found.start : found.end]
        where = f"the attribute {found.name} of <{piece.name}>"
        self._check_balance(value, found.start, where)
        defaults = bool(self.open) and self.open[-1].piece.name == "mj-attributes"
        rule = Rule.ANY if defaults else Rule.SOME
        self.defaults += len(value) if defaults else 0
        if self.source[found.start - 1] != '"':
            self._check_escaped(value, found.start, where)
        whole = found.name in _ADDRESSES and value
        written: list[str] = []
        position = 0
        for start, end in [(0, len(value))] if whole else [(unit.start, unit.end) for unit in outermost(value)]:
            token = self.copy.keep(quoted_value(value[start:end]), Kept(found.start + start, rule, where))
            written += [quoted_text(value[position:start]), token]
            position = end
        return "".join([*written, quoted_text(value[position:])])

    def _check_escaped(self, text: str, at: int, where: str) -> None:
        """In the double quotes that MJML writes, a quote that is printed would be their end."""
        for span in spans(text):
            printed = text[span.start : span.end]
            if span.kind is not SpanKind.RAW and prints(text, span) and is_unescaped(printed, self.names.trusted):
                message = f"what may print HTML as it is could end {where}"
                raise self._problem(at + span.start, "MJML_LIQUID", message, "Add the filter escape_once.")

    # ---- between components

    def _between(self, piece: Piece) -> None:
        text = self.source[piece.start : piece.end]
        found = spans(text)
        if piece.kind is Kind.COMMENT:
            self._comment(piece, text)
            return
        if literal := literal_text(text):
            at = piece.start + text.index(literal.split()[0])
            raise self._problem(at, "MJML_TEXT", "text stands between components", _HINT_RAW)
        if not self.open:
            if self.rooted:
                self.copy.after += text
            else:
                self.copy.before += text
        elif found:
            self._liquid_between(piece.start + found[0].start, text[found[0].start : found[-1].end])

    def _liquid_between(self, at: int, text: str) -> None:
        around = self.open[-1]
        name = around.piece.name
        if name not in LIQUID_BETWEEN:
            hint = "Write it before <mjml>." if name in ("mjml", "mj-head") else f"Put it around the whole <{name}>."
            raise self._problem(at, "MJML_LIQUID", f"Liquid stands directly in <{name}>; MJML cannot keep it there", hint)
        if name == "mj-wrapper" and shows(text):
            message = "what is printed directly in <mj-wrapper> would be seen by Outlook alone"
            raise self._problem(at, "MJML_LIQUID", message, _HINT_RAW)
        around.between.append((at, text))
        token = self.copy.keep(text, Kept(at, Rule.ONCE, f"Liquid in <{name}>", between=True))
        self.copy.write(f"<mj-raw>{token}</mj-raw>", at)

    def _comment(self, piece: Piece, text: str) -> None:
        """Comments between components are left out: nobody reads them in a message."""
        if piece.conditional or re.match(r"<!(--)?\s*\[", text):
            message = "conditional comments cannot stand between components"
            raise self._problem(piece.start, "MJML_PLACE", message, "Write it, from [if …] to [endif], into one <mj-raw>.")
        self._check_comment(text, piece.start)

    def _check_comment(self, text: str, at: int) -> None:
        """That nothing of a comment that is left out is missed."""
        self._check_balance(text, at, "this comment")
        for span in spans(text):
            for name in bound_by(text, span):
                message = f"what a comment says is left out, and so the value of {name!r} would be"
                raise self._problem(at + span.start, "MJML_LOST", message, "Write this tag outside of the comment.")

    def _check_balance(self, text: str, at: int, where: str) -> None:
        if not is_balanced(text):
            message = f"a block of Liquid begins or ends within {where}, and not both"
            raise self._problem(at, "MJML_LIQUID", message, "Begin and end it in the same place.")

    def _problem(self, at: int, code: str, message: str, hint: str) -> TemplateProblem:
        line, column = place(self.source, at)
        return TemplateProblem(message, code=code, part=self.part, line=line, column=column, hint=hint)
