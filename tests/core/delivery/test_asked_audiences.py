"""Conditions of dynamic content that ask who is in an audience: decided when the delivery is prepared, for all at once."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from core.access import SYSTEM
from core.content.audience_uses import check_audience_unasked, check_contents_asking, find_asked_about
from core.content.errors import ContentInvalid
from core.content.libraries import readable_by
from core.db import Connection
from core.delivery import lifecycle
from core.delivery.engine import Engine
from core.delivery.recipient_values import fetch_values
from core.delivery.records import DeliveryState
from core.errors import Conflict, Stale
from core.planning.expiry import sweep
from core.runtime import Runtime
from core.targeting import filters, lists
from core.targeting.audiences import create_audience, delete_audience, find_audience_by_name, update_audience
from core.targeting.enrichment import ComputedColumn
from core.targeting.external_segments import Portion, create_segment, push
from core.targeting.parse import parse_text
from core.targeting.records import Audience, AudienceDraft, FilterDraft
from tests.core.delivery.people import add_people, confirmed, new_delivery, prepared
from tests.core.delivery.test_recipient_values import change_content, new_dynamic_delivery, numbers, places
from tests.core.delivery.test_traps import add_trap, set_traps, trap_row
from tests.core.targeting.files import loaded, reconciled
from tests.core.targeting.test_expiry import DAY

UTC_ZONE = ZoneInfo("UTC")


async def audience(db: Connection, name: str, question: str) -> Audience:
    return await create_audience(db, SYSTEM, AudienceDraft(name=name, label=name, expression=parse_text(question)))


async def listed(db: Connection, runtime: Runtime, name: str, whom: str) -> Audience:
    columns = [ComputedColumn(name="points", label="Points", expression=parse_text("id * 10"))]
    return await lists.create_list(
        db, SYSTEM, name=name, label=name, whom=parse_text(whom), now=runtime.clock(), zone=UTC_ZONE, columns=columns
    )  # fmt: skip


async def test_variants_go_by_audiences_of_every_kind(engine: Engine, runtime: Runtime, db: Connection) -> None:
    # Given a list with a column, a question that names another, a file, a segment, and a filter that names one
    await add_people(db, 6)
    await listed(db, runtime, "vip", "id = 1 or id = 2")
    await audience(db, "third", "id = 3")
    await audience(db, "through", "in_audience('third') and id > 0")
    file_id, _ = await loaded(runtime, "email\np4@mail.example\n")
    await reconciled(runtime, file_id)
    crm = await create_segment(db, SYSTEM, name="crm", label="CRM", source="CRM", key="email")
    await push(db, SYSTEM, crm.id, Portion(add=["p5@mail.example"]), region="FR", now=runtime.clock())
    draft = FilterDraft(name="is_second", label="Second", expression=parse_text("in_audience('vip') and id = 2"))
    await filters.create_filter(db, SYSTEM, draft)
    conditions = (
        "is_second()", "audience_column('vip', 'points') = 10", "in_audience('through')",
        "in_audience('file') and not in_audience('vip')", "in_audience('crm')",
    )  # fmt: skip
    delivery_id = await new_dynamic_delivery(runtime, db, *conditions)
    trap = await add_trap(db)
    await set_traps(db, runtime, delivery_id, trap)

    await prepared(engine, runtime, db, delivery_id)

    found = {person: seen["hero"] for person, seen in (await numbers(db, delivery_id)).items() if person <= 6}
    assert found == {1: 2, 2: 1, 3: 3, 4: 4, 5: 5, 6: 0}
    row = await trap_row(db, delivery_id, trap)
    assert row.values["#dynamic"]["hero"] == 0, "nobody put a trap on a list"
    reads = await db.fetchval("SELECT reads FROM content ORDER BY id DESC LIMIT 1")
    named = [one.removeprefix("in_audience:") for one in reads if one.startswith("in_audience:")]
    assert named == ["crm", "file", "through", "vip"]


async def test_another_version_of_what_is_asked_about_makes_the_preparation_stale(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    await add_people(db, 3)
    vip = await listed(db, runtime, "vip", "id = 1")
    third = await audience(db, "third", "id = 3")
    await audience(db, "through", "in_audience('third')")
    delivery_id = await new_dynamic_delivery(runtime, db, "in_audience('vip')", "in_audience('through')")
    await prepared(engine, runtime, db, delivery_id)
    await lists.add_to_list(db, SYSTEM, vip.id, [2], now=runtime.clock(), zone=UTC_ZONE)
    await update_audience(db, SYSTEM, third.id, {"expression": parse_text("id = 2")})
    with pytest.raises(Stale, match="the audience 'third' and the audience 'vip' changed"):
        await confirmed(db, runtime, delivery_id)
    await prepared(engine, runtime, db, delivery_id)
    assert await numbers(db, delivery_id) == {1: {"hero": 1}, 2: {"hero": 1}, 3: {"hero": 0}}
    await confirmed(db, runtime, delivery_id)


async def test_a_pinned_question_stays_what_it_was(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await add_people(db, 2)
    await audience(db, "first", "id = 1")
    pinned = await audience(db, "pinned", "in_audience('first')")
    await update_audience(db, SYSTEM, pinned.id, {"expression": parse_text("id = 2")})
    delivery_id = await new_dynamic_delivery(runtime, db, "in_audience('pinned', 1)")
    await prepared(engine, runtime, db, delivery_id)
    assert await numbers(db, delivery_id) == {1: {"hero": 1}, 2: {"hero": 0}}
    assert await find_asked_about(db, ["first", "pinned", "else"]) == {"first", "pinned"}


async def test_what_is_not_there_or_of_nobody_known_is_refused_when_content_is_saved(runtime: Runtime, db: Connection) -> None:
    await new_delivery(runtime, db)
    await audience(db, "french", "country = 'FR'")
    for condition, code in (("in_audience('frensh')", "UNKNOWN_AUDIENCE"), ("in_audience('french', 7)", "UNKNOWN_AUDIENCE")):
        with pytest.raises(ContentInvalid) as caught:
            await change_content(db, dynamic=places(condition))
        assert caught.value.problems[0].code == code
        assert caught.value.problems[0].path == "dynamic.hero.variants.0.condition:1:1"
    await loaded(runtime, "email\np1@mail.example\n")
    with pytest.raises(Conflict) as refused:
        await change_content(db, dynamic=places("in_audience('file')"))
    assert refused.value.code == "AUDIENCE_NOT_RECONCILED"


async def test_a_file_that_is_read_anew_fails_the_preparation_and_nothing_else(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    await add_people(db, 1)
    file_id, _ = await loaded(runtime, "email\np1@mail.example\n")
    await reconciled(runtime, file_id)
    delivery_id = await new_dynamic_delivery(runtime, db, "in_audience('file')")
    await db.execute("UPDATE audience_file SET reconciled_at = NULL")
    await check_contents_asking(db, "file")  # as whoever lists its warnings: it is read without refusal
    async with db.transaction():
        await lifecycle.prepare(db, SYSTEM, delivery_id, runtime.clock())
    await engine.preparation.run(delivery_id)
    run = await lifecycle.get_run(db, delivery_id)
    assert run.state is DeliveryState.PREPARATION_ERROR
    assert run.error is not None
    assert run.error["code"] == "AUDIENCE_NOT_RECONCILED"


async def test_what_is_asked_about_keeps_its_name_and_stays(runtime: Runtime, db: Connection) -> None:
    french = await audience(db, "french", "country = 'FR'")
    await new_dynamic_delivery(runtime, db, "in_audience('french')")

    async def deleted() -> None:
        async with db.transaction():
            await delete_audience(db, SYSTEM, french.id, runtime.clock())
            await check_audience_unasked(db, "french")

    with pytest.raises(Conflict, match="the audience 'french' is asked about by the contents") as caught:
        await deleted()
    assert caught.value.code == "IN_USE"
    assert await find_audience_by_name(db, "french") is not None

    await update_audience(db, SYSTEM, french.id, {"expires_at": runtime.clock() - DAY})
    await sweep(runtime)
    assert await find_audience_by_name(db, "french") is not None

    many = " or ".join(f"id = {number}" for number in range(500))
    await check_contents_asking(db, "french")
    await change_content(db, dynamic=places(*["in_audience('french')"] * 20))
    await update_audience(db, SYSTEM, french.id, {"expression": parse_text(many)})
    with pytest.raises(Conflict, match="could not be sent: the conditions compare with"):
        await check_contents_asking(db, "french")

    await change_content(db, parts={"html": "x"}, dynamic=())
    await check_audience_unasked(db, "french")
    await sweep(runtime)
    assert await find_audience_by_name(db, "french") is None


async def test_a_preview_asks_too(runtime: Runtime, db: Connection) -> None:
    await add_people(db, 2)
    await listed(db, runtime, "vip", "id = 1")
    readable = await readable_by(db, ["in_audience('vip')"])
    for person, number in ((1, 1), (2, 0)):
        values = await fetch_values(db, person, [], {"hero": ["in_audience('vip')"]}, runtime.clock(), readable)
        assert values["#dynamic"] == {"hero": number}
