"""`membership`: a hundred audiences whose members are kept, brought up to date after ten thousand people changed, against a
recount of all of them that writes who enters and leaves (`recount_reference`), in the same run, after the same changes. The
members of both must be the same people. `membership_counts`: the same against counts of all, which write nothing.

`membership_first_count`: their first count, with all that is written of it, against the first recount.
`membership_capture`: ten thousand profiles changed by one statement while a hundred audiences read what changes, against the
same statement while nothing is kept.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Awaitable, Iterator
from datetime import UTC, datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from core.access import SYSTEM
from core.db import Connection, open_pool
from core.targeting import audiences
from core.targeting.checked import CheckedExpression
from core.targeting.membership.keeping import keep_audience
from core.targeting.membership.upkeep import keep_up
from core.targeting.parse import parse_text
from core.targeting.records import AudienceDraft
from loadtests.figures import print_figure
from loadtests.recount_reference import count_different, make_tables, open_all, recount_all
from loadtests.shop import MODEL, fill_shop
from loadtests.stage import Stage, stage

PROFILES = int(os.environ.get("PROFILES", "1000000"))
PURCHASES = int(os.environ.get("PURCHASES", "5000000"))
EVENTS = int(os.environ.get("EVENTS", "20000000"))
RUNS = int(os.environ.get("RUNS", "3"))
CHANGED = 10_000  # people of each run
AUDIENCES = 100
ZONE = ZoneInfo("UTC")
AT = datetime(2026, 6, 15, 12, tzinfo=UTC)

T = TypeVar("T")
Opened = dict[int, CheckedExpression]  # the questions of audiences, by number


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


# Whoever changes is anywhere among all people, as those are whom an import or a day's visitors concern.
_SOMEBODY = "((n::bigint + $1) * 7919) % $2 + 1"


async def change(conn: Connection, run: int) -> None:
    """Ten thousand people: seven of ten have other columns, two bought something, one opened something."""
    first = run * CHANGED
    columns, bought = CHANGED * 7 // 10, CHANGED * 9 // 10
    await change_columns(conn, first, columns, run)
    await conn.execute(
        f"""
        INSERT INTO x_purchase (x_shop, x_amount, x_bought_at, x_profile_id)
        SELECT 'Shop ' || n % 50, n * 7919 % 20000 / 100.0, $3, {_SOMEBODY} FROM generate_series($4::bigint, $5) AS n
        """,
        first, PROFILES, AT, columns + 1, bought,
    )  # fmt: skip
    await conn.execute(
        f"""
        INSERT INTO tracking_event (position, at, delivery_id, recipient_id, link, kind, machine_rule)
        SELECT 1000000000000 + $1 + n, $3, n % 8 + 1, {_SOMEBODY}, 0, 2, 0 FROM generate_series($4::bigint, $5) AS n
        """,
        first, PROFILES, AT, bought + 1, CHANGED,
    )  # fmt: skip


async def change_columns(conn: Connection, first: int, people: int, run: int) -> None:
    """Of so many people, what many of the audiences read: all have moved within their country, a quarter out of it, a ninth
    wants no more messages, and some who wanted none want them again."""
    await conn.execute(
        f"""
        UPDATE profile SET city = 'City ' || (id + $3) % 300, country = CASE id % 4 WHEN 0 THEN 'FR' ELSE country END,
                           opt_out = (id + $3) % 9 = 0, updated_at = $4
         WHERE id = ANY(ARRAY(SELECT {_SOMEBODY} FROM generate_series(1, $5::bigint) AS n))
        """,
        first, PROFILES, run, AT, people,
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


async def count_all(conn: Connection, opened: Opened) -> None:
    """All of them in full."""
    for checked in opened.values():
        await audiences.count(conn, checked, at=AT, zone=ZONE, patience=600)


async def bench(on: Stage) -> None:
    """Change, bring up to date, recount, count."""
    assert on.settings.database_url is not None
    async with await open_pool(on.settings.database_url, size=1, application="bench") as pool, pool.acquire() as conn:
        await fill_shop(conn, people=PROFILES, purchases=PURCHASES, events=EVENTS, at=AT)
        free = await time_changes(conn)
        keys, first = await timed(keep_all(conn))
        await make_tables(conn)
        opened = await open_all(conn, keys)
        _, first_recount = await timed(recount_all(conn, opened, at=AT, zone=ZONE))
        size = {"audiences": AUDIENCES, "people": PROFILES}
        print_figure("membership_first_count", [first], [first_recount], unit="s", against="recounts by hand", **size)
        await conn.execute("VACUUM ANALYZE")
        print_figure("membership_capture", await time_changes(conn), free, unit="s", against="nothing kept", changed=CHANGED)
        runs = [await run_once(conn, opened, run) for run in range(RUNS + 1)][1:]  # the first one warms all up
    mine, recounts, counts = zip(*runs, strict=True)
    size |= {"changed": CHANGED}
    print_figure("membership", mine, recounts, unit="s", against="recounts by hand", **size)
    print_figure("membership_counts", mine, counts, unit="s", against="full counts", **size)


async def run_once(conn: Connection, opened: Opened, run: int) -> tuple[float, float, float]:
    """Seconds to bring all up to date after a change, to recount them all, and to count them all. The first two in turn before
    the other."""
    await change(conn, run)
    ways = {"mine": settle(conn), "recount": recount_all(conn, opened, at=AT, zone=ZONE)}
    taken = {name: (await timed(ways[name]))[1] for name in sorted(ways, reverse=run % 2 == 0)}
    if different := await count_different(conn):
        raise SystemExit(f"kept and counted differ: {different} members")
    _, counting = await timed(count_all(conn, opened))
    return taken["mine"], taken["recount"], counting


async def timed(doing: Awaitable[T]) -> tuple[T, float]:
    """What it gives, and the seconds that it takes."""
    started = time.perf_counter()
    given = await doing
    return given, time.perf_counter() - started


if __name__ == "__main__":
    with stage() as made:
        asyncio.run(bench(made))
