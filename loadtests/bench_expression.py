"""`expression`: milliseconds from the text of a question to its SQL, against parsing alone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from zoneinfo import ZoneInfo

from core.targeting.check import Audiences, check
from core.targeting.datasets import extended
from core.targeting.expansion import expand
from core.targeting.parse import parse_text
from core.targeting.shortcuts import SHORTCUT_DEFINITIONS
from core.targeting.sql import compile_statement, population
from loadtests import bench_audiences
from loadtests.figures import print_figure
from loadtests.shop import MODEL

RUNS = int(os.environ.get("RUNS", "200"))
AT, ZONE = datetime(2025, 1, 1, tzinfo=UTC), ZoneInfo("Europe/Paris")

QUESTIONS: dict[str, str] = {
    "usual": "country = 'FR' and (age >= 30 or email ends_with '@example.org') and created_at >= now - 30 days",
    "functions": "days_between(created_at, now) < 30 and left(zip_code, 2) = '75' and add_months(birth_date, 3) > today",
    "nested": "hours_between(start_of_day(add_days(created_at, 3)), start_of_week(now)) * 2 > length(words(first_name, city))",
    # Those of `audiences`, which follow links and name audiences and filters.
    **{name: question.text for name, question in bench_audiences.QUESTIONS.items()},
}
CATALOGUE = extended(MODEL)
NAMED: Audiences = {(name, None): check(parse_text(text), CATALOGUE) for name, text in bench_audiences.NAMED.items()}


def _taken(work: Callable[[str], object], text: str, blanks: Iterator[int]) -> list[float]:
    """Milliseconds of each run; the first one warms up. No text comes twice, for one that was read lately is remembered."""
    taken = []
    for _ in range(RUNS + 1):
        other = text + " " * next(blanks)
        started = time.perf_counter()
        work(other)
        taken.append((time.perf_counter() - started) * 1000)
    return taken[1:]


def _whole(text: str) -> object:
    parsed = parse_text(text)
    asked = replace(parsed, root=expand(parsed.root, SHORTCUT_DEFINITIONS))
    return compile_statement(population(check(asked, CATALOGUE, audiences=NAMED), at=AT, zone=ZONE))


def bench() -> None:
    """Question by question."""
    for name, text in QUESTIONS.items():
        blanks = count(1)
        whole, parsed = _taken(_whole, text, blanks), _taken(parse_text, text, blanks)
        print_figure("expression", whole, parsed, unit="ms", against="parsing alone", question=name)


if __name__ == "__main__":
    bench()
