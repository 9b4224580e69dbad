"""What of an HTML part nobody sees: elements that show nothing, and those that are hidden whatever Liquid does."""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.content.html.markup import VOID, Kind, Piece, read
from core.content.liquid import BRANCHES, MASK, SpanKind, is_opener, mask, outermost, spans

_NEVER = frozenset({"head", "template", "svg", "object", "video", "audio", "select"})  # show their own, or nothing
_FOREIGN = frozenset({"svg", "math"})  # of which `<svg/>` is the whole
_PROPERTY = re.compile("display|visibility", re.IGNORECASE)
_STYLED = re.compile(rf"(?:^|[;\s{MASK}])(display|visibility)\s*:\s*([a-z-]+)(\s*!\s*important)?", re.IGNORECASE)
_GONE = frozenset({"none", "hidden", "collapse"})
_DEEPEST = 200  # open elements that are looked through: browsers keep no more than 512

# Which open elements a start tag ends, and where looking for them ends (HTML 13.2.6.4.7, 13.2.6.4.9 ff.).
_CELLS = frozenset({"td", "th"})
_ROWS = frozenset({"tr", *_CELLS})
_SECTIONS = frozenset({"tbody", "thead", "tfoot", *_ROWS})
_TABLE = frozenset({"table", "template"})
_SCOPE = frozenset({"td", "th", "caption", "table", "object", "template", "button"})
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_BLOCKS = frozenset(
    {"article", "aside", "blockquote", "center", "details", "dl", "fieldset", "figcaption", "figure", "footer", "form",
     "header", "hr", "main", "menu", "nav", "ol", "pre", "section", "summary", "ul", *_HEADINGS}
)  # fmt: skip
_ENDED = {
    "li": (frozenset({"li"}), _BLOCKS | _SCOPE),
    **dict.fromkeys(("dt", "dd"), (frozenset({"dt", "dd"}), _BLOCKS | _SCOPE)),
    **dict.fromkeys(_CELLS, (_CELLS, frozenset({"tr", *_TABLE}))),
    "tr": (_ROWS, _TABLE),
    **dict.fromkeys(("tbody", "thead", "tfoot"), (_SECTIONS, _TABLE)),
    "body": (frozenset({"head"}), _TABLE),
    **dict.fromkeys(("address", "div", "p", "table", *_BLOCKS), (frozenset({"p"}), _SCOPE)),
}
_IN_TABLES = frozenset({"table", "caption", *_SECTIONS})


@dataclass(slots=True, eq=False)
class _Element:
    """One that is open."""

    name: str
    parent: _Element | None
    depth: int  # the blocks of Liquid around its start tag


@dataclass(slots=True)
class _Block:
    """What was open where a block of Liquid begins: so it is where each of its branches begins."""

    inner: _Element | None
    hiding: _Element | None


class Unseen:
    """Follows the pieces of a source, in order and all of them, and says of each whether nobody sees it.

    An element hides what is in it up to its end tag, to the tag that ends it in HTML without one, or to the end of the branch
    of Liquid that it begins in. So what only some may see counts as seen.
    """

    def __init__(self, source: str):
        self.source = source
        self.spans = [span for span in spans(source) if span.kind is SpanKind.TAG]
        self.next_span = 0
        self.blocks: list[_Block] = []
        self.inner: _Element | None = None
        self.hiding: _Element | None = None  # the outermost open element that is hidden

    def hides(self, piece: Piece) -> bool:
        """Whether nobody sees a piece: it is, or is in, what is hidden."""
        before = self.hiding is not None
        self._follow(piece.end)
        if piece.kind is Kind.START and not piece.conditional:
            return self._start(piece)
        if piece.kind is Kind.END and not piece.conditional:
            return self._end(piece)
        return before and self.hiding is not None  # where Liquid divides words, nobody sees them where neither half is seen

    def show(self) -> None:
        """Let what is hidden here be seen."""
        self.hiding = None

    def _start(self, piece: Piece) -> bool:
        if ended := _ENDED.get(piece.name):
            self._close(self._find(*ended))
        begins = self.hiding is None and is_hidden(self.source, piece)
        if piece.name not in VOID and not (piece.name in _FOREIGN and self.source.endswith("/>", piece.start, piece.end)):
            self.inner = _Element(piece.name, self.inner, len(self.blocks))
            self.hiding = self.inner if begins else self.hiding
        return begins or self.hiding is not None

    def _end(self, piece: Piece) -> bool:
        found = self._find(frozenset({piece.name}), _TABLE if piece.name in _IN_TABLES else _SCOPE)
        hidden = self.hiding is not None and (found is None or found is self.hiding)
        self._close(found)
        return hidden or self.hiding is not None

    def _find(self, names: frozenset[str], limits: frozenset[str]) -> _Element | None:
        """The outermost of the elements of these names that a tag here can end."""
        found, element = None, self.inner
        for _ in range(_DEEPEST):
            if element is None:
                break
            if element.name in names:
                found = element
                if len(names) == 1:
                    break
            elif element.name in limits:
                break
            element = element.parent
        return found

    def _close(self, found: _Element | None) -> None:
        """Leave an element, and those in it that are open."""
        while found is not None and self.inner is not None:
            left, self.inner = self.inner, self.inner.parent
            self.hiding = None if left is self.hiding else self.hiding
            if left is found:
                return

    def _follow(self, end: int) -> None:
        """Go on along the Liquid up to an offset."""
        while self.next_span < len(self.spans) and self.spans[self.next_span].start < end:
            span = self.spans[self.next_span]
            self.next_span += 1
            if is_opener(span):
                self.blocks.append(_Block(self.inner, self.hiding))
            elif self.blocks and (span.name in BRANCHES or span.name.startswith("end")):
                self._leave_branch(ends=span.name not in BRANCHES)

    def _leave_branch(self, *, ends: bool) -> None:
        if self.hiding is not None and self.hiding.depth == len(self.blocks):
            self.hiding = None
        if ends:
            self.blocks.pop()
        else:
            self.inner, self.hiding = self.blocks[-1].inner, self.blocks[-1].hiding


def is_hidden(source: str, piece: Piece) -> bool:
    """Whether an element shows nothing, whatever Liquid does."""
    if piece.name in _NEVER:
        return True
    if not any(one.name in ("hidden", "style") for one in piece.attributes):
        return False
    tag = source[piece.start : piece.end]
    found = outermost(tag)  # what a block within the tag brings is not there for sure, and may show what the rest hides
    if any(_PROPERTY.search(tag, span.start, span.end) for span in found if span.kind is SpanKind.BLOCK):
        return False
    tag = mask(tag, found)
    sure = next(read(tag))
    style = sure.find("style")
    return any(one.name == "hidden" for one in sure.attributes) or (
        style is not None and _is_gone(tag[style.start : style.end])
    )


def _is_gone(style: str) -> bool:
    """Whether a style makes an element invisible: of each property what is important counts, else what comes last."""
    said: dict[str, tuple[bool, str]] = {}
    for found in _STYLED.finditer(style):
        name, important = found[1].lower(), found[3] is not None
        if important or name not in said or not said[name][0]:
            said[name] = important, found[2].lower()
    return any(value in _GONE for _, value in said.values())
