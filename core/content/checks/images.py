"""Images that many recipients do not see, and that say nothing in their place."""

from __future__ import annotations

import re
from collections.abc import Iterator

from core.content.checks.labels import is_blank
from core.content.checks.part import CheckedPart
from core.content.html.markup import Piece
from core.content.liquid import MASK
from core.content.records import ContentWarning

LARGEST_EMBEDDED = 1_000  # characters of a `data:` address; what is smaller is a spacer or a dot
_HOST = re.compile(r"\s*(?:https?:)?[/\\]{2}([^/?#\\\s]*)", re.IGNORECASE)
_PERSONAL = re.compile(r"\bprofile\s*[.\[]")


def images_without_alt(part: CheckedPart) -> Iterator[ContentWarning]:
    """Images that say nothing to those who do not load or see them; `alt=""` is an answer, blanks are none."""
    for piece in part.elements("img", "input"):
        if piece.name == "input" and not _is_image(part, piece):
            continue
        alt = next((found for found in piece.attributes if found.name == "alt"), None)
        if alt is not None and not (alt.end > alt.start and is_blank(part.text[alt.start : alt.end])):
            continue
        yield part.told_at(
            piece.start,
            "IMAGE_WITHOUT_ALT",
            "this image has no alt text" if alt is None else "the alt text of this image has blanks only",
            'Write alt="…", or alt="" where it is decoration only.',
        )


def _is_image(part: CheckedPart, piece: Piece) -> bool:
    found = piece.find("type")
    return found is not None and part.text[found.start : found.end].strip().lower() == "image"


def images_of_personal_hosts(part: CheckedPart) -> Iterator[ContentWarning]:
    """Images whose host a recipient's own values choose: whoever enters those sees who reads."""
    for found in part.addresses("src", "img", "input"):
        start, end = found.attribute.start, found.attribute.end
        host = _HOST.match(part.masked, start, end) if start >= 0 else None
        if host is not None and MASK in host[1] and _PERSONAL.search(part.text, host.start(1), host.end(1)):
            yield part.told_at(
                start,
                "IMAGE_NOT_LITERAL",
                "the host of this image comes from the recipient's own values, so that it may be anybody's",
                "Write out scheme and host, and let Liquid follow after a /.",
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
