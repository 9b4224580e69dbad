"""A preparation holds only as long as all that it read is what it was, fragments in fragments too."""

from __future__ import annotations

import pytest

from core.access import SYSTEM
from core.channel_registry import ChannelRegistry
from core.content import contents, fragments
from core.content.records import Fragment, FragmentDraft
from core.db import Connection
from core.delivery import lifecycle
from core.delivery.engine import Engine
from core.delivery.records import DeliveryState
from core.errors import Stale
from core.runtime import Runtime
from tests.core.delivery.people import add_person, confirmed, new_delivery, prepared


async def new_fragment(db: Connection, name: str, html: str) -> Fragment:
    async with db.transaction():
        return await fragments.create_fragment(db, SYSTEM, FragmentDraft(name=name, label=name, html=html))


async def change_fragment(db: Connection, fragment: Fragment, html: str) -> None:
    async with db.transaction():
        await fragments.update_fragment(db, SYSTEM, ChannelRegistry.load(), fragment.id, {"html": html})


async def show_in_content(db: Connection, html: str) -> None:
    async with db.transaction():
        content_id = await db.fetchval("SELECT max(id) FROM content")
        await contents.update_content(db, SYSTEM, ChannelRegistry.load(), content_id, {"parts": {"html": html}})


async def test_a_fragment_that_changed_makes_the_preparation_stale(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await add_person(db, "ana@mail.example")
    inner = await new_fragment(db, "inner", "one")
    outer = await new_fragment(db, "outer", '{% render "inner" %}')
    other = await new_fragment(db, "other", "one")
    delivery_id = await new_delivery(runtime, db)
    await show_in_content(db, '{% render "outer" %}')
    await prepared(engine, runtime, db, delivery_id)

    await change_fragment(db, inner, "two")
    await change_fragment(db, outer, 'two {% render "inner" %}')
    with pytest.raises(Stale, match="the fragment 'inner' and the fragment 'outer' changed since the delivery was prepared"):
        await confirmed(db, runtime, delivery_id)
    await prepared(engine, runtime, db, delivery_id)
    await change_fragment(db, other, "not used")
    await confirmed(db, runtime, delivery_id)
    assert (await lifecycle.get_run(db, delivery_id)).state is DeliveryState.START_PENDING


async def test_a_fragment_that_cannot_be_used_any_more_fails_the_preparation_with_its_place(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    await new_fragment(db, "footer", "fine")
    delivery_id = await new_delivery(runtime, db)
    await show_in_content(db, '{% render "footer" %}')
    await db.execute("UPDATE fragment SET html = 'a' || chr(10) || '{{ profile.nothing }}'")
    async with db.transaction():
        await lifecycle.prepare(db, SYSTEM, delivery_id, runtime.clock())
    await engine.preparation.run(delivery_id)
    run = await lifecycle.get_run(db, delivery_id)
    assert run.state is DeliveryState.PREPARATION_ERROR
    assert run.error is not None
    assert run.error["path"] == "fragments.footer.html:2:4"
