"""A text part made from the HTML part.

The HTML is read piece by piece and never turned into a tree, so that Liquid keeps its place: every tag
(`{% … %}`) stays in its order, also where the HTML around it is dropped, and what was a valid template
remains one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.content.html.markup import Attribute, Kind, Piece, read, unescaped
from core.content.html.text_lines import TextLines
from core.content.html.text_links import TextLinks, link_address
from core.content.html.text_liquid import trimmed, written
from core.content.html.text_preheader import once, paragraph, preheader_end, with_preheader
from core.content.html.unseen import Unseen
from core.content.liquid import Span, SpanKind, pieces, prints, quoted, spans, tag_lines, within
from core.content.tokens import Tokens

_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "table", "blockquote", "pre", "hr"})
_LINES = frozenset(
    {"div", "tr", "li", "dt", "dd", "section", "article", "header", "footer", "center", "address", "form",
     "fieldset", "figure", "figcaption", "main", "nav", "aside", "tbody", "thead", "tfoot", "caption", "body"}
)  # fmt: skip
_CELLS = frozenset({"td", "th"})
_ASSIGNING = frozenset({"assign", "capture", "increment", "decrement", "liquid"})
_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u2060-\u2064\ufeff]")
_SPACES = re.compile(r"[ \t\n\r\f\u00a0\u2007]+")
_WHOLE = re.compile(r"\s*-?\d{1,9}\s*")
_GAP = "  "  # between cells


def message_text(source: str, preheader: str = "", *, wordless: str = "") -> str:
    """The text of a whole message, which begins with its preheader.

    `preheader` is a text with Liquid; without it, an unseen one at the start of the HTML is taken. `wordless` is what
    follows it where the HTML has no words.
    """
    writer = _Writer(source, keeps_preheader=not preheader.strip())
    text = writer.write() or wordless
    return with_preheader(text, preheader, writer.unread) if preheader.strip() else text


def text_from_html(source: str) -> str:
    """A plain text for those who read no HTML, of a piece of a message: its links are footnotes."""
    return _Writer(source).write()


class _Writer:
    """Writes words from pieces."""

    def __init__(self, source: str, *, keeps_preheader: bool = False):
        self.source = source
        self.pieces = list(read(source))
        self.lines = TextLines()
        self.unread = Tokens(source).prefix  # a name that is in no template
        self.links = TextLinks(self.lines, f"{self.unread}note")
        self.unseen = Unseen(source)
        self.keeps_preheader = keeps_preheader
        self.preheader = (-1, -1)  # the piece that ends the last one, and where it begins in the text
        self.preheaders: list[tuple[str, int]] = []  # as they are written, and where they end in the text
        self.preformatted = 0
        self.lists: list[int | None] = []  # the next number of each open list; None: bullets
        self.between_items = False
        self.tables: list[bool] = []  # the open ones: whether they have headings, so that an empty cell says something
        self.cells = 0  # of the row

    def write(self) -> str:
        for index, piece in enumerate(self.pieces):
            seen = not self._hides(index, piece) and not piece.conditional
            if piece.kind is Kind.TEXT and seen:
                self._text(self.source[piece.start : piece.end])
            else:
                self._keep_tags(piece, self._element(piece) if seen and piece.kind in (Kind.START, Kind.END) else ())
            if index == self.preheader[0]:
                self._end_preheader()
        self.links.end()
        lines = self.lines
        if not lines.wrote:
            return ""
        text = (once(lines.out, *self.preheaders[0]) if len(self.preheaders) == 1 else "".join(lines.out)).strip("\n")
        return text if lines.newlines and text.endswith("%}") else text + "\n"

    # ---- words

    def _text(self, text: str) -> None:
        found = list(pieces(text))
        for index, (literal, span) in enumerate(found):
            if span is None:
                self._words(unescaped(trimmed(literal, found[index - 1 : index], found[index + 1 : index + 2])))
            elif span.kind is SpanKind.RAW:
                self._words(unescaped(literal[literal.index("%}") + 2 : literal.rindex("{%")]))
            elif prints(text, span):
                self._tell_links(text, span)
                self.lines.put(written(literal, span))
            elif span.kind is SpanKind.TAG:
                self._tell_links(text, span)
                if span.name == "endtablerow":
                    self.lines.put("\n")  # after each cell
                self._tag(literal, span)

    def _words(self, text: str) -> None:
        lines = self.lines
        text = _INVISIBLE.sub("", text)
        if self.preformatted:
            lines.put(quoted(text.replace("\u00a0", " ")))
            return
        text = _SPACES.sub(" ", text)
        if text.startswith(" ") and not lines.gap:
            lines.gap = " "
        if text.strip(" "):
            lines.put(quoted(text.strip(" ")))
            lines.gap = " " if text.endswith(" ") else ""

    def _tag(self, text: str, span: Span) -> None:
        """A tag that prints nothing."""
        self.lines.tag(written(text, span), span)
        if self.lists and self.between_items:
            self.lists[-1] = None  # items in a loop or under a condition cannot be counted here

    def _tell_links(self, text: str, span: Span) -> None:
        if span.name == "endfragment":
            self.links.end()
        elif any(name in ("break", "continue") for name, _ in tag_lines(text, span)):
            self.links.leave_round()
        elif span.name in _ASSIGNING:
            self.links.reassign()

    def _keep_tags(self, piece: Piece, shown: Sequence[Attribute]) -> None:
        """Of HTML that is dropped keep the Liquid tags that print nothing: their blocks must stay whole."""
        in_link = False
        text = self.source[piece.start : piece.end]
        values = [(value.start, value.end) for value in shown]
        for span in spans(text):
            if within(values, piece.start + span.start):
                continue
            if span.name in ("link", "endlink"):  # an address that is not written goes whole
                in_link = span.name == "link"
            elif not in_link:
                self._tell_links(text, span)
                self.lines.silent_tag(self._silent(text, span), span)

    def _silent(self, text: str, span: Span) -> str:
        """A tag so that it prints nothing. What `liquid` assigns may be read later, what it prints is not for this place."""
        tag = text[span.start : span.end]
        if span.name == "liquid" and prints(text, span):
            return f"{{% capture {self.unread} %}}{tag}{{% endcapture %}}"
        return written(tag, span) if span.kind is SpanKind.TAG and not prints(text, span) else ""

    # ---- elements

    def _element(self, piece: Piece) -> Sequence[Attribute]:
        """Returns the attributes whose values were written, Liquid and all."""
        name, opens = piece.name, piece.kind is Kind.START
        self.between_items = (name in ("ul", "ol") and opens) or (name == "li" and not opens)
        self._space(name, opens)
        if name in ("ul", "ol"):
            self._list(piece, opens)
        elif name == "li" and opens:
            self._item(piece)
        elif name == "pre":
            self.preformatted = max(0, self.preformatted + (1 if opens else -1))
        elif name == "a":
            return self._link(piece)
        elif name == "img" and opens:
            return self._image(piece)
        elif name == "hr" and opens:
            self.lines.put("-" * 20)
            self.lines.owe(2)
        return ()

    def _space(self, name: str, opens: bool) -> None:
        if name in _PARAGRAPHS:
            self.lines.owe(2)
        elif name == "br":
            self.lines.owe(min(self.lines.breaks + 1, 2))
        elif name in _LINES:
            self.lines.owe(1)
        if name == "table":
            self.tables = [*self.tables, False] if opens else self.tables[:-1]
        elif name == "tr" and opens:
            self.cells, self.lines.row_filled = 0, False
        elif name in _CELLS and opens:
            self._cell(heading=name == "th")

    def _cell(self, *, heading: bool) -> None:
        """The gap before a cell; empty ones before it leave theirs, at the start of a line only under headings."""
        lines = self.lines
        if self.tables:
            self.tables[-1] = self.tables[-1] or heading
        if self.cells and not lines.row_filled and self.tables and self.tables[-1]:
            lines.indent = _GAP * self.cells
        empty = self.cells and not lines.cell_filled and lines.gap.startswith(_GAP)
        lines.gap = (lines.gap if empty else "") + _GAP
        lines.cell_filled = False
        self.cells += 1

    def _hides(self, index: int, piece: Piece) -> bool:
        """Whether the element is, or is in, something that is not shown."""
        begins = self.unseen.hiding is None and piece.kind is Kind.START
        if not self.unseen.hides(piece):
            return False
        if not (begins and self._is_preheader(index)):
            return True
        self.unseen.show()
        return False

    def _is_preheader(self, index: int) -> bool:
        """Whether what is hidden here is the preheader: words before all others. They become a paragraph."""
        if self.lines.said or not self.keeps_preheader or index <= self.preheader[0]:
            return False
        end = preheader_end(self.source, self.pieces, index)
        if end < 0:
            return False
        self.lines.owe(2)
        self.preheader = end, len(self.lines.out)
        return True

    def _end_preheader(self) -> None:
        """What may print nothing goes together with the empty line after it."""
        lines, at = self.lines, self.preheader[1]
        line = "".join(lines.out[at:]).strip()
        self.preheaders.append((line, len(lines.out)))
        written = paragraph(line, self.unread)
        lines.owe(2)
        if written != line:
            lines.out[at:] = [written, *[""] * (len(lines.out) - at - 1)]  # places in it may be known to others
            lines.newlines, lines.breaks = 2, 0

    def _list(self, piece: Piece, opens: bool) -> None:
        if opens:
            if self.lists:
                self.lines.breaks = 1  # a list within an item follows it at once
            self.lists.append(self._number(piece, "start", 1) if piece.name == "ol" else None)
        elif self.lists:
            self.lists.pop()
            if self.lists:
                self.lines.breaks = 1

    def _item(self, piece: Piece) -> None:
        number = self.lists[-1] if self.lists else None
        number = None if number is None else self._number(piece, "value", number)
        self.lines.bullet = "  " * (len(self.lists) - 1) + ("* " if number is None else f"{number}. ")
        if self.lists:
            self.lists[-1] = None if number is None else number + 1

    def _number(self, piece: Piece, name: str, otherwise: int) -> int | None:
        """The number that an attribute of a list says; None where only Liquid knows it."""
        found = piece.find(name)
        value = "" if found is None else self.source[found.start : found.end]
        if spans(value):
            return None
        return int(value) if _WHOLE.fullmatch(value) else otherwise

    def _image(self, piece: Piece) -> Sequence[Attribute]:
        alt = piece.find("alt")
        if alt is None:
            return ()
        self._text(self.source[alt.start : alt.end])
        return (alt,)

    def _link(self, piece: Piece) -> Sequence[Attribute]:
        if piece.kind is Kind.END:
            self.links.end()
            return ()
        address, shown = link_address(self.source, piece)
        self.links.start(address)
        return shown
