"""Content that reads an event is not sent to an audience."""

from __future__ import annotations

from core.access import SYSTEM
from core.channel_registry import ChannelRegistry
from core.content import contents
from core.content.records import ContentDraft
from core.db import Connection
from core.delivery import lifecycle
from core.delivery.engine import Engine
from core.delivery.records import DeliveryState
from core.planning import deliveries
from core.planning.columns import library_of
from core.runtime import Runtime
from tests.core.delivery.people import add_people, new_delivery

TOLD = "there is no event: a delivery is sent to an audience"


async def test_what_reads_an_event_is_saved_with_a_warning(runtime: Runtime, db: Connection) -> None:
    registry = ChannelRegistry.load()
    draft = ContentDraft(name="order", label="x", channel="memory", parts={"text": "Order {{ event.payload.order_id }}"})
    content = await contents.create_content(db, SYSTEM, registry, draft)
    found = await contents.warnings_of(registry, content, await library_of(db, content))
    assert [(one.code, one.level, one.line, one.column) for one in found] == [("EVENT_NOT_KNOWN", "warning", 1, 10)]


async def test_a_delivery_of_it_is_not_prepared_and_its_content_says_why(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:  # fmt: skip
    # Given a delivery whose content reads an event
    await add_people(db, 1)
    registry = ChannelRegistry.load()
    delivery_id = await new_delivery(runtime, db, html="<p>Order {{ event.payload.order_id }}</p>")

    # When it is prepared, it is refused at the place
    await lifecycle.prepare(db, SYSTEM, delivery_id, runtime.clock())
    await engine.preparation.run(delivery_id)
    run = await lifecycle.get_run(db, delivery_id)
    assert run.state is DeliveryState.PREPARATION_ERROR
    assert run.error is not None
    assert (run.error["path"], TOLD in run.error["message"]) == ("parts.html:1:13", True)
    assert await db.fetchval("SELECT count(*) FROM ledger") == 0

    # And the content's warnings say the same, until it does without
    delivery = await deliveries.get_delivery(db, delivery_id)
    content = await contents.get_content(db, delivery.content_id)
    found = await contents.warnings_of(registry, content, await library_of(db, content))
    assert [(one.code, one.level, one.message) for one in found if one.part == "html"] == [("UNKNOWN_VARIABLE", "error", TOLD)]
    await contents.update_content(db, SYSTEM, registry, content.id, {"parts": {"html": "<p>Order</p>"}})
    await lifecycle.prepare(db, SYSTEM, delivery_id, runtime.clock())
    await engine.preparation.run(delivery_id)
    assert (await lifecycle.get_run(db, delivery_id)).state is DeliveryState.READY
