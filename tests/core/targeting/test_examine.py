"""What the database expects of a question."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from core.db import Connection
from core.targeting.check import check
from core.targeting.examine import examine
from core.targeting.parse import parse_text
from core.targeting.records import Examination

AT, ZONE = datetime(2026, 6, 1, tzinfo=UTC), ZoneInfo("UTC")


async def examined(conn: Connection, text: str) -> Examination:
    return await examine(conn, check(parse_text(text)), at=AT, zone=ZONE)


async def fill(conn: Connection) -> None:
    await conn.execute(
        """
        INSERT INTO profile (external_id, first_name, city, email, email_key)
        SELECT 'e' || n, 'Name ' || n, 'City ' || n % 1000, n || '@x.example', n || '@x.example'
          FROM generate_series(1, 20000) AS n
        """
    )
    await conn.execute("ANALYZE profile")


async def test_a_scan_for_few_rows_is_told_with_the_index_that_would_help(conn: Connection) -> None:
    await fill(conn)
    found = await examined(conn, "city = 'City 5' and not opt_out")

    assert [(scan.table, scan.rows) for scan in found.scans] == [("profile", 20_000)]
    (advice,) = found.advice
    assert advice.startswith("all 20,000 rows of profile are read")
    assert advice.endswith("an index on profile.city would help")
    assert 1 <= found.estimate < 2_000


async def test_a_scan_for_most_rows_needs_no_index(conn: Connection) -> None:
    await fill(conn)
    (advice,) = (await examined(conn, "not city = 'City 5'")).advice

    assert "needs most of them" in advice


async def test_what_an_index_serves_is_not_told(conn: Connection) -> None:
    await fill(conn)
    found = await examined(conn, "email = '7@x.example'")

    assert (found.scans, found.advice) == ((), ())
    assert "email_key" in found.sql
    assert "7@x.example" not in found.sql


async def test_nothing_runs(conn: Connection) -> None:
    await fill(conn)
    slow = " or ".join(f"city contains '{n}' and first_name contains '{n}x'" for n in range(60))

    assert (await examined(conn, slow)).cost > 1_000


async def test_what_is_asked_of_linked_rows_is_looked_up_among_theirs(conn: Connection) -> None:
    found = await examined(conn, "sum(if(kind = 'click' and url contains 'x', 1, 0) of reactions where kind = 'open') > 3")

    assert "reaction" in found.sql
