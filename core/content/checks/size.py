"""Messages that are too large whoever gets them: fixed text, and loops over the content's own data."""

from __future__ import annotations

from collections.abc import Iterator

from core.content.checks.measured import passed_at
from core.content.checks.part import CheckedContent, CheckedPart
from core.content.records import ContentWarning, WarningLevel
from render_ext import estimate

CLIPPED_BYTES = 102 * 1024  # Gmail cuts longer HTML and hides the rest


def clipped_html(part: CheckedPart) -> Iterator[ContentWarning]:
    """HTML that is cut whatever is in it, told about where it is cut: styles and links grow as much before as after."""
    size = part.sent.least.size if part.is_html else 0
    if size > CLIPPED_BYTES:
        written = estimate(part.shown, part.known).least.size
        found = clipped(int(size), part.name)
        at = passed_at(part.shown, part.known, CLIPPED_BYTES * min(1.0, written / size), "size")
        yield part.told_at(at, found.code, found.message, found.hint or "")


def clipped(size: int, part: str) -> ContentWarning:
    """The warning about an HTML part of so many bytes."""
    return ContentWarning(
        code="HTML_CLIPPED",
        message=f"the HTML has {size // 1024} KB; some mail readers cut it at 102 KB",
        hint="Say less, take out styles that nothing uses, or write them once in a <style> instead of into each element.",
        part=part,
    )


def large_messages(content: CheckedContent) -> Iterator[ContentWarning]:
    """Messages that the channel does not take."""
    largest = content.manifest.limits.max_bytes
    if sum(part.estimate.least.size for part in content.parts) <= largest:  # as written; what is made of it is hardly less
        return
    sizes = {part.name: part.sent.least.size for part in content.parts}
    if sum(sizes.values()) > largest:
        yield ContentWarning(
            code="MESSAGE_TOO_LARGE",
            message=f"the message has at least {sum(sizes.values()):,.0f} bytes; channel or account take {largest:,}",
            level=WarningLevel.ERROR,
            hint="Say less, or loop over less data.",
            part=max(sizes, key=lambda name: sizes[name]),
        )
