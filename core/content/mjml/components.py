"""What is MJML, and its components by what may stand in them."""

from __future__ import annotations

from core.content.html.markup import Kind, read
from core.content.liquid import literal_text

# HTML, which is no MJML and comes over as it is
CONTENT = frozenset(
    {"mj-text", "mj-button", "mj-table", "mj-raw", "mj-title", "mj-preview", "mj-style", "mj-social-element",
     "mj-navbar-link", "mj-accordion-title", "mj-accordion-text"}
)  # fmt: skip
# other components, and Liquid around those
LIQUID_BETWEEN = frozenset({"mj-body", "mj-section", "mj-column", "mj-group", "mj-wrapper", "mj-hero"})
# nothing
EMPTY = frozenset(
    {"mj-image", "mj-divider", "mj-spacer", "mj-carousel-image", "mj-font", "mj-breakpoint", "mj-all", "mj-class"}
)  # fmt: skip
# other components, without Liquid between them
_HOLDERS = frozenset(
    {"mjml", "mj-head", "mj-attributes", "mj-social", "mj-navbar", "mj-carousel", "mj-accordion", "mj-accordion-element"}
)  # fmt: skip
COMPONENTS = CONTENT | LIQUID_BETWEEN | EMPTY | _HOLDERS


def is_mjml(source: str) -> bool:
    """Whether the first element of an HTML part is `<mjml>`."""
    if "<mjml" not in source.lower():
        return False
    for piece in read(source):
        blank = piece.kind is Kind.COMMENT or (piece.kind is Kind.TEXT and not literal_text(source[piece.start : piece.end]))
        if not blank:
            return piece.kind is Kind.START and piece.name == "mjml"
    return False
