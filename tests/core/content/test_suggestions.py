"""What was probably meant, and that nobody compares for minutes."""

from __future__ import annotations

import difflib
from typing import Any

import pytest

from core.content import suggestions
from core.content.suggestions import LONGEST, MOST_COMPARED, nearest


def test_the_nearest_name() -> None:
    assert nearest("frist_name", ["last_name", "first_name", "city"]) == "first_name"
    assert nearest("x", ["last_name", "first_name"]) is None
    assert nearest("x", []) is None


def test_only_so_many_and_so_long_names_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []

    def counted(word: str, possibilities: list[str], n: int) -> list[Any]:
        compared.append(len(possibilities))
        return difflib.get_close_matches(word, possibilities, n)

    monkeypatch.setattr(suggestions, "get_close_matches", counted)
    nearest("a", (f"name_{number}" for number in range(10_000)))
    nearest("a", ["x" * (LONGEST + 1), "b"])
    assert nearest("a" * (LONGEST + 1), ["a" * LONGEST]) is None
    assert compared == [MOST_COMPARED, 1]
