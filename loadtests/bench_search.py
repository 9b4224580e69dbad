"""`search`: the 95th percentile of finding people among ROWS profiles, case by case, one after the other.

The people are made by SQL: some names are common, most are not, and everybody has an email and a number. Then a team makes two
fields searchable, which two in three people have: the same is asked again, and for what stands there (`search_with_fields`).
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from datetime import UTC, datetime

from api.graphql.datamodel.uses import UNUSED
from core.access import SYSTEM
from core.datamodel.drafts import save_field
from core.datamodel.jobs import build
from core.datamodel.publication import publish
from core.datamodel.records import DataField, FieldKind
from core.db import Connection, open_pool
from core.egress import GuardedIO
from core.files import Files
from core.profiles.search import search_profiles
from core.runtime import Runtime
from core.secrets import load_keyring
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


# What a team adds: the name of somebody's club, of two words, and the number of a card.
FIELDS = (
    DataField(name="club", label="Club", kind=FieldKind.TEXT, max_length=80, searchable=True),
    DataField(name="card", label="Card", kind=FieldKind.INTEGER, searchable=True),
)


async def make_searchable(runtime: Runtime, conn: Connection) -> None:
    """Publish the fields, fill them, and have their index built."""
    now = datetime.now(UTC)
    for one in FIELDS:
        draft = await save_field(conn, SYSTEM, "profile", one, now=now)
    async with conn.transaction():
        await publish(conn, SYSTEM, expected_version=draft.version, now=now, guard=UNUSED)
    await conn.execute("UPDATE profile SET x_club = 'Club ' || initcap(last_name), x_card = 1000000 + id WHERE id % 3 > 0")
    await build(runtime)
    await conn.execute("VACUUM ANALYZE profile")


async def cases_of_fields(conn: Connection) -> dict[str, list[str]]:
    """Texts of the team's fields, of people who exist."""
    rows = await conn.fetch(
        "SELECT first_name, x_club, x_card FROM profile WHERE x_card IS NOT NULL AND id % 9973 = 7 ORDER BY id LIMIT $1", RUNS
    )
    return {
        "a word that many have in a field": ["club", "clu"],
        "two words of a field": [row["x_club"] for row in rows],
        "a number in a field": [str(row["x_card"]) for row in rows],
        "a first name and a number in a field": [f"{row['first_name']} {row['x_card']}" for row in rows],
    }


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


async def measure_all(conn: Connection, texts: dict[str, list[str]], name: str) -> None:
    """Every case RUNS times, after once through its texts."""
    for case, ones in texts.items():
        for text in ones:
            await measure(conn, text)
        times = [await measure(conn, ones[n % len(ones)]) for n in range(RUNS)]
        print_alone(name, p95(times), unit="ms", case=case, profiles=ROWS, runs=RUNS, percentile=95)
    times = [await measure(conn, "maria", pages=20) for _ in range(max(2, RUNS // 10))]
    print_alone(name, p95(times), unit="ms", case="page 20 of a common first name", profiles=ROWS, runs=len(times),
                percentile=95)  # fmt: skip


async def bench(on: Stage) -> None:
    """With an index to which changes were added; then with the fields of a team."""
    pool = await open_pool(str(on.settings.database_url), size=2, application="bench")
    runtime = Runtime(
        settings=on.settings, pool=pool, keyring=load_keyring(on.settings), files=Files(on.settings.var_dir / "files"),
        io=GuardedIO.from_settings(on.settings),
    )  # fmt: skip
    async with pool.acquire() as conn:
        await conn.execute(PEOPLE, ROWS)
        await conn.execute("VACUUM ANALYZE profile")
        await conn.execute("UPDATE profile SET last_name = 'New ' || last_name WHERE id % $1 = 5", max(1, ROWS // CHANGED))
        texts = await cases(conn)
        await measure_all(conn, texts, "search")
        await make_searchable(runtime, conn)
        await conn.execute("UPDATE profile SET x_club = 'New ' || x_club WHERE id % $1 = 5", max(1, ROWS // CHANGED))
        of_fields = await cases_of_fields(conn)
        for text in of_fields["a first name and a number in a field"]:
            if len((await search_profiles(conn, text, first=PAGE, region="FR")).rows) != 1:
                raise SystemExit(f"{text!r} does not find the one who has it")
        await measure_all(conn, texts | of_fields, "search_with_fields")
    pool.terminate()


if __name__ == "__main__":
    with stage() as made:
        asyncio.run(bench(made))
