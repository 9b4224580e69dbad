"""What Clarion adds to an HTML part: the preheader, the open pixel, a link that only machines follow."""

from __future__ import annotations

from html import escape

from core.content.html.markup import Kind, Piece, read
from core.content.liquid import pieces

PIXEL = '<img src="{% open_pixel_url %}" width="1" height="1" alt="" style="border:0;display:block">'
_HIDDEN = "display:none;max-height:0;max-width:0;overflow:hidden;opacity:0;mso-hide:all;font-size:1px;line-height:1px"
# Blank room after the preheader, so that mail readers do not go on with the body in their list of messages.
_ROOM = "&#847;&zwnj;&nbsp;" * 60


def insert_preheader(html: str, preheader: str) -> str:
    """Put the preheader, a plain text with Liquid, unseen at the start of the body."""
    if not preheader.strip():
        return html
    block = f'<div style="{_HIDDEN}" aria-hidden="true">{_escaped(preheader)}{_ROOM}</div>'
    at = _body_start(html)
    return html[:at] + block + html[at:]


def insert_at_end(html: str, block: str) -> str:
    """Put a piece of HTML at the end of the body."""
    at = _body_end(html)
    return html[:at] + block + html[at:]


def hidden_link(number: int, target: str) -> str:
    """A link without a word, out of sight, out of reach of the keyboard and of screen readers."""
    link = f"{{% link {number} %}}{target}{{% endlink %}}"
    return f'<a href="{link}" style="display:none" aria-hidden="true" tabindex="-1"></a>'


def _escaped(text: str) -> str:
    return "".join(piece if span else escape(piece) for piece, span in pieces(text))


def _body_start(html: str) -> int:
    """Right after `<body>`; without one after the head, else after `<html>` or the doctype."""
    after = {"body": -1, "head": -1, "html": -1, "doctype": -1}
    for piece in _seen(html):
        if piece.kind is Kind.START and piece.name == "body":
            return piece.end
        if piece.kind is Kind.START and piece.name == "html":
            after["html"] = piece.end
        if piece.kind is Kind.END and piece.name == "head":
            after["head"] = piece.end
        if piece.kind is Kind.COMMENT and html[piece.start : piece.end].lower().startswith("<!doctype"):
            after["doctype"] = piece.end
    return next((end for end in after.values() if end >= 0), 0)


def _body_end(html: str) -> int:
    """Right before the last `</body>`; without one before `</html>`, else at the end."""
    before = {"body": -1, "html": -1}
    unclosed = len(html)
    for piece in _seen(html):
        if piece.kind is Kind.END and piece.name in before:
            before[piece.name] = piece.start
        if piece.kind is Kind.UNCLOSED:
            unclosed = piece.start  # what follows it is never shown
    return next((start for start in before.values() if start >= 0), unclosed)


def _seen(html: str) -> list[Piece]:
    return [piece for piece in read(html) if not piece.conditional]
