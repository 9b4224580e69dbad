"""The names to which a template gives values itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

from core.content.liquid import Span, spans, tag_lines

_BINDERS = frozenset({"assign", "capture", "for", "tablerow", "increment", "decrement"})
_NAME = re.compile(r"['\"]?([\w-]+)")
_PARAMETER = re.compile(r"\bas\s+([\w-]+)|([\w-]+)\s*:")
_TEXTS = re.compile(r"\"[^\"]*\"|'[^']*'")
_WORD = re.compile(r"[^\W\d][\w-]*")
_ESCAPED = re.compile(r"(?:\{\{|\{%-?\s*echo(?![\w-])).*\|\s*(?:escape|escape_once|h)\s*-?[%}]\}\Z", re.DOTALL)
_RAW_FILTER = re.compile(r"\|\s*raw(?![\w-])")


def bound_by(source: str, span: Span) -> Iterator[str]:
    """The names to which a tag gives values."""
    for name, rest in tag_lines(source, span):
        yield from _bound(name, rest)


def bound_names(source: str) -> frozenset[str]:
    """Names to which the template itself gives values: they mean one thing here and another there."""
    return frozenset({"forloop", "tablerowloop", *(name for span in spans(source) for name in bound_by(source, span))})


def trusted_names(source: str) -> frozenset[str]:
    """Names that may hold HTML, which is printed as it is: captures, what `raw` gave, and what is made of these."""
    waiting: list[list[str]] = []
    made: dict[str, list[list[str]]] = {}  # by a name, those that are given something of it
    for span in spans(source):
        for name, rest in tag_lines(source, span):
            bound = _bound(name, rest)
            if bound and (name == "capture" or _RAW_FILTER.search(rest)):
                waiting.append(bound)
            for word in words(rest) if bound else ():
                made.setdefault(word, []).append(bound)
    found: set[str] = set()
    while waiting:
        names = waiting.pop()
        for name in names:
            waiting += made.pop(name, ())
        found.update(names)
        names.clear()  # once is enough
    return frozenset(found)


def is_unescaped(text: str, trusted: frozenset[str]) -> bool:
    """Whether an output, or a tag that prints, may print HTML as it is."""
    plain = _TEXTS.sub("", text)
    if _ESCAPED.match(plain):
        return False
    return _RAW_FILTER.search(plain) is not None or not trusted.isdisjoint(words(text))


def words(text: str) -> list[str]:
    """The names in a piece of Liquid, and whatever looks like one."""
    return _WORD.findall(text)


def _bound(name: str, rest: str) -> list[str]:
    if name in _BINDERS:
        return [bound[1]] if (bound := _NAME.match(rest)) else []
    if name in ("fragment", "include", "render"):
        return [found[0] or found[1] for found in _PARAMETER.findall(_TEXTS.sub("", rest))]
    return []
