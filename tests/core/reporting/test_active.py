"""Active profiles: counted month by month against a slow count of the same rows."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from core.access import SYSTEM
from core.db import Connection
from core.delivery.store import ledger
from core.errors import Invalid
from core.profiles import merging
from core.profiles.merge_records import MergePlan
from core.reporting.active import list_active_profiles
from core.runtime import Runtime
from tests.core.delivery.conftest import db, runtime, times  # noqa: F401
from tests.core.delivery.people import add_people, new_delivery

UTC_ZONE = ZoneInfo("UTC")
NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)

Row = tuple[int, int, int]  # kind, recipient, state


async def people_made(conn: Connection, count: int) -> list[int]:
    """The ids of new people."""
    await add_people(conn, count)
    return [row["id"] for row in await conn.fetch("SELECT id FROM profile ORDER BY id")]


async def started(runtime: Runtime, db: Connection, at: datetime | None, *rows: Row) -> None:  # noqa: F811
    """A delivery with these rows."""
    name = f"d{await db.fetchval('SELECT count(*) FROM delivery')}"
    delivery_id = await new_delivery(runtime, db, name=name)
    await ledger.ensure_partition(db, delivery_id)
    await db.execute(
        "INSERT INTO delivery_run (delivery_id, started_at) VALUES ($1, $2)",
        delivery_id,
        at,
    )
    for kind, recipient, state in rows:
        await db.execute(
            """
            INSERT INTO ledger (delivery_id, recipient_kind, recipient_id, state, due_at, address_key)
            VALUES ($1, $2::smallint, $3::bigint, $4, now(), CASE WHEN $2::smallint > 1 THEN 'a' || $3::bigint % 3 END)
            """,
            delivery_id, kind, recipient, state,
        )  # fmt: skip


def ended(year: int, month: int) -> datetime:
    return datetime(year, month, 28, 23, 30, tzinfo=UTC)


async def test_each_person_counts_once_for_twelve_months(runtime: Runtime, db: Connection) -> None:  # noqa: F811
    ann, bea, cat = await people_made(db, 3)
    # Ann twice in one month and again; Bea was excluded, then withdrawn; Cat in a delivery that never started
    await started(runtime, db, ended(2025, 2), (1, ann, 4), (1, bea, 0), (3, 1, 4), (4, 2, 4))
    await started(runtime, db, ended(2025, 2), (1, ann, 5), (5, 7, 4), (5, 10, 4), (2, 7, 4))
    await started(runtime, db, ended(2025, 4), (1, ann, 9), (1, bea, 7))
    await started(runtime, db, None, (1, cat, 1))

    months = await list_active_profiles(db, 15, now=NOW, zone=UTC_ZONE)

    assert [one.month for one in months[:2] + months[-1:]] == [date(2025, 1, 1), date(2025, 2, 1), date(2026, 3, 1)]
    assert [one.profiles for one in months] == [0, 1, 1, *[2] * 12]
    # An event's people are known by their address (a1), a device is none of them; both are over after January
    assert [one.anonymous for one in months] == [0, *[2] * 12, 0, 0]
    assert [one.total for one in months[:2]] == [0, 3]
    # The month that runs is that of the time zone
    (last,) = await list_active_profiles(db, 1, now=datetime(2026, 3, 31, 23, tzinfo=UTC), zone=ZoneInfo("Europe/Paris"))
    assert (last.month, last.profiles) == (date(2026, 4, 1), 0)


async def test_the_count_is_that_of_a_slow_one_and_knows_merges(runtime: Runtime, db: Connection) -> None:  # noqa: F811
    chance = random.Random(7)
    people = await people_made(db, 12)
    told: list[tuple[int, int]] = []
    for _ in range(14):
        month = chance.randrange(-30, 1)
        year, number = divmod(2026 * 12 + 2 + month, 12)
        some = chance.sample(people, 4)
        told += [(month, one) for one in some]
        await started(runtime, db, ended(year, number + 1), *((1, one, 4) for one in some))

    def slow(whole: dict[int, int]) -> list[int]:
        return [len({whole.get(one, one) for at, one in told if month - 12 < at <= month}) for month in range(-23, 1)]

    found = await list_active_profiles(db, 24, now=NOW.replace(day=31), zone=UTC_ZONE)
    assert [one.profiles for one in found] == slow({})
    plan = MergePlan(survivor_id=people[0], other_ids=tuple(people[1:5]))
    async with db.transaction():
        await merging.merge_profiles(db, SYSTEM, plan, now=NOW)
    found = await list_active_profiles(db, 24, now=NOW.replace(day=31), zone=UTC_ZONE)
    assert [one.profiles for one in found] == slow(dict.fromkeys(people[1:5], people[0]))


async def test_the_number_of_months_is_bounded(db: Connection) -> None:  # noqa: F811
    for number in (0, 25):
        with pytest.raises(Invalid) as caught:
            await list_active_profiles(db, number, now=NOW, zone=UTC_ZONE)
        assert caught.value.code == "BAD_MONTHS"
