"""The way out that every message has to offer."""

from __future__ import annotations

from collections.abc import Iterator

from core.content.checks.part import CheckedPart
from core.content.liquid import SpanKind, spans
from core.content.records import ContentWarning

BODIES = ("html", "text")


def no_unsubscribe_link(part: CheckedPart) -> Iterator[ContentWarning]:
    """Bodies without a link to unsubscribe, where the channel has such links."""
    if part.name not in BODIES or not part.content.tracking:
        return
    if not any(span.kind is SpanKind.TAG and span.name == "unsubscribe_url" for span in spans(part.source)):
        yield part.told(
            "NO_UNSUBSCRIBE_LINK",
            f"the {part.name} has no link to unsubscribe",
            "Write one with {% unsubscribe_url %} as its address.",
        )
