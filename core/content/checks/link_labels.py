"""Links that say nothing about where they lead."""

from __future__ import annotations

from collections.abc import Iterator

from core.content.checks.labels import has_words, is_blank
from core.content.checks.part import Address, CheckedPart
from core.content.html.markup import Kind, Piece
from core.content.records import ContentWarning

_SEEN = frozenset({"svg", "video", "object", "input", "button", "canvas", "iframe", "picture"})  # may show anything
_NAMING = ("aria-label", "aria-labelledby", "title")


def links_without_label(part: CheckedPart) -> Iterator[ContentWarning]:
    """Links without a word, an image with `alt`, or a `title`."""
    for found in part.addresses("href", "a", "area"):
        if found.piece.conditional or _is_named(part, found.piece) or _is_hidden(part, found):
            continue
        if found.piece.name == "area" or not _has_content(part, found.index):
            yield part.told_at(
                found.piece.start,
                "LINK_WITHOUT_LABEL",
                "this link has no words: screen readers and reports have no name for it",
                "Write what it leads to as its text, as the alt of its image, or as its title.",
            )


def _is_named(part: CheckedPart, piece: Piece) -> bool:
    return any(_attribute(part, piece, name) for name in (*_NAMING, *(("alt",) if piece.name == "area" else ())))


def _is_hidden(part: CheckedPart, found: Address) -> bool:
    return found.index in part.unseen or _attribute(part, found.piece, "aria-hidden") == "true"


def _attribute(part: CheckedPart, piece: Piece, name: str) -> str:
    """What an attribute says; nothing where that is blank."""
    found = piece.find(name)
    text = part.text[found.start : found.end] if found is not None else ""
    return "" if is_blank(text) else text.strip()


def _has_content(part: CheckedPart, index: int) -> bool:
    """Whether there is something to see or hear before the link ends; an image without any alt is told by itself."""
    for position in range(index + 1, len(part.pieces)):
        piece = part.pieces[position]
        if piece.name == "a" and piece.kind in (Kind.START, Kind.END):
            return False
        if piece.kind is Kind.TEXT and has_words(part.text[piece.start : piece.end]):
            return True
        if piece.kind is Kind.START and (piece.name in _SEEN or _image_speaks(part, piece) or _is_named(part, piece)):
            return True
    return False


def _image_speaks(part: CheckedPart, piece: Piece) -> bool:
    if piece.name != "img":
        return False
    return _attribute(part, piece, "alt") != "" or not any(one.name == "alt" for one in piece.attributes)
