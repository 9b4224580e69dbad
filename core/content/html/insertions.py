"""What Clarion adds to an HTML part: the preheader, the open pixel, a link that only machines follow."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from core.content.html.branches import Block, Way, blocks_of
from core.content.html.markup import RAW_TEXT, Kind, Piece, read
from core.content.liquid import pieces

PIXEL = '<img src="{% open_pixel_url %}" width="1" height="1" alt="" style="border:0;display:block">'
_HIDDEN = "display:none;max-height:0;max-width:0;overflow:hidden;opacity:0;mso-hide:all;font-size:1px;line-height:1px"
MOST_PLACES = 50  # of one addition; where more branches have bodies of their own, it goes to the edge of the document
_STARTS = ((Kind.START, "body"), (Kind.END, "head"), (Kind.START, "html"))
_ENDS = ("body", "html")
# Blank room after the preheader, so that mail readers do not go on with the body in their list of messages.
_ROOM = "&#847;&zwnj;&nbsp;" * 60


def insert_preheader(html: str, preheader: str) -> str:
    """Put the preheader, a plain text with Liquid, unseen at the start of the body."""
    if not preheader.strip():
        return html
    return _inserted(html, f'<div style="{_HIDDEN}" aria-hidden="true">{_escaped(preheader)}{_ROOM}</div>', end=False)


def insert_at_end(html: str, block: str) -> str:
    """Put a piece of HTML at the end of the body."""
    return _inserted(html, block, end=True)


def hidden_link(number: int, target: str) -> str:
    """A link without a word, out of sight, out of reach of the keyboard and of screen readers."""
    link = f"{{% link {number} %}}{target}{{% endlink %}}"
    return f'<a href="{link}" style="display:none" aria-hidden="true" tabindex="-1"></a>'


def _escaped(text: str) -> str:
    return "".join(piece if span else escape(piece) for piece, span in pieces(text))


def _inserted(html: str, block: str, *, end: bool) -> str:
    """With a block at one place on each way that a rendering may go."""
    written: list[str] = []
    position = 0
    for place in sorted(_Places(html, end=end).all(), key=lambda one: one.at):
        written += [html[position : place.at], "{% else %}" if place.missing else "", block]
        position = place.at
    return "".join([*written, html[position:]])


@dataclass(frozen=True, slots=True)
class _Place:
    at: int
    missing: bool = False  # the else that it is in is not written


class _Places:
    """Where something goes at the start or end of the body, so that every rendering has it once.

    The start is right after `<body>`; without one after the head, else after `<html>` or the doctype. The end is right before
    the last `</body>`; without one before `</html>`, else at the end. Where conditions choose between bodies it is in each.
    """

    def __init__(self, html: str, *, end: bool):
        self.html = html
        self.end = end
        self.blocks = blocks_of(html)
        self.pieces = list(read(html))
        self.starts = [piece.start for piece in self.pieces]
        self.marks = self._marks()
        self.tried: dict[Block, list[_Place] | None] = {}

    def all(self) -> list[_Place]:
        """The places, one of which each rendering comes to."""
        found = self._within(Way(0, len(self.html)), self.blocks, 0)
        return found if found is not None and len(found) <= MOST_PLACES else [_Place(self._edge(0, len(self.html)))]

    def _marks(self) -> list[list[Piece]]:
        """The pieces beside which the places are: the best kind first, of each kind the best first."""
        seen = [piece for piece in self.pieces if not piece.conditional]
        if self.end:
            found = [[piece for piece in reversed(seen) if piece.kind is Kind.END and piece.name == name] for name in _ENDS]
        else:
            found = [[piece for piece in seen if (piece.kind, piece.name) == mark] for mark in _STARTS]
            found.append([piece for piece in seen if piece.kind is Kind.COMMENT and self._is_doctype(piece)])
        return [marks[:MOST_PLACES] for marks in found]

    def _is_doctype(self, piece: Piece) -> bool:
        return self.html[piece.start : piece.end].lower().startswith("<!doctype")

    def _within(self, way: Way, blocks: Sequence[Block], before: int) -> list[_Place] | None:
        """The places of what stands on a way, with these blocks in it; None where there is none for sure.

        `before` is what a reader who goes this way has seen before.
        """
        for kind in self.marks:
            marks = [piece for piece in kind if way.start <= piece.start and piece.end <= way.end]
            for piece in marks:
                if not any(block.surrounds(piece.start) or block.surrounds(piece.end) for block in blocks):
                    return [_Place(piece.start if self.end else piece.end)]
            for block in dict.fromkeys(_around(piece, blocks) for piece in marks):
                if block is not None and (found := self._on_each_way(block)):
                    return found
        edge = self._edge(way.start, way.end)
        seen = before if way.missing or not self.end else edge
        return [_Place(edge, way.missing)] if self._is_free(seen) else None

    def _on_each_way(self, block: Block) -> list[_Place] | None:
        """The places in a block, looked for once: each kind of mark asks for them again."""
        if block not in self.tried:
            self.tried[block] = self._through(block)
        return self.tried[block]

    def _through(self, block: Block) -> list[_Place] | None:
        found: list[_Place] = []
        ways = block.ways(self.html)
        if ways is None or len(ways) > MOST_PLACES:
            return None
        for way in ways:
            inner = [one for one in block.inner if way.start <= one.opening.start and one.closing.end <= way.end]
            places = self._within(way, inner, block.opening.start)
            if places is None:
                return None
            found += places
        return found

    def _edge(self, start: int, end: int) -> int:
        """Where a stretch without a mark begins or ends; what follows an unclosed tag is never shown."""
        if not self.end:
            return start
        unclosed = next((piece.start for piece in self.pieces if piece.kind is Kind.UNCLOSED), end)
        if start > 0 or unclosed >= end:
            return end
        return next((block.opening.start for block in self.blocks if block.surrounds(unclosed)), unclosed)

    def _is_free(self, offset: int) -> bool:
        """Whether a reader who is here takes a tag for a tag: not within another, in a comment, a style or a title."""
        index = bisect_right(self.starts, offset) - 1
        here = self.pieces[index] if index >= 0 else None
        if here is None or offset >= here.end:
            return True  # the end of the document
        if here.conditional or here.kind is Kind.RAW_TEXT:
            return False
        if here.start < offset:
            return here.kind is Kind.TEXT
        before = self.pieces[index - 1] if index else None
        return before is None or before.kind is Kind.END or before.name not in RAW_TEXT


def _around(piece: Piece, blocks: Sequence[Block]) -> Block | None:
    """The block that a piece stands in as a whole."""
    return next((block for block in blocks if block.surrounds(piece.start) and block.surrounds(piece.end)), None)
