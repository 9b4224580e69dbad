"""The way out that every message has to offer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from core.content.checks.part import CheckedPart
from core.content.checks.ways import Ways
from core.content.html.markup import Kind
from core.content.records import ContentWarning

BODIES = ("html", "text")
CODE = "NO_UNSUBSCRIBE_LINK"


def no_unsubscribe_link(part: CheckedPart) -> Iterator[ContentWarning]:
    """Bodies without a link to unsubscribe that everybody sees, where the channel has such links."""
    if part.name not in BODIES or not part.content.tracking:
        return
    ways = Ways(part.shown.nodes, "unsubscribe_url", _seen_places(part), part.known)
    if not ways.places:
        hint = "Write one with {% unsubscribe_url %} as its address."
        line, column = part.beginning
        yield part.told(CODE, f"the {part.name} has no link to unsubscribe", hint, line=line, column=column)
    elif not ways.all_lead_there():
        yield part.told_at(
            min(ways.places),
            CODE,
            f"not everybody sees a link to unsubscribe in the {part.name}: it is hidden, or a condition may leave it out",
            "Write one where it is always shown, or one in each branch, as the address of a link or among the words.",
        )


def _seen_places(part: CheckedPart) -> Sequence[tuple[int, int]]:
    """The words that everybody sees and the addresses of links among them, in order; of other parts, the whole."""
    return list(_html_places(part)) if part.is_html else [(0, len(part.text))]


def _html_places(part: CheckedPart) -> Iterator[tuple[int, int]]:
    for index, piece in enumerate(part.pieces):
        if piece.conditional or index in part.unseen:
            continue
        if piece.kind is Kind.TEXT:
            yield piece.start, piece.end
        elif piece.kind is Kind.START and piece.name in ("a", "area"):
            yield from ((one.start, one.end) for one in piece.attributes if one.name == "href" and one.start >= 0)
