"""Traps: test profiles that get the real message together with the target, and count for nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from channels.contract import FailureReason
from channels.memory.stores import store
from core.access import SYSTEM
from core.datamodel.records import FieldKind, Key, Model
from core.db import Connection
from core.delivery import ending, lifecycle, prepare, reading, traps
from core.delivery.engine import Engine
from core.delivery.records import DeliveryState, LedgerCounts, LedgerState, RecipientKind
from core.errors import IllegalMove, Invalid, NotFound
from core.paging import PageRequest
from core.planning import seeds
from core.planning.seed_records import ControlGroup, Extraction, Insertion, Traps
from core.profiles import test_profile_records, test_profiles
from core.profiles.profiles import create_profile
from core.runtime import Runtime
from core.targeting.parse import parse_text
from core.targeting.sql import compile_statement
from core.tracking import reading as tracking
from core.tracking.append import append
from core.tracking.machines import RuleBook
from core.tracking.records import Hit, TrackingKind
from core.tracking.store import count_rows, rule_rows
from tests.core.datamodel.model import field, publish_fields
from tests.core.delivery.people import Times, add_people, add_person, check_equation, confirmed, new_delivery, prepared
from tests.core.tracking.people import TwoDeliveries

compile_statement(select(1))  # sets the interpreter's limit of recursion, which hypothesis wants to stay as it was
Use = test_profile_records.TestProfileUse
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


async def add_trap(
    db: Connection,
    email: str | None = "trap@mail.example",
    team: dict[str, Any] | None = None,
    *,
    use: Any = Use.TRAP,
    **more: Any,
) -> int:
    draft = test_profile_records.TestProfileDraft(label="Trap", uses=(use,))
    async with db.transaction():
        made = await test_profiles.create_test_profile(db, SYSTEM, draft, {"email": email, **more}, team or {}, now=NOW)
    return made.id


async def set_traps(db: Connection, runtime: Runtime, delivery_id: int, *ids: int, question: str | None = None) -> None:
    wanted = Traps(test_profile_ids=ids, question=None if question is None else parse_text(question))
    async with db.transaction():
        await lifecycle.set_traps(db, SYSTEM, delivery_id, wanted, runtime.clock())


async def trap_row(db: Connection, delivery_id: int, trap: int) -> Any:
    return await reading.find_row(db, delivery_id, trap, RecipientKind.TRAP)


async def trap_counts(db: Connection, delivery_id: int) -> LedgerCounts:
    return (await reading.trap_counts_of(db, [delivery_id]))[delivery_id]


async def check_every_row_is_counted(db: Connection, delivery_id: int) -> None:
    """The equation holds for the target and for traps, and together they are all rows."""
    await check_equation(db, delivery_id)
    counts, of_traps = await reading.counts(db, delivery_id), await trap_counts(db, delivery_id)
    assert counts.targeted == await db.fetchval("SELECT count(*) FROM ledger WHERE recipient_kind = 1")
    rows = await db.fetch(
        """
        SELECT CASE WHEN state IN (2, 3) THEN 1 ELSE state END AS state,
               CASE WHEN state IN (1, 2, 3) THEN 0 ELSE reason END AS reason,
               after_hand_over, count(*) FROM ledger WHERE recipient_kind = 4 GROUP BY 1, 2, 3
        """
    )
    assert sorted(tuple(row) for row in rows) == sorted(
        (row.state, row.reason, row.after_hand_over, row.n) for row in of_traps.by_reason
    )


async def test_traps_get_the_message_with_the_target_and_count_apart(engine: Engine, runtime: Runtime, db: Connection) -> None:
    # Given a delivery to people with a trap that is named, one that is found, and one without an address
    await add_people(db, 20)
    named = await add_trap(db, first_name="Tara")
    found = await add_trap(db, "found@mail.example", country="FR")
    nowhere = await add_trap(db, None, country="FR")
    await add_trap(db, "preview@mail.example", country="FR", use=Use.PREVIEW)
    delivery_id = await new_delivery(runtime, db, name="trapped")
    await set_traps(db, runtime, delivery_id, named, question="country = 'FR'")

    # When it is prepared, the target is as large as without them
    counts = await prepared(engine, runtime, db, delivery_id)
    assert (counts.targeted, counts.pending) == (20, 20)
    of_traps = await trap_counts(db, delivery_id)
    assert (of_traps.targeted, of_traps.pending, of_traps.excluded) == (3, 2, 1)
    assert (await trap_row(db, delivery_id, nowhere)).reason is FailureReason.ADDRESS_NOT_SPECIFIED
    await check_every_row_is_counted(db, delivery_id)

    # And when it is sent, they get what people get
    await confirmed(db, runtime, delivery_id)
    assert await ending.start(runtime.pool, delivery_id, runtime.clock())
    await engine.sending.run(delivery_id)
    kept = {message.identity.recipient_id: message for message in store("trapped").messages}
    assert set(kept) == {*range(1, 21), named, found}
    assert json.loads(kept[named].body)["html"] == "<p>Hello Tara</p>"
    assert (await lifecycle.get_run(db, delivery_id)).state is DeliveryState.FINISHED
    counts, of_traps = await reading.counts(db, delivery_id), await trap_counts(db, delivery_id)
    assert (counts.accepted, counts.sent, of_traps.accepted) == (20, 20, 2)
    await check_every_row_is_counted(db, delivery_id)

    # The sending log has them last, page by page, and says what they are
    rows: list[Any] = []
    after = None
    while True:
        page = await reading.list_rows(db, delivery_id, None, PageRequest(first=7, after=after))
        rows += page.rows
        if not page.has_next:
            break
        after = page.rows[-1].recipient_id
    assert [row.recipient_id for row in rows] == [*range(1, 21), named, found, nowhere]
    assert [row.recipient_kind for row in rows[-4:]] == [RecipientKind.PROFILE, *[RecipientKind.TRAP] * 3]


async def test_what_a_trap_lacks_is_that_of_a_member_drawn_once(engine: Engine, runtime: Runtime, db: Connection) -> None:
    # Given a template that reads what the trap has and what it has not, and people of whom some get nothing
    for n in range(30):
        await add_person(
            db, f"p{n}@mail.example", first_name=f"First{n}", last_name=f"Last{n}", gender=2, country="FR", opt_out=n < 15,
            external_id=f"key{n}", mobile_phone=f"+336123456{n:02}", language="fr",
        )  # fmt: skip
    trap = await add_trap(db, first_name="Tara")
    html = """<p>{{ profile.first_name }} {{ profile.last_name }} {{ profile.gender }} {{ profile.country }}
        {{ profile.external_id }} {{ profile.mobile_phone }} {{ profile.opt_in_id }} {{ profile.opt_out_email }}
        {{ profile.id }}</p>"""
    delivery_id = await new_delivery(runtime, db, html=html)
    await set_traps(db, runtime, delivery_id, trap)

    # When it is prepared
    await prepared(engine, runtime, db, delivery_id)
    values = (await trap_row(db, delivery_id, trap)).values

    # Then the rest is a member's who gets the message, but for what says who that is and how they are reached
    assert values["first_name"] == "Tara"
    assert values["last_name"] in {f"Last{n}" for n in range(15, 30)}
    assert (values["gender"], values["country"]) == (2, "FR")
    assert (values["external_id"], values["mobile_phone"]) == (None, None)
    assert (values["opt_out_email"], values["id"]) == (False, trap)
    mine = await db.fetchval("SELECT opt_in_id::text FROM test_profile")
    assert values["opt_in_id"] == mine

    # And it is the same member again
    await prepared(engine, runtime, db, delivery_id)
    assert (await trap_row(db, delivery_id, trap)).values == values


async def test_members_are_drawn_from_all_over_the_target(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await add_people(db, 1000)
    some = [await add_trap(db, f"t{n}@mail.example") for n in range(40)]
    delivery_id = await new_delivery(runtime, db)
    await set_traps(db, runtime, delivery_id, *some)
    await prepared(engine, runtime, db, delivery_id)
    drawn = {(await trap_row(db, delivery_id, one)).values["first_name"] for one in some}
    assert len(drawn) > 30
    assert max(int(name.removeprefix("Name")) for name in drawn) > 800


async def test_variants_are_those_for_what_the_trap_has(engine: Engine, runtime: Runtime, db: Connection) -> None:
    from core.content.records import DynamicContent, DynamicVariant

    buyer = await add_person(db, "p@mail.example", country="US")
    other = await new_delivery(runtime, db, name="other")
    await prepared(engine, runtime, db, other)
    french = await add_trap(db, country="FR")
    plain = await add_trap(db, "plain@mail.example")
    variants = (
        DynamicVariant(label="French", condition="country = 'FR'", html="<p>Bonjour</p>"),
        DynamicVariant(label="Known", condition="exists(messages where state = 'pending')", html="<p>Again</p>"),
    )
    hero = DynamicContent(name="hero", html="<p>Hello</p>", variants=variants)
    html = '<p>{% dynamic "hero" %}</p>'
    delivery_id = await new_delivery(runtime, db, name="dynamic", html=html, dynamic=(hero,))
    await set_traps(db, runtime, delivery_id, french, plain)
    await prepared(engine, runtime, db, delivery_id)

    def chosen(row: Any) -> int:
        number: int = row.values["#dynamic"]["hero"]
        return number

    assert chosen(await reading.find_row(db, delivery_id, buyer)) == 2
    assert chosen(await trap_row(db, delivery_id, french)) == 1
    assert chosen(await trap_row(db, delivery_id, plain)) == 0, "nothing was ever sent to a trap as to a person"


async def test_without_somebody_to_write_to_there_is_no_trap(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await add_people(db, 3)
    trap = await add_trap(db)
    delivery_id = await new_delivery(runtime, db, audience="country = 'XX' or id < 2")
    await set_traps(db, runtime, delivery_id, trap)
    await prepared(engine, runtime, db, delivery_id)
    assert (await trap_counts(db, delivery_id)).targeted == 1
    async with db.transaction():
        group = ControlGroup(extraction=Extraction.RANDOM, size=1)
        await lifecycle.set_control_group(db, SYSTEM, delivery_id, group, runtime.clock())
    counts = await prepared(engine, runtime, db, delivery_id)
    assert (counts.targeted, counts.pending, (await trap_counts(db, delivery_id)).targeted) == (1, 0, 0)
    await check_every_row_is_counted(db, delivery_id)


async def test_what_people_refuse_says_nothing_of_a_trap_but_a_quarantined_address_does(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    await add_people(db, 5)
    await add_person(db, "same@mail.example", opt_out=True)
    same = await add_trap(db, "Same@mail.example")
    bad = await add_trap(db, "bad@mail.example")
    await db.execute(
        "INSERT INTO quarantine (address_kind, address_key, status) VALUES ('email', 'bad@mail.example', 'quarantine')"
    )
    delivery_id = await new_delivery(runtime, db)
    await set_traps(db, runtime, delivery_id, same, bad)
    await prepared(engine, runtime, db, delivery_id)
    assert (await trap_row(db, delivery_id, same)).state is LedgerState.PENDING
    assert (await trap_row(db, delivery_id, bad)).reason is FailureReason.QUARANTINED_ADDRESS


async def test_who_is_a_trap_no_longer_gets_nothing(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await add_people(db, 5)
    gone, changed, stays = [await add_trap(db, f"t{n}@mail.example") for n in range(3)]
    delivery_id = await new_delivery(runtime, db, name="leaving")
    await set_traps(db, runtime, delivery_id, gone, changed, stays)
    await prepared(engine, runtime, db, delivery_id)
    await confirmed(db, runtime, delivery_id)
    assert await ending.start(runtime.pool, delivery_id, runtime.clock())
    async with db.transaction():
        await test_profiles.delete_test_profile(db, SYSTEM, gone)
        await test_profiles.update_test_profile(db, SYSTEM, changed, {"uses": (Use.PREVIEW,)}, now=NOW)
    await engine.sending.run(delivery_id)
    assert {message.identity.recipient_id for message in store("leaving").messages} == {1, 2, 3, 4, 5, stays}
    for one in (gone, changed):
        assert (await trap_row(db, delivery_id, one)).state is LedgerState.WITHDRAWN
    assert (await lifecycle.get_run(db, delivery_id)).state is DeliveryState.FINISHED
    await check_every_row_is_counted(db, delivery_id)


async def test_what_a_trap_does_is_told_and_counts_for_nothing(
    engine: Engine, runtime: Runtime, db: Connection, times: Times
) -> None:
    await add_people(db, 2)
    trap = await add_trap(db)
    delivery_id = await new_delivery(runtime, db)
    await set_traps(db, runtime, delivery_id, trap)
    await prepared(engine, runtime, db, delivery_id)
    book = RuleBook(await rule_rows.list_rules(db))
    hits = [
        Hit(at=times.now, kind=kind, delivery_id=delivery_id, recipient_kind=who, recipient_id=key, link=link, user_agent="x")
        for who, key in ((1, 1), (4, trap))
        for kind, link in ((TrackingKind.OPEN, 0), (TrackingKind.CLICK, 1))
    ]
    async with db.transaction():
        await append(db, hits, book, TwoDeliveries(), times.now)
    counted = await tracking.counts(db, delivery_id)
    assert counted == await count_rows.recount(db, delivery_id)
    assert {(row.kind, row.link): (row.total, row.uniques) for row in counted} == {
        (0, 0): (0, 1), (1, 0): (1, 1), (1, 1): (1, 1), (2, 0): (1, 1),
    }  # fmt: skip
    assert await db.fetchval("SELECT count(*) FROM tracking_event WHERE recipient_kind = 4") == 2
    assert await db.fetchval("SELECT count(*) FROM reaction") == 2
    assert await db.fetchval("SELECT count(*) FROM message") == 2


async def test_other_traps_make_a_preparation_stale_and_a_sent_delivery_keeps_its_own(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    await add_people(db, 2)
    trap, other = await add_trap(db), await add_trap(db, "other@mail.example")
    delivery_id = await new_delivery(runtime, db)
    await set_traps(db, runtime, delivery_id, trap)
    await prepared(engine, runtime, db, delivery_id)
    await set_traps(db, runtime, delivery_id, trap)
    assert (await lifecycle.get_run(db, delivery_id)).state is DeliveryState.READY, "nothing changed"
    await set_traps(db, runtime, delivery_id, other)
    assert (await lifecycle.get_run(db, delivery_id)).state is DeliveryState.EDITION
    assert await reading.counts(db, delivery_id) == LedgerCounts(), "nothing is prepared any more, of traps neither"
    await prepared(engine, runtime, db, delivery_id)
    assert await trap_row(db, delivery_id, trap) is None
    await confirmed(db, runtime, delivery_id)
    assert await ending.start(runtime.pool, delivery_id, runtime.clock())
    with pytest.raises(IllegalMove):
        await set_traps(db, runtime, delivery_id, trap)


async def test_the_place_of_traps_is_kept_with_them(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await add_people(db, 2)
    trap = await add_trap(db)
    delivery_id = await new_delivery(runtime, db)

    async def place(insertion: Insertion, *ids: int) -> None:
        async with db.transaction():
            await lifecycle.set_traps(
                db, SYSTEM, delivery_id, Traps(test_profile_ids=ids, insertion=insertion), runtime.clock()
            )  # fmt: skip

    await set_traps(db, runtime, delivery_id, trap)
    assert (await seeds.get_traps(db, [delivery_id]))[delivery_id].insertion is Insertion.MIXED
    await prepared(engine, runtime, db, delivery_id)
    await place(Insertion.END, trap)
    assert (await lifecycle.get_run(db, delivery_id)).state is DeliveryState.EDITION
    assert await seeds.get_traps(db, [delivery_id]) == {delivery_id: Traps(test_profile_ids=(trap,), insertion=Insertion.END)}
    # And it may be said before there are any
    await place(Insertion.START)
    assert await seeds.get_traps(db, [delivery_id]) == {delivery_id: Traps(insertion=Insertion.START)}
    await place(Insertion.MIXED)
    assert await seeds.get_traps(db, [delivery_id]) == {}
    told = await db.fetch(
        "SELECT changes ->> 'insertion' AS place FROM audit_entry WHERE action = 'delivery.set_traps' ORDER BY id"
    )
    assert [one["place"] for one in told] == ["mixed", "end", "start", "mixed"]


async def test_what_traps_may_be(runtime: Runtime, db: Connection, engine: Engine) -> None:
    await add_people(db, 2)
    delivery_id = await new_delivery(runtime, db)
    with pytest.raises(NotFound):
        await set_traps(db, runtime, delivery_id, 1)
    with pytest.raises(Invalid, match="is no trap"):
        await set_traps(db, runtime, delivery_id, await add_trap(db, use=Use.PROOF))
    with pytest.raises(Invalid, match="up to 100"):
        await set_traps(db, runtime, delivery_id, *range(101))
    assert await seeds.get_traps(db, [delivery_id]) == {}
    await db.execute(
        "INSERT INTO test_profile (label, uses, created_by, email, email_key)"
        " SELECT 'T', '{trap}', 'test', n || '@m.example', n || '@m.example' FROM generate_series(1, 101) AS n"
    )
    await set_traps(db, runtime, delivery_id, question="email contains 'm.example'")
    async with db.transaction():
        await lifecycle.prepare(db, SYSTEM, delivery_id, runtime.clock())
    await engine.preparation.run(delivery_id)
    run = await lifecycle.get_run(db, delivery_id)
    assert run.state is DeliveryState.PREPARATION_ERROR
    assert run.error is not None
    assert run.error["code"] == "TOO_MANY_TRAPS"


async def test_what_is_sensitive_or_a_key_of_the_team_s_stays_its_owner_s(db: Connection) -> None:
    assert traps.not_copied(Model()) == frozenset()
    await publish_fields(
        db, field("tier"), field("faith", sensitive=True), field("card"), field("ticket", FieldKind.AUTOMATIC_ID)
    )
    from core.datamodel.keys import save_key
    from core.datamodel.present import present_model
    from tests.core.datamodel.model import publish_draft

    async with db.transaction():
        await save_key(db, SYSTEM, "profile", Key(name="card", fields=("card",)), now=NOW)
        await publish_draft(db)
    async with db.transaction():
        assert traps.not_copied(await present_model(db)) == {"x_faith", "x_card", "x_ticket"}


async def test_a_question_about_the_team_s_fields_finds_traps(engine: Engine, runtime: Runtime, db: Connection) -> None:
    async with db.transaction():
        await publish_fields(db, field("tier"))
    async with db.transaction():
        await create_profile(db, SYSTEM, {"email": "p@mail.example"}, {"tier": "gold"}, now=NOW)
    gold = await add_trap(db, team={"tier": "gold"})
    await add_trap(db, "tin@mail.example", team={"tier": "tin"})
    delivery_id = await new_delivery(runtime, db, audience="tier = 'gold'")
    await set_traps(db, runtime, delivery_id, question="tier = 'gold' and not exists(messages)")
    await prepared(engine, runtime, db, delivery_id)
    assert await trap_row(db, delivery_id, gold) is not None
    assert (await trap_counts(db, delivery_id)).targeted == 1


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    people=st.integers(0, 25), left=st.integers(0, 5), some=st.integers(0, 4), share=st.one_of(st.none(), st.integers(1, 60)),
    outcomes=st.lists(
        st.sampled_from(["accepted", "transient", "content_rejected", "unknown", "invalid_address"]), min_size=1, max_size=4
    ),
    stop=st.booleans(), step=st.integers(3, 20),
)  # fmt: skip
async def test_the_equation_holds_of_both_whatever_becomes_of_messages(
    engine: Engine, runtime: Runtime, db: Connection, times: Times, people: int, left: int, some: int, share: int | None,
    outcomes: list[str], stop: bool, step: int,
) -> None:  # fmt: skip
    from decimal import Decimal

    await db.execute("TRUNCATE profile, test_profile, quarantine, ledger, ledger_count CASCADE")
    await add_people(db, people)
    await db.execute("UPDATE profile SET opt_out = true WHERE id IN (SELECT id FROM profile ORDER BY id LIMIT $1)", left)
    name = f"d{await db.fetchval('SELECT count(*) FROM delivery')}"
    delivery_id = await new_delivery(runtime, db, name=name, config={"outcomes": ",".join(outcomes)})
    await set_traps(db, runtime, delivery_id, *[await add_trap(db, f"t{n}@mail.example") for n in range(some)])
    if share is not None:
        group = ControlGroup(extraction=Extraction.RANDOM, share=Decimal(share))
        async with db.transaction():
            await lifecycle.set_control_group(db, SYSTEM, delivery_id, group, runtime.clock())
    before, prepare.RANGE = prepare.RANGE, step
    try:
        counts = await prepared(engine, runtime, db, delivery_id)
    finally:
        prepare.RANGE = before
    await check_every_row_is_counted(db, delivery_id)
    assert counts.targeted == people
    await confirmed(db, runtime, delivery_id)
    await ending.start(runtime.pool, delivery_id, runtime.clock())
    await check_every_row_is_counted(db, delivery_id)
    await engine.sending.run(delivery_id)
    await check_every_row_is_counted(db, delivery_id)
    if stop and (await lifecycle.get_run(db, delivery_id)).state in (DeliveryState.STARTED, DeliveryState.PAUSED):
        async with db.transaction():
            await lifecycle.stop(db, SYSTEM, delivery_id, runtime.clock())
    else:
        times.move(days=5)
    await ending.end_if_done(runtime.pool, delivery_id, runtime.clock())
    await check_every_row_is_counted(db, delivery_id)
