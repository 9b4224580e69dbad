"""Preparation: one row per targeted person, one reason per exclusion, nothing sent."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from channels.contract import AddressKind, FailureReason
from channels.memory.channel import MemoryChannel
from core.access import SYSTEM
from core.datamodel.records import FieldKind
from core.db import Connection, Pool, transaction
from core.delivery import lifecycle, patience, prepare, reading
from core.delivery.engine import Engine
from core.delivery.programs import Programs
from core.delivery.records import DeliveryState, LedgerState
from core.delivery.store import ledger, runs
from core.errors import NotFound, Unavailable
from core.public_urls import PublicUrls
from core.runtime import Runtime
from core.targeting.audiences import create_audience
from core.targeting.parse import parse_text
from core.targeting.records import AudienceDraft
from tests.core.datamodel.model import field, publish_fields
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

EXCLUDED = LedgerState.EXCLUDED


async def test_each_exclusion_has_its_one_reason(engine: Engine, runtime: Runtime, db: Connection) -> None:
    # Given people of every kind
    fine = await add_person(db, "Ana@mail.example", first_name="Ana", gender=2, ccpa_opt_out=True)
    nowhere = await add_person(db, None)
    left_email = await add_person(db, "left@mail.example", opt_out_email=True)
    left_all = await add_person(db, "gone@mail.example", opt_out=True)
    bounced = await add_person(db, "bounced@mail.example")
    both = await add_person(db, "both@mail.example", opt_out=True)
    first = await add_person(db, "same@mail.example")
    second = await add_person(db, "Same@mail.example")
    outside = await add_person(db, "out@mail.example", country="FR")
    for address, status in (("bounced", "quarantine"), ("both", "denylisted"), ("ana", "erroneous")):
        await db.execute(
            "INSERT INTO quarantine (address_kind, address_key, status) VALUES ('email', $1, $2)",
            f"{address}@mail.example", status,
        )  # fmt: skip
    delivery_id = await new_delivery(runtime, db, audience="not country = 'FR'")

    # When the delivery is prepared
    counts = await prepared(engine, runtime, db, delivery_id)

    # Then everybody targeted has a row with one reason, and the sum is right
    assert await outcome_of(db, delivery_id, fine) == (LedgerState.PENDING, FailureReason.NOT_DEFINED)
    assert await outcome_of(db, delivery_id, nowhere) == (EXCLUDED, FailureReason.ADDRESS_NOT_SPECIFIED)
    assert await outcome_of(db, delivery_id, left_email) == (EXCLUDED, FailureReason.DENYLISTED_ADDRESS)
    assert await outcome_of(db, delivery_id, left_all) == (EXCLUDED, FailureReason.DENYLISTED_ADDRESS)
    assert await outcome_of(db, delivery_id, bounced) == (EXCLUDED, FailureReason.QUARANTINED_ADDRESS)
    assert await outcome_of(db, delivery_id, both) == (EXCLUDED, FailureReason.DENYLISTED_ADDRESS)
    assert await outcome_of(db, delivery_id, first) == (LedgerState.PENDING, FailureReason.NOT_DEFINED)
    assert await outcome_of(db, delivery_id, second) == (EXCLUDED, FailureReason.DUPLICATE)
    assert await reading.find_row(db, delivery_id, outside) is None
    assert (counts.targeted, counts.excluded, counts.pending) == (8, 6, 2)
    await check_equation(db, delivery_id)

    # And the row carries what the program needs, frozen
    row = await reading.find_row(db, delivery_id, fine)
    assert row is not None
    assert row.values == {"first_name": "Ana"}
    assert row.address == "Ana@mail.example"


async def test_the_keeper_of_a_shared_address_is_somebody_who_gets_the_message(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    # Given an address whose oldest owner opted out
    left = await add_person(db, "same@mail.example", opt_out=True)
    stays = await add_person(db, "same@mail.example")
    delivery_id = await new_delivery(runtime, db)
    await prepared(engine, runtime, db, delivery_id)
    assert await outcome_of(db, delivery_id, left) == (EXCLUDED, FailureReason.DENYLISTED_ADDRESS)
    assert await outcome_of(db, delivery_id, stays) == (LedgerState.PENDING, FailureReason.NOT_DEFINED)


async def test_preparing_again_forgets_the_first_time(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await add_people(db, 30)
    delivery_id = await new_delivery(runtime, db)
    await prepared(engine, runtime, db, delivery_id)
    await db.execute("UPDATE profile SET opt_out = true WHERE id <= 10")
    counts = await prepared(engine, runtime, db, delivery_id)
    assert (counts.targeted, counts.excluded, counts.pending) == (30, 10, 20)
    await check_equation(db, delivery_id)


async def test_a_preparation_goes_on_where_a_crash_left_it(
    engine: Engine, runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a preparation that died after its first ranges
    monkeypatch.setattr(prepare, "RANGE", 10)
    await add_people(db, 45)
    delivery_id = await new_delivery(runtime, db)
    async with db.transaction():
        await lifecycle.prepare(db, SYSTEM, delivery_id, runtime.clock())
    plan = await engine.preparation._lay_out(delivery_id)
    assert plan is not None
    assert await engine.preparation._write_range(plan, 0, 10)
    assert await engine.preparation._write_range(plan, 10, 20)

    # When another worker takes it up, and the dead one wakes
    await engine.preparation.run(delivery_id)
    assert not await engine.preparation._write_range(plan, 20, 30)

    # Then every person is in it once
    run = await lifecycle.get_run(db, delivery_id)
    assert run.state is DeliveryState.READY
    assert (await reading.counts(db, delivery_id)).targeted == 45
    await check_equation(db, delivery_id)


async def test_a_stopped_preparation_writes_no_more(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await add_people(db, 20)
    delivery_id = await new_delivery(runtime, db)
    async with db.transaction():
        await lifecycle.prepare(db, SYSTEM, delivery_id, runtime.clock())
    plan = await engine.preparation._lay_out(delivery_id)
    assert plan is not None
    async with db.transaction():
        await lifecycle.stop_preparation(db, SYSTEM, delivery_id, runtime.clock())
    assert not await engine.preparation._write_range(plan, 0, 20)
    assert (await lifecycle.get_run(db, delivery_id)).state is DeliveryState.EDITION
    assert (await reading.counts(db, delivery_id)).targeted == 0


async def test_a_content_that_cannot_be_compiled_any_more_fails_the_preparation_with_its_place(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    delivery_id = await new_delivery(runtime, db)
    await db.execute("UPDATE content SET parts = jsonb_set(parts, '{html}', '\"<p>{{ profile.first_name | nope }}</p>\"')")
    async with db.transaction():
        await lifecycle.prepare(db, SYSTEM, delivery_id, runtime.clock())
    await engine.preparation.run(delivery_id)
    run = await lifecycle.get_run(db, delivery_id)
    assert run.state is DeliveryState.PREPARATION_ERROR
    assert run.error is not None
    assert "nope" in run.error["message"]
    log = await runs.list_log(db, delivery_id, None, 50)
    assert log[-1].level.value == "error"


async def failed(engine: Engine, runtime: Runtime, db: Connection, delivery_id: int) -> dict[str, Any]:
    """Prepare in vain; the error."""
    async with db.transaction():
        await lifecycle.prepare(db, SYSTEM, delivery_id, runtime.clock())
    await engine.preparation.run(delivery_id)
    run = await lifecycle.get_run(db, delivery_id)
    assert run.state is DeliveryState.PREPARATION_ERROR
    assert run.error is not None
    return dict(run.error)


async def test_an_audience_that_would_run_for_days_fails_the_preparation_with_advice(
    engine: Engine, runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_people(db, 20)
    delivery_id = await new_delivery(runtime, db, audience="last_name ends_with 'son'")
    monkeypatch.setattr("core.targeting.cost.MOST_COST", 1)
    error = await failed(engine, runtime, db, delivery_id)
    assert error["code"] == "QUESTION_TOO_COSTLY"
    assert "freeze" in error["hint"]
    assert await db.fetchval("SELECT count(*) FROM ledger WHERE delivery_id = $1", delivery_id) == 0
    monkeypatch.undo()
    await prepared(engine, runtime, db, delivery_id)


@pytest.mark.parametrize("first", [True, False])
async def test_a_step_that_takes_too_long_is_given_up_and_leaves_nothing_at_work(
    engine: Engine, runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    await add_people(db, 20)
    delivery_id = await new_delivery(runtime, db)
    monkeypatch.setattr(patience, "LONGEST", timedelta(seconds=0.3))
    slow = "prepare_duplicate" if first else "ledger"
    await db.execute(
        "CREATE FUNCTION waiting() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NULL; END'"
    )
    await db.execute(f"CREATE TRIGGER waits BEFORE INSERT ON {slow} FOR EACH STATEMENT EXECUTE FUNCTION waiting()")
    error = await failed(engine, runtime, db, delivery_id)
    assert (error["code"], error["path"]) == ("QUESTION_TOO_SLOW", "audience_id")
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    for _ in range(100):
        if not await db.fetchval(sleeping):
            break
        await asyncio.sleep(0.05)
    assert await db.fetchval(sleeping) == 0
    assert (await reading.counts(db, delivery_id)).targeted == 0


async def test_confirm_before_prepare_and_on_stale_versions_is_refused(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    from core.errors import IllegalMove, Stale

    await add_people(db, 3)
    delivery_id = await new_delivery(runtime, db)
    with pytest.raises(IllegalMove, match="EDITION"):
        await confirmed(db, runtime, delivery_id)
    await prepared(engine, runtime, db, delivery_id)
    await db.execute("UPDATE content SET version = version + 1")
    with pytest.raises(Stale, match="the content changed"):
        await confirmed(db, runtime, delivery_id)
    assert (await lifecycle.get_run(db, delivery_id)).state is DeliveryState.READY
    await prepared(engine, runtime, db, delivery_id)
    await confirmed(db, runtime, delivery_id)
    assert (await lifecycle.get_run(db, delivery_id)).state is DeliveryState.START_PENDING


async def test_two_that_make_the_same_partition_at_once_do_not_collide(pool: Pool, db: Connection) -> None:
    async def make() -> None:
        async with transaction(pool) as conn:
            await ledger.ensure_partition(conn, 250)

    async with transaction(pool) as first:
        await ledger.ensure_partition(first, 201)
        second = asyncio.create_task(make())
        await asyncio.sleep(0.1)  # it has looked, and waits
    await second
    assert await db.fetchval("SELECT count(*) FROM pg_class WHERE relname = 'ledger_200'") == 1


async def test_who_shares_an_address_is_remembered_beyond_a_crash_of_the_server_and_no_longer_than_needed(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    persistence = await db.fetchval("SELECT relpersistence FROM pg_class WHERE relname = 'prepare_duplicate'")
    assert persistence == b"p", "an unlogged table is empty after a crash"
    await add_person(db, "same@mail.example")
    await add_person(db, "same@mail.example")
    await prepared(engine, runtime, db, await new_delivery(runtime, db))
    assert await db.fetchval("SELECT count(*) FROM prepare_duplicate") == 0


@pytest.mark.parametrize("question", ["top(2 by id)", "rank(by id desc) <= 2", "in_audience('best') and id > 0"])
async def test_whom_a_ranking_finds_is_asked_once(engine: Engine, runtime: Runtime, db: Connection, question: str) -> None:
    await add_people(db, 6)
    draft = AudienceDraft(name="best", label="Best", expression=parse_text("top(2 by id)"))
    await create_audience(db, SYSTEM, draft)
    delivery_id = await new_delivery(runtime, db, audience=question)
    async with db.transaction():
        await lifecycle.prepare(db, SYSTEM, delivery_id, runtime.clock())
    plan = await engine.preparation._lay_out(delivery_id)
    assert plan is not None
    assert await engine.preparation._write_range(plan, 0, 5)
    await add_person(db, "higher@mail.example")

    # When it goes on in another process
    again = await engine.preparation._lay_out(delivery_id)
    assert again is not None
    assert await engine.preparation._write_range(again, 5, 6)
    await engine.preparation._finish(again)

    assert [row.recipient_id for row in await ledger.list_rows(db, delivery_id, None, None, 10)] == [5, 6]
    assert await db.fetchval("SELECT count(*) FROM prepare_target") == 0


async def test_whatever_goes_wrong_ends_the_preparation_with_a_word(
    engine: Engine, runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(*_: object) -> None:
        raise RuntimeError("out of ideas")

    await add_person(db, "ana@mail.example")
    delivery_id = await new_delivery(runtime, db)
    async with db.transaction():
        await lifecycle.prepare(db, SYSTEM, delivery_id, runtime.clock())
    monkeypatch.setattr(engine.preparation, "_write_range", breaks)
    with pytest.raises(RuntimeError):
        await engine.preparation.run(delivery_id)
    run = await lifecycle.get_run(db, delivery_id)
    assert run.state is DeliveryState.PREPARATION_ERROR
    assert run.error is not None
    assert run.error["code"] == "INTERNAL"


async def test_a_value_that_the_database_does_not_hold_ends_the_preparation_by_name(
    engine: Engine, runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def too_much(*_: object) -> None:
        await db.fetchval("SELECT length(repeat('x', 1200000000))")

    await add_person(db, "ana@mail.example")
    delivery_id = await new_delivery(runtime, db)
    async with db.transaction():
        await lifecycle.prepare(db, SYSTEM, delivery_id, runtime.clock())
    monkeypatch.setattr(engine.preparation, "_write_range", too_much)
    await engine.preparation.run(delivery_id)
    run = await lifecycle.get_run(db, delivery_id)
    assert run.state is DeliveryState.PREPARATION_ERROR
    assert run.error is not None
    assert run.error["code"] == "VALUE_TOO_LARGE"


async def test_a_kind_of_address_that_profiles_do_not_have_is_said(
    engine: Engine, runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = dataclasses.replace(MemoryChannel.manifest, address_kind=AddressKind.PUSH)
    monkeypatch.setattr(MemoryChannel, "manifest", manifest)
    delivery_id = await new_delivery(runtime, db)
    async with db.transaction():
        await lifecycle.prepare(db, SYSTEM, delivery_id, runtime.clock())
    await engine.preparation.run(delivery_id)
    run = await lifecycle.get_run(db, delivery_id)
    assert run.error is not None
    assert run.error["code"] == "ADDRESS_KIND_UNKNOWN"


async def test_what_is_prepared_by_another_engine_is_not_rendered_by_this_one(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    await add_person(db, "ana@mail.example")
    delivery_id = await new_delivery(runtime, db)
    await prepared(engine, runtime, db, delivery_id)
    await db.execute("UPDATE program SET engine_version = 0")
    afresh = Programs(engine.registry, PublicUrls(runtime.settings, runtime.keyring))
    with pytest.raises(Unavailable, match="render engine"):
        await afresh.list_of(db, delivery_id)


async def test_why_asks_about_somebody_who_exists(engine: Engine, runtime: Runtime, db: Connection) -> None:
    outside = await add_person(db, "out@mail.example", country="FR")
    delivery_id = await new_delivery(runtime, db, audience="country = 'DE'")
    assert (await reading.explain(db, delivery_id, outside)).summary == "The delivery has not been prepared."
    await prepared(engine, runtime, db, delivery_id)
    assert "Not in the audience" in (await reading.explain(db, delivery_id, outside)).summary
    with pytest.raises(NotFound):
        await reading.explain(db, delivery_id, 999)


async def test_what_to_look_at_in_the_content_stands_in_the_log(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await add_person(db, "ana@mail.example")
    delivery_id = await new_delivery(runtime, db, html="<p>\n{{ profile.first_name }}</p>" + "<a href='#'>x</a>" * 30)
    await prepared(engine, runtime, db, delivery_id)
    (entry,) = [one for one in await runs.list_log(db, delivery_id, None, 50) if one.code == "CONTENT_WARNINGS"]
    assert entry.details is not None
    told = [(one["code"], one["line"]) for one in entry.details["warnings"]]
    assert ("NULLABLE_FIELD", 2) in told
    assert len(told) == prepare.MOST_LOGGED < entry.details["count"]


async def test_people_are_chosen_by_fields_of_the_team(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await publish_fields(db, field("points", FieldKind.INTEGER))
    people = [await add_person(db, f"p{points}@mail.example", x_points=points) for points in (1, 5, 9)]
    delivery_id = await new_delivery(runtime, db, audience="points > 4")

    counts = await prepared(engine, runtime, db, delivery_id)

    assert (counts.targeted, counts.pending) == (2, 2)
    assert await reading.find_row(db, delivery_id, people[0]) is None
