"""`count`: how many of ROWS profiles an audience holds, from its text to the number, against the SQL written by hand."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from core.db import Connection
from core.targeting import audiences
from core.targeting.check import check
from core.targeting.parse import parse_text
from loadtests.campaign import connect, fill_profiles
from loadtests.figures import print_figure
from loadtests.stage import Stage, stage

ROWS = int(os.environ.get("ROWS", "1000000"))
RUNS = int(os.environ.get("RUNS", "5"))
ZONE = ZoneInfo("UTC")

# Each question twice: in the language, and as somebody writes it who knows the tables, and that texts are compared folded.
QUESTIONS: dict[str, tuple[str, str]] = {
    "everybody": ("id > 0", "SELECT count(*) FROM profile WHERE id > 0"),
    "one country": ("country = 'FR'", "SELECT count(*) FROM profile WHERE country = 'FR'"),
    "young, or from a place": (
        "birth_date >= 1990-01-01 and language in ('de', 'fr') or city starts_with 'City 12'",
        "SELECT count(*) FROM profile WHERE birth_date >= '1990-01-01' AND fold_text(language) IN ('de', 'fr')"
        " OR fold_text(city) LIKE 'city 12%'",
    ),
    "new, not opted out": (
        "created_at >= now - 30 days and opt_out_email = false and not (first_name = 'Ana')",
        "SELECT count(*) FROM profile WHERE created_at >= now() - interval '30 days' AND NOT opt_out_email"
        " AND fold_text(first_name) IS DISTINCT FROM 'ana'",
    ),
}


async def ours(conn: Connection, text: str) -> tuple[float, int]:
    """Milliseconds from the text to the number, and the number."""
    started = time.perf_counter()
    found = await audiences.count(conn, check(parse_text(text)), at=datetime.now(UTC), zone=ZONE)
    return (time.perf_counter() - started) * 1000, found


async def by_hand(conn: Connection, statement: str) -> tuple[float, int]:
    """Milliseconds of the statement, and the number."""
    started = time.perf_counter()
    (row,) = await conn.fetch(statement)  # fetchval asks for one row, which no two workers share
    return (time.perf_counter() - started) * 1000, row[0]


async def bench(on: Stage) -> None:
    """Alternate the two, question by question."""
    conn = await connect(on.settings)
    await fill_profiles(conn, ROWS)
    await conn.execute("VACUUM ANALYZE profile")
    for name, (text, statement) in QUESTIONS.items():
        mine, other = [], []
        for run in range(RUNS + 1):
            theirs, expected = await by_hand(conn, statement)
            taken, found = await ours(conn, text)
            if found != expected:
                raise SystemExit(f"{text!r} finds {found}, the statement {expected}")
            if run:  # the first one warms both up
                mine.append(taken)
                other.append(theirs)
        print_figure("count", mine, other, unit="ms", against="hand-written SQL", question=name, profiles=ROWS)
    await conn.close()


if __name__ == "__main__":
    with stage() as made:
        asyncio.run(bench(made))
