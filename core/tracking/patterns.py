"""Patterns that people enter and everybody's user agents are searched with: they must compile, and end soon on any text.

A regular expression tries one way of matching after the other, and some have more ways than there is time for: `(a+)+$`
would stop the public pages for whoever sends the right user agent. So the ways are counted before a pattern is taken. The
count is an upper bound for one starting place; alternatives add up, what follows one another multiplies.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from re import _parser  # private, and the only way to a pattern's structure; test_patterns.py holds what it gives us
from typing import Any

from core.errors import Invalid
from core.tracking.records import USER_AGENT_LENGTH

PATTERN_LENGTH = 500
MOST_WAYS = 2_000
_ENDLESS = MOST_WAYS + 1


def check_pattern(pattern: str, path: str = "pattern") -> None:
    """Raises Invalid (BAD_PATTERN, PATTERN_TOO_SLOW), saying where and what is wrong."""
    if not pattern or len(pattern) > PATTERN_LENGTH or not pattern.isprintable():
        raise Invalid(f"a pattern has 1 to {PATTERN_LENGTH} printable characters", code="BAD_PATTERN", path=path)
    try:
        re.compile(pattern)
        parsed = _parser.parse(pattern)
    except re.error as error:
        place = "" if error.pos is None else f", at character {error.pos + 1}"
        raise Invalid(
            f"the pattern cannot be read: {error.msg}{place}",
            code="BAD_PATTERN", path=path, hint="Write a regular expression as Python's `re` reads it.",
        ) from None  # fmt: skip
    except (RecursionError, OverflowError):
        raise Invalid("the pattern is nested too deeply or repeats too often", code="BAD_PATTERN", path=path) from None
    if _ways(parsed) > MOST_WAYS:
        raise Invalid(
            "the pattern could be tried in too many ways, and would hold up the public pages",
            code="PATTERN_TOO_SLOW", path=path,
            hint=r"Take out repeats, or bound them: \d{1,3} in place of \d+. A repeat in a repeat is too much.",
        )  # fmt: skip


def _ways(parsed: Iterable[tuple[Any, Any]]) -> int:
    """In how many ways a sequence can match from one place, counted up to `_ENDLESS`."""
    ways = 1
    for operation, argument in parsed:
        ways = min(ways * _ways_of(str(operation), argument), _ENDLESS)
    return ways


def _ways_of(operation: str, argument: Any) -> int:
    if operation in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return _ways_of_repeat(*argument)
    if operation == "BRANCH":
        return sum(_ways(one) for one in argument[1])
    if operation == "GROUPREF_EXISTS":
        return sum(_ways(one) for one in argument[1:] if one is not None)
    if operation == "SUBPATTERN":
        return _ways(argument[3])
    if operation in ("ASSERT", "ASSERT_NOT"):
        return _ways(argument[1])
    if operation == "ATOMIC_GROUP":
        return _ways(argument)
    return 1  # a character, a set of them, a place


def _ways_of_repeat(least: int, most: int, repeated: Iterable[tuple[Any, Any]]) -> int:
    each = _ways(repeated)
    most = min(int(most), USER_AGENT_LENGTH)
    if each == 1:
        return max(most - least, 0) + 1
    ways = 0
    for times in range(least, most + 1):
        ways += each**times
        if ways > MOST_WAYS:
            return _ENDLESS
    return max(ways, 1)
