"""Sending over the memory channel: every pending row once, every end recorded, the account and the person respected."""

from __future__ import annotations

import asyncio
import dataclasses
import json

import pytest

from channels.contract import ConfigField, ConfigType, FailureReason, Limits
from channels.memory.channel import MemoryChannel
from channels.memory.stores import store
from core.access import SYSTEM
from core.config import load_settings
from core.db import Connection
from core.delivery import doubt, ending, jobs, lifecycle, reading
from core.delivery.doubt import Decision
from core.delivery.engine import Engine, open_engine
from core.delivery.ledger_writer import LedgerWriter
from core.delivery.records import DeliveryState, LedgerState
from core.delivery.retries import Verdict
from core.delivery.store.moves import Settlement
from core.outbox import take
from core.planning import channel_accounts
from core.profiles import quarantine
from core.runtime import Runtime
from tests.core.delivery.people import (
    Times,
    add_people,
    check_equation,
    confirmed,
    new_delivery,
    outcome_of,
    prepared,
)


async def _started(engine: Engine, runtime: Runtime, db: Connection, name: str, people: int = 120, **config: object) -> int:
    await add_people(db, people)
    delivery_id = await new_delivery(runtime, db, name=name, config=dict(config))
    await prepared(engine, runtime, db, delivery_id)
    await confirmed(db, runtime, delivery_id)
    assert await ending.start(runtime.pool, delivery_id, runtime.clock())
    return delivery_id


async def _first_message(name: str, sending: asyncio.Task[None]) -> None:
    while not store(name).messages:
        assert not sending.done(), sending
        await asyncio.sleep(0.01)


async def _state(db: Connection, delivery_id: int) -> DeliveryState:
    return (await lifecycle.get_run(db, delivery_id)).state


async def test_a_confirmed_delivery_reaches_everybody_once_and_finishes(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    delivery_id = await _started(engine, runtime, db, "everybody")
    await engine.sending.run(delivery_id)
    kept = store("everybody").messages
    assert sorted(message.identity.recipient_id for message in kept) == list(range(1, 121))
    assert json.loads(kept[0].body)["html"] == f"<p>Hello Name{kept[0].identity.recipient_id}</p>"
    counts = await reading.counts(db, delivery_id)
    assert (counts.accepted, counts.pending, counts.sent) == (120, 0, 120)
    assert await _state(db, delivery_id) is DeliveryState.FINISHED
    await check_equation(db, delivery_id)


async def test_somebody_who_leaves_after_prepare_gets_nothing(engine: Engine, runtime: Runtime, db: Connection) -> None:
    delivery_id = await _started(engine, runtime, db, "leaver", people=3)
    await db.execute("UPDATE profile SET opt_out = true WHERE id = 2")
    await engine.sending.run(delivery_id)
    assert sorted(message.identity.recipient_id for message in store("leaver").messages) == [1, 3]
    assert await outcome_of(db, delivery_id, 2) == (LedgerState.WITHDRAWN, FailureReason.DENYLISTED_ADDRESS)
    explanation = await reading.explain(db, delivery_id, 2)
    assert explanation.summary == "Withdrawn before it was sent: the person opted out."
    await check_equation(db, delivery_id)


async def test_a_transient_failure_is_tried_again_later_and_a_refusal_is_final(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    delivery_id = await _started(engine, runtime, db, "mixed", people=4, outcomes="accepted,transient,content_rejected,unknown")
    await engine.sending.run(delivery_id)
    counts = await reading.counts(db, delivery_id)
    assert (counts.accepted, counts.pending, counts.failed, counts.unknown) == (1, 1, 1, 1)
    assert await _state(db, delivery_id) is DeliveryState.STARTED
    await check_equation(db, delivery_id)

    # Not before its time …
    await engine.sending.run(delivery_id)
    assert (await reading.counts(db, delivery_id)).pending == 1
    # … but then: the next outcome of the cycle accepts it
    times.move(seconds=61)
    await engine.sending.run(delivery_id)
    counts = await reading.counts(db, delivery_id)
    assert (counts.accepted, counts.pending) == (2, 0)
    assert await _state(db, delivery_id) is DeliveryState.FINISHED
    await check_equation(db, delivery_id)


async def test_what_is_left_after_the_duration_expires(engine: Engine, runtime: Runtime, db: Connection, times: Times) -> None:
    delivery_id = await _started(engine, runtime, db, "late", people=5, outcomes="transient")
    await engine.sending.run(delivery_id)
    times.move(days=4)
    await engine.sending.run(delivery_id)
    await ending.end_if_done(runtime.pool, delivery_id, times())
    counts = await reading.counts(db, delivery_id)
    assert (counts.expired, counts.pending) == (5, 0)
    assert await _state(db, delivery_id) is DeliveryState.FINISHED
    await check_equation(db, delivery_id)


async def test_pause_takes_claims_back_and_resume_goes_on(engine: Engine, runtime: Runtime, db: Connection) -> None:
    delivery_id = await _started(engine, runtime, db, "pause", people=400, delay=0.02)
    sending = asyncio.create_task(engine.sending.run(delivery_id))
    await _first_message("pause", sending)
    async with db.transaction():
        await lifecycle.pause(db, SYSTEM, delivery_id, runtime.clock())
    await sending
    counts = await reading.counts(db, delivery_id)
    assert 0 < counts.accepted < 400
    assert counts.unknown == 0
    assert await db.fetchval("SELECT count(*) FROM ledger WHERE state IN (2, 3)") == 0
    assert counts.accepted == len(store("pause").messages)
    await check_equation(db, delivery_id)

    async with db.transaction():
        await lifecycle.resume(db, SYSTEM, delivery_id, runtime.clock())
    await engine.sending.run(delivery_id)
    assert len({message.identity for message in store("pause").messages}) == 400
    assert len(store("pause").messages) == 400
    assert await _state(db, delivery_id) is DeliveryState.FINISHED
    await check_equation(db, delivery_id)


async def test_stop_cancels_the_rest_for_good(engine: Engine, runtime: Runtime, db: Connection) -> None:
    delivery_id = await _started(engine, runtime, db, "stop", people=400, delay=0.02)
    sending = asyncio.create_task(engine.sending.run(delivery_id))
    await _first_message("stop", sending)
    async with db.transaction():
        await lifecycle.stop(db, SYSTEM, delivery_id, runtime.clock())
    await sending
    await ending.end_if_done(runtime.pool, delivery_id, runtime.clock())
    counts = await reading.counts(db, delivery_id)
    assert counts.cancelled == 400 - len(store("stop").messages) > 0
    assert (counts.pending, counts.unknown) == (0, 0)
    assert await _state(db, delivery_id) is DeliveryState.CANCELLED
    await check_equation(db, delivery_id)


async def test_a_process_that_must_end_leaves_nothing_claimed_or_in_doubt(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    delivery_id = await _started(engine, runtime, db, "ending", people=400, delay=0.02)
    sending = asyncio.create_task(engine.sending.run(delivery_id))
    await _first_message("ending", sending)
    runtime.stopping.set()
    await asyncio.wait_for(sending, 10)
    counts = await reading.counts(db, delivery_id)
    assert counts.unknown == 0
    assert await db.fetchval("SELECT count(*) FROM ledger WHERE state IN (2, 3)") == 0
    assert await db.fetchval("SELECT count(*) FROM lease WHERE ended_at IS NULL") == 0
    assert counts.accepted + counts.pending == 400
    await check_equation(db, delivery_id)


async def test_too_many_invalid_addresses_pause_the_delivery_and_quarantine_the_addresses(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    delivery_id = await _started(
        engine, runtime, db, "invalid", people=1500, outcomes="accepted,accepted,accepted,invalid_address"
    )
    await engine.sending.run(delivery_id)
    run = await lifecycle.get_run(db, delivery_id)
    counts = await reading.counts(db, delivery_id)
    assert run.state is DeliveryState.PAUSED
    assert run.pause_reason is not None
    assert "do not exist" in run.pause_reason
    assert counts.pending > 0
    assert await db.fetchval("SELECT count(*) FROM quarantine WHERE status = 'quarantine'") == counts.failed > 50
    await check_equation(db, delivery_id)


async def test_an_account_error_pauses_the_account_and_keeps_the_messages(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    delivery_id = await _started(engine, runtime, db, "broken", people=10, outcomes="account_error")
    await engine.sending.run(delivery_id)
    account_id = await db.fetchval("SELECT channel_account_id FROM delivery WHERE id = $1", delivery_id)
    account = await channel_accounts.get_account(db, account_id)
    assert account.paused_at is not None
    assert (await reading.counts(db, delivery_id)).pending == 10


async def test_an_answer_that_repeats_a_secret_is_kept_without_it(
    engine: Engine, runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a provider that says the password in every answer
    password = ConfigField(name="password", type=ConfigType.TEXT, description="Word.", secret=True)
    manifest = dataclasses.replace(MemoryChannel.manifest, config=(*MemoryChannel.manifest.config, password))
    monkeypatch.setattr(MemoryChannel, "manifest", manifest)
    config = {"outcomes": "content_rejected,account_error", "password": "configured"}
    delivery_id = await _started(engine, runtime, db, "parrot", people=2, **config)

    await engine.sending.run(delivery_id)

    answers = await db.fetchval(
        "SELECT array_agg(answer) FROM ledger WHERE delivery_id = $1 AND answer IS NOT NULL", delivery_id
    )
    reason = await db.fetchval("SELECT pause_reason FROM channel_account")
    assert set(answers) == {"as …"}
    assert reason == "as …"


async def test_a_provider_that_is_down_opens_the_breaker(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    delivery_id = await _started(engine, runtime, db, "down", people=10, outcomes="provider_down")
    await engine.sending.run(delivery_id)
    account_id = await db.fetchval("SELECT channel_account_id FROM delivery WHERE id = $1", delivery_id)
    account = await channel_accounts.get_account(db, account_id)
    assert account.paused_at is None
    assert account.retry_at is not None
    assert account.retry_at > times()
    assert (await reading.counts(db, delivery_id)).pending == 10


async def test_a_value_that_cannot_be_rendered_fails_that_person_alone(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    await add_people(db, 5)
    html = "<p>{% for n in (1..profile.external_id) %}{{ profile.first_name }}{% endfor %}</p>"
    await db.execute("UPDATE profile SET external_id = CASE WHEN id = 3 THEN '999999999' ELSE id::text END")
    delivery_id = await new_delivery(runtime, db, name="render", html=html)
    await prepared(engine, runtime, db, delivery_id)
    await confirmed(db, runtime, delivery_id)
    await ending.start(runtime.pool, delivery_id, runtime.clock())
    await engine.sending.run(delivery_id)
    assert await outcome_of(db, delivery_id, 3) == (LedgerState.FAILED, FailureReason.RENDERING_FAILED)
    told = (await reading.explain(db, delivery_id, 3)).summary
    assert told.startswith("Failed: the message could not be rendered for this person. The template said: html:1: ")
    counts = await reading.counts(db, delivery_id)
    assert (counts.accepted, counts.failed, counts.sent) == (4, 1, 4)
    await check_equation(db, delivery_id)


async def test_start_waits_for_the_contact_date_and_refuses_what_changed(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    await add_people(db, 3)
    delivery_id = await new_delivery(runtime, db, name="later")
    await db.execute("UPDATE delivery SET contact_at = $1", times.now.replace(hour=18))
    await prepared(engine, runtime, db, delivery_id)
    await confirmed(db, runtime, delivery_id)
    assert not await ending.start(runtime.pool, delivery_id, times())
    await db.execute("UPDATE audience SET version = version + 1")
    times.move(hours=10)
    assert not await ending.start(runtime.pool, delivery_id, times())
    assert await _state(db, delivery_id) is DeliveryState.EDITION
    assert not store("later").messages


async def test_the_sweep_finds_work_that_no_message_announced(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    delivery_id = await _started(engine, runtime, db, "swept", people=3)
    async with db.transaction():
        await take(db, 1000)  # the broker lost everything
    await jobs.sweep(runtime)
    async with db.transaction():
        found = [(one.topic, one.ids) for one in await take(db, 1000)]
    assert found == [("delivery.due", {"delivery_id": delivery_id})]


async def test_two_processes_share_a_delivery(engine: Engine, runtime: Runtime, db: Connection) -> None:
    delivery_id = await _started(engine, runtime, db, "shared", people=600, delay=0.01)
    settings = load_settings(**{**dict(runtime.settings), "worker_processes": 2})
    other = open_engine(dataclasses.replace(runtime, settings=settings, worker_id="worker-b", resources={}))
    engine.sending._runtime.settings = settings
    try:
        await asyncio.gather(engine.sending.run(delivery_id), other.sending.run(delivery_id))
    finally:
        await other.close()
    assert len(store("shared").messages) == 600
    assert (await reading.counts(db, delivery_id)).accepted == 600
    assert await db.fetchval("SELECT count(DISTINCT worker) FROM lease WHERE settled > 0") == 2


async def _messages(name: str, least: int) -> None:
    while len(store(name).messages) < least:  # noqa: ASYNC110
        await asyncio.sleep(0.005)


async def test_an_account_that_is_paused_meanwhile_sends_no_further_batch(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    delivery_id = await _started(engine, runtime, db, "halted", people=500, delay=0.01)
    account_id = await db.fetchval("SELECT channel_account_id FROM delivery WHERE id = $1", delivery_id)
    sending = asyncio.create_task(engine.sending.run(delivery_id))
    await _messages("halted", 5)
    await channel_accounts.pause_account(db, SYSTEM, account_id, "look at it", now=times())
    await sending
    counts = await reading.counts(db, delivery_id)
    assert 5 <= counts.accepted <= 150
    assert counts.accepted + counts.pending == 500

    await channel_accounts.resume_account(db, SYSTEM, account_id)
    await engine.sending.run(delivery_id)
    assert (await reading.counts(db, delivery_id)).accepted == 500


async def test_an_account_that_is_changed_meanwhile_is_opened_anew(engine: Engine, runtime: Runtime, db: Connection) -> None:
    delivery_id = await _started(engine, runtime, db, "changed", people=500, delay=0.01)
    account_id = await db.fetchval("SELECT channel_account_id FROM delivery WHERE id = $1", delivery_id)
    sending = asyncio.create_task(engine.sending.run(delivery_id))
    await _messages("changed", 5)
    config = {"delay": 0.0}
    await channel_accounts.update_account(db, SYSTEM, engine.registry, runtime.keyring, account_id, {"config": config})
    await engine.sending._senders.get(await channel_accounts.get_account(db, account_id))  # as a second delivery does
    await asyncio.wait_for(sending, 30)
    assert await db.fetchval("SELECT count(*) FROM lease") < 10, "it does not claim again and again"
    await engine.sending.run(delivery_id)
    assert (await reading.counts(db, delivery_id)).accepted == 500


async def test_the_breaker_stays_open_whatever_other_lanes_report(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    outcomes = ",".join(["accepted"] * 70 + ["provider_down"])
    delivery_id = await _started(engine, runtime, db, "breaker", people=300, outcomes=outcomes, delay=0.005)
    account_id = await db.fetchval("SELECT channel_account_id FROM delivery WHERE id = $1", delivery_id)
    await engine.sending.run(delivery_id)
    account = await channel_accounts.get_account(db, account_id)
    assert account.retry_at is not None
    assert account.retry_at > times()
    assert (await reading.counts(db, delivery_id)).pending > 0


async def test_a_message_taken_after_all_forgets_the_addresss_soft_errors(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    delivery_id = await _started(engine, runtime, db, "recovered", people=2)
    await quarantine.record_soft(
        db, "email", [quarantine.AddressError(address_key="p1@mail.example", reason=FailureReason.MAILBOX_FULL, text="full")],
        delivery_id=None, now=times(),
    )  # fmt: skip
    await engine.sending.run(delivery_id)
    assert (await reading.counts(db, delivery_id)).accepted == 2
    assert await quarantine.find_entry(db, "email", "p1@mail.example") is None


async def test_a_channel_that_cannot_be_opened_pauses_the_delivery_and_says_why(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    delivery_id = await _started(engine, runtime, db, "unopened", people=3)
    await db.execute("UPDATE channel_account SET config = jsonb_set(config, '{outcomes}', '\"acepted\"')")
    await engine.sending.run(delivery_id)
    run = await lifecycle.get_run(db, delivery_id)
    assert run.state is DeliveryState.PAUSED
    assert run.pause_reason is not None
    assert "acepted" in run.pause_reason


async def test_a_message_larger_than_the_channel_takes_fails_alone(
    engine: Engine, runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_people(db, 2)
    await db.execute("UPDATE profile SET first_name = repeat('x', 100) WHERE id = 1")
    manifest = dataclasses.replace(MemoryChannel.manifest, limits=Limits(max_bytes=200))
    monkeypatch.setattr(MemoryChannel, "manifest", manifest)
    delivery_id = await new_delivery(runtime, db, name="large")
    await prepared(engine, runtime, db, delivery_id)
    await confirmed(db, runtime, delivery_id)
    assert await ending.start(runtime.pool, delivery_id, runtime.clock())
    await engine.sending.run(delivery_id)
    assert await outcome_of(db, delivery_id, 1) == (LedgerState.FAILED, FailureReason.TEXT_TOO_LONG)
    assert await outcome_of(db, delivery_id, 2) == (LedgerState.ACCEPTED, FailureReason.NOT_DEFINED)
    await check_equation(db, delivery_id)


async def test_waiting_for_a_retry_is_a_state_of_its_own(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    delivery_id = await _started(engine, runtime, db, "waits", people=3, outcomes="transient")
    await engine.sending.run(delivery_id)
    await jobs.sweep(runtime)
    assert await _state(db, delivery_id) is DeliveryState.RETRY_PENDING
    times.move(seconds=61)
    await jobs.sweep(runtime)
    assert await _state(db, delivery_id) is DeliveryState.RETRY_IN_PROGRESS
    async with db.transaction():
        await lifecycle.pause(db, SYSTEM, delivery_id, times())
    assert await _state(db, delivery_id) is DeliveryState.PAUSED


@pytest.mark.parametrize("decision", list(Decision))
async def test_an_operator_settles_what_is_in_doubt(
    engine: Engine, runtime: Runtime, db: Connection, decision: Decision
) -> None:
    # Given a running delivery with messages in doubt and one that still waits
    name = f"doubt-{decision.value}"
    delivery_id = await _started(engine, runtime, db, name, people=6, outcomes="accepted,unknown,transient")
    await engine.sending.run(delivery_id)
    before = await reading.counts(db, delivery_id)
    assert (before.accepted, before.unknown, before.pending) == (2, 2, 2)

    # When an operator says what became of them
    async with db.transaction():
        assert await doubt.settle_doubtful(db, SYSTEM, delivery_id, decision, runtime.clock()) == 2
        assert await doubt.settle_doubtful(db, SYSTEM, delivery_id, decision, runtime.clock()) == 0

    # Then none is in doubt and the equation holds
    counts = await reading.counts(db, delivery_id)
    expected = {Decision.ACCEPTED: (4, 0, 2), Decision.FAILED: (2, 2, 2), Decision.RESEND: (2, 0, 4)}[decision]
    assert (counts.accepted, counts.failed, counts.pending) == expected
    assert counts.unknown == 0
    await check_equation(db, delivery_id)


@pytest.mark.parametrize("decision", list(Decision))
async def test_doubt_that_has_a_reason_leaves_no_trace_in_the_counters(
    engine: Engine, runtime: Runtime, db: Connection, decision: Decision
) -> None:
    delivery_id = await _started(engine, runtime, db, f"reason-{decision.value}", people=2, outcomes="transient")
    writer = LedgerWriter(runtime.pool, delivery_id, "email", 0, runtime.clock)
    verdict = Verdict(state=LedgerState.UNKNOWN, reason=FailureReason.NOT_CONNECTED)
    await db.execute("UPDATE ledger SET state = 3, lease_id = 7 WHERE recipient_id = 1")
    writer.start()
    writer.settle(Settlement((1, 1, 0), 7, verdict, True, None, "connection lost", "p1@mail.example"))
    await writer.close()
    assert await outcome_of(db, delivery_id, 1) == (LedgerState.UNKNOWN, FailureReason.NOT_CONNECTED)
    await check_equation(db, delivery_id)
    async with db.transaction():
        assert await doubt.settle_doubtful(db, SYSTEM, delivery_id, decision, runtime.clock()) == 1
    await check_equation(db, delivery_id)


async def test_a_late_wish_to_try_again_stays_in_doubt_when_the_delivery_is_over(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    delivery_id = await _started(engine, runtime, db, "too-late", people=1)
    await db.execute("UPDATE ledger SET state = 6, lease_id = 7, after_hand_over = true")
    await db.execute("UPDATE ledger_count SET state = 6, after_hand_over = true WHERE delivery_id = $1", delivery_id)
    await db.execute("UPDATE delivery_run SET state = 95")
    again = Verdict(state=LedgerState.PENDING, reason=FailureReason.REFUSED, due_at=runtime.clock(), counts_attempt=True)
    writer = LedgerWriter(runtime.pool, delivery_id, "email", 0, runtime.clock)
    writer.start()
    writer.settle(Settlement((1, 1, 0), 7, again, True, None, "451 4.3.0 later", "p1@mail.example"))
    await writer.close()
    assert (await outcome_of(db, delivery_id, 1))[0] is LedgerState.UNKNOWN
    await check_equation(db, delivery_id)


async def test_an_account_may_take_smaller_messages_than_its_channel(engine: Engine, runtime: Runtime, db: Connection) -> None:
    # Given somebody whose name makes the message too large for the account
    await add_people(db, 2)
    await db.execute("UPDATE profile SET first_name = repeat('x', 100) WHERE id = 2")
    delivery_id = await new_delivery(
        runtime, db, name="small", config={"max_bytes": 1500}, html="{{ profile.first_name }}" * 20
    )
    await prepared(engine, runtime, db, delivery_id)
    await confirmed(db, runtime, delivery_id)
    assert await ending.start(runtime.pool, delivery_id, runtime.clock())

    # Then that message alone fails
    await engine.sending.run(delivery_id)
    assert await outcome_of(db, delivery_id, 1) == (LedgerState.ACCEPTED, FailureReason.NOT_DEFINED)
    assert await outcome_of(db, delivery_id, 2) == (LedgerState.FAILED, FailureReason.TEXT_TOO_LONG)

    # And content that is too large for everybody cannot be prepared for it
    large = await new_delivery(runtime, db, name="large", config={"max_bytes": 1500}, html="x" * 2000)
    async with db.transaction():
        await lifecycle.prepare(db, SYSTEM, large, runtime.clock())
    await engine.preparation.run(large)
    run = await lifecycle.get_run(db, large)
    assert run.state is DeliveryState.PREPARATION_ERROR
    assert run.error is not None
    assert run.error["code"] == "MESSAGE_TOO_LARGE"
