"""When each recipient gets the message: computed when it is prepared, kept by the claims, and told beforehand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.access import SYSTEM
from core.db import Connection
from core.delivery import ending, jobs, lifecycle, reading
from core.delivery.engine import Engine
from core.delivery.records import DeliveryState, LedgerState, Span
from core.errors import Invalid, Stale
from core.planning import deliveries
from core.planning.computed_records import SendDates
from core.runtime import Runtime
from core.targeting.errors import ExpressionError
from core.targeting.parse import parse_text
from tests.core.delivery.people import (
    Times,
    add_people,
    add_person,
    check_equation,
    confirmed,
    new_delivery,
    outcome_of,
    prepared,
)
from tests.core.delivery.test_columns import listed
from tests.core.delivery.test_traps import add_trap, set_traps, trap_row

UTC_ZONE = ZoneInfo("UTC")


async def send_at(db: Connection, runtime: Runtime, delivery_id: int, expression: str | None, **more: Any) -> None:
    dates = None if expression is None else SendDates(expression=parse_text(expression), **more)
    async with db.transaction():
        await lifecycle.set_send_dates(db, SYSTEM, delivery_id, dates, runtime.clock())


async def contact_at(db: Connection, runtime: Runtime, delivery_id: int, at: datetime) -> None:
    async with db.transaction():
        await lifecycle.update(db, SYSTEM, delivery_id, {"contact_at": at}, now=runtime.clock())


async def due(db: Connection, delivery_id: int) -> dict[int, datetime]:
    rows = await db.fetch("SELECT recipient_id, due_at FROM ledger WHERE delivery_id = $1 AND state = 1", delivery_id)
    return {row["recipient_id"]: row["due_at"] for row in rows}


async def work(engine: Engine, runtime: Runtime, delivery_id: int) -> None:
    """What the relay and the workers do in a while."""
    await ending.start(runtime.pool, delivery_id, runtime.clock())
    await jobs.sweep(runtime)
    await engine.sending.run(delivery_id)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


async def test_each_gets_it_at_their_own_date_and_the_last_one_in_full_time(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    # Given three waves by the code of a segment, and somebody without a date
    await add_people(db, 4)
    await listed(db, runtime, columns={"segment": "if(id = 1, '2026-03-02T10:00', if(id = 2, '2026-03-04T10:00', "
                                                  "if(id = 3, '2025-01-01T00:00')))"})  # fmt: skip
    delivery_id = await new_delivery(runtime, db, audience="in_audience('vip')")
    await contact_at(db, runtime, delivery_id, at(3, 8))
    await send_at(db, runtime, delivery_id, "to_instant(audience_column('vip', 'segment'))", zone="Europe/Paris")
    await prepared(engine, runtime, db, delivery_id)

    # Then what is past is due when it was prepared, and who has no date is due at the contact date
    assert await due(db, delivery_id) == {1: at(2, 9), 2: at(4, 9), 3: times.now, 4: at(3, 8)}
    plan = await deliveries.get_delivery(db, delivery_id)
    told = await reading.count_due(db, plan, Span.DAY, UTC_ZONE)
    assert [(one.at, one.people) for one in told] == [(at(day, 0), 1) for day in (1, 2, 3, 4)]

    # When it is confirmed it starts with the first, and each day has its own
    await confirmed(db, runtime, delivery_id)
    assert (await lifecycle.get_run(db, delivery_id)).contact_at == times.now
    accepted: list[set[int]] = []
    for day in (1, 2, 3, 4):
        times.now = at(day, 9, 1)
        await work(engine, runtime, delivery_id)
        await check_equation(db, delivery_id)
        rows = await db.fetch("SELECT recipient_id FROM ledger WHERE delivery_id = $1 AND state = 4", delivery_id)
        accepted.append({row["recipient_id"] for row in rows})
        run = await lifecycle.get_run(db, delivery_id)
        assert (run.state is DeliveryState.FINISHED) is (day == 4)
        assert run.deadline == at(4, 9) + plan.duration  # that of whoever is last
    assert accepted == [{3}, {3, 1}, {3, 1, 4}, {3, 1, 4, 2}]
    assert (await db.fetchval("SELECT count(*) FROM ledger WHERE settled_at < due_at")) == 0


async def test_the_contact_date_is_now_and_the_clock_of_the_recipient_counts(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    # Given a contact date of nine in Paris, where summer time has begun, and people of four zones
    people = {
        await add_person(db, f"{name}@mail.example", time_zone=zone): zone
        for name, zone in (("tok", "Asia/Tokyo"), ("nyc", "America/New_York"), ("none", None), ("bad", "Mars/Olympus"))
    }
    delivery_id = await new_delivery(runtime, db)
    await contact_at(db, runtime, delivery_id, datetime(2026, 4, 1, 7, 0, tzinfo=UTC))
    await send_at(db, runtime, delivery_id, "now", zone="Europe/Paris", of_recipient=True)
    await prepared(engine, runtime, db, delivery_id)

    # Then it is nine where each of them is, and in Paris where that is not known
    for person, moment in (await due(db, delivery_id)).items():
        zone = people[person]
        known = zone if zone in ("Asia/Tokyo", "America/New_York") else "Europe/Paris"
        assert moment.astimezone(ZoneInfo(known)).replace(tzinfo=None) == datetime(2026, 4, 1, 9, 0)

    # And the first of them is when it starts
    await confirmed(db, runtime, delivery_id)
    assert (await lifecycle.get_run(db, delivery_id)).contact_at == datetime(2026, 4, 1, 0, 0, tzinfo=UTC)

    # A day is its first moment, of the clock likewise
    await send_at(db, runtime, delivery_id, "today + 1 day", zone="Europe/Paris")
    await prepared(engine, runtime, db, delivery_id)
    assert set((await due(db, delivery_id)).values()) == {datetime(2026, 4, 1, 22, 0, tzinfo=UTC)}


async def test_traps_get_it_when_somebody_like_them_would(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await add_person(db, "a@mail.example", city="Paris")
    trap, delivery_id = await add_trap(db), await new_delivery(runtime, db)
    await set_traps(db, runtime, delivery_id, trap)
    await send_at(db, runtime, delivery_id, "if(city = 'Paris', now + 5 hours)")
    await prepared(engine, runtime, db, delivery_id)
    assert (await trap_row(db, delivery_id, trap)).due_at == at(1, 14)
    told = await reading.count_due(db, await deliveries.get_delivery(db, delivery_id), Span.HOUR, UTC_ZONE)
    assert [(one.at, one.people) for one in told] == [(at(1, 14), 1)]  # it is no person


async def test_a_date_that_no_delivery_lives_to_see_fails_the_preparation(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    await add_people(db, 3)
    delivery_id = await new_delivery(runtime, db)
    await send_at(db, runtime, delivery_id, "if(id = 2, add_days(now, 367), to_instant('2030-01-01'))")
    async with db.transaction():
        await lifecycle.prepare(db, SYSTEM, delivery_id, runtime.clock())
    await engine.preparation.run(delivery_id)
    run = await lifecycle.get_run(db, delivery_id)
    assert (run.state, (run.error or {})["code"]) == (DeliveryState.PREPARATION_ERROR, "SEND_DATE_TOO_LATE")
    assert (run.error or {})["message"].startswith("3 people")

    await send_at(db, runtime, delivery_id, "add_days(now, 366)")
    await prepared(engine, runtime, db, delivery_id)


async def test_what_is_no_date_is_refused_and_dates_are_a_version_of_the_delivery(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    await add_people(db, 1)
    delivery_id = await new_delivery(runtime, db)
    with pytest.raises(Invalid) as refused:
        await send_at(db, runtime, delivery_id, "city")
    assert refused.value.code == "BAD_SEND_DATE"
    with pytest.raises(ExpressionError):
        await send_at(db, runtime, delivery_id, "nothing_of_this_name")

    await listed(db, runtime, "others", {"code": "'x'"})
    await send_at(db, runtime, delivery_id, "if(audience_column('others', 'code') = 'x', now)")
    await prepared(engine, runtime, db, delivery_id)
    await db.execute("UPDATE audience SET version = version + 1 WHERE name = 'others'")
    with pytest.raises(Stale):
        await confirmed(db, runtime, delivery_id)
    await send_at(db, runtime, delivery_id, None)
    assert (await lifecycle.get_run(db, delivery_id)).state is DeliveryState.EDITION
    assert await db.fetchval("SELECT count(*) FROM delivery_send_dates") == 0


async def test_what_waits_for_its_date_is_stopped_with_the_delivery(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    await add_people(db, 2)
    delivery_id = await new_delivery(runtime, db)
    await send_at(db, runtime, delivery_id, "if(id = 2, now + 3 days)")
    await prepared(engine, runtime, db, delivery_id)
    await confirmed(db, runtime, delivery_id)
    times.move(minutes=1)
    await work(engine, runtime, delivery_id)
    await jobs.sweep(runtime)
    assert (await lifecycle.get_run(db, delivery_id)).state is DeliveryState.RETRY_PENDING
    async with db.transaction():
        await lifecycle.stop(db, SYSTEM, delivery_id, times.now)
    await ending.end_if_done(runtime.pool, delivery_id, times.now)
    assert (await outcome_of(db, delivery_id, 1))[0] is LedgerState.ACCEPTED
    assert (await outcome_of(db, delivery_id, 2))[0] is LedgerState.CANCELLED


async def test_claims_of_what_is_due_stay_within_the_index(engine: Engine, runtime: Runtime, db: Connection) -> None:
    """Ten thousand who are due later cost a claim nothing."""
    await add_people(db, 10_000)
    delivery_id = await new_delivery(runtime, db)
    await send_at(db, runtime, delivery_id, "if(id <= 10, now, add_days(now, id % 300 + 1))")
    await prepared(engine, runtime, db, delivery_id)
    plan = await db.fetchval(
        """
        EXPLAIN (ANALYZE, FORMAT JSON)
        SELECT recipient_kind, recipient_id, occurrence, address_key FROM ledger
         WHERE delivery_id = $1 AND state = 1 AND due_at <= $2
         ORDER BY due_at, recipient_kind, recipient_id, occurrence LIMIT 50 FOR UPDATE SKIP LOCKED
        """,
        delivery_id, runtime.clock() + timedelta(minutes=1),
    )  # fmt: skip
    assert "due_at_recipient_kind" in str(plan)
    assert "'Rows Removed by Filter'" not in str(plan)
