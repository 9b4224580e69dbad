"""Images that many recipients do not see, and that say nothing in their place."""

from __future__ import annotations

from collections.abc import Iterator

from core.content.checks.part import CheckedPart
from core.content.records import ContentWarning

LARGEST_EMBEDDED = 1_000  # characters of a `data:` address; what is smaller is a spacer or a dot


def images_without_alt(part: CheckedPart) -> Iterator[ContentWarning]:
    """Images that say nothing to those who do not load or see them; `alt=""` is an answer."""
    for piece in part.elements("img"):
        if not any(found.name == "alt" for found in piece.attributes):
            yield part.told_at(
                piece.start,
                "IMAGE_WITHOUT_ALT",
                "this image has no alt text",
                'Write alt="…", or alt="" where it is decoration only.',
            )


def images_without_source(part: CheckedPart) -> Iterator[ContentWarning]:
    """Images without an address, or with one that has no scheme and host."""
    for piece in part.elements("img"):
        if not any(found.name in ("src", "srcset") for found in piece.attributes):
            yield _without_source(part, piece.start)
    for found in part.addresses("src", "img"):
        if not found.value:
            yield _without_source(part, found.piece.start)
        elif not found.value.startswith(("{{", "{%")) and ":" not in found.value.split("/", 1)[0]:
            yield part.told_at(
                found.attribute.start,
                "RELATIVE_IMAGE",
                f"the image {found.value[:80]!r} has no scheme and host: no reader finds it",
                "Write the whole address, beginning with https://",
            )


def _without_source(part: CheckedPart, at: int) -> ContentWarning:
    return part.told_at(at, "IMAGE_WITHOUT_SOURCE", "this image has no address", "Write its address as src, or take it away.")


def embedded_images(part: CheckedPart) -> Iterator[ContentWarning]:
    """Images that are written into the HTML: large webmails do not show them."""
    for found in part.addresses("src", "img"):
        size = found.attribute.end - found.attribute.start
        if size > LARGEST_EMBEDDED and found.value[:5].lower() == "data:":
            yield part.told_at(
                found.attribute.start,
                "IMAGE_EMBEDDED",
                f"this image is written into the HTML with {size:,} characters; many mail readers do not show it",
                "Put it on a server and write its address.",
            )
