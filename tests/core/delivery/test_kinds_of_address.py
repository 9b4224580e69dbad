"""People are reached by what their channel asks for: a fax number, a complete postal address; and what is unknown is a no."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from channels.contract import AddressKind, FailureReason
from channels.memory.channel import MemoryChannel
from core.access import SYSTEM
from core.consent.opt_outs import opt_out
from core.db import Connection
from core.delivery import reading
from core.delivery.engine import Engine
from core.delivery.records import LedgerState, RecipientKind
from core.delivery.store import leases
from core.profiles import profiles
from core.profiles.address_keys import address_key
from core.profiles.postal import postal_lines
from core.profiles.records import Channel
from core.runtime import Runtime
from tests.core.delivery.people import add_person, confirmed, new_delivery, outcome_of, prepared
from tests.core.delivery.test_traps import add_trap, set_traps

PENDING = (LedgerState.PENDING, FailureReason.NOT_DEFINED)
NO_ADDRESS = (LedgerState.EXCLUDED, FailureReason.ADDRESS_NOT_SPECIFIED)
REFUSED = (LedgerState.EXCLUDED, FailureReason.DENYLISTED_ADDRESS)
HOME: dict[str, Any] = {
    "address_line1": "Flat 2", "address_line3": "Große  Straße 1", "zip_code": "10115", "city": "BERLIN",
    "address_defined": True,
}  # fmt: skip


def over(monkeypatch: pytest.MonkeyPatch, kind: AddressKind) -> None:
    """Let the memory channel reach people by addresses of this kind."""
    monkeypatch.setattr(MemoryChannel, "manifest", dataclasses.replace(MemoryChannel.manifest, address_kind=kind))


async def claimed(db: Connection, runtime: Runtime, delivery_id: int, kind: AddressKind) -> list[int]:
    """Whom a claim leaves to be sent to, in order."""
    await confirmed(db, runtime, delivery_id)
    await db.execute("UPDATE delivery_run SET state = 55")
    now = runtime.clock()
    claim = await leases.claim(
        db, delivery_id=delivery_id, account_id=1, address_kind=kind.value, worker="a", connections=5, limit=10, slot=1,
        cursor=None, now=now, expires_at=now + timedelta(seconds=30), hash_keys=(),
    )  # fmt: skip
    return sorted(row.recipient_id for row in claim.rows) if claim is not None else []


async def test_people_have_fax_numbers_and_refuse_them(
    engine: Engine, runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    over(monkeypatch, AddressKind.FAX)
    fine = await add_person(db, None, fax="+4930123456")
    leaving = await add_person(db, None, fax="+4930123457")
    nowhere = await add_person(db, "ann@mail.example")
    refused = await add_person(db, None, fax="+4930123458", opt_out_fax=True)
    twin = await add_person(db, None, fax="+4930123456", opt_out_email=True)
    delivery_id = await new_delivery(runtime, db)
    await prepared(engine, runtime, db, delivery_id)
    assert await outcome_of(db, delivery_id, fine) == PENDING
    assert await outcome_of(db, delivery_id, nowhere) == NO_ADDRESS
    assert await outcome_of(db, delivery_id, refused) == REFUSED
    assert await outcome_of(db, delivery_id, twin) == (LedgerState.EXCLUDED, FailureReason.DUPLICATE)
    # When somebody refuses between preparation and claim
    async with db.transaction():
        await opt_out(db, SYSTEM, [leaving], Channel.FAX, now=runtime.clock())
    assert await claimed(db, runtime, delivery_id, AddressKind.FAX) == [fine]
    assert await outcome_of(db, delivery_id, leaving) == (LedgerState.WITHDRAWN, FailureReason.DENYLISTED_ADDRESS)


async def test_letters_go_to_those_whose_address_is_complete(
    engine: Engine, runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    over(monkeypatch, AddressKind.POSTAL)
    fine = await add_person(db, None, salutation="Dr", first_name="Ann", last_name="", **HOME)
    incomplete = await add_person(db, None, first_name="Bea", **{**HOME, "address_defined": False})
    nowhere = await add_person(db, "c@mail.example", first_name="Cid", address_defined=True)
    refused = await add_person(db, None, first_name="Dan", opt_out_postal=True, **HOME)
    returned = await add_person(db, None, first_name="Eve", **HOME)
    twin = await add_person(db, None, salutation="DR", first_name="ann", **HOME)
    leaving = await add_person(db, None, first_name="Fay", **HOME)
    key = address_key(AddressKind.POSTAL, "EVE\nFlat 2\nGroße Straße 1\n10115 Berlin")
    await db.execute("INSERT INTO quarantine (address_kind, address_key, status) VALUES ('postal', $1, 'quarantine')", key)
    delivery_id = await new_delivery(runtime, db)
    await prepared(engine, runtime, db, delivery_id)
    assert await outcome_of(db, delivery_id, incomplete) == NO_ADDRESS
    assert await outcome_of(db, delivery_id, nowhere) == NO_ADDRESS
    assert await outcome_of(db, delivery_id, refused) == REFUSED
    assert await outcome_of(db, delivery_id, returned) == (LedgerState.EXCLUDED, FailureReason.QUARANTINED_ADDRESS)
    assert await outcome_of(db, delivery_id, twin) == (LedgerState.EXCLUDED, FailureReason.DUPLICATE)
    # Then the address is the block of a letter, and is compared as quarantine compares
    row = await reading.find_row(db, delivery_id, fine)
    assert row is not None
    assert row.address == "Dr Ann\nFlat 2\nGroße  Straße 1\n10115 BERLIN"
    assert row.address == "\n".join(postal_lines(await profiles.get_profile(db, fine)))
    key = await db.fetchval("SELECT address_key FROM ledger WHERE recipient_id = $1", fine)
    assert key == address_key(AddressKind.POSTAL, row.address)
    async with db.transaction():
        await opt_out(db, SYSTEM, [leaving], Channel.POSTAL, now=runtime.clock())
    assert await claimed(db, runtime, delivery_id, AddressKind.POSTAL) == [fine]


async def test_a_letter_to_a_trap_never_goes_where_a_member_lives(
    engine: Engine, runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    over(monkeypatch, AddressKind.POSTAL)
    await add_person(db, None, first_name="Ann", state="BE", **HOME)
    told = await add_trap(db, None, address_line1="Trap Road 1", zip_code="1", city="Trapton", address_defined=True)
    bare = await add_trap(db, None, address_defined=True)
    delivery_id = await new_delivery(runtime, db, html="<p>{{ profile.first_name }} {{ profile.state }}</p>")
    await set_traps(db, runtime, delivery_id, told, bare)
    await prepared(engine, runtime, db, delivery_id)
    row = await reading.find_row(db, delivery_id, told, RecipientKind.TRAP)
    assert row is not None
    assert row.address == "Ann\nTrap Road 1\n1 Trapton"
    row = await reading.find_row(db, delivery_id, bare, RecipientKind.TRAP)
    assert row is not None
    assert (row.state, row.reason) == NO_ADDRESS


@pytest.mark.parametrize("kind", [AddressKind.IN_APP, AddressKind.OTHER])
async def test_a_kind_that_nobody_can_refuse_is_refused_by_all_at_the_claim(
    engine: Engine, runtime: Runtime, db: Connection, kind: AddressKind
) -> None:
    """No preparation goes through for such a kind; a claim does not count on that."""
    ann = await add_person(db, "ann@mail.example")
    delivery_id = await new_delivery(runtime, db)
    await prepared(engine, runtime, db, delivery_id)
    assert await claimed(db, runtime, delivery_id, kind) == []
    assert await outcome_of(db, delivery_id, ann) == (LedgerState.WITHDRAWN, FailureReason.DENYLISTED_ADDRESS)


async def test_a_kind_that_nobody_can_refuse_is_refused_by_all_at_the_preparation(
    engine: Engine, runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.profiles.reached_by.COLUMNS", {AddressKind.IN_APP: ("email", "email_key")})
    monkeypatch.setattr("core.delivery.prepare.KINDS", frozenset({AddressKind.IN_APP}))
    over(monkeypatch, AddressKind.IN_APP)
    ann = await add_person(db, "ann@mail.example")
    delivery_id = await new_delivery(runtime, db)
    await prepared(engine, runtime, db, delivery_id)
    assert await outcome_of(db, delivery_id, ann) == REFUSED
