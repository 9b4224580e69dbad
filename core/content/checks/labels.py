"""Whether a text says anything: blanks come in many kinds, and Liquid may print words."""

from __future__ import annotations

import re

from core.content.html.markup import unescaped
from core.content.liquid import SpanKind, pieces

# Blanks, and characters that are drawn as nothing or as a blank (Unicode: Default_Ignorable_Code_Point, and U+2800).
UNSEEN = re.compile(
    r"[\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0]+"
)
_CONTROL = frozenset(  # tags that print nothing themselves
    (
        "if", "elsif", "else", "endif", "unless", "endunless", "for", "endfor", "case", "when", "endcase", "assign", "capture",
        "endcapture", "ifchanged", "endifchanged", "tablerow", "endtablerow", "break", "continue", "#",
    )
)  # fmt: skip


def has_words(text: str) -> bool:
    """Whether a text in HTML shows something, as far as it can be known."""
    for literal, span in pieces(text):
        if span is None:
            if UNSEEN.sub("", unescaped(literal)):
                return True
        elif span.kind in (SpanKind.OUTPUT, SpanKind.RAW) or (span.kind is SpanKind.TAG and span.name not in _CONTROL):
            return True
    return False


def is_blank(text: str) -> bool:
    """Whether a value of an attribute says nothing."""
    return not has_words(text)
