"""Filters of text: case, white space, parts of a text, other text in its place.

What is made here has lost its trust: only `append` and `prepend` keep it, where both sides have it.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Any, Final

from render_ext.filters.records import ITEM_SIZE, Surroundings, allow, allow_items
from render_ext.values import STRIPPED, Html, to_integer, to_text

SPACES: Final = "\t\n\v\f\r "  # what Ruby splits words at
SPACE: Final = re.compile(r"[\t\n\v\f\r ]+")
LINE_END: Final = re.compile(r"\r?\n")


def upcase(value: Any) -> str:
    """In upper case."""
    return to_text(value).upper()


def downcase(value: Any) -> str:
    """In lower case. A Σ becomes σ at the end of a word too, as in Ruby."""
    return to_text(value).replace("Σ", "σ").lower()


def capitalize(value: Any) -> str:
    """First letter in upper case, the rest in lower case."""
    return to_text(value).replace("Σ", "σ").capitalize()


def strip(value: Any) -> str:
    """Without white space at both ends."""
    return to_text(value).strip(STRIPPED)


def lstrip(value: Any) -> str:
    """Without white space at the beginning."""
    return to_text(value).lstrip(STRIPPED)


def rstrip(value: Any) -> str:
    """Without white space at the end."""
    return to_text(value).rstrip(STRIPPED)


def squish(value: Any) -> str | None:
    """Without white space at both ends, and one space for each run of it inside."""
    return None if value is None else SPACE.sub(" ", to_text(value).strip(STRIPPED))


def strip_newlines(value: Any) -> str:
    """Without line ends."""
    return LINE_END.sub("", to_text(value))


def truncate(value: Any, length: Any = 50, ellipsis: Any = "...") -> str | None:
    """At most `length` characters, the ellipsis included."""
    if value is None:
        return None
    text, mark, most = to_text(value), to_text(ellipsis), to_integer(length)
    return text[: max(0, most - len(mark))] + mark if len(text) > most else text


def truncatewords(around: Surroundings, value: Any, count: Any = 15, ellipsis: Any = "...") -> str | None:
    """At most `count` words, and the ellipsis where there were more; a text of fewer is left as it is."""
    if value is None:
        return None
    text = to_text(value)
    body, most = text.lstrip(SPACES), min(max(1, to_integer(count)), len(text) + 1)
    end = next(islice(SPACE.finditer(body), most - 1, None), None)
    if end is None:
        return text
    mark = to_text(ellipsis)
    allow(around, end.start() + len(mark))
    return SPACE.sub(" ", body[: end.start()]) + mark


def append(around: Surroundings, value: Any, suffix: Any) -> str:
    """The value and more text after it."""
    return _joined(around, to_text(value), to_text(suffix))


def prepend(around: Surroundings, value: Any, prefix: Any) -> str:
    """The value and more text before it."""
    return _joined(around, to_text(prefix), to_text(value))


def _joined(around: Surroundings, left: str, right: str) -> str:
    allow(around, len(left) + len(right))
    return Html(left + right) if isinstance(left, Html) and isinstance(right, Html) else left + right


# ---- replacing -----------------------------------------------------------------------------------


def replace(around: Surroundings, value: Any, old: Any, new: Any = "") -> str:
    """One text in place of another, everywhere."""
    return _replaced(around, to_text(value), to_text(old), to_text(new), -1)


def replace_first(around: Surroundings, value: Any, old: Any, new: Any = "") -> str:
    """One text in place of another, the first time."""
    return _replaced(around, to_text(value), to_text(old), to_text(new), 1)


def replace_last(around: Surroundings, value: Any, old: Any, new: Any) -> str:
    """One text in place of another, the last time."""
    text, gone, put = to_text(value), to_text(old), to_text(new)
    behind = text[::-1].find(gone[::-1])  # the search from the end is quadratic in CPython, that from the start is not
    if behind < 0:
        return text
    start = len(text) - len(gone) - behind
    allow(around, len(text) - len(gone) + len(put))
    return text[:start] + put + text[start + len(gone) :]


def remove(around: Surroundings, value: Any, old: Any) -> str:
    """Without a text, everywhere."""
    return _replaced(around, to_text(value), to_text(old), "", -1)


def remove_first(around: Surroundings, value: Any, old: Any) -> str:
    """Without a text, the first time."""
    return _replaced(around, to_text(value), to_text(old), "", 1)


def remove_last(around: Surroundings, value: Any, old: Any) -> str:
    """Without a text, the last time."""
    return replace_last(around, value, old, "")


def _replaced(around: Surroundings, text: str, old: str, new: str, most: int) -> str:
    count = text.count(old) if most < 0 else most
    allow(around, len(text) + count * max(0, len(new) - len(old)))
    return text.replace(old, new, most)


# ---- parts ---------------------------------------------------------------------------------------


def split(around: Surroundings, value: Any, separator: Any) -> list[str]:
    """The parts between separators: a space stands for any white space, the empty text for no separator at all."""
    text, sign = to_text(value), to_text(separator)
    if sign == "":
        allow_items(around, len(text))
        return list(text)
    if sign == " ":
        text = text.strip(SPACES)
        parts = SPACE.split(text, around.value_bytes // ITEM_SIZE + 1) if text else []
    else:
        allow_items(around, text.count(sign) + 1)
        parts = text.split(sign)
    while parts and not parts[-1]:
        parts.pop()
    allow_items(around, len(parts))
    return parts


def slice_(around: Surroundings, value: Any, offset: Any, length: Any = None) -> Any:
    """`length` characters of a text or items of a list from an offset on; a negative one counts from the end."""
    start = to_integer(offset)
    count = 1 if length is None or length is False else to_integer(length)
    whole = value if isinstance(value, (list, tuple)) else to_text(value)
    if start < 0:
        start += len(whole)
    if not 0 <= start <= len(whole) or count < 0:
        return "" if isinstance(whole, str) else []
    part = whole[start : start + count]
    if isinstance(part, str):
        return part
    allow_items(around, len(part))
    return list(part)
