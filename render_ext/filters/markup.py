"""Filters of HTML.

`escape`, `escape_once`, `newline_to_br` and `raw` give Html: trusted text, which is not escaped again where outputs are.
"""

from __future__ import annotations

import re
from typing import Any, Final

from render_ext.filters.records import Surroundings, allow
from render_ext.filters.text import LINE_END
from render_ext.values import Html, to_text

ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}
ESCAPED: Final = str.maketrans(ENTITIES)
UNESCAPED: Final = re.compile(r"""["><']|&(?!(?:[a-zA-Z]+|#[0-9]+);)""")
BLOCK: Final = re.compile(r"<script|<!--|<style")
BLOCK_ENDS: Final = {"<script": "</script>", "<!--": "-->", "<style": "</style>"}
BREAK: Final = "<br />\n"


def escape(value: Any) -> Html | None:
    """`&<>"'` as entities; None stays nothing."""
    return None if value is None else Html(to_text(value).translate(ESCAPED))


def escape_once(value: Any) -> Html:
    """`&<>"'` as entities, but not the `&` of an entity."""
    return Html(UNESCAPED.sub(lambda match: ENTITIES[match[0]], to_text(value)))


def raw(value: Any) -> Any:
    """The value as trusted HTML: printed as it is where outputs are escaped."""
    return Html(to_text(value)) if not isinstance(value, (list, tuple, dict)) else value


def newline_to_br(around: Surroundings, value: Any) -> str:
    """A `<br />` before each line end. Where outputs are escaped for HTML, so is the value, unless it is trusted."""
    text = to_text(value)
    if around.html and not isinstance(text, Html):
        text = text.translate(ESCAPED)
    allow(around, len(text) + text.count("\n") * (len(BREAK) - 1))
    broken = LINE_END.sub(BREAK, text)
    return Html(broken) if around.html else broken


def strip_html(value: Any) -> str:
    """Without tags, comments, scripts and styles."""
    return _without_tags(_without_blocks(to_text(value)))


def _without_blocks(text: str) -> str:
    """Each end is looked for once from each begin on, and not again where there is none: the time is linear."""
    kept = []
    at = done = 0
    endless: set[str] = set()
    while (begin := BLOCK.search(text, at)) is not None:
        at = begin.end()
        end = -1 if begin[0] in endless else text.find(BLOCK_ENDS[begin[0]], at)
        if end < 0:
            endless.add(begin[0])
            continue
        kept.append(text[done : begin.start()])
        at = done = end + len(BLOCK_ENDS[begin[0]])
    return "".join([*kept, text[done:]])


def _without_tags(text: str) -> str:
    kept = []
    done = 0
    while (begin := text.find("<", done)) >= 0 and (end := text.find(">", begin)) >= 0:
        kept.append(text[done:begin])
        done = end + 1
    return "".join([*kept, text[done:]])
