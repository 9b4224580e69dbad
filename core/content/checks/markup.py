"""HTML that readers do not see the end of."""

from __future__ import annotations

from collections.abc import Iterator

from core.content.checks.part import CheckedPart
from core.content.html.markup import Kind
from core.content.records import ContentWarning


def unclosed_markup(part: CheckedPart) -> Iterator[ContentWarning]:
    """Tags and comments without an end."""
    for piece in part.pieces:
        if piece.kind is Kind.UNCLOSED:
            yield part.told_at(
                piece.start,
                "HTML_UNCLOSED",
                "this is never closed; nothing after it is shown",
                "Close it: a tag with >, a quoted value with its quote, a comment with -->.",
            )
