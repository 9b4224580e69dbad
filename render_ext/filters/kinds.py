"""What each filter is meant for. A filter takes anything, as reference Liquid does; on other kinds it says nothing sensible.

`plus` on a word counts as 0, `date` gives back what is no date, `first` of a number is nothing: no rendering fails, and no
author wants it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from render_ext.filters.local import WHOLE_NUMBER
from render_ext.values import STRIPPED


class ValueKind(StrEnum):
    """The kinds of values, as authors call them."""

    TEXT = "text"
    NUMBER = "a number"
    BOOLEAN = "true or false"
    DATE = "a date"
    LIST = "a list"
    OBJECT = "an object"


ANYTHING: Final = frozenset(ValueKind)
WORDS: Final = frozenset({ValueKind.TEXT, ValueKind.NUMBER, ValueKind.DATE, ValueKind.BOOLEAN})  # what is printed as one text
NUMBERS: Final = frozenset({ValueKind.NUMBER})
MOMENTS: Final = frozenset({ValueKind.DATE, ValueKind.TEXT, ValueKind.NUMBER})
LISTS: Final = frozenset({ValueKind.LIST})
SEQUENCES: Final = frozenset({ValueKind.LIST, ValueKind.TEXT})
COLLECTIONS: Final = frozenset({ValueKind.LIST, ValueKind.OBJECT})

_MEANT: tuple[tuple[frozenset[ValueKind], tuple[str, ...]], ...] = (
    (ANYTHING, ("default", "json", "raw")),
    (
        WORDS,
        (
            "append", "base64_encode", "base64_url_safe_encode", "capitalize", "downcase", "escape", "escape_once", "h",
            "hmac_sha256", "lstrip", "md5", "newline_to_br", "prepend", "remove", "remove_first", "remove_last", "replace",
            "replace_first", "replace_last", "rstrip", "sha1", "sha256", "split", "squish", "strip", "strip_html",
            "strip_newlines", "truncate", "truncatewords", "upcase", "url_decode", "url_encode",
        ),
    ),
    (frozenset({ValueKind.TEXT, ValueKind.NUMBER}), ("base64_decode", "base64_url_safe_decode")),
    (
        NUMBERS,
        (
            "abs", "at_least", "at_most", "ceil", "divided_by", "floor", "minus", "modulo", "money", "number", "plus", "round",
            "times",
        ),
    ),
    (MOMENTS, ("date", "localdate")),
    (
        LISTS,
        ("compact", "concat", "join", "reverse", "sort", "sort_natural", "sum", "uniq"),
    ),
    (COLLECTIONS, ("find", "find_index", "has", "map", "reject", "where")),
    (SEQUENCES, ("first", "last")),
    (WORDS | LISTS, ("slice",)),
    (SEQUENCES | COLLECTIONS, ("size",)),
)  # fmt: skip

MEANT_FOR: Mapping[str, frozenset[ValueKind]] = MappingProxyType({name: kinds for kinds, names in _MEANT for name in names})


def kinds_of(value: Any) -> frozenset[ValueKind]:
    """What a value may be taken for: a text that reads as a number is both. Nothing is no kind."""
    if isinstance(value, str):
        return _NUMERIC if WHOLE_NUMBER.fullmatch(value.strip(STRIPPED)) else _TEXT
    if isinstance(value, bool):
        return _BOOLEAN
    if isinstance(value, (int, float, Decimal)):
        return NUMBERS
    if isinstance(value, date):
        return _DATE
    if isinstance(value, (list, tuple, range)):
        return LISTS
    return _OBJECT if isinstance(value, dict) else frozenset()


_TEXT: Final = frozenset({ValueKind.TEXT})
_NUMERIC: Final = frozenset({ValueKind.TEXT, ValueKind.NUMBER})
_BOOLEAN: Final = frozenset({ValueKind.BOOLEAN})
_DATE: Final = frozenset({ValueKind.DATE})
_OBJECT: Final = frozenset({ValueKind.OBJECT})
