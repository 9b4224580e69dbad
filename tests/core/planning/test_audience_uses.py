"""Who uses an audience, and which columns of its members."""

from __future__ import annotations

import pytest

from core.access import SYSTEM
from core.db import Connection
from core.errors import NotFound
from core.planning.audience_uses import list_audience_uses
from core.planning.seed_records import ControlGroup
from core.runtime import Runtime
from core.targeting import filters
from core.targeting.audiences import create_audience
from core.targeting.parse import parse_text
from core.targeting.records import AudienceDraft, FilterDraft
from tests.core.delivery.conftest import db, runtime, times
from tests.core.delivery.people import add_people, new_delivery
from tests.core.delivery.test_columns import listed
from tests.core.delivery.test_held_back import hold_back
from tests.core.delivery.test_recipient_values import change_content, places

__all__ = ["db", "runtime", "times"]

Told = list[tuple[str, str, tuple[str, ...]]]


async def uses(db: Connection, audience_id: int) -> Told:
    return [(one.kind.value, one.name, one.columns) for one in await list_audience_uses(db, audience_id)]


async def audience(db: Connection, name: str, question: str) -> int:
    draft = AudienceDraft(name=name, label=name, expression=parse_text(question))
    return (await create_audience(db, SYSTEM, draft)).id


async def delivery(runtime: Runtime, db: Connection, name: str, question: str, html: str) -> int:
    """A delivery to an audience of that name."""
    return await new_delivery(runtime, db, name=name, audience=question, html=html)


async def test_each_user_is_told_with_the_columns_that_it_reads(runtime: Runtime, db: Connection) -> None:
    # Given two lists with columns, and what reads them in every way that there is
    await add_people(db, 3)
    vip = (await listed(db, runtime, "vip")).id
    await listed(db, runtime, "other", {"points": "id", "size": "id"})
    through = "in_audience('vip') and in_audience('other')"
    await delivery(runtime, db, "reads", through, "{{ audience.points }} {{ audience.size }} {{ audience.voucher_code }}")
    await delivery(runtime, db, "silent", through, "{{ profile.first_name }}")
    await delivery(runtime, db, "elsewhere", "in_audience('other')", "{{ audience.points }}")
    rich = await audience(db, "rich", "audience_column('vip', 'spent') > 1 and audience_column('other', 'size') > 1")
    draft = FilterDraft(name="early", label="Early", expression=parse_text("audience_column('vip', 'since') < today"))
    await filters.create_filter(db, SYSTEM, draft)
    await audience(db, "richer", "in_audience('rich') and early()")
    asked = places("audience_column('vip', 'is_first') and in_audience('other')", "in_audience('vip')")
    await change_content(db, parts={"html": '{% dynamic "hero" %}'}, dynamic=asked)
    content = await db.fetchval("SELECT name FROM content ORDER BY id DESC LIMIT 1")

    # Then each is told, with what it reads of this one alone
    told = await uses(db, vip)
    assert [one for one in told if one[0] == "delivery"] == [("delivery", "reads", ("points", "voucher_code"))]
    assert [one for one in told if one[0] == "content"] == [("content", content, ("is_first",))]
    assert [one for one in told if one[0] == "filter"] == [("filter", "early", ("since",))]
    audiences = {name: columns for kind, name, columns in told if kind == "audience"}
    assert audiences == {
        "reads-people": (),
        "silent-people": (),
        "rich": ("spent",),
        "richer": (),
    }  # by the filter: told of that
    assert await uses(db, rich) == [("audience", "richer", ())]


async def test_deliveries_to_it_read_what_it_brings_along(runtime: Runtime, db: Connection) -> None:
    await add_people(db, 1)
    vip = (await listed(db, runtime, "vip")).id
    delivery_id = await delivery(runtime, db, "reads", "in_audience('vip')", "{{ audience.points }}")
    target = await db.fetchval("SELECT audience_id FROM delivery WHERE id = $1", delivery_id)
    assert await uses(db, target) == [("delivery", "reads", ("points",))]
    await db.execute("UPDATE delivery SET audience_id = $1", vip)
    assert (await uses(db, vip))[0] == ("delivery", "reads", ("points",))
    assert await uses(db, await audience(db, "idle", "in_audience('vip')")) == []


async def test_a_control_group_is_one_of_them(runtime: Runtime, db: Connection) -> None:
    await add_people(db, 1)
    vip = (await listed(db, runtime, "vip")).id
    delivery_id = await new_delivery(runtime, db, name="held")
    await hold_back(db, runtime, delivery_id, ControlGroup(audience_id=vip))
    assert ("control_group", "held", ()) in await uses(db, vip)


async def test_of_what_is_not_there_nothing_is_told(db: Connection) -> None:
    with pytest.raises(NotFound):
        await list_audience_uses(db, 1)
