"""Which patterns are taken: those that compile, and that no text can hold up."""

from __future__ import annotations

import pytest

from core.db import Connection
from core.errors import Invalid
from core.tracking.patterns import PATTERN_LENGTH, check_pattern
from core.tracking.store import rule_rows

TAKEN = [
    "OurMonitor/", r"Bot/\d+", r"^Mozilla/5\.0$", "(?i)(one|two|three)([^a-z]|$)", r"Bot/\d{1,3}\.\d{1,3}", "(?<!cu)bot",
    "(?:ab?c){2}", "x{400}", r"(?P<a>b)(?P=a)", "(a)?(?(1)b|c)", "(?=bot).*", "é+", "(?>a|b)c++",
]  # fmt: skip
UNREADABLE = ["", "(", "[a", "a**", "(?P<a>b", r"\q", "x" * (PATTERN_LENGTH + 1), "a\0", "a\n", "(?P=x)", "a{99999999999}"]
SLOW = [
    "(a+)+$", "(a|a)*b", ".*.*x", "a?" * 30 + "a" * 30, "(a|b|ab)*c", r"(\w+\s?)*$", "(?=(a+)+b)c", "((a?){9}){9}",
    "(?:(?:a|bc){0,20}x)?y", "(x+x+)+y",
]  # fmt: skip


@pytest.mark.parametrize("pattern", TAKEN)
def test_patterns_that_are_taken(pattern: str) -> None:
    check_pattern(pattern)


async def test_the_patterns_of_an_installation_are_such(conn: Connection) -> None:
    patterns = [rule.pattern for rule in await rule_rows.list_rules(conn) if rule.pattern is not None]
    assert patterns
    for pattern in patterns:
        check_pattern(pattern)


@pytest.mark.parametrize("pattern", UNREADABLE)
def test_patterns_that_cannot_be_read(pattern: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_pattern(pattern)
    assert (caught.value.code, caught.value.path) == ("BAD_PATTERN", "pattern")


@pytest.mark.parametrize("pattern", SLOW)
def test_patterns_that_some_text_could_hold_up(pattern: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_pattern(pattern)
    assert caught.value.code == "PATTERN_TOO_SLOW"
