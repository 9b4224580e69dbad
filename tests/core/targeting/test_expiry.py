"""The end of an audience's time: nothing new targets it, and it goes once nothing names it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.access import SYSTEM
from core.db import Connection
from core.delivery import lifecycle
from core.delivery.engine import open_engine
from core.delivery.records import DeliveryState
from core.errors import ClarionError
from core.planning import expiry
from core.planning.deliveries import delete_delivery, get_delivery, update_delivery
from core.planning.expiry import sweep
from core.planning.seed_records import ControlGroup
from core.runtime import Runtime
from core.targeting import filters, lists
from core.targeting.audiences import create_audience, delete_audience, find_audience_by_name, update_audience
from core.targeting.parse import parse_text
from core.targeting.records import Audience, AudienceDraft, FilterDraft
from tests.core.delivery.people import add_people, new_delivery
from tests.core.targeting.files import uploaded

DAY = timedelta(days=1)


async def audience(db: Connection, name: str, question: str, ends: datetime | None) -> Audience:
    draft = AudienceDraft(name=name, label=name, expression=parse_text(question), expires_at=ends)
    return await create_audience(db, SYSTEM, draft)


async def there(db: Connection) -> list[str]:
    return [row["name"] for row in await db.fetch("SELECT name FROM audience ORDER BY name")]


async def test_what_is_over_goes_with_all_it_had_once_nothing_names_it(runtime: Runtime, db: Connection, times: Any) -> None:
    # Given audiences of all kinds whose time is over, one that lasts, one that has no end
    await add_people(db, 3)
    end = runtime.clock() + DAY
    await audience(db, "over", "id > 0", end)
    await audience(db, "named", "id > 1", end)
    await audience(db, "called", "id > 2", end)
    await audience(db, "lasts", "in_audience('named')", end + DAY)
    await audience(db, "endless", "id > 0", None)
    whom = parse_text("id > 0")
    await lists.create_list(
        db, SYSTEM, name="list", label="l", whom=whom, now=runtime.clock(), zone=ZoneInfo("UTC"), expires_at=end
    )  # fmt: skip
    file_id = await uploaded(runtime, "email\nx@x.example\n")
    await db.execute("UPDATE audience SET expires_at = $2 WHERE id = $1", file_id, end)
    asked = FilterDraft(name="theirs", label="t", expression=parse_text("in_audience('called')"))
    one = await filters.create_filter(db, SYSTEM, asked)

    # When it is swept before, nothing goes
    await sweep(runtime)
    assert await there(db) == ["called", "endless", "file", "lasts", "list", "named", "over"]

    # And afterwards what nothing names
    times.move(days=1)
    await sweep(runtime)
    assert await there(db) == ["called", "endless", "lasts", "named"]
    assert await db.fetchval("SELECT count(*) FROM audience_member") == 0
    told = "SELECT count(*) FROM audit_entry WHERE action = 'audience.expire'"
    assert await db.fetchval(told) == 3

    # Then what the others named
    await filters.delete_filter(db, SYSTEM, one.id)
    times.move(days=1)
    await sweep(runtime)
    assert await there(db) == ["endless", "named"]
    await sweep(runtime)
    assert await there(db) == ["endless"]


async def test_nothing_new_targets_what_is_over_and_what_targets_it_keeps_it(
    runtime: Runtime, db: Connection, times: Any
) -> None:  # fmt: skip
    # Given a delivery to an audience that ends
    await add_people(db, 2)
    delivery_id = await new_delivery(runtime, db)
    delivery = await get_delivery(db, delivery_id)
    end = runtime.clock() + DAY
    await update_audience(db, SYSTEM, delivery.audience_id, {"expires_at": end})

    # When it is planned for later, it is refused
    with pytest.raises(ClarionError) as caught:
        await update_delivery(db, SYSTEM, delivery_id, {"contact_at": end + DAY})
    assert (caught.value.code, caught.value.path) == ("AUDIENCE_EXPIRES", "audience_id")

    # When its time is over, the audience stays, and a preparation says why it fails
    times.move(days=2)
    await sweep(runtime)
    kept = await find_audience_by_name(db, "spring-people")
    assert kept is not None
    assert kept.is_expired(runtime.clock())
    engine = open_engine(runtime)
    await lifecycle.prepare(db, SYSTEM, delivery_id, runtime.clock())
    await engine.preparation.run(delivery_id)
    await engine.close()
    run = await lifecycle.get_run(db, delivery_id)
    assert run.error is not None
    assert (run.state, run.error["code"]) == (DeliveryState.PREPARATION_ERROR, "AUDIENCE_EXPIRED")

    # And it goes with the delivery
    await delete_delivery(db, SYSTEM, delivery_id)
    await sweep(runtime)
    assert await there(db) == []


async def test_a_control_group_keeps_its_audience_and_nothing_else(runtime: Runtime, db: Connection, times: Any) -> None:
    # Given two audiences that end together, one of them the control group of a delivery
    delivery_id = await new_delivery(runtime, db)
    end = runtime.clock() + DAY
    held = await audience(db, "held", "id > 0", end)
    await audience(db, "over", "id > 0", end)
    await lifecycle.set_control_group(db, SYSTEM, delivery_id, ControlGroup(audience_id=held.id), runtime.clock())

    # When their time is over, the other one goes
    times.move(days=2)
    await sweep(runtime)
    assert await there(db) == ["held", "spring-people"]

    # And this one with the control group
    await lifecycle.set_control_group(db, SYSTEM, delivery_id, None, runtime.clock())
    await sweep(runtime)
    assert await there(db) == ["spring-people"]


async def test_what_is_in_use_does_not_stand_before_what_is_not(
    runtime: Runtime, db: Connection, times: Any, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    # Given an audience that a delivery goes to, and one that ends later
    monkeypatch.setattr(expiry, "PORTION", 1)
    delivery = await get_delivery(db, await new_delivery(runtime, db))
    end = runtime.clock() + DAY
    await update_audience(db, SYSTEM, delivery.audience_id, {"expires_at": end})
    await audience(db, "over", "id > 0", end + DAY)

    # When the time of both is over, the other one goes
    times.move(days=3)
    await sweep(runtime)
    assert await there(db) == ["spring-people"]


async def test_a_time_without_a_zone_is_refused_and_one_can_be_taken_away(runtime: Runtime, db: Connection) -> None:
    with pytest.raises(ClarionError) as caught:
        await audience(db, "one", "id > 0", datetime(2030, 1, 1))
    assert caught.value.code == "BAD_EXPIRY"
    made = await audience(db, "one", "id > 0", runtime.clock() - DAY)
    await update_audience(db, SYSTEM, made.id, {"expires_at": None})
    await sweep(runtime)
    assert await there(db) == ["one"]
    await delete_audience(db, SYSTEM, made.id, runtime.clock())
