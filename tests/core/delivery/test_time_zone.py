"""The time zone of a delivery: whose days its questions mean."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from channels.contract import FailureReason
from core.content.records import DynamicContent, DynamicVariant
from core.db import Connection
from core.delivery import lifecycle, reading
from core.delivery.engine import Engine
from core.delivery.records import DeliveryState
from core.planning.deliveries import get_delivery
from core.planning.seed_records import ControlGroup, Extraction
from core.runtime import Runtime
from core.targeting.parse import parse_text
from tests.core.delivery.people import Times, add_person, new_delivery, prepared
from tests.core.delivery.test_held_back import changed, held, hold_back
from tests.core.delivery.test_sending_log import keep, row_of
from tests.core.delivery.test_traps import add_trap, set_traps, trap_row

LATE = datetime(2026, 6, 1, 22, 30, tzinfo=UTC)  # in Paris it is the second already
TODAY = "day(birth_date) = day(today)"
ZONES = pytest.mark.parametrize(("zone", "day"), [("UTC", 1), ("Europe/Paris", 2), ("America/New_York", 1)])


async def born(db: Connection) -> dict[int, int]:
    """Who was born on the first and on the second of a month."""
    return {day: await add_person(db, f"p{day}@mail.example", birth_date=date(1990, 3, day)) for day in (1, 2)}


@ZONES
async def test_the_audience_code_and_variant_mean_its_days(
    engine: Engine, runtime: Runtime, db: Connection, times: Times, zone: str, day: int
) -> None:
    times.now = LATE
    people = await born(db)
    variant = DynamicVariant(label="Second", condition="day(today) = 2", html="<p>Second</p>")
    hero = DynamicContent(name="hero", html="<p>First</p>", variants=(variant,))
    delivery_id = await new_delivery(
        runtime, db, html='<p>{% dynamic "hero" %}</p>', dynamic=(hero,), audience=TODAY
    )  # fmt: skip
    await changed(db, runtime, delivery_id, time_zone=zone)
    await keep(db, runtime, delivery_id, "concat('day ', to_text(day(today)))")
    await prepared(engine, runtime, db, delivery_id)

    assert await reading.find_row(db, delivery_id, people[3 - day]) is None
    row = await row_of(db, delivery_id, people[day])
    assert row.segment_code == f"day {day}"
    assert row.values is not None
    assert row.values["#dynamic"]["hero"] == day - 1


@ZONES
async def test_who_is_held_back_and_which_traps_go_along_is_by_its_days(
    engine: Engine, runtime: Runtime, db: Connection, times: Times, zone: str, day: int
) -> None:
    times.now = LATE
    people = await born(db)
    traps = {day: await add_trap(db, f"t{day}@mail.example", birth_date=date(1990, 3, day)) for day in (1, 2)}
    named = await new_delivery(runtime, db, name="named")
    await changed(db, runtime, named, time_zone=zone)
    await hold_back(db, runtime, named, ControlGroup(question=parse_text(TODAY)))
    await set_traps(db, runtime, named, question=TODAY)
    await prepared(engine, runtime, db, named)
    assert await held(db, named, FailureReason.CONTROL_GROUP) == {people[day]}
    assert await trap_row(db, named, traps[day]) is not None
    assert await trap_row(db, named, traps[3 - day]) is None

    first = await new_delivery(runtime, db, name="first")
    await changed(db, runtime, first, time_zone=zone)
    by = parse_text(f"if({TODAY}, 1, 0)")
    await hold_back(db, runtime, first, ControlGroup(extraction=Extraction.FIRST, by=by, size=1))
    await prepared(engine, runtime, db, first)
    assert await held(db, first) == {people[day]}


async def test_another_zone_undoes_the_preparation(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await born(db)
    delivery_id = await new_delivery(runtime, db)
    await prepared(engine, runtime, db, delivery_id)
    await changed(db, runtime, delivery_id, time_zone="Asia/Tokyo")
    assert (await get_delivery(db, delivery_id)).time_zone == "Asia/Tokyo"
    assert (await lifecycle.get_run(db, delivery_id)).state is DeliveryState.EDITION
