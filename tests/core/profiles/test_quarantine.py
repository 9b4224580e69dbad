"""Quarantine by the figures of the feature map (2.51-2.65)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from channels.contract import AddressKind, FailureReason
from core.access import SYSTEM, Actor, Permission
from core.audit import list_entries
from core.db import Connection, Pool, transaction
from core.errors import Forbidden, Invalid, NotFound
from core.profiles import quarantine
from core.profiles.merge_records import MergePlan
from core.profiles.merging import merge_profiles
from core.profiles.profiles import create_profile
from core.profiles.quarantine import AddressError
from core.profiles.quarantine_records import QuarantineEntry, QuarantineFilter, QuarantineStatus
from core.secrets import Keyring, new_key_text, parse_keyring

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
KEYRING = parse_keyring(new_key_text(1))
ANN = "ann@mail.example"


def error(key: str = ANN, reason: FailureReason = FailureReason.UNREACHABLE, text: str = "451 4.4.1") -> AddressError:
    """What a provider said."""
    return AddressError(address_key=key, reason=reason, text=text)


async def soft(conn: Connection, now: datetime, *errors: AddressError) -> None:
    """Soft errors at a time."""
    await quarantine.record_soft(conn, "email", errors or [error()], delivery_id=7, now=now)


async def entry_of(conn: Connection, address: str = ANN) -> QuarantineEntry | None:
    """What is known of an address."""
    return await quarantine.find_entry(conn, AddressKind.EMAIL, address)


async def status_of(conn: Connection, address: str = ANN) -> str | None:
    """Its status."""
    found = await entry_of(conn, address)
    return found.status.value if found else None


async def test_a_hard_error_quarantines_at_once(conn: Connection) -> None:
    await quarantine.record_hard(
        conn,
        "email",
        [error(reason=FailureReason.USER_UNKNOWN, text="550 5.1.1"), error("bob@mail.example")],
        delivery_id=7,
        now=NOW,
    )

    found = await entry_of(conn, " ANN@Mail.Example ")
    assert found is not None
    assert (found.status, found.reason, found.error_count) == (QuarantineStatus.QUARANTINE, FailureReason.USER_UNKNOWN, 1)
    assert (found.error_text, found.last_delivery_id, found.last_error_at) == ("550 5.1.1", 7, NOW)
    assert await status_of(conn, "bob@mail.example") == "quarantine"
    assert await quarantine.find_entry(conn, AddressKind.MOBILE, "+33612345678") is None


async def test_the_fifth_significant_soft_error_quarantines(conn: Connection) -> None:
    seen = []
    for day in range(5):
        await soft(conn, NOW + day * DAY)
        found = await entry_of(conn)
        assert found is not None
        seen.append((found.status.value, found.error_count))

    assert seen == [("erroneous", 1), ("erroneous", 2), ("erroneous", 3), ("erroneous", 4), ("quarantine", 5)]


async def test_soft_errors_within_a_day_count_once(conn: Connection) -> None:
    for hour in range(20):
        await soft(conn, NOW + timedelta(hours=hour), error(), error(text="again"))
    await soft(conn, NOW + DAY)

    found = await entry_of(conn)
    assert found is not None
    assert (found.error_count, found.first_error_at, found.last_error_at) == (2, NOW, NOW + DAY)


async def test_ten_quiet_days_begin_the_count_anew(conn: Connection) -> None:
    for day in range(4):
        await soft(conn, NOW + day * DAY)
    later = NOW + 3 * DAY + timedelta(days=10, seconds=1)

    await soft(conn, later)

    found = await entry_of(conn)
    assert found is not None
    assert (found.status.value, found.error_count, found.first_error_at) == ("erroneous", 1, later)


async def test_an_ignored_error_never_counts(conn: Connection) -> None:
    await soft(conn, NOW, error(reason=FailureReason.ERROR_IGNORED))

    assert await entry_of(conn) is None


async def test_a_delivered_message_forgives_soft_errors_only(conn: Connection) -> None:
    await soft(conn, NOW)
    await quarantine.record_hard(conn, "email", [error("bob@mail.example")], delivery_id=7, now=NOW)

    await quarantine.record_good(conn, "email", [ANN, "bob@mail.example", "never@seen.example"])

    assert await status_of(conn) is None
    assert await status_of(conn, "bob@mail.example") == "quarantine"


async def test_time_lets_out_what_it_may(conn: Connection, actor: Actor) -> None:
    await soft(conn, NOW)
    await quarantine.record_hard(conn, "email", [error("hard@mail.example")], delivery_id=7, now=NOW)
    await soft(conn, NOW, error("full@mail.example", FailureReason.MAILBOX_FULL))
    await quarantine.put_in(conn, actor, KEYRING, "email", ["spam@mail.example"], status=QuarantineStatus.DENYLISTED, now=NOW)

    assert await quarantine.expire(conn, NOW + 10 * DAY) == 0
    assert await quarantine.expire(conn, NOW + 10 * DAY + timedelta(seconds=1)) == 1
    assert await status_of(conn) is None
    assert await quarantine.expire(conn, NOW + 30 * DAY) == 0
    assert await quarantine.expire(conn, NOW + 30 * DAY + timedelta(seconds=1)) == 1
    assert await status_of(conn, "full@mail.example") is None
    assert await quarantine.expire(conn, NOW + 3650 * DAY) == 0
    assert await status_of(conn, "hard@mail.example") == "quarantine"
    assert await status_of(conn, "spam@mail.example") == "denylisted"


async def test_lists_made_by_hand_outrank_errors(conn: Connection, actor: Actor) -> None:
    await quarantine.put_in(conn, actor, KEYRING, "email", ["Boss@mail.example"], status=QuarantineStatus.ALLOWLISTED, now=NOW)
    await quarantine.put_in(conn, actor, KEYRING, "email", ["spam@mail.example"], status=QuarantineStatus.DENYLISTED, now=NOW)
    both = [error("boss@mail.example"), error("spam@mail.example")]

    await quarantine.record_hard(conn, "email", both, delivery_id=7, now=NOW)
    for day in range(6):
        await soft(conn, NOW + day * DAY, *both)
    await quarantine.record_good(conn, "email", [one.address_key for one in both])

    assert await status_of(conn, "boss@mail.example") == "allowlisted"
    assert await status_of(conn, "spam@mail.example") == "denylisted"


async def test_people_put_addresses_in_and_let_them_out(conn: Connection, actor: Actor) -> None:
    made = await quarantine.put_in(
        conn, actor, KEYRING, "mobile", ["06 12 34 56 78", "+33 6 12 34 56 78"], text="called us", now=NOW, region="FR"
    )

    assert [(one.address_kind, one.address_key, one.error_text) for one in made] == [("mobile", "+33612345678", "called us")]
    assert (await quarantine.get_entry(conn, "mobile", "0033612345678", region="FR")).reason is FailureReason.NOT_DEFINED
    assert await quarantine.release(conn, actor, KEYRING, "mobile", ["+33612345678", "+33612345679"]) == 1
    assert await quarantine.release(conn, actor, KEYRING, "mobile", ["+33612345678"]) == 0
    with pytest.raises(NotFound):
        await quarantine.get_entry(conn, "mobile", "+33612345678")


async def actions_on(conn: Connection, keyring: Keyring, kind: str, address: str) -> list[str]:
    """What the audit log has on an address, newest first."""
    references = quarantine.audit_references(keyring, kind, address)
    told = await list_entries(conn, object_type="quarantine", object_ids=references, before_id=None, limit=99)
    return [one.action for one in told]


async def test_each_address_stands_in_the_audit_by_reference(conn: Connection, actor: Actor) -> None:
    # Given two addresses that were put in and one of them let out
    addresses = [ANN, "bob@mail.example"]
    await quarantine.put_in(conn, actor, KEYRING, "email", addresses, status=QuarantineStatus.DENYLISTED, now=NOW)
    await quarantine.release(conn, actor, KEYRING, "email", ["Bob@mail.example", "never@seen.example"])

    # Then each has its own entries, also when it is spelled another way
    assert await actions_on(conn, KEYRING, "email", " ANN@Mail.Example ") == ["quarantine.put"]
    assert await actions_on(conn, KEYRING, "email", "bob@mail.example") == ["quarantine.release", "quarantine.put"]
    assert await actions_on(conn, KEYRING, "email", "never@seen.example") == []
    # And nobody reads an address in them
    told = await list_entries(conn, object_type="quarantine", object_ids=None, before_id=None, limit=9)
    assert [one.changes for one in told] == [
        {"kind": "email"},
        *[{"kind": "email", "status": "denylisted", "reason": "NOT_DEFINED"}] * 2,
    ]
    assert "mail.example" not in str(told)


async def test_what_does_not_change_is_not_audited(conn: Connection, actor: Actor) -> None:
    await quarantine.put_in(conn, actor, KEYRING, "email", [ANN], now=NOW)

    again = await quarantine.put_in(conn, actor, KEYRING, "email", ["bob@mail.example", ANN], now=NOW + DAY)
    await quarantine.put_in(conn, actor, KEYRING, "email", [ANN], status=QuarantineStatus.DENYLISTED, now=NOW + 2 * DAY)

    assert [(one.address_key, one.updated_at) for one in again] == [(ANN, NOW), ("bob@mail.example", NOW + DAY)]
    assert await actions_on(conn, KEYRING, "email", ANN) == ["quarantine.put", "quarantine.put"]
    assert await actions_on(conn, KEYRING, "email", "bob@mail.example") == ["quarantine.put"]


async def test_entries_of_an_older_master_key_are_found(conn: Connection, actor: Actor) -> None:
    old = new_key_text(1)
    await quarantine.put_in(conn, actor, parse_keyring(old), "email", [ANN], now=NOW)
    rotated = parse_keyring(f"{new_key_text(2)},{old}")
    await quarantine.release(conn, actor, rotated, "email", [ANN])

    assert await actions_on(conn, rotated, "email", ANN) == ["quarantine.release", "quarantine.put"]
    assert [one.partition(":")[0] for one in quarantine.audit_references(rotated, "email", ANN)] == ["2", "1"]


async def test_only_administrators_touch_it_and_only_addresses_go_in(conn: Connection, actor: Actor) -> None:
    editor = Actor(name="token:1", permissions=frozenset({Permission.READ, Permission.EDIT}))
    with pytest.raises(Forbidden):
        await quarantine.put_in(conn, editor, KEYRING, "email", [ANN], now=NOW)
    with pytest.raises(Forbidden):
        await quarantine.release(conn, editor, KEYRING, "email", [ANN])
    for addresses, code, path in (
        ([ANN, "nobody"], "BAD_EMAIL", "addresses.1"),
        ([], "BAD_VALUE", "addresses"),
    ):
        with pytest.raises(Invalid) as caught:
            await quarantine.put_in(conn, actor, KEYRING, "email", addresses, now=NOW)
        assert (caught.value.code, caught.value.path) == (code, path)
    with pytest.raises(Invalid):
        await quarantine.put_in(conn, actor, KEYRING, "push", [" "], now=NOW)


async def test_the_list_is_filtered_and_paged(conn: Connection, actor: Actor) -> None:
    await quarantine.put_in(conn, actor, KEYRING, "email", [f"p{n}@mail.example" for n in range(5)], now=NOW)
    await quarantine.put_in(conn, actor, KEYRING, "mobile", ["+33612345678"], now=NOW)
    await soft(conn, NOW)

    first = await quarantine.list_entries(conn, limit=3)
    rest = await quarantine.list_entries(conn, after=(first[-1].address_kind, first[-1].address_key), limit=10)
    quarantined = await quarantine.list_entries(
        conn, QuarantineFilter(kind=AddressKind.EMAIL, statuses=[QuarantineStatus.QUARANTINE]), limit=10
    )

    assert [one.address_key for one in first] == [ANN, "p0@mail.example", "p1@mail.example"]
    assert [one.address_key for one in rest][-1] == "+33612345678"
    assert len(first) + len(rest) == 7
    assert len(quarantined) == 5


async def test_writers_in_opposite_order_do_not_wait_in_a_circle(pool: Pool) -> None:
    addresses = [f"p{n}@mail.example" for n in range(200)]

    async def write(order: list[str]) -> None:
        for _ in range(5):
            async with transaction(pool) as conn:
                await quarantine.record_soft(conn, "email", [error(one) for one in order], delivery_id=1, now=NOW)
                await quarantine.record_hard(conn, "email", [error(one) for one in order], delivery_id=1, now=NOW)

    await asyncio.gather(write(addresses), write(addresses[::-1]), write(addresses[1::2] + addresses[::2]))

    async with transaction(pool) as conn:
        assert len(await quarantine.list_entries(conn, limit=1000)) == 200


async def test_a_strange_answer_of_a_provider_can_be_kept(conn: Connection) -> None:
    await quarantine.record_hard(conn, "email", [error(text="550 \0" + "x" * 5000)], delivery_id=None, now=NOW)

    found = await entry_of(conn)
    assert found is not None
    assert len(found.error_text) <= 1000


async def test_a_person_has_what_is_known_of_all_that_reaches_them(conn: Connection) -> None:
    values: dict[str, Any] = {
        "email": "Ann@mail.example", "mobile_phone": "+33612345678", "phone": "+33123456789", "fax": "+33123456780",
        "first_name": "Ann", "address_line1": "1 RUE  A", "zip_code": "75001", "city": "Paris",
    }  # fmt: skip
    ann = (await create_profile(conn, SYSTEM, values, now=NOW)).id
    bea = (await create_profile(conn, SYSTEM, {"email": "bea@mail.example"}, now=NOW)).id
    cat = (await create_profile(conn, SYSTEM, {"fax": "+33123456780"}, now=NOW)).id
    tokens = [("shop", "Token-A", ann), ("news", "Token-A", ann), ("shop", "Token-B", bea), ("shop", "token-c", cat)]
    await conn.executemany(
        """
        INSERT INTO app_subscription (app, registration_token, platform, profile_id, created_at, updated_at)
        VALUES ($1, $2, 'ios', $3, $4, $4)
        """,
        [(*one, NOW) for one in tokens],
    )
    block = "\n".join(("Ann", "1 rue a", "75001 PARIS"))
    known = {
        AddressKind.EMAIL: ["ann@mail.example", "bea@mail.example"], AddressKind.MOBILE: ["+33612345678"],
        AddressKind.PHONE: ["+33123456789"], AddressKind.FAX: ["+33123456780"], AddressKind.POSTAL: [block],
        AddressKind.PUSH: ["Token-A", "Token-B", "token-a"], AddressKind.IN_APP: ["Token-A"],
    }  # fmt: skip
    for kind, addresses in known.items():
        await quarantine.put_in(conn, SYSTEM, KEYRING, kind, addresses, now=NOW)

    async def told(*people: int) -> dict[int, list[tuple[str, str]]]:
        found = await quarantine.get_entries_of(conn, people)
        return {one: [(entry.address_kind, entry.address_key) for entry in entries] for one, entries in found.items()}

    own = [
        ("email", "ann@mail.example"), ("mobile", "+33612345678"), ("phone", "+33123456789"), ("fax", "+33123456780"),
        ("postal", "ann 1 rue a 75001 paris"), ("push", "Token-A"),
    ]  # fmt: skip
    assert await told(ann, bea, cat, 10**9) == {
        ann: own, bea: [("email", "bea@mail.example"), ("push", "Token-B")], cat: [("fax", "+33123456780")],
    }  # fmt: skip
    assert await told() == {}

    await merge_profiles(conn, SYSTEM, MergePlan(survivor_id=ann, other_ids=(bea,)), now=NOW)
    assert await told(ann) == {ann: [*own, ("push", "Token-B")]}  # whose email the survivor does not have is not asked about
