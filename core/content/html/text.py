"""A text part made from the HTML part.

The HTML is read piece by piece and never turned into a tree, so that Liquid keeps its place: every tag
(`{% … %}`) stays in its order, also where the HTML around it is dropped, and what was a valid template
remains one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.content.html.markup import Attribute, Kind, Piece, decode_attribute, read, unescaped
from core.content.liquid import SYSTEM_URL, Span, SpanKind, pieces, prints, quoted, spans, within
from core.content.tokens import Tokens

_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "table", "blockquote", "pre", "hr"})
_LINES = frozenset(
    {"div", "tr", "li", "dt", "dd", "section", "article", "header", "footer", "center", "address", "form",
     "fieldset", "figure", "figcaption", "main", "nav", "aside", "tbody", "thead", "tfoot", "caption", "body"}
)  # fmt: skip
_CELLS = frozenset({"td", "th"})
_DROPPED = frozenset({"head", "svg", "object", "select", "template", "video", "audio", "map"})
_VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"})
_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u2060-\u2064\ufeff]")
_SPACES = re.compile(r"[ \t\n\r\f\u00a0]+")
_DISPLAY_NONE = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_WHITESPACE = " \t\n\v\f\r"  # of Liquid
_DASHES = re.compile(r"(?<=\A\{[{%])-|-(?=[%}]\}\Z)")
_COLUMNS = re.compile(r",?\s*\bcols\s*:\s*(?:\"[^\"]*\"|'[^']*'|[^\s,%}]+)")
_WRITTEN_LINK = re.compile(r"\s*(\{% link \d+ %\}.*\{% endlink %\})\s*\Z", re.DOTALL)


def text_from_html(source: str) -> str:
    """A plain text for those who read no HTML; links are written out as `words <address>`."""
    return _Writer(source).write()


class _Writer:
    """Writes words from pieces. Newlines, a gap and a bullet are owed until the next word or Liquid tag."""

    def __init__(self, source: str):
        self.source = source
        self.out: list[str] = []
        self.newlines = 2  # at the end of what is written; at the start none are wanted
        self.breaks = 0
        self.gap = ""
        self.bullet = ""
        self.wrote = False
        self.hiding: list[str] = []  # open elements of one name, the outermost of which hides what is in it
        self.preformatted = 0
        self.lists: list[int | None] = []  # the next number of each open list; None: bullets
        self.between_items = False
        self.links: list[tuple[str, int]] = []  # address, and where its words begin in `out`
        self.unread = Tokens(source).prefix  # a name that is in no template

    def write(self) -> str:
        for piece in read(self.source):
            if piece.kind is Kind.TEXT and not self.hiding and not piece.conditional:
                self._text(self.source[piece.start : piece.end])
            elif piece.kind in (Kind.START, Kind.END):
                self._keep_tags(piece, self._element(piece))
            else:
                self._keep_tags(piece, ())
        if not self.wrote:
            return ""
        text = "".join(self.out).strip("\n")
        return text if self.newlines and text.endswith("%}") else text + "\n"

    # ---- words

    def _text(self, text: str) -> None:
        found = list(pieces(text))
        for index, (literal, span) in enumerate(found):
            if span is None:
                self._words(unescaped(_trimmed(literal, found[index - 1 : index], found[index + 1 : index + 2])))
            elif span.kind is SpanKind.RAW:
                self._words(unescaped(literal[literal.index("%}") + 2 : literal.rindex("{%")]))
            elif prints(text, span):
                self._put(_written(literal, span))
            elif span.kind is SpanKind.TAG:
                if span.name == "endtablerow":
                    self._put("\n")  # after each cell
                self._tag(_written(literal, span))

    def _words(self, text: str) -> None:
        text = _INVISIBLE.sub("", text)
        if self.preformatted:
            self._put(quoted(text.replace("\u00a0", " ")))
            return
        text = _SPACES.sub(" ", text)
        if text.startswith(" ") and not self.gap:
            self.gap = " "
        if text.strip(" "):
            self._put(quoted(text.strip(" ")))
            self.gap = " " if text.endswith(" ") else ""

    def _tag(self, text: str) -> None:
        """A tag that prints nothing. What is owed stands before it, and so outside the body that it opens."""
        self._settle()
        self.out.append(text)
        if self.lists and self.between_items:
            self.lists[-1] = None  # items in a loop or under a condition cannot be counted here

    def _put(self, text: str) -> None:
        self._settle()
        self.out.append(text)
        self.newlines = len(text) - len(text.rstrip("\n"))
        self.wrote = self.wrote or not text.isspace()

    def _settle(self) -> None:
        owed = max(0, self.breaks - self.newlines)
        if owed:
            self.out.append("\n" * owed)
            self.newlines += owed
        elif self.gap and not self.newlines:
            self.out.append(self.gap)
        if self.bullet:
            self.out.append(self.bullet)
            self.newlines = 2  # an item's own paragraphs begin beside its bullet
        self.breaks, self.gap, self.bullet = 0, "", ""

    def _break(self, count: int) -> None:
        self.breaks = max(self.breaks, count)
        self.gap = ""

    def _keep_tags(self, piece: Piece, written: Sequence[Attribute]) -> None:
        """Of HTML that is dropped keep the Liquid tags that print nothing: their blocks must stay whole."""
        in_link = False
        text = self.source[piece.start : piece.end]
        shown = [(value.start, value.end) for value in written]
        for span in spans(text):
            if within(shown, piece.start + span.start):
                continue
            if span.name in ("link", "endlink"):  # an address that is not written goes whole
                in_link = span.name == "link"
            elif not in_link:
                self.out.append(self._silent(text, span))

    def _silent(self, text: str, span: Span) -> str:
        """A tag so that it prints nothing. What `liquid` assigns may be read later, what it prints is not for this place."""
        tag = text[span.start : span.end]
        if span.name == "liquid" and prints(text, span):
            return f"{{% capture {self.unread} %}}{tag}{{% endcapture %}}"
        return _written(tag, span) if span.kind is SpanKind.TAG and not prints(text, span) else ""

    # ---- elements

    def _element(self, piece: Piece) -> Sequence[Attribute]:
        """Returns the attributes whose values were written, Liquid and all."""
        if self._hides(piece) or piece.conditional:
            return ()
        name, opens = piece.name, piece.kind is Kind.START
        self.between_items = (name in ("ul", "ol") and opens) or (name == "li" and not opens)
        self._space(name, opens)
        if name in ("ul", "ol"):
            self._list(name, opens)
        elif name == "li" and opens:
            self._item()
        elif name == "pre":
            self.preformatted = max(0, self.preformatted + (1 if opens else -1))
        elif name == "a":
            return self._link(piece)
        elif name == "img" and opens:
            return self._image(piece)
        elif name == "hr" and opens:
            self._put("-" * 20)
            self._break(2)
        return ()

    def _space(self, name: str, opens: bool) -> None:
        if name in _PARAGRAPHS:
            self._break(2)
        elif name == "br":
            self._break(min(self.breaks + 1, 2))
        elif name in _LINES:
            self._break(1)
        elif name in _CELLS and opens and not self.newlines and not self.breaks:
            self.gap = "  "

    def _hides(self, piece: Piece) -> bool:
        """Whether the element is, or is in, something that is not shown."""
        if self.hiding:
            if piece.name == self.hiding[0]:
                if piece.kind is Kind.START:
                    self.hiding.append(piece.name)
                else:
                    self.hiding.pop()
            return True
        if piece.kind is not Kind.START:
            return False
        style = piece.find("style")
        unseen = style is not None and _DISPLAY_NONE.search(self.source[style.start : style.end])
        if piece.name in _DROPPED or unseen or any(found.name == "hidden" for found in piece.attributes):
            self.hiding = [] if piece.name in _VOID else [piece.name]
            return True
        return False

    def _list(self, name: str, opens: bool) -> None:
        if opens:
            if self.lists:
                self.breaks = 1  # a list within an item follows it at once
            self.lists.append(1 if name == "ol" else None)
        elif self.lists:
            self.lists.pop()
            if self.lists:
                self.breaks = 1

    def _item(self) -> None:
        number = self.lists[-1] if self.lists else None
        self.bullet = "  " * (len(self.lists) - 1) + ("* " if number is None else f"{number}. ")
        if number is not None:
            self.lists[-1] = number + 1

    def _image(self, piece: Piece) -> Sequence[Attribute]:
        alt = piece.find("alt")
        if alt is None:
            return ()
        self._text(self.source[alt.start : alt.end])
        return (alt,)

    def _link(self, piece: Piece) -> Sequence[Attribute]:
        if self.links:  # also where another link begins: HTML closes the first one there
            self._end_link(*self.links.pop())
        if piece.kind is Kind.END:
            return ()
        hrefs = [found for found in piece.attributes if found.name == "href" and found.start >= 0]
        if len(hrefs) > 1:  # Liquid chooses within the tag: choose in the text too
            self.links.append((self._chosen(piece, hrefs), len(self.out)))
            return (Attribute("", piece.start, piece.end),)
        address = _address(self.source[hrefs[0].start : hrefs[0].end]) if hrefs else ""
        self.links.append((address, len(self.out)))
        return hrefs

    def _chosen(self, piece: Piece, hrefs: Sequence[Attribute]) -> str:
        """The addresses of a tag with the Liquid tags between them."""
        found = [(href.start, _address(self.source[href.start : href.end])) for href in hrefs]
        values = [(href.start, href.end) for href in hrefs]
        for span in spans(self.source[piece.start : piece.end]):
            at = piece.start + span.start
            if span.kind is SpanKind.TAG and not within(values, at):
                found.append((at, self.source[at : piece.start + span.end]))
        return "".join(text for _, text in sorted(found))

    def _end_link(self, address: str, start: int) -> None:
        written = "".join(self.out[start:])
        shown = written.strip()
        if address and shown == _plain(address):
            self.out[start:] = [written[: len(written) - len(written.lstrip())] + address]
        elif address:
            breaks, self.breaks = self.breaks, 0
            self.gap = " " if shown else self.gap
            self._put(f"<{address}>" if shown else address)
            self._break(breaks)


def _trimmed(literal: str, before: Sequence[tuple[str, Span | None]], after: Sequence[tuple[str, Span | None]]) -> str:
    """Without the white space that a dash in the Liquid beside it takes away."""
    literal = literal.lstrip(_WHITESPACE) if any(liquid[-3] == "-" for liquid, _ in before) else literal
    return literal.rstrip(_WHITESPACE) if any(liquid[2] == "-" for liquid, _ in after) else literal


def _written(liquid: str, span: Span) -> str:
    """Liquid for the text: its dashes would take our own lines away, and a `tablerow` is a loop that prints no markup."""
    liquid = _DASHES.sub("", liquid)
    if span.name in ("tablerow", "endtablerow"):
        return _COLUMNS.sub(" ", liquid.replace("tablerow", "for", 1))
    return liquid


def _plain(address: str) -> str:
    inner = re.sub(r"\{% (?:link \d+|endlink) %\}", "", address)
    return inner.removeprefix("mailto:")


def _address(value: str) -> str:
    """What to write for a link's value: nothing for places within the page, the bare address of a mailto."""
    if written := _WRITTEN_LINK.match(value):
        return written[1]
    if SYSTEM_URL.search(value):
        return value.strip()
    decoded = "".join(quoted(decode_attribute(piece)) if span is None else piece for piece, span in pieces(value))
    decoded = decoded.strip()
    if decoded.lower().startswith("mailto:"):
        return decoded[7:].split("?")[0]
    return decoded if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", decoded) else ""
