"""Where people live and their fax numbers are addresses too: they leave quarantine and lists, and nobody writes there again."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import pytest

from channels.contract import AddressKind, FailureReason
from channels.memory.channel import MemoryChannel
from core.access import SYSTEM
from core.db import Connection
from core.delivery.engine import Engine
from core.delivery.records import LedgerState
from core.privacy.records import RequestKind, RequestState
from core.profiles import refusals
from core.profiles.address_keys import LONGEST_POSTAL, address_key
from core.runtime import Runtime
from tests.core.delivery.people import Times, add_person, check_equation, new_delivery, outcome_of, prepared
from tests.core.privacy.asking import done

PENDING = (LedgerState.PENDING, FailureReason.NOT_DEFINED)
GONE = (LedgerState.EXCLUDED, FailureReason.ERASED)
FAX, PHONE = "+4930123456", "+4930123457"
OLD = {"address_line1": "Alte Gasse 7", "zip_code": "80331", "city": "München", "address_defined": True}
HOME = {"address_line1": "Große  Straße 1", "zip_code": "10115", "city": "BERLIN", "address_defined": True}


def block(name: str, home: dict[str, Any] = HOME) -> str:
    """The key of a letter to somebody."""
    return address_key(AddressKind.POSTAL, f"{name}\n{home['address_line1']}\n{home['zip_code']} {home['city']}")


def over(monkeypatch: pytest.MonkeyPatch, kind: AddressKind) -> None:
    """Let the memory channel reach people by addresses of this kind."""
    monkeypatch.setattr(MemoryChannel, "manifest", dataclasses.replace(MemoryChannel.manifest, address_kind=kind))


async def held(db: Connection, kind: str, *keys: str) -> None:
    """Put addresses into quarantine and, as they are and as a hash, on a list of their kind."""
    await db.execute(
        "INSERT INTO quarantine (address_kind, address_key, status) SELECT $1, k, 'allowlisted' FROM unnest($2::text[]) AS k",
        kind, keys,
    )  # fmt: skip
    list_id = await db.fetchval(
        "INSERT INTO suppression_list (name, label, kind, scope, created_by) VALUES ($1::text, 'No', $1::text, 'named', 't')"
        " RETURNING id", kind,
    )  # fmt: skip
    entries = [(1, key) for key in keys] + [(2, hashlib.sha256(key.encode()).hexdigest()) for key in keys]
    await db.executemany(
        "INSERT INTO suppression_entry (list_id, form, value, comment, created_by, created_at, updated_at)"
        " VALUES ($1, $2, $3, '', 't', now(), now())", [(list_id, *one) for one in entries],
    )  # fmt: skip


async def left(db: Connection, kind: str) -> tuple[list[str], int]:
    """What is in quarantine of a kind, and how many entries its lists have."""
    rows = await db.fetch("SELECT address_key FROM quarantine WHERE address_kind = $1 ORDER BY address_key", kind)
    entries = await db.fetchval(
        "SELECT count(*) FROM suppression_entry e JOIN suppression_list l ON l.id = e.list_id WHERE l.kind = $1", kind
    )
    return [row["address_key"] for row in rows], entries


async def test_where_somebody_lives_leaves_quarantine_and_lists(runtime: Runtime, db: Connection) -> None:
    await add_person(db, "ann@mail.example", salutation="Dr", first_name="Ann", last_name="Marker", **HOME)
    await add_person(db, "bob@mail.example", first_name="Bob", **HOME)
    await held(db, "postal", block("Dr Ann Marker"), block("Bob"))
    await held(db, "fax", block("Dr Ann Marker"))  # the same words are no fax number of hers

    request = await done(runtime, RequestKind.DELETE, "email", "ann@mail.example")

    assert (request.state, request.counts["quarantine"]) == (RequestState.COMPLETE, 1)
    assert request.counts["suppression_entry"] == 2
    assert await left(db, "postal") == ([block("Bob")], 2)
    assert (await left(db, "fax"))[1] == 2


async def test_a_letter_by_a_channel_that_is_not_installed_any_more_is_known_by_its_look(
    engine: Engine, runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    over(monkeypatch, AddressKind.POSTAL)
    ann = await add_person(db, "ann@mail.example", first_name="Ann", **OLD)
    await prepared(engine, runtime, db, await new_delivery(runtime, db))
    await db.execute("UPDATE profile SET address_line1 = 'Neue Gasse 8' WHERE id = $1", ann)
    await db.execute("UPDATE program SET channel = 'gone'")
    await held(db, "postal", block("Ann", OLD))
    assert (await done(runtime, RequestKind.DELETE, "email", "ann@mail.example")).state is RequestState.COMPLETE
    assert await left(db, "postal") == ([], 0)


@pytest.mark.parametrize("kind", [AddressKind.POSTAL, AddressKind.FAX, AddressKind.PHONE])
async def test_an_address_that_was_written_to_before_is_known_by_the_kind_of_its_channel(
    engine: Engine, runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch, kind: AddressKind
) -> None:
    """She has moved since: only the ledger knows where she was."""
    over(monkeypatch, kind)
    ann = await add_person(db, "ann@mail.example", first_name="Ann", fax=FAX, phone=PHONE, **OLD)
    await prepared(engine, runtime, db, await new_delivery(runtime, db))
    await db.execute("UPDATE profile SET fax = NULL, phone = NULL, address_line1 = 'Neue Gasse 8' WHERE id = $1", ann)
    key = {AddressKind.POSTAL: block("Ann", OLD), AddressKind.FAX: FAX, AddressKind.PHONE: PHONE}[kind]
    await held(db, kind.value, key)
    await held(db, "mobile", key)

    assert (await done(runtime, RequestKind.DELETE, "email", "ann@mail.example")).state is RequestState.COMPLETE

    assert await left(db, kind.value) == ([], 0)
    assert await left(db, "mobile") == ([key], 2)


async def test_whoever_comes_back_to_where_an_erased_person_lives_is_sent_no_letter(
    engine: Engine, runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch, times: Times
) -> None:
    over(monkeypatch, AddressKind.POSTAL)
    await add_person(db, "ann@mail.example", first_name="Ann", **HOME)
    bob = await add_person(db, "bob@mail.example", first_name="Bob", **HOME)
    assert (await done(runtime, RequestKind.DELETE, "email", "ann@mail.example")).state is RequestState.COMPLETE
    complaint: dict[str, Any] = {"text": "no letters", "now": times()}
    blocks = ["ANN\nGroße Straße 1\n10115 Berlin", "Bob\nGroße Straße 1\n10115 Berlin"]
    assert await refusals.record_complaint(db, SYSTEM, runtime.keyring, "postal", blocks, **complaint) == 1, "hers is nobody's"
    await db.execute("DELETE FROM quarantine")

    back = await add_person(db, "other@mail.example", first_name="ANN", **HOME)
    delivery_id = await new_delivery(runtime, db)
    await prepared(engine, runtime, db, delivery_id)

    assert await outcome_of(db, delivery_id, back) == GONE
    assert await outcome_of(db, delivery_id, bob) == PENDING
    await check_equation(db, delivery_id)
    assert await refusals.record_complaint(db, SYSTEM, runtime.keyring, "postal", blocks, **complaint) == 2, "she has it again"


@pytest.mark.parametrize(("kind", "key"), [(AddressKind.FAX, FAX), (AddressKind.POSTAL, block("Ann Marker"))])
async def test_an_address_that_somebody_else_has_too_stays_theirs(
    engine: Engine, runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch, kind: AddressKind, key: str
) -> None:
    over(monkeypatch, kind)
    await add_person(db, "ann@mail.example", first_name="Ann", last_name="Marker", fax=FAX, **HOME)
    other = await add_person(db, "annie@mail.example", first_name="ANN", last_name="marker", fax=FAX, **HOME)
    await held(db, kind.value, key)

    assert (await done(runtime, RequestKind.DELETE, "email", "ann@mail.example")).state is RequestState.COMPLETE

    assert await left(db, kind.value) == ([key], 2)
    delivery_id = await new_delivery(runtime, db)
    await prepared(engine, runtime, db, delivery_id)
    assert await outcome_of(db, delivery_id, other) == PENDING


async def test_what_is_said_of_others_addresses_and_quotes_the_person_is_blotted_out(runtime: Runtime, db: Connection) -> None:
    await add_person(db, "ann@mail.example", external_id="A-1000")
    await held(db, "email", "bob@mail.example", "carl@mail.example")
    quoting, other = "in place of Ann@mail.example", "asked by phone"
    said = "CASE WHEN {} LIKE 'bob%' THEN $1 ELSE $2 END"
    await db.execute(f"UPDATE quarantine SET error_text = {said.format('address_key')}", quoting, other)
    entries = f"UPDATE suppression_entry SET comment = {said.format('value')}, origin = {said.format('value')} WHERE form = 1"
    await db.execute(entries, quoting, other)

    assert (await done(runtime, RequestKind.DELETE, "email", "ann@mail.example")).state is RequestState.COMPLETE

    texts = [row[0] for row in await db.fetch("SELECT error_text FROM quarantine ORDER BY address_key")]
    assert texts == ["…", other]
    kept = await db.fetch("SELECT comment, origin FROM suppression_entry WHERE form = 1 ORDER BY value")
    assert [tuple(row) for row in kept] == [("…", "…"), (other, other)]


async def test_a_long_postal_address_is_compared_by_its_beginning_everywhere(
    engine: Engine, runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    over(monkeypatch, AddressKind.POSTAL)
    lines = {f"address_line{n}": f"{n}" + "ß" * 198 + "Z" for n in range(1, 5)}
    long = {**lines, "city": "Berlin", "address_defined": True}
    returned = await add_person(db, "ann@mail.example", first_name="Ann", **long)
    fine = await add_person(db, "bob@mail.example", first_name="Bob", **long)
    key = address_key(AddressKind.POSTAL, "\n".join(["Ann", *lines.values(), "Berlin"]))
    assert len(key) == LONGEST_POSTAL
    await db.execute("INSERT INTO quarantine (address_kind, address_key, status) VALUES ('postal', $1, 'quarantine')", key)
    delivery_id = await new_delivery(runtime, db)
    await prepared(engine, runtime, db, delivery_id)
    assert await outcome_of(db, delivery_id, returned) == (LedgerState.EXCLUDED, FailureReason.QUARANTINED_ADDRESS)
    assert await outcome_of(db, delivery_id, fine) == PENDING

    assert (await done(runtime, RequestKind.DELETE, "email", "ann@mail.example")).state is RequestState.COMPLETE
    assert (await left(db, "postal"))[0] == []
