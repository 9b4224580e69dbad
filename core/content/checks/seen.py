"""Where an HTML part has what everybody sees: not in comments and style sheets, for Outlook alone, or in what is hidden."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from core.content.checks.part import CheckedPart
from core.content.html.markup import Kind, Piece
from core.content.liquid import MASK

_NEVER = frozenset({"head", "template", "svg", "object", "video", "audio", "select"})  # show their own, or nothing
_VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"})
_UNSEEN = re.compile(r"(?:^|[;\s])(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)


def seen_places(part: CheckedPart) -> Sequence[tuple[int, int]]:
    """The words that everybody sees and the addresses of links among them, in order; of other parts, the whole."""
    return list(_html_places(part)) if part.is_html else [(0, len(part.text))]


def _html_places(part: CheckedPart) -> Iterator[tuple[int, int]]:
    hiding = ""  # the name of the outermost element that hides what is in it
    depth = 0
    for piece in part.pieces:
        if piece.conditional:
            continue
        if hiding:
            if piece.name == hiding and piece.kind in (Kind.START, Kind.END):
                depth += 1 if piece.kind is Kind.START else -1
                hiding = hiding if depth else ""
        elif piece.kind is Kind.TEXT:
            yield piece.start, piece.end
        elif piece.kind is Kind.START and is_hidden(part, piece):
            hiding, depth = ("" if piece.name in _VOID else piece.name), 1
        elif piece.kind is Kind.START and piece.name in ("a", "area"):
            yield from ((one.start, one.end) for one in piece.attributes if one.name == "href" and one.start >= 0)


def is_hidden(part: CheckedPart, piece: Piece) -> bool:
    """Whether an element shows nothing, whatever Liquid does."""
    if piece.name in _NEVER:
        return True
    if any(one.name == "hidden" for one in piece.attributes) and MASK not in part.masked[piece.start : piece.end]:
        return True
    style = piece.find("style")
    written = part.masked[style.start : style.end] if style is not None else ""
    return MASK not in written and _UNSEEN.search(written) is not None
