"""`search`: the 95th percentile of finding people among ROWS profiles, case by case, one after the other.

The people are made by SQL: some names are common, most are not, and everybody has an email and a number.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time

from core.db import Connection
from core.profiles.search import search_profiles
from loadtests.campaign import connect
from loadtests.figures import print_alone
from loadtests.stage import Stage, stage

ROWS = int(os.environ.get("ROWS", "1000000"))
RUNS = int(os.environ.get("RUNS", "40"))
PAGE = 50
CHANGED = 5_000  # profiles whose names change after the index was made, as in a day of an installation

PEOPLE = """
    INSERT INTO profile (external_id, email, email_key, email_domain, first_name, last_name, mobile_phone, city, country)
    SELECT 'C-' || n, email, email, domain, first, last, '+336' || lpad((n::bigint * 7919 % 100000000)::text, 8, '0'),
           'City ' || n % 300, 'FR'
      FROM (SELECT n, first, last, domain,
                   translate(lower(first || '.' || last), 'íé', 'ie') || n || '@' || domain AS email
              FROM (SELECT n, CASE WHEN a % 100 < 3 THEN 'María' WHEN a % 100 < 5 THEN 'José'
                                   ELSE initcap(one[1 + a % 20] || two[1 + a / 20 % 20] || three[1 + a / 400 % 5]) END AS first,
                           CASE WHEN b % 100 < 2 THEN 'García'
                                ELSE initcap(two[1 + b % 20] || one[1 + b / 20 % 20] || two[1 + b / 400 % 20]) END AS last,
                           (ARRAY['gmail', 'web', 'post', 'mail', 'inbox'])[1 + c % 5] || '.example' AS domain
                      FROM (SELECT n, hashint4(n) & 1073741823 AS a, hashint4(n + 10000000) & 1073741823 AS b,
                                   hashint4(n + 20000000) & 1073741823 AS c FROM generate_series(1, $1::int) AS n) AS number,
                           (SELECT string_to_array('an ber chris da el fran ga hel is jo ka lu mar ni ol pa ro sa ti vic', ' ')
                                   AS one,
                                   string_to_array('ba di el fo gi ha il ko la mi na or pe ri so ta ul vi wo zo', ' ') AS two,
                                   string_to_array('a e o us in', ' ') AS three) AS syllable) AS name) AS person
"""


async def cases(conn: Connection) -> dict[str, list[str]]:
    """Texts by what they are, made of people who exist."""
    rows = await conn.fetch(
        """
        SELECT email_key, first_name, last_name, mobile_phone, external_id FROM profile
         WHERE first_name NOT IN ('María', 'José') AND last_name <> 'García' AND id % 9973 = 7 ORDER BY id LIMIT $1
        """,
        RUNS,
    )
    return {
        "a rare word": [row["last_name"].upper() for row in rows],
        "a common first name": ["maria", "María", "jose", "JOSÉ"],
        "the beginning of many names": ["mar", "ma", "m", "an"],
        "the beginning of an email": [row["email_key"].partition("@")[0][:-1] for row in rows],
        "an email up to its domain": [row["email_key"][:-6] for row in rows],
        "an email": [row["email_key"] for row in rows],
        "a common first and a common last name": ["maria garcia", "García José"],
        "first and last name": [f"{row['first_name']} {row['last_name']}" for row in rows],
        "a phone number": [row["mobile_phone"].replace("+33", "0") for row in rows],
        "an external id": [row["external_id"] for row in rows],
        "nobody": [f"xq{row['last_name']}" for row in rows],
    }


async def measure(conn: Connection, text: str, *, pages: int = 1) -> float:
    """Milliseconds of the last of so many pages."""
    after, taken = None, 0.0
    for _ in range(pages):
        started = time.perf_counter()
        found = await search_profiles(conn, text, first=PAGE, after=after, region="FR")
        taken = (time.perf_counter() - started) * 1000
        if found.has_next:
            after = found.cursor(found.rows[-1])
    return taken


def p95(times: list[float]) -> float:
    """The 95th percentile."""
    return statistics.quantiles(times, n=20)[-1]


async def bench(on: Stage) -> None:
    """Every case RUNS times, with an index to which changes were added."""
    conn = await connect(on.settings)
    await conn.execute(PEOPLE, ROWS)
    await conn.execute("VACUUM ANALYZE profile")
    await conn.execute("UPDATE profile SET last_name = 'New ' || last_name WHERE id % $1 = 5", max(1, ROWS // CHANGED))
    for name, texts in (await cases(conn)).items():
        for text in texts:
            await measure(conn, text)
        times = [await measure(conn, texts[n % len(texts)]) for n in range(RUNS)]
        print_alone("search", p95(times), unit="ms", case=name, profiles=ROWS, runs=RUNS, percentile=95)
    times = [await measure(conn, "maria", pages=20) for _ in range(max(2, RUNS // 10))]
    print_alone("search", p95(times), unit="ms", case="page 20 of a common first name", profiles=ROWS, runs=len(times),
                percentile=95)  # fmt: skip
    await conn.close()


if __name__ == "__main__":
    with stage() as made:
        asyncio.run(bench(made))
