"""Liquid of an HTML part as it stands in a text: without the filters that make HTML, and without its dashes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.content.liquid import Span, SpanKind

_WHITESPACE = " \t\n\v\f\r"  # of Liquid
_DASHES = re.compile(r"(?<=\A\{[{%])-|-(?=[%}]\}\Z)")
_COLUMNS = re.compile(r",?\s*\bcols\s*:\s*(?:\"[^\"]*\"|'[^']*'|[^\s,%}]+)")
_FOR_HTML = frozenset({"escape", "escape_once", "h", "newline_to_br", "raw"})
# HTML that a value brings: the lines of its own stay lines.
_WITHOUT_MARKUP = "".join(f'| replace: "{tag}", "\n{tag}" ' for tag in ("<br", "</p", "</li")) + "| strip_html | strip"


def trimmed(literal: str, before: Sequence[tuple[str, Span | None]], after: Sequence[tuple[str, Span | None]]) -> str:
    """Without the white space that a dash in the Liquid beside it takes away."""
    literal = literal.lstrip(_WHITESPACE) if any(liquid[-3] == "-" for liquid, _ in before) else literal
    return literal.rstrip(_WHITESPACE) if any(liquid[2] == "-" for liquid, _ in after) else literal


def written(liquid: str, span: Span) -> str:
    """Liquid for the text: its dashes would take our own lines away, and a `tablerow` is a loop that prints no markup."""
    liquid = _DASHES.sub("", liquid)
    if span.name in ("tablerow", "endtablerow"):
        return _COLUMNS.sub(" ", liquid.replace("tablerow", "for", 1))
    return as_text(liquid) if span.kind is SpanKind.OUTPUT or span.name == "echo" else liquid


def as_text(output: str) -> str:
    """An output that reads as text: not escaped for HTML in the end, and without the tags of what is trusted as HTML."""
    closing = 3 if output.endswith(("-}}", "-%}")) else 2
    end, innermost = len(output) - closing, ""
    while (bar := output.rfind("|", 2, end)) >= 0:  # in no text in quotes: its closing quote would follow the name
        name = output[bar + 1 : end].strip()
        if name not in _FOR_HTML:
            break
        end, innermost = bar, name
    if not innermost:
        return output
    added = f"{_WITHOUT_MARKUP} " if innermost == "raw" else ""
    return f"{output[:end].rstrip()} {added}{output[-closing:]}"
