"""`membership`: a hundred audiences whose members are kept, brought up to date after ten thousand people changed, against a
full count of all of them in the same run. What is kept must equal what is counted.

`membership_first_count`: their first count, with all that is written of it, against the same full count.
`membership_capture`: ten thousand profiles changed by one statement while a hundred audiences read what changes, against the
same statement while nothing is kept.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from core.access import SYSTEM
from core.db import Connection, open_pool
from core.targeting import audiences
from core.targeting.membership.keeping import find_memberships, keep_audience
from core.targeting.membership.upkeep import keep_up
from core.targeting.parse import parse_text
from core.targeting.records import AudienceDraft
from loadtests.figures import print_figure
from loadtests.shop import MODEL, fill_shop
from loadtests.stage import Stage, stage

PROFILES = int(os.environ.get("PROFILES", "1000000"))
PURCHASES = int(os.environ.get("PURCHASES", "2000000"))
EVENTS = int(os.environ.get("EVENTS", "2000000"))
RUNS = int(os.environ.get("RUNS", "3"))
CHANGED = 10_000  # people of each run
AUDIENCES = 100
ZONE = ZoneInfo("UTC")
AT = datetime(2026, 6, 15, 12, tzinfo=UTC)


def questions() -> Iterator[str]:
    """Of every kind: columns, ages and windows, purchases, what people did with messages, and audiences made of others."""
    for n in itertools.count():
        country, city, month = ("FR", "DE", "US", "SA", "JP")[n % 5], n * 7 % 300, n % 12 + 1
        yield f"country = '{country}' and city = 'City {city}'"
        yield f"country = '{country}' and gender = 'male' and month(birth_date) = {month} and not opt_out_email"
        yield f"age between {20 + n} and {21 + n} and language = 'fr'"
        yield f"last_name starts_with 'Family{n + 10}' and not opt_out"
        yield f"updated_at >= now - {n + 1} days and not opt_out_email"
        yield f"sum(purchases.amount where bought_at >= now - {200 + n} days) > 350"
        yield f"exists(purchases where shop = 'Shop {n}' and bought_at >= now - {30 + n} days)"
        yield f"count(purchases where amount > {195 - n}) >= 2"
        yield f"exists(opens where delivery.name = 'd{n % 8 + 1}' and at >= now - {20 + n} days)"
        yield f"in_audience('k0') or (city = 'City {n}' and exists(received where delivery.name = 'd{n % 8 + 1}'))"


async def keep_all(conn: Connection) -> list[int]:
    """The audiences, and their first count."""
    await conn.execute("INSERT INTO data_model_version (version, definition, published_at) VALUES (1, $1, now())", MODEL)
    keys = []
    for number, question in enumerate(itertools.islice(questions(), AUDIENCES)):
        draft = AudienceDraft(name=f"k{number}", label="k", expression=parse_text(question))
        audience = await audiences.create_audience(conn, SYSTEM, draft)
        await keep_audience(conn, SYSTEM, audience.id, zone=ZONE, now=AT)
        keys.append(audience.id)
    await settle(conn)
    return keys


async def settle(conn: Connection) -> None:
    """Step by step, as the job does."""
    more = True
    while more:
        async with conn.transaction():
            more = await keep_up(conn, AT, AT)


async def change(conn: Connection, run: int) -> None:
    """Ten thousand people: seven of ten have other columns, two bought something, one opened something."""
    low = run * CHANGED * 13 % (PROFILES - CHANGED)
    columns, bought = low + CHANGED * 7 // 10, low + CHANGED * 9 // 10
    await change_columns(conn, low, columns, run)
    await conn.execute(
        """
        INSERT INTO x_purchase (x_shop, x_amount, x_bought_at, x_profile_id)
        SELECT 'Shop ' || n % 50, 199, $3, n FROM generate_series($1::bigint + 1, $2) AS n
        """,
        columns, bought, AT,
    )  # fmt: skip
    await conn.execute(
        """
        INSERT INTO tracking_event (position, at, delivery_id, recipient_id, link, kind, machine_rule)
        SELECT 1000000000000 + $4 * 1000000 + n, $3, n % 8 + 1, n, 0, 2, 0 FROM generate_series($1::bigint + 1, $2) AS n
        """,
        bought, low + CHANGED, AT, run,
    )  # fmt: skip


async def change_columns(conn: Connection, low: int, high: int, run: int) -> None:
    """Of the profiles with these numbers, what many of the audiences read."""
    await conn.execute(
        """
        UPDATE profile SET city = 'City ' || (id + $4) % 300, country = CASE id % 4 WHEN 0 THEN 'FR' ELSE country END,
                           opt_out = id % 9 = 0, updated_at = $3
         WHERE id > $1 AND id <= $2
        """,
        low, high, AT, run,
    )  # fmt: skip


async def time_changes(conn: Connection) -> list[float]:
    """How long it takes to change ten thousand profiles, each time as if it were the first."""
    taken = []
    for run in range(RUNS + 1):
        attempt = conn.transaction()
        await attempt.start()
        started = time.perf_counter()
        await change_columns(conn, 0, CHANGED, run)
        taken.append(time.perf_counter() - started)
        await attempt.rollback()
    return taken[1:]  # the first one warms up


async def count_all(conn: Connection, keys: list[int]) -> dict[int, int]:
    """All of them in full."""
    found = {}
    for audience in await audiences.find_audiences(conn, keys):
        checked = await audiences.open_audience(conn, audience)
        found[audience.id] = await audiences.count(conn, checked, at=AT, zone=ZONE, patience=600)
    return found


async def bench(on: Stage) -> None:
    """Change, bring up to date, count."""
    assert on.settings.database_url is not None
    async with await open_pool(on.settings.database_url, size=1, application="bench") as pool, pool.acquire() as conn:
        await fill_shop(conn, people=PROFILES, purchases=PURCHASES, events=EVENTS, at=AT)
        free = await time_changes(conn)
        started = time.perf_counter()
        keys = await keep_all(conn)
        first = time.perf_counter() - started
        await conn.execute("VACUUM ANALYZE")
        print_figure("membership_capture", await time_changes(conn), free, unit="s", against="nothing kept", changed=CHANGED)
        mine, full = [], []
        for run in range(RUNS + 1):
            taken, counting = await run_once(conn, keys, run)
            if run:  # the first one warms both up
                mine.append(taken)
                full.append(counting)
    size = {"audiences": AUDIENCES, "people": PROFILES}
    print_figure("membership_first_count", [first], full, unit="s", against="full counts", **size)
    print_figure("membership", mine, full, unit="s", against="full counts", changed=CHANGED, **size)


async def run_once(conn: Connection, keys: list[int], run: int) -> tuple[float, float]:
    """Seconds to bring all up to date after a change, and seconds to count them all."""
    await change(conn, run)
    started = time.perf_counter()
    await settle(conn)
    taken = time.perf_counter() - started
    started = time.perf_counter()
    counted = await count_all(conn, keys)
    counting = time.perf_counter() - started
    kept = {key: one.members for key, one in (await find_memberships(conn, keys, AT)).items()}
    if kept != counted:
        wrong = {key: (kept[key], counted[key]) for key in keys if kept[key] != counted[key]}
        raise SystemExit(f"kept and counted differ: {wrong}")
    return taken, counting


if __name__ == "__main__":
    with stage() as made:
        asyncio.run(bench(made))
