"""What a delivery asks and computes of each recipient is looked at before its preparation begins: nothing runs for days."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from core.access import SYSTEM
from core.db import Connection
from core.delivery import costs, lifecycle
from core.delivery.engine import Engine
from core.delivery.records import DeliveryState
from core.planning.computed_records import SendDates, SendingLog
from core.planning.seed_records import ControlGroup, Extraction
from core.runtime import Runtime
from core.targeting import audiences, cost
from core.targeting.cost import too_costly
from core.targeting.parse import parse_text
from core.targeting.records import AudienceDraft
from tests.core.delivery.people import add_people, new_delivery, prepared
from tests.core.delivery.test_recipient_values import change_content, new_dynamic_delivery, places

MUCH = "count(received) + count(opens) + count(clicks)"
CHEAP = ControlGroup(extraction=Extraction.FIRST, by=parse_text("created_at"), size=1, question=parse_text("city = 'Bonn'"))


def ordered(by: str) -> ControlGroup:
    return ControlGroup(extraction=Extraction.FIRST, by=parse_text(by), share=Decimal(10))


async def set_part(db: Connection, runtime: Runtime, delivery_id: int, part: object) -> None:
    now = runtime.clock()
    async with db.transaction():
        match part:
            case ControlGroup():
                await lifecycle.set_control_group(db, SYSTEM, delivery_id, part, now)
            case SendingLog():
                await lifecycle.set_sending_log(db, SYSTEM, delivery_id, part, now)
            case SendDates():
                await lifecycle.set_send_dates(db, SYSTEM, delivery_id, part, now)


async def refused(engine: Engine, runtime: Runtime, db: Connection, delivery_id: int) -> dict[str, Any]:
    """Prepare in vain; the error. Nothing began."""
    async with db.transaction():
        await lifecycle.prepare(db, SYSTEM, delivery_id, runtime.clock())
    await engine.preparation.run(delivery_id)
    run = await lifecycle.get_run(db, delivery_id)
    assert (run.state, run.prepare_to) == (DeliveryState.PREPARATION_ERROR, None)
    assert run.error is not None
    assert run.error["code"] == "QUESTION_TOO_COSTLY"
    return dict(run.error)


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch, db: Connection) -> Any:
    """Many of them, and a bound that only what is asked of linked rows of each passes."""

    async def add() -> None:
        await add_people(db, 2000)
        await db.execute("ANALYZE profile")
        monkeypatch.setattr(cost, "MOST_COST", 4000)

    return add


@pytest.mark.parametrize(
    ("part", "path", "what"),
    [
        (ControlGroup(question=parse_text(f"{MUCH} > 3")), "control_group.question", "the control group's question"),
        (ordered(MUCH), "control_group.by", "the control group's order"),
        (SendingLog(segment_code=parse_text(f"to_text({MUCH})")), "sending_log.segment_code", "the segment code"),
        (SendDates(expression=parse_text(f"add_days(now, {MUCH})")), "send_dates.expression", "the send date"),
    ],
    ids=["question", "order", "code", "date"],
)
@pytest.mark.parametrize("audience", ["id > 0", "rank(by created_at desc) <= 1500"])
async def test_what_would_run_for_days_is_refused_with_its_place(
    engine: Engine, runtime: Runtime, db: Connection, people: Any, part: object, path: str, what: str, audience: str
) -> None:
    await people()
    fine = await new_delivery(runtime, db, name="fine", audience=audience)
    await set_part(db, runtime, fine, CHEAP)
    await prepared(engine, runtime, db, fine)

    delivery_id = await new_delivery(runtime, db, audience=audience)
    await set_part(db, runtime, delivery_id, part)
    error = await refused(engine, runtime, db, delivery_id)

    assert error["path"] == path
    assert error["message"].startswith(f"{what} would cost ")
    assert "list" in error["hint"]
    assert await db.fetchval("SELECT count(*) FROM ledger WHERE delivery_id = $1", delivery_id) == 0
    assert await db.fetchval("SELECT count(*) FROM prepare_target WHERE delivery_id = $1", delivery_id) == 0


async def test_of_an_audience_that_is_held_back_too(engine: Engine, runtime: Runtime, db: Connection, people: Any) -> None:
    await people()
    delivery_id = await new_delivery(runtime, db)
    draft = AudienceDraft(name="much", label="Much", expression=parse_text(f"{MUCH} > 3"))
    async with db.transaction():
        much = await audiences.create_audience(db, SYSTEM, draft)
    await set_part(db, runtime, delivery_id, ControlGroup(audience_id=much.id))
    error = await refused(engine, runtime, db, delivery_id)
    assert error["path"] == "control_group.audience_id"


async def test_of_the_conditions_of_dynamic_content_too(engine: Engine, runtime: Runtime, db: Connection, people: Any) -> None:
    await people()
    delivery_id = await new_dynamic_delivery(runtime, db, "city = 'Bonn'")
    await prepared(engine, runtime, db, delivery_id)
    await change_content(db, dynamic=places("city = 'Bonn'", f"{MUCH} > 3"))
    error = await refused(engine, runtime, db, delivery_id)
    assert error["path"] == "dynamic.hero"
    assert "'hero'" in error["message"]


async def test_of_many_the_dearest_is_named_and_a_narrow_audience_makes_all_of_them_cheap(
    engine: Engine, runtime: Runtime, db: Connection, people: Any
) -> None:
    await people()
    delivery_id = await new_delivery(runtime, db)
    await set_part(db, runtime, delivery_id, ordered("count(received)"))
    await set_part(db, runtime, delivery_id, SendingLog(segment_code=parse_text(f"to_text({MUCH})")))
    await set_part(db, runtime, delivery_id, SendDates(expression=parse_text("add_days(now, count(opens))")))
    assert (await refused(engine, runtime, db, delivery_id))["path"] == "sending_log.segment_code"

    few = await new_delivery(runtime, db, name="few", audience="id <= 5")
    await set_part(db, runtime, few, ordered(MUCH))
    await set_part(db, runtime, few, SendingLog(segment_code=parse_text(f"to_text({MUCH})")))
    assert (await prepared(engine, runtime, db, few)).targeted == 5


async def test_what_is_dear_only_together_is_refused_by_its_sum(
    engine: Engine, runtime: Runtime, db: Connection, people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await people()
    told: list[float] = []

    def telling(found: float, *args: Any, **more: Any) -> Any:
        told.append(found)
        return too_costly(found, *args, **more)

    monkeypatch.setattr(costs, "too_costly", telling)
    parts = (ordered(MUCH), SendingLog(segment_code=parse_text(f"to_text({MUCH})")))
    for name, part in zip(("first", "second"), parts, strict=True):
        delivery_id = await new_delivery(runtime, db, name=name)
        await set_part(db, runtime, delivery_id, part)
        await refused(engine, runtime, db, delivery_id)
    monkeypatch.setattr(cost, "MOST_COST", max(told) * 1.1)  # either would do; nothing is prepared, which would change both

    await set_part(db, runtime, delivery_id, parts[0])
    error = await refused(engine, runtime, db, delivery_id)
    assert error["message"].startswith("what is asked of each, most of all the ")
