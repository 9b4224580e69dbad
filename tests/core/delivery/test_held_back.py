"""Control groups and the global holdout: exact sizes, stable samples, and everybody else as before."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.contract import FailureReason
from core.access import SYSTEM
from core.clock import UTC_ZONE
from core.db import Connection
from core.delivery import lifecycle, prepare, reading, versions
from core.delivery.engine import Engine
from core.delivery.records import DeliveryState, LedgerState
from core.delivery.store import runs
from core.errors import Conflict, Invalid, NotFound, Stale
from core.planning import holdouts, seeds
from core.planning.campaigns import create_campaign
from core.planning.records import CampaignDraft
from core.planning.seed_records import ControlGroup, Extraction, HoldoutDraft, SameFor
from core.runtime import Runtime
from core.targeting import audiences
from core.targeting.errors import ExpressionError
from core.targeting.parse import parse_text
from core.targeting.records import AudienceDraft
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

IN_CONTROL = (LedgerState.EXCLUDED, FailureReason.CONTROL_GROUP)
TEN_PERCENT = ControlGroup(extraction=Extraction.RANDOM, share=Decimal(10))


async def hold_back(db: Connection, runtime: Runtime, delivery_id: int, group: ControlGroup | None) -> None:
    async with db.transaction():
        await lifecycle.set_control_group(db, SYSTEM, delivery_id, group, runtime.clock())


async def changed(db: Connection, runtime: Runtime, delivery_id: int, **changes: object) -> None:
    async with db.transaction():
        await lifecycle.update(db, SYSTEM, delivery_id, changes, now=runtime.clock())


async def held(db: Connection, delivery_id: int, reason: FailureReason = FailureReason.CONTROL_GROUP) -> set[int]:
    """Whom the ledger holds back, each with a row that looks like all excluded ones."""
    rows = await db.fetch(
        "SELECT recipient_id, program_id, values, settled_at FROM ledger WHERE delivery_id = $1 AND state = 0 AND reason = $2",
        delivery_id, reason,
    )  # fmt: skip
    assert all(row["program_id"] is None and row["values"] is None and row["settled_at"] is not None for row in rows)
    return {row["recipient_id"] for row in rows}


async def holdout(db: Connection, times: Times, share: int = 20, seed: int = 7) -> int:
    draft = HoldoutDraft(label="2026", share=Decimal(share), starts_at=times.now)
    return (await holdouts.create_holdout(db, SYSTEM, draft, seed=seed, now=times.now)).id


async def test_a_share_is_of_those_who_would_get_it_and_exact_over_all_ranges(
    engine: Engine, runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a hundred people, of whom ten opted out, prepared in many ranges
    monkeypatch.setattr(prepare, "RANGE", 7)
    await add_people(db, 100)
    await db.execute("UPDATE profile SET opt_out = true WHERE id <= 10")
    delivery_id = await new_delivery(runtime, db)
    await hold_back(db, runtime, delivery_id, TEN_PERCENT)

    # When it is prepared, nine of the ninety are held back, and counted among the exclusions
    counts = await prepared(engine, runtime, db, delivery_id)
    first = await held(db, delivery_id)
    assert len(first) == 9
    assert (counts.targeted, counts.excluded, counts.pending) == (100, 19, 81)
    assert {(row.reason, row.n) for row in counts.by_reason if row.state is LedgerState.EXCLUDED} == {
        (FailureReason.DENYLISTED_ADDRESS, 10), (FailureReason.CONTROL_GROUP, 9),
    }  # fmt: skip
    await check_equation(db, delivery_id)
    told = await reading.explain(db, delivery_id, min(first))
    assert told.summary == "Excluded at preparation: the person is in the delivery's control group."

    # And chance draws the same ones again, in ranges of another size
    monkeypatch.setattr(prepare, "RANGE", 50_000)
    await prepared(engine, runtime, db, delivery_id)
    assert await held(db, delivery_id) == first


async def test_another_delivery_draws_others_unless_it_is_drawn_for_the_campaign(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    await add_people(db, 200)
    async with db.transaction():
        campaign = await create_campaign(db, SYSTEM, CampaignDraft(name="c", label="C"))
    alone, other = [await new_delivery(runtime, db, name=name) for name in ("one", "two")]
    for delivery_id in (alone, other):
        await changed(db, runtime, delivery_id, campaign_id=campaign.id)
    drawn = {}
    for same_for in SameFor:
        for delivery_id in (alone, other):
            await hold_back(db, runtime, delivery_id, ControlGroup(extraction=Extraction.RANDOM, size=40, same_for=same_for))
            await prepared(engine, runtime, db, delivery_id)
            drawn[same_for, delivery_id] = await held(db, delivery_id)
    assert drawn[SameFor.DELIVERY, alone] != drawn[SameFor.DELIVERY, other]
    assert drawn[SameFor.CAMPAIGN, alone] == drawn[SameFor.CAMPAIGN, other]
    assert {len(one) for one in drawn.values()} == {40}


async def test_first_are_those_with_the_highest_value_or_the_lowest_and_the_smaller_limit_counts(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    people = [await add_person(db, f"p{n}@mail.example", zip_code=f"{n:03}") for n in range(20)]
    nowhere = await add_person(db, "nowhere@mail.example")  # without a value: the last one in either order
    delivery_id = await new_delivery(runtime, db)
    by = parse_text("zip_code")
    first = ControlGroup(extraction=Extraction.FIRST, by=by, size=3, share=Decimal(50))
    await hold_back(db, runtime, delivery_id, first)
    await prepared(engine, runtime, db, delivery_id)
    assert await held(db, delivery_id) == set(people[-3:])

    lowest = ControlGroup(extraction=Extraction.FIRST, by=by, size=15, share=Decimal(10), lowest=True)
    await hold_back(db, runtime, delivery_id, lowest)
    await prepared(engine, runtime, db, delivery_id)
    assert await held(db, delivery_id) == set(people[:2]), "a tenth of 21"
    assert (await outcome_of(db, delivery_id, nowhere))[0] is LedgerState.PENDING


async def test_whom_a_question_or_an_audience_names_is_held_back_and_chance_takes_more_of_the_rest(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    # Given people who are named by one or the other, and one who opted out besides
    for n in range(30):
        await add_person(db, f"p{n}@mail.example", country=("FR" if n < 5 else "DE" if n < 10 else "US"), opt_out=n == 0)
    async with db.transaction():
        asked = AudienceDraft(name="germans", label="Germans", expression=parse_text("country = 'DE'"))
        audience = await audiences.create_audience(db, SYSTEM, asked)
    delivery_id = await new_delivery(runtime, db)
    group = ControlGroup(
        extraction=Extraction.RANDOM, share=Decimal(50), audience_id=audience.id, question=parse_text("country = 'FR'")
    )
    await hold_back(db, runtime, delivery_id, group)

    # When it is prepared, the named ones are held back, and half of those who are left
    counts = await prepared(engine, runtime, db, delivery_id)
    found = await held(db, delivery_id)
    named = {row["id"] for row in await db.fetch("SELECT id FROM profile WHERE country IN ('FR', 'DE') AND NOT opt_out")}
    assert len(named) == 9
    assert named < found
    assert (len(found), counts.pending) == (19, 10)
    await check_equation(db, delivery_id)

    # And they can be asked for later, as people
    question = await audiences.open_question(db, parse_text("exists(messages where reason = 'control_group')"))
    ids = await audiences.sample(db, question, size=100, at=runtime.clock(), zone=UTC_ZONE)
    assert set(ids) == found


async def test_somebody_who_shares_the_address_of_one_held_back_does_not_get_it_instead(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    keeper = await add_person(db, "same@mail.example", country="FR")
    other = await add_person(db, "same@mail.example", country="US")
    delivery_id = await new_delivery(runtime, db)
    await hold_back(db, runtime, delivery_id, ControlGroup(question=parse_text("country = 'FR'")))
    await prepared(engine, runtime, db, delivery_id)
    assert await outcome_of(db, delivery_id, keeper) == IN_CONTROL
    assert await outcome_of(db, delivery_id, other) == (LedgerState.EXCLUDED, FailureReason.DUPLICATE)


async def test_a_crash_while_the_group_is_taken_out_leaves_nothing_half_done(
    engine: Engine, runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a preparation whose process dies behind its last range, with the group taken out and not committed
    monkeypatch.setattr(prepare, "RANGE", 10)
    await add_people(db, 45)
    delivery_id = await new_delivery(runtime, db)
    await hold_back(db, runtime, delivery_id, ControlGroup(extraction=Extraction.RANDOM, size=9))

    class Died(BaseException):
        pass

    async def die(*arguments: object) -> None:
        raise Died

    async with db.transaction():
        await lifecycle.prepare(db, SYSTEM, delivery_id, runtime.clock())
    with monkeypatch.context() as dying:
        dying.setattr(runs, "finish_preparation", die)
        with pytest.raises(Died):
            await engine.preparation.run(delivery_id)
    assert await held(db, delivery_id) == set()
    await check_equation(db, delivery_id)

    # When another one goes on, the group is there once
    await engine.preparation.run(delivery_id)
    assert (await lifecycle.get_run(db, delivery_id)).state is DeliveryState.READY
    assert len(await held(db, delivery_id)) == 9
    await check_equation(db, delivery_id)


async def test_what_changes_whom_it_holds_back_makes_a_preparation_stale(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    await add_people(db, 10)
    delivery_id = await new_delivery(runtime, db)
    async with db.transaction():
        for name, text in (("inner", "country = 'FR'"), ("outer", "in_audience('inner')")):
            await audiences.create_audience(db, SYSTEM, AudienceDraft(name=name, label=name, expression=parse_text(text)))
    await hold_back(db, runtime, delivery_id, ControlGroup(question=parse_text("in_audience('outer')")))
    await prepared(engine, runtime, db, delivery_id)

    # Another group: back to edition at once
    await hold_back(db, runtime, delivery_id, ControlGroup(question=parse_text("in_audience('outer') or country = 'US'")))
    assert (await lifecycle.get_run(db, delivery_id)).state is DeliveryState.EDITION
    await prepared(engine, runtime, db, delivery_id)

    # An audience that the group's question leads to: refused at the confirmation
    inner = await audiences.find_audience_by_name(db, "inner")
    assert inner is not None
    async with db.transaction():
        await audiences.update_audience(db, SYSTEM, inner.id, {"expression": parse_text("country = 'DE'")})
    with pytest.raises(Stale, match="the audience 'inner' changed"):
        await confirmed(db, runtime, delivery_id)
    await prepared(engine, runtime, db, delivery_id)

    # A holdout that begins, or ends
    kept = await holdout(db, times)
    run = await lifecycle.get_run(db, delivery_id)
    assert await versions.changed_since(db, run, times.now) == ["the global holdout"]
    await prepared(engine, runtime, db, delivery_id)
    times.move(hours=1)
    await holdouts.update_holdout(db, SYSTEM, kept, {"ends_at": times.now}, now=times.now)
    with pytest.raises(Stale, match="the global holdout changed"):
        await confirmed(db, runtime, delivery_id)


async def test_the_held_out_are_the_same_ones_in_every_delivery_but_those_that_ignore_it(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    await add_people(db, 300)
    left = await add_person(db, "left@mail.example", opt_out=True)
    await holdout(db, times)
    found = []
    for name in ("one", "two"):
        delivery_id = await new_delivery(runtime, db, name=name)
        counts = await prepared(engine, runtime, db, delivery_id)
        out = await held(db, delivery_id, FailureReason.GLOBAL_HOLDOUT)
        assert counts.pending == 300 - len(out)
        await check_equation(db, delivery_id)
        found.append(out)
    assert found[0] == found[1]
    assert 30 <= len(found[0]) <= 90, "about a fifth of 300"

    # A question tells the same, and a person who is kept away by something else has that as the reason
    question = await audiences.open_question(db, parse_text("held_out"))
    asked = set(await audiences.sample(db, question, size=1000, at=times.now, zone=UTC_ZONE))
    assert asked - {left} == found[0]
    assert await outcome_of(db, delivery_id, left) == (LedgerState.EXCLUDED, FailureReason.DENYLISTED_ADDRESS)

    service = await new_delivery(runtime, db, name="receipt")
    await changed(db, runtime, service, ignores_holdout=True)
    assert (await prepared(engine, runtime, db, service)).pending == 300

    # Who comes later is in it or not by their number, and the first ones stay
    await db.execute("DELETE FROM profile WHERE id % 2 = 0")
    later = await add_person(db, "later@mail.example")
    third = await new_delivery(runtime, db, name="three")
    await prepared(engine, runtime, db, third)
    again = await held(db, third, FailureReason.GLOBAL_HOLDOUT)
    assert again - {later} == {one for one in found[0] if one % 2}


async def test_the_number_of_the_one_who_stands_for_a_merged_person_counts(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    await add_people(db, 100)
    await holdout(db, times)
    question = await audiences.open_question(db, parse_text("held_out"))
    out = await audiences.sample(db, question, size=100, at=times.now, zone=UTC_ZONE)
    inside, outside = out[0], next(one for one in range(1, 101) if one not in out)
    await db.execute("UPDATE profile SET merged_into = $1 WHERE id = $2", outside, inside)
    delivery_id = await new_delivery(runtime, db)
    await prepared(engine, runtime, db, delivery_id)
    assert (await outcome_of(db, delivery_id, outside))[0] is LedgerState.PENDING
    assert await held(db, delivery_id, FailureReason.GLOBAL_HOLDOUT) == set(out[1:])


async def test_what_a_holdout_may_be(db: Connection, times: Times) -> None:
    later = times.now + timedelta(days=10)

    async def made(share: str, starts: timedelta = timedelta(), ends: timedelta | None = None) -> int:
        draft = HoldoutDraft(
            label="H", share=Decimal(share), starts_at=times.now + starts, ends_at=None if ends is None else times.now + ends
        )
        return (await holdouts.create_holdout(db, SYSTEM, draft, seed=1, now=times.now)).id

    for share in ("0", "50.01", "0.001", "NaN", "Infinity", "-3"):
        with pytest.raises(Invalid, match="per cent"):
            await made(share)
    with pytest.raises(Invalid, match="begins now or later"):
        await made("5", timedelta(seconds=-1))
    with pytest.raises(Invalid, match="ends after it begins"):
        await made("5", timedelta(days=1), timedelta(days=1))
    first = await made("5", timedelta(), timedelta(days=2))
    with pytest.raises(Conflict, match="another holdout"):
        await made("5", timedelta(days=1))
    second = await made("5", timedelta(days=2))
    with pytest.raises(Conflict, match="another holdout"):
        await holdouts.update_holdout(db, SYSTEM, first, {"ends_at": later}, now=times.now)
    with pytest.raises(Conflict, match="held out"):
        await holdouts.delete_holdout(db, SYSTEM, first, now=times.now)
    with pytest.raises(Invalid, match="stays as it is"):
        await holdouts.update_holdout(db, SYSTEM, first, {"share": Decimal(6)}, now=times.now)
    await holdouts.delete_holdout(db, SYSTEM, second, now=times.now)
    with pytest.raises(NotFound):
        await holdouts.delete_holdout(db, SYSTEM, second, now=times.now)
    times.move(days=3)
    with pytest.raises(Invalid, match="ends now or later, and once"):
        await holdouts.update_holdout(db, SYSTEM, first, {"ends_at": None}, now=times.now)


@pytest.mark.parametrize(
    ("group", "match"),
    [
        (ControlGroup(), "nobody"),
        (ControlGroup(extraction=Extraction.RANDOM), "a share or a size"),
        (ControlGroup(share=Decimal(5), question=parse_text("id > 0")), "needs an extraction"),
        (ControlGroup(extraction=Extraction.FIRST, size=5), "an order is for FIRST"),
        (ControlGroup(extraction=Extraction.RANDOM, size=5, by=parse_text("id")), "an order is for FIRST"),
        (ControlGroup(extraction=Extraction.RANDOM, size=5, same_for=SameFor.CAMPAIGN), "no campaign"),
        (ControlGroup(extraction=Extraction.RANDOM, size=0), "one at least"),
        (ControlGroup(extraction=Extraction.RANDOM, share=Decimal(100)), "less than 100"),
        (ControlGroup(extraction=Extraction.RANDOM, share=Decimal("NaN")), "less than 100"),
        (ControlGroup(extraction=Extraction.RANDOM, share=Decimal("0.005")), "less than 100"),
        (ControlGroup(extraction=Extraction.FIRST, size=5, by=parse_text("opt_out")), "cannot be put in order"),
    ],
)
async def test_what_a_control_group_may_not_be(runtime: Runtime, db: Connection, group: ControlGroup, match: str) -> None:
    delivery_id = await new_delivery(runtime, db)
    with pytest.raises(Invalid, match=match):
        await hold_back(db, runtime, delivery_id, group)
    assert await seeds.get_control_groups(db, [delivery_id]) == {}


async def test_a_group_names_what_there_is(runtime: Runtime, db: Connection) -> None:
    delivery_id = await new_delivery(runtime, db)
    with pytest.raises(NotFound):
        await hold_back(db, runtime, delivery_id, ControlGroup(audience_id=999))
    with pytest.raises(ExpressionError):
        await hold_back(db, runtime, delivery_id, ControlGroup(question=parse_text("nope = 1")))
    with pytest.raises(ExpressionError):
        await hold_back(db, runtime, delivery_id, ControlGroup(question=parse_text("in_audience('nobody')")))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    people=st.integers(0, 40), refused=st.integers(0, 10), share=st.one_of(st.none(), st.integers(1, 99)),
    size=st.one_of(st.none(), st.integers(1, 50)), step=st.integers(3, 20),
)  # fmt: skip
async def test_of_any_population_the_group_has_the_size_that_was_asked_for(
    engine: Engine, runtime: Runtime, db: Connection, people: int, refused: int, share: int | None, size: int | None, step: int
) -> None:
    if share is None and size is None:
        size = 5
    await db.execute("DELETE FROM profile")
    await add_people(db, people)
    await db.execute("UPDATE profile SET opt_out = true WHERE id IN (SELECT id FROM profile ORDER BY id LIMIT $1)", refused)
    delivery_id = await new_delivery(runtime, db, name=f"d{await db.fetchval('SELECT count(*) FROM delivery')}")
    group = ControlGroup(extraction=Extraction.RANDOM, share=None if share is None else Decimal(share), size=size)
    await hold_back(db, runtime, delivery_id, group)
    before, prepare.RANGE = prepare.RANGE, step
    try:
        counts = await prepared(engine, runtime, db, delivery_id)
    finally:
        prepare.RANGE = before
    able = max(people - refused, 0)
    wanted = [able]
    wanted += [] if size is None else [size]
    wanted += [] if share is None else [int((Decimal(able) * share / 100).quantize(Decimal(1), rounding="ROUND_HALF_UP"))]
    assert len(await held(db, delivery_id)) == min(wanted)
    assert counts.pending == able - min(wanted)
    assert counts.targeted == people
    await check_equation(db, delivery_id)
