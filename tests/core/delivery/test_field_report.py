"""A delivery's report by the value of a field that its sending log kept."""

from __future__ import annotations

import random
from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest

from api.graphql.datamodel.uses import UNUSED
from core.access import SYSTEM
from core.datamodel.drafts import get_draft, remove_field
from core.datamodel.hidden import drop_hidden
from core.datamodel.publication import publish
from core.datamodel.records import Choice, FieldKind
from core.db import Connection, Pool
from core.delivery import lifecycle
from core.delivery.engine import Engine
from core.delivery.records import LedgerState
from core.errors import Invalid, LimitReached
from core.planning.computed_records import SendingLog
from core.reporting import sending_log
from core.reporting.records import FieldReport, Outcome
from core.reporting.sending_log import ValueCursor, report_field
from core.runtime import Runtime
from tests.core.datamodel.model import NOW, field, publish_fields
from tests.core.delivery.people import add_people, add_person, confirmed, new_delivery, prepared
from tests.core.hostile import HOSTILE

TIERS = (Choice(name="gold", label="Gold card"),)
FIELDS = (
    field("spent", FieldKind.DECIMAL), field("tier", FieldKind.ENUMERATION, choices=TIERS), field("home", FieldKind.POINT),
    field("vip", FieldKind.BOOLEAN),
)  # fmt: skip
FIGURES = ("targeted", "excluded", "sent", "accepted", "failed", "opened", "clicked")


async def logged(engine: Engine, runtime: Runtime, db: Connection, *fields: str) -> int:
    """A delivery to everybody, prepared with these fields in its log."""
    delivery_id = await new_delivery(runtime, db)
    async with db.transaction():
        await lifecycle.set_sending_log(db, SYSTEM, delivery_id, SendingLog(fields=fields), runtime.clock())
    await prepared(engine, runtime, db, delivery_id)
    return delivery_id


async def report(
    db: Connection, delivery_id: int, name: str, first: int = 50, after: ValueCursor | None = None, machines: bool = False
) -> FieldReport:  # fmt: skip
    return await report_field(db, delivery_id, name, first=first, after=after, include_machines=machines)


async def targeted(db: Connection, delivery_id: int, name: str) -> list[tuple[Any, int]]:
    """Values with their people; those without one last."""
    found = await report(db, delivery_id, name)
    return [*((one.value, one.targeted) for one in found.values), (None, found.nothing.targeted)]


async def test_values_of_every_kind_are_told_as_the_log_keeps_them(engine: Engine, runtime: Runtime, db: Connection) -> None:
    # Given people with values of every kind, some twice, one written in another way, and one with none
    await publish_fields(db, *FIELDS)
    await add_person(db, "a@mail.example", gender=2, x_spent=Decimal("12.50"), x_tier="gold", x_vip=False)
    await add_person(db, "b@mail.example", gender=2, x_spent=Decimal("12.5"), x_tier="gold", x_vip=False)
    await add_person(db, "c@mail.example", x_spent=Decimal("-3"), x_vip=True)
    await db.execute("UPDATE profile SET x_home = point(2.5, 48) WHERE id <= 2")
    await db.execute("UPDATE profile SET birth_date = '1980-02-29' WHERE id = 3")
    delivery_id = await logged(engine, runtime, db, "spent", "tier", "vip", "home", "gender", "birth_date", "city")

    # When everything changes afterwards
    await db.execute("UPDATE profile SET x_spent = 0, x_tier = NULL, x_vip = NULL")

    # Then each field tells what was, the largest value first
    assert await targeted(db, delivery_id, "spent") == [(12.5, 2), (-3, 1), (None, 0)]
    assert await targeted(db, delivery_id, "tier") == [("gold", 2), (None, 1)]
    assert await targeted(db, delivery_id, "vip") == [(False, 2), (True, 1), (None, 0)]
    assert await targeted(db, delivery_id, "home") == [({"longitude": 2.5, "latitude": 48}, 2), (None, 1)]
    assert await targeted(db, delivery_id, "gender") == [("female", 2), ("unknown", 1), (None, 0)]
    assert await targeted(db, delivery_id, "birth_date") == [("1980-02-29", 1), (None, 2)]
    assert await targeted(db, delivery_id, "city") == [(None, 3)]


async def test_figures_are_those_of_a_recount_on_whatever_pages(engine: Engine, runtime: Runtime, db: Connection) -> None:
    # Given 200 people of some cities and of none, whose messages came to all sorts of ends, and hits of people and machines
    rng = random.Random(27)
    cities = [one for one in HOSTILE if one.strip() and len(one) <= 100 and "\0" not in one and "\ud800" not in one]
    await add_people(db, 200)
    await db.executemany(
        "UPDATE profile SET city = $2 WHERE id = $1",
        [(n, rng.choice(cities[: 1 + n // 8])) for n in range(1, 201) if n % 9],
    )
    delivery_id = await logged(engine, runtime, db, "first_name", "city")
    ends = [(n, rng.choice(list(LedgerState)).value, rng.random() < 0.5) for n in range(1, 201)]
    await db.executemany("UPDATE ledger SET state = $2, after_hand_over = $3 WHERE recipient_id = $1", ends)
    hits = [(delivery_id, n, kind, link, rng.random() < 0.3) for n in range(1, 201) for kind in (0, 1) for link in (0, 3)]
    await db.executemany(
        """
        INSERT INTO tracking_first (delivery_id, recipient_id, recipient_kind, occurrence, kind, link, machine, machine_first)
        VALUES ($1, $2, 1, 0, $3, $4, $5, $5)
        """,
        [hit for hit in hits if rng.random() < 0.5],
    )

    for machines in (False, True):
        expected = await recounted(db, delivery_id, machines)
        for first in (1, 7, 500):
            # When all pages are read one after the other
            after, values, rest = None, list[Any](), 10**6
            while rest:
                page = await report(db, delivery_id, "city", first, after, machines)
                assert page.rest.values < rest
                assert len(page.values) == min(first, len(expected) - 1 - len(values))
                values += page.values
                after, rest = page.values[-1].cursor, page.rest.values
                # Then a page, those without a value and the rest behind are everybody who is not on the pages before
                told = [page.nothing, page.rest, *values]
                assert [sum(getattr(one, name) for one in told) for name in FIGURES] == [
                    sum(one[number] for one in expected.values()) for number in range(len(FIGURES))
                ]
            # And all pages together are what a recount says, the largest first
            assert figures(page.nothing) == expected[None]
            assert {one.value: figures(one) for one in values} == {key: one for key, one in expected.items() if key is not None}
            assert [one.targeted for one in values] == sorted((one.targeted for one in values), reverse=True)


def figures(one: Outcome) -> list[int]:
    return [getattr(one, name) for name in FIGURES]


async def recounted(db: Connection, delivery_id: int, machines: bool) -> dict[str | None, list[int]]:
    """By city, row by row."""
    hits = {
        (row["recipient_id"], row["kind"]) for row in await db.fetch("SELECT * FROM tracking_first WHERE link = 0")
        if machines or not row["machine"]
    }  # fmt: skip
    found: dict[str | None, list[int]] = defaultdict(lambda: [0] * len(FIGURES))
    for row in await db.fetch("SELECT * FROM ledger WHERE delivery_id = $1", delivery_id):
        state, person = LedgerState(row["state"]), row["recipient_id"]
        failed_later = state is LedgerState.FAILED and row["after_hand_over"]
        counted = (
            True, state is LedgerState.EXCLUDED, state is LedgerState.ACCEPTED or failed_later, state is LedgerState.ACCEPTED,
            state is LedgerState.FAILED, (person, 0) in hits, (person, 1) in hits,
        )  # fmt: skip
        city = (row["logged"] or {}).get("city")
        found[city] = [one + more for one, more in zip(found[city], counted, strict=True)]
    return found


async def test_what_the_model_no_longer_has_is_still_reported(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await publish_fields(db, field("tier"))
    await add_person(db, "a@mail.example", x_tier="gold")
    delivery_id = await logged(engine, runtime, db, "tier")
    await confirmed(db, runtime, delivery_id)
    async with db.transaction():
        await lifecycle.stop(db, SYSTEM, delivery_id, runtime.clock())
    async with db.transaction():
        await remove_field(db, SYSTEM, "profile", "tier", now=NOW)
        await publish(db, SYSTEM, expected_version=(await get_draft(db)).version, now=NOW, guard=UNUSED)
        await drop_hidden(db, SYSTEM, "profile", "tier", confirm="profile.tier")
    assert await targeted(db, delivery_id, "tier") == [("gold", 1), (None, 0)]


async def test_only_what_the_log_keeps_is_reported(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await add_people(db, 1)
    delivery_id = await logged(engine, runtime, db, "city", "country")
    hints = {"citty": "Did you mean 'city'?", "language": "It keeps city, country."}
    for name in (*hints, *HOSTILE):
        with pytest.raises(Invalid) as refused:
            await report(db, delivery_id, name)
        assert refused.value.code == "UNKNOWN_FIELD"
        assert refused.value.hint == hints.get(name, refused.value.hint)
    other = await new_delivery(runtime, db, name="plain")
    with pytest.raises(Invalid) as refused:
        await report(db, other, "city")
    assert refused.value.hint is not None
    assert "setDeliverySendingLog" in refused.value.hint


async def test_no_cursor_does_harm(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await add_people(db, 3)
    delivery_id = await logged(engine, runtime, db, "first_name")
    for text in HOSTILE:
        storable = "\0" not in text and "\ud800" not in text
        if storable:
            assert len((await report(db, delivery_id, "first_name", after=(2, text))).values) == 3
        else:
            with pytest.raises(Invalid) as refused:
                await report(db, delivery_id, "first_name", after=(2, text))
            assert refused.value.code == "BAD_CURSOR"
    for number in (-1, 2**63):
        with pytest.raises(Invalid):
            await report(db, delivery_id, "first_name", after=(number, "x"))


async def test_a_report_has_an_end(
    engine: Engine, runtime: Runtime, db: Connection, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_people(db, 1)
    delivery_id = await logged(engine, runtime, db, "city")
    monkeypatch.setattr(sending_log, "PATIENCE", 0.2)
    async with pool.acquire() as other, other.transaction():
        await other.execute("LOCK TABLE ledger IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(LimitReached) as refused:
            await report(db, delivery_id, "city")
    assert refused.value.code == "REPORT_TOO_SLOW"
    assert await targeted(db, delivery_id, "city") == [(None, 1)]
