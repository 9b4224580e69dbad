"""Suppression lists keep people out: when a delivery is prepared, and again when its rows are claimed."""

from __future__ import annotations

import dataclasses
import hashlib
from datetime import timedelta

import pytest

from channels.contract import AddressKind, FailureReason
from channels.memory.channel import MemoryChannel
from core.access import SYSTEM
from core.db import Connection
from core.delivery import ending, lifecycle
from core.delivery.engine import Engine
from core.delivery.prepare import PREPARATION
from core.delivery.records import LedgerState
from core.planning import deliveries
from core.profiles import refusals, suppression, suppression_entries
from core.profiles.suppression_records import (
    EntryOutcome,
    SuppressionDraft,
    SuppressionKind,
    SuppressionListDraft,
    SuppressionScope,
)
from core.runtime import Runtime
from tests.core.delivery.people import Times, add_person, check_equation, confirmed, new_delivery, outcome_of, prepared

SUPPRESSED = FailureReason.SUPPRESSED_ADDRESS


async def send(engine: Engine, runtime: Runtime, db: Connection, delivery_id: int) -> None:
    """Start a confirmed delivery and send what is due."""
    assert await ending.start(runtime.pool, delivery_id, runtime.clock())
    await engine.sending.run(delivery_id)


async def new_list(
    runtime: Runtime, db: Connection, *values: str | SuppressionDraft, kind: SuppressionKind = SuppressionKind.EMAIL,
    scope: SuppressionScope = SuppressionScope.ALL, name: str = "partners",
) -> int:  # fmt: skip
    """A list with entries; returns its id."""
    draft = SuppressionListDraft(name=name, label="Partners", kind=kind, scope=scope)
    made = await suppression.create_list(db, SYSTEM, draft)
    await put(runtime, db, made.id, *values)
    return made.id


async def put(runtime: Runtime, db: Connection, list_id: int, *values: str | SuppressionDraft) -> None:
    """Entries for a list."""
    drafts = [one if isinstance(one, SuppressionDraft) else SuppressionDraft(value=one) for one in values]
    if drafts:
        added = await suppression_entries.add_entries(db, SYSTEM, runtime.keyring, list_id, drafts, now=runtime.clock())
        assert {one.outcome for one in added} == {EntryOutcome.ADDED}


def sha256(text: str) -> str:
    """As partners deliver it."""
    return hashlib.sha256(text.encode()).hexdigest()


def md5(text: str) -> str:
    """As partners deliver it."""
    return hashlib.md5(text.encode()).hexdigest()


PEOPLE = {
    "plain": "Plain@mail.example", "sha": "Sha@mail.example", "md5": "md5@mail.example", "domain": "x@bad.example",
    "below_domain": "x@a.bad.example", "deep": "x@a.b.wide.example", "wide": "x@wide.example", "near": "x@notwide.example",
    "expired": "old@mail.example", "fine": "fine@mail.example",
}  # fmt: skip
IN_LISTS = {"plain", "sha", "md5", "domain", "deep", "wide"}


async def fill(runtime: Runtime, db: Connection, scope: SuppressionScope) -> list[int]:
    """Lists that hold people in every form; their ids."""
    ending = SuppressionDraft(value="old@mail.example", expires_at=runtime.clock() + timedelta(hours=1))
    hashed = sha256("sha@mail.example").upper()
    return [
        await new_list(runtime, db, "PLAIN@mail.example", hashed, md5("md5@mail.example"), ending, scope=scope),
        await new_list(
            runtime, db, "bad.example", "*.Wide.example", kind=SuppressionKind.EMAIL_DOMAIN, scope=scope, name="domains"
        ),
    ]


async def test_every_form_of_entry_excludes_at_preparation(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    # Given people whom lists name as an address, by a hash, by their domain or by one above it
    people = {name: await add_person(db, email) for name, email in PEOPLE.items()}
    await fill(runtime, db, SuppressionScope.ALL)
    times.move(hours=1)

    # When a delivery is prepared
    delivery_id = await new_delivery(runtime, db)
    counts = await prepared(engine, runtime, db, delivery_id)

    # Then they are left out for this one reason, and nobody else is
    found = {name: await outcome_of(db, delivery_id, key) for name, key in people.items()}
    assert {name for name, one in found.items() if one == (LedgerState.EXCLUDED, SUPPRESSED)} == IN_LISTS
    assert {one for name, one in found.items() if name not in IN_LISTS} == {(LedgerState.PENDING, FailureReason.NOT_DEFINED)}
    assert counts.targeted == len(PEOPLE)
    await check_equation(db, delivery_id)


async def test_who_is_put_on_a_list_after_the_preparation_is_withdrawn_at_the_claim(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    people = {name: await add_person(db, email) for name, email in PEOPLE.items()}
    delivery_id = await new_delivery(runtime, db)
    assert (await prepared(engine, runtime, db, delivery_id)).pending == len(PEOPLE)
    await confirmed(db, runtime, delivery_id)

    await fill(runtime, db, SuppressionScope.ALL)
    times.move(hours=1)
    await send(engine, runtime, db, delivery_id)

    found = {name: await outcome_of(db, delivery_id, key) for name, key in people.items()}
    assert {name for name, one in found.items() if one == (LedgerState.WITHDRAWN, SUPPRESSED)} == IN_LISTS
    assert {one[0] for name, one in found.items() if name not in IN_LISTS} == {LedgerState.ACCEPTED}
    await check_equation(db, delivery_id)


@pytest.mark.parametrize("late", [False, True], ids=["preparation", "claim"])
async def test_a_list_for_some_applies_to_deliveries_that_name_it(
    engine: Engine, runtime: Runtime, db: Connection, late: bool
) -> None:
    await add_person(db, "plain@mail.example")
    first, second = await new_delivery(runtime, db, name="first"), await new_delivery(runtime, db, name="second")
    list_id = await new_list(runtime, db, scope=SuppressionScope.NAMED)
    await deliveries.update_delivery(db, SYSTEM, first, {"suppression_list_ids": (list_id,)})
    if not late:
        await put(runtime, db, list_id, "plain@mail.example")
    for one in (first, second):
        await prepared(engine, runtime, db, one)
    if late:
        await put(runtime, db, list_id, "plain@mail.example")

    for one in (first, second):
        await confirmed(db, runtime, one)
        await send(engine, runtime, db, one)

    state = LedgerState.WITHDRAWN if late else LedgerState.EXCLUDED
    assert await outcome_of(db, first, 1) == (state, SUPPRESSED)
    assert (await outcome_of(db, second, 1))[0] is LedgerState.ACCEPTED


async def test_an_entry_that_ends_does_not_count_from_then_on(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    await add_person(db, "a@mail.example")
    end = runtime.clock() + timedelta(minutes=1)
    await new_list(runtime, db, SuppressionDraft(value="a@mail.example", expires_at=end))
    before, after = await new_delivery(runtime, db, name="before"), await new_delivery(runtime, db, name="after")
    await prepared(engine, runtime, db, before)
    times.move(minutes=1)
    await prepared(engine, runtime, db, after)

    assert await outcome_of(db, before, 1) == (LedgerState.EXCLUDED, SUPPRESSED)
    assert (await outcome_of(db, after, 1))[0] is LedgerState.PENDING


async def test_lists_of_another_kind_say_nothing(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await add_person(db, "a@mail.example", mobile_phone="+33612345678")
    await new_list(runtime, db, "+33612345678", kind=SuppressionKind.MOBILE)
    await new_list(runtime, db, "a@mail.example", kind=SuppressionKind.OTHER, name="others")
    delivery_id = await new_delivery(runtime, db)

    assert (await prepared(engine, runtime, db, delivery_id)).pending == 1
    await confirmed(db, runtime, delivery_id)
    await send(engine, runtime, db, delivery_id)
    assert (await outcome_of(db, delivery_id, 1))[0] is LedgerState.ACCEPTED


async def test_the_first_reason_counts_and_who_is_suppressed_keeps_no_address_from_others(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    opted_out = await add_person(db, "a@mail.example", opt_out=True)
    twins = [await add_person(db, "twin@mail.example") for _ in range(2)]
    await new_list(runtime, db, "a@mail.example", "twin@mail.example")
    delivery_id = await new_delivery(runtime, db)

    await prepared(engine, runtime, db, delivery_id)

    assert await outcome_of(db, delivery_id, opted_out) == (LedgerState.EXCLUDED, FailureReason.DENYLISTED_ADDRESS)
    assert {await outcome_of(db, delivery_id, one) for one in twins} == {(LedgerState.EXCLUDED, SUPPRESSED)}


async def test_empty_lists_cost_a_preparation_nothing(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await add_person(db, "a@mail.example")
    await new_list(runtime, db)
    reach = await suppression.find_reach(db, AddressKind.EMAIL, [])
    assert reach.lists == {}
    delivery_id = await new_delivery(runtime, db)
    async with db.transaction():
        await lifecycle.prepare(db, SYSTEM, delivery_id, runtime.clock())
    plan = await engine.preparation._lay_out(delivery_id)
    assert plan is not None
    assert "suppression_entry" not in plan.population.range_statement(0, 1).text
    assert [step.name for step in PREPARATION][-4:] == ["short code", "suppression lists", "erased", "duplicate"]


@pytest.mark.parametrize("late", [False, True], ids=["preparation", "claim"])
async def test_stop_to_a_short_code_holds_for_messages_from_it(
    engine: Engine, runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    # Given a channel to phones, and two accounts that send from short codes
    manifest = dataclasses.replace(MemoryChannel.manifest, address_kind=AddressKind.MOBILE)
    monkeypatch.setattr(MemoryChannel, "manifest", manifest)
    stopped, other = [await add_person(db, None, mobile_phone=f"+3361234567{n}") for n in (8, 9)]
    codes = {await new_delivery(runtime, db, name=code): code for code in ("38000", "38001")}
    for delivery_id, code in codes.items():
        await db.execute(
            """
            UPDATE channel_account SET config = config || jsonb_build_object('short_code', $2::text)
             WHERE id = (SELECT channel_account_id FROM delivery WHERE id = $1)
            """,
            delivery_id, code,
        )  # fmt: skip

    # When somebody answers STOP to one of them
    for step in (True, False):
        if step is late:
            for delivery_id in codes:
                await prepared(engine, runtime, db, delivery_id)
        else:
            phones = ["+33 6 12 34 56 78"]
            assert await refusals.record_stop(
                db, SYSTEM, runtime.keyring, phones, short_code="38000", now=runtime.clock()
            ) == 1  # fmt: skip
    for delivery_id in codes:
        await confirmed(db, runtime, delivery_id)
        await send(engine, runtime, db, delivery_id)

    # Then only messages from it do not go out
    state = LedgerState.WITHDRAWN if late else LedgerState.EXCLUDED
    first, second = codes
    assert await outcome_of(db, first, stopped) == (state, FailureReason.DENYLISTED_ADDRESS)
    assert {(await outcome_of(db, *one))[0] for one in ((first, other), (second, stopped), (second, other))} == {
        LedgerState.ACCEPTED
    }
