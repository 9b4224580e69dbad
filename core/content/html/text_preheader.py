"""The preheader as the first paragraph of a text made from HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.content.html.markup import Kind, Piece, unescaped
from core.content.html.text_liquid import written
from core.content.liquid import MASK, SpanKind, is_balanced, mask, outermost, pieces, prints, quoted

_LONGEST = 1_000  # pieces of HTML in an unseen preheader; more is something else that is not shown
_INLINE = frozenset({"div", "span", "p", "td", "b", "strong", "i", "em", "u", "font", "br", "wbr", "small"})
_PADDING = re.compile("[\\s\u00ad\u034f\u061c\u115f\u180e\u200b-\u200f\u2060-\u2064\u2800\u3164\ufeff]+")


def preheader_end(source: str, found: Sequence[Piece], index: int) -> int:
    """The piece that ends the unseen element beginning at `index`; -1 where it is no preheader, but any other hidden block.

    A preheader is words, perhaps with Liquid whose blocks end in it.
    """
    opened, depth, words = found[index], 0, False
    for at, piece in enumerate(found[index : index + _LONGEST], index):
        text = source[piece.start : piece.end]
        if piece.kind is Kind.TEXT:
            words = words or _says_something(text)
        elif piece.kind in (Kind.START, Kind.END):
            if piece.name not in _INLINE or piece.conditional:
                return -1
            if piece.name == opened.name:
                depth += 1 if piece.kind is Kind.START else -1
            if depth == 0:
                return at if words and is_balanced(source[opened.end : piece.start]) else -1
    return -1


def with_preheader(text: str, preheader: str, name: str) -> str:
    """A text that begins with its preheader, once where its first line says just the same."""
    found = pieces(preheader)
    line = "".join(quoted(_spaced(piece)) if span is None else written(piece, span) for piece, span in found).strip()
    if not line or text.split("\n", 1)[0].strip() == line:
        return text
    beginning = paragraph(line, name)
    if beginning != line:
        return beginning + text
    return f"{line}\n\n{text}" if text else f"{line}\n"


def paragraph(line: str, name: str) -> str:
    """A preheader; one that may print nothing with the empty line after it. It is kept in a variable of this `name`."""
    if mask(line, outermost(line)).replace(MASK, "").strip():
        return line
    return (
        f"{{% capture {name} %}}{line}{{% endcapture %}}"
        f"{{% unless {name} == blank %}}{{{{ {name} | strip }}}}\n\n{{% endunless %}}"
    )


def once(out: Sequence[str], preheader: str, end: int) -> str:
    """A text without its preheader, which ends at one of its pieces, where its first line says just the same."""
    rest = "".join(out[end:]).lstrip("\n")
    same = rest.split("\n", 1)[0].strip() == preheader
    return rest if same and "{%" not in preheader else "".join(out)  # a tag may assign what is read later


def _says_something(text: str) -> bool:
    return any(
        prints(text, span) if span is not None and span.kind is not SpanKind.RAW else _spaced(unescaped(literal)).strip()
        for literal, span in pieces(text)
    )


def _spaced(text: str) -> str:
    return _PADDING.sub(" ", text)
