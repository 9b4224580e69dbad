"""Birthdays as the calendar has them: 29 February in common years, and days about the turn of a year."""

from __future__ import annotations

from calendar import isleap
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from core.db import Connection
from core.targeting.audiences import open_question
from core.targeting.parse import parse_text
from core.targeting.sql import compile_statement, population

ZONE = ZoneInfo("Europe/Paris")
BORN = [
    date(2000, 1, 1), date(1990, 2, 27), date(1990, 2, 28), date(2000, 2, 29), date(1985, 3, 1), date(1985, 3, 2),
    date(1970, 6, 15), date(1999, 12, 30), date(1999, 12, 31), None,
]  # fmt: skip
TODAYS = [
    date(2025, 2, 27), date(2025, 2, 28), date(2025, 3, 1), date(2025, 3, 2), date(2024, 2, 28), date(2024, 2, 29),
    date(2024, 3, 1), date(2025, 12, 30), date(2025, 12, 31), date(2026, 1, 1), date(2026, 6, 15),
]  # fmt: skip


def is_birthday(born: date, day: date) -> bool:
    """Whether somebody has a birthday on a day."""
    if (born.month, born.day) == (2, 29) and not isleap(day.year):
        return (day.month, day.day) == (3, 1)
    return (born.month, born.day) == (day.month, day.day)


async def found(conn: Connection, question: str, today: date) -> set[date]:
    asked = await open_question(conn, parse_text(question))
    noon = datetime(today.year, today.month, today.day, 12, tzinfo=UTC)
    statement = compile_statement(population(asked, at=noon, zone=ZONE))
    ids = [row[0] for row in await conn.fetch(statement.text, *statement.args)]
    return {row[0] for row in await conn.fetch("SELECT birth_date FROM profile WHERE id = ANY ($1)", ids)}


@pytest.mark.parametrize("today", TODAYS, ids=str)
async def test_birthdays_are_those_of_the_calendar(conn: Connection, today: date) -> None:
    await conn.executemany("INSERT INTO profile (birth_date) VALUES ($1)", [(born,) for born in BORN])
    dated_ones = [born for born in BORN if born is not None]
    for days in (0, 1, -1, 2):
        expected = {born for born in dated_ones if is_birthday(born, today + timedelta(days=days))}
        assert await found(conn, f"has_birthday({days})", today) == expected, days
    for days in (0, 1, -1, 3, -3, 30, -90, 364, 365, 366, -366, 800):
        window = [today + timedelta(days=n) for n in range(min(days, 0), max(days, 0) + 1)]
        expected = {born for born in dated_ones if any(is_birthday(born, day) for day in window)}
        assert await found(conn, f"birthday_within({days})", today) == expected, days
