"""What ledger rows carry besides fields: the numbers of the variants that recipients see."""

from __future__ import annotations

from typing import Any

import pytest

from core.access import SYSTEM
from core.channel_registry import ChannelRegistry
from core.content import contents
from core.content.dynamic import VARIANTS
from core.content.records import DynamicContent, DynamicVariant
from core.db import Connection
from core.delivery import lifecycle, prepare, reading
from core.delivery.engine import Engine
from core.runtime import Runtime
from tests.core.delivery.people import add_people, add_person, check_equation, new_delivery, prepared


def places(*conditions: str) -> tuple[DynamicContent, ...]:
    """A place that is shown, and one that is not."""
    variants = tuple(DynamicVariant(label=one, condition=one, html=f"<i>{one}</i>") for one in conditions)
    return tuple(DynamicContent(name=name, variants=variants, html="nobody") for name in ("hero", "unseen"))


async def new_dynamic_delivery(runtime: Runtime, db: Connection, *conditions: str) -> int:
    delivery_id = await new_delivery(runtime, db)
    await change_content(db, parts={"html": '{% dynamic "hero" %}'}, dynamic=places(*conditions))
    return delivery_id


async def change_content(db: Connection, **changes: Any) -> None:
    async with db.transaction():
        content_id = await db.fetchval("SELECT max(id) FROM content")
        await contents.update_content(db, SYSTEM, ChannelRegistry.load(), content_id, changes)


async def numbers(db: Connection, delivery_id: int) -> dict[int, Any]:
    """The variant of each person."""
    rows = await db.fetch("SELECT recipient_id, values FROM ledger WHERE delivery_id = $1", delivery_id)
    return {row["recipient_id"]: row["values"] and row["values"][VARIANTS] for row in rows}


async def test_rows_carry_the_variants_that_are_shown(engine: Engine, runtime: Runtime, db: Connection) -> None:
    french = await add_person(db, "a@mail.example", country="FR", city="Paris")
    paris = await add_person(db, "b@mail.example", city="Paris")
    nothing = await add_person(db, "c@mail.example")
    left = await add_person(db, "d@mail.example", opt_out=True, country="FR")
    delivery_id = await new_dynamic_delivery(runtime, db, "country = 'FR'", "city = 'Paris'")

    counts = await prepared(engine, runtime, db, delivery_id)

    assert await numbers(db, delivery_id) == {french: {"hero": 1}, paris: {"hero": 2}, nothing: {"hero": 0}, left: None}
    assert (counts.targeted, counts.pending) == (4, 3)
    await check_equation(db, delivery_id)
    row = await reading.find_row(db, delivery_id, paris)
    assert row is not None
    assert row.values == {"first_name": None, VARIANTS: {"hero": 2}}


async def test_a_preparation_that_goes_on_decides_as_it_began(
    engine: Engine, runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a preparation that died half way, and content that was changed since
    monkeypatch.setattr(prepare, "RANGE", 10)
    await add_people(db, 30)
    delivery_id = await new_dynamic_delivery(runtime, db, "id <= 5", "id > 25")
    async with db.transaction():
        await lifecycle.prepare(db, SYSTEM, delivery_id, runtime.clock())
    plan = await engine.preparation._lay_out(delivery_id)
    assert plan is not None
    assert await engine.preparation._write_range(plan, 0, 10)
    await change_content(db, dynamic=places("id > 0"))

    # When another worker takes it up
    await engine.preparation.run(delivery_id)

    # Then all of it is decided by the conditions with which the content was frozen
    found = await numbers(db, delivery_id)
    assert found == {n: {"hero": 1 if n <= 5 else 2 if n > 25 else 0} for n in range(1, 31)}
