"""Data shared by all recipients, such as a list of products: plain JSON, bounded, the same after storing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from core.content.personalization import RESERVED_NAMES
from core.errors import Invalid

MAX_BYTES = 512 * 1024
MAX_DEPTH = 16
LARGEST_NUMBER = 2**53  # beyond it, JSON readers disagree
_ROOT = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def check_data(data: Mapping[str, Any]) -> list[Invalid]:
    """One problem for each thing that templates could not read, with its JSON pointer below `data`."""
    problems = [_bad(name) for name in data if not _ROOT.fullmatch(name) or name in RESERVED_NAMES]
    problems += list(_walk(data, "data", 0))
    if not problems and len(msgspec.json.encode(data)) > MAX_BYTES:
        problems.append(_invalid(f"the data is larger than {MAX_BYTES // 1024} KB", "data", "DATA_TOO_LARGE"))
    return problems


def is_storable(text: str) -> bool:
    """Whether Postgres can keep it: no NUL, no half of a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _walk(value: Any, path: str, depth: int) -> Iterator[Invalid]:
    if depth > MAX_DEPTH:
        yield _invalid(f"the data is nested deeper than {MAX_DEPTH} levels", path, "DATA_TOO_DEEP")
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str) or not is_storable(key):
                yield _invalid("a key must be a text without NUL", path, "BAD_DATA")
            else:
                yield from _walk(inner, f"{path}/{key.replace('~', '~0').replace('/', '~1')}", depth + 1)
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from _walk(inner, f"{path}/{index}", depth + 1)
    elif isinstance(value, str):
        if not is_storable(value):
            yield _invalid("a text must not contain NUL or half a character", path, "BAD_DATA")
    elif isinstance(value, (int, float)):
        if not isinstance(value, bool) and not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
            yield _invalid("a number must lie between -2^53 and 2^53", path, "BAD_DATA")
    elif value is not None:
        yield _invalid(f"{type(value).__name__} is no JSON", path, "BAD_DATA")


def _bad(name: str) -> Invalid:
    what = "belongs to Clarion" if name in RESERVED_NAMES else "is not a name of letters, digits and '_'"
    return _invalid(f"{name[:80]!r} {what}", f"data/{name[:80]}", "BAD_DATA_NAME")


def _invalid(message: str, path: str, code: str) -> Invalid:
    return Invalid(message, code=code, path=path)
