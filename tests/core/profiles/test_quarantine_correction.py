"""Entries of the quarantine are found by what they say, and many of them put right at once (2.52, 2.64)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from channels.contract import AddressKind, FailureReason
from core.access import Actor, Permission
from core.audit import list_entries as list_audit
from core.db import Connection
from core.errors import Forbidden, Invalid, Stale
from core.profiles import quarantine, quarantine_correction, refusals
from core.profiles.quarantine import AddressError
from core.profiles.quarantine_records import Correction, QuarantineFilter
from core.profiles.quarantine_records import QuarantineStatus as Status
from core.secrets import new_key_text, parse_keyring

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
KEYRING = parse_keyring(new_key_text(1))
Filter = QuarantineFilter


@pytest.fixture
async def outage(conn: Connection, actor: Actor) -> Connection:
    """Three days of a provider's breakdown, and what has nothing to do with it."""
    for day in range(3):
        errors = [
            AddressError(address_key=f"p{day}{n}@isp.example", reason=FailureReason.USER_UNKNOWN, text="550 Try 100%_Later")
            for n in range(4)
        ]
        await quarantine.record_hard(conn, "email", errors, delivery_id=7, now=NOW + day * DAY)
    soft = [AddressError(address_key="soft@isp.example", reason=FailureReason.MAILBOX_FULL, text="452 full")]
    await quarantine.record_soft(conn, "email", soft, delivery_id=8, now=NOW)
    await refusals.record_complaint(conn, actor, KEYRING, "email", ["spam@isp.example"], text="550 try", now=NOW)
    await quarantine.put_in(conn, actor, KEYRING, "mobile", ["+33612345678"], text="550 try", now=NOW)
    return conn


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ({}, 15),
        ({"kind": AddressKind.MOBILE}, 1),
        ({"address": " P01@ISP.example "}, 1),
        ({"address": "06 12 34 56 78"}, 1),
        ({"address": "+33 6 12 34 56 78", "kind": AddressKind.PHONE}, 0),
        ({"prefix": "P0"}, 4),
        ({"prefix": " P0", "kind": AddressKind.EMAIL}, 4),
        ({"prefix": "+33 6 12"}, 1),
        ({"prefix": "0033 6-12", "kind": AddressKind.MOBILE}, 1),
        ({"prefix": "%"}, 0),
        ({"prefix": "_"}, 0),
        ({"statuses": [Status.ERRONEOUS, Status.DENYLISTED]}, 2),
        ({"statuses": []}, 0),
        ({"reasons": [FailureReason.MAILBOX_FULL]}, 1),
        ({"text": "550 TRY"}, 14),
        ({"text": "100%_l"}, 12),
        ({"text": "1000"}, 0),
        ({"text": "a\0b"}, 0),
        ({"changed_from": NOW + DAY}, 8),
        ({"changed_before": NOW + DAY}, 7),
        ({"changed_from": NOW + DAY, "changed_before": NOW + 2 * DAY, "prefix": "p1"}, 4),
        ({"text": "try", "kind": AddressKind.EMAIL, "statuses": [Status.QUARANTINE]}, 12),
    ],
)
async def test_entries_are_found(outage: Connection, given: dict[str, Any], number: int) -> None:
    listed = await quarantine.list_entries(outage, Filter(**given), limit=100, region="FR")
    assert len(listed) == number
    assert await quarantine.count_entries(outage, Filter(**given), region="FR") == number


async def test_an_outage_is_put_right_in_pieces(outage: Connection, actor: Actor) -> None:
    # Given a count of what would be corrected: quarantine and errors, not who complained
    meant = Filter(text="550 try", changed_from=NOW, changed_before=NOW + 2 * DAY, kind=AddressKind.EMAIL)
    assert await quarantine_correction.count_matching(outage, actor, meant, Correction.SET_VALID) == 8

    # When it is done in pieces
    left, pieces = 8, []
    while left:
        done = await quarantine_correction.correct(
            outage, actor, KEYRING, meant, Correction.SET_VALID, expected=left, now=NOW + 3 * DAY, limit=3
        )
        pieces.append(done.corrected)
        left = done.remaining

    # Then their errors are forgotten, and each is in the audit
    assert pieces == [3, 3, 2]
    entry = await quarantine.get_entry(outage, "email", "p00@isp.example")
    assert (entry.status, entry.error_count, entry.last_error_at, entry.error_text) == (Status.VALID, 0, None, "")
    assert (await quarantine.get_entry(outage, "email", "p20@isp.example")).status is Status.QUARANTINE
    assert (await quarantine.get_entry(outage, "email", "spam@isp.example")).status is Status.DENYLISTED
    references = quarantine.audit_references(KEYRING, "email", "p00@isp.example")
    (told,) = await list_audit(outage, object_type="quarantine", object_ids=references, before_id=None, limit=9)
    assert (told.action, told.changes) == ("quarantine.correct", {"kind": "email", "correction": "set_valid"})
    # And the next error is the first
    error = AddressError(address_key="p00@isp.example", reason=FailureReason.UNREACHABLE, text="")
    await quarantine.record_soft(outage, "email", [error], delivery_id=None, now=NOW + 4 * DAY)
    found = await quarantine.get_entry(outage, "email", "p00@isp.example")
    assert (found.status, found.error_count) == (Status.ERRONEOUS, 1)
    # And time forgets the corrected ones
    assert await quarantine.expire(outage, NOW + 13 * DAY) == 0
    assert await quarantine.expire(outage, NOW + 13 * DAY + timedelta(seconds=1)) == 7


async def test_entries_are_deleted_where_their_status_is_named_whatever_it_is(outage: Connection, actor: Actor) -> None:
    named = Filter(prefix="spam@", statuses=[Status.DENYLISTED])
    for meant, number in ((Filter(prefix="spam@"), 0), (named, 1)):
        done = await quarantine_correction.correct(outage, actor, KEYRING, meant, Correction.DELETE, now=NOW)
        assert (done.corrected, done.remaining) == (number, 0)
    assert await quarantine.find_entry(outage, "email", "spam@isp.example") is None


async def test_a_correction_of_what_nobody_counted_is_refused(outage: Connection, actor: Actor) -> None:
    editor = Actor(name="token:1", permissions=frozenset({Permission.READ, Permission.EDIT}))
    everything = await quarantine.list_entries(outage, limit=100)
    for who, meant, expected, error in (
        (actor, Filter(text="550"), 3, Stale), (actor, Filter(), None, Invalid), (editor, Filter(text="550"), None, Forbidden),
        (actor, Filter(kind=AddressKind.EMAIL, address="nobody"), None, Invalid),
    ):  # fmt: skip
        with pytest.raises(error):
            await quarantine_correction.correct(
                outage, who, KEYRING, meant, Correction.DELETE, expected=expected, now=NOW
            )  # fmt: skip
    with pytest.raises(Forbidden):
        await quarantine_correction.count_matching(outage, editor, Filter(text="x"), Correction.DELETE)
    assert await quarantine.list_entries(outage, limit=100) == everything


async def test_a_complaint_and_a_stop_outrank_everything_and_are_told_once(conn: Connection, actor: Actor) -> None:
    ann = "ann@mail.example"
    await quarantine.put_in(conn, actor, KEYRING, "email", [ann], status=Status.ALLOWLISTED, now=NOW)

    assert await refusals.record_complaint(conn, actor, KEYRING, "email", ["ANN@Mail.example"], delivery_id=7, now=NOW) == 1
    assert await refusals.record_complaint(conn, actor, KEYRING, "email", [ann], now=NOW + DAY) == 0
    assert await refusals.record_stop(conn, actor, KEYRING, ["06 12 34 56 78"], text="Stop\0", now=NOW, region="FR") == 1

    entry = await quarantine.get_entry(conn, "email", ann)
    assert (entry.status, entry.reason, entry.last_delivery_id, entry.last_error_at) == (
        Status.DENYLISTED, FailureReason.DENYLISTED_ADDRESS, 7, NOW,
    )  # fmt: skip
    phone = await quarantine.get_entry(conn, "mobile", "+33612345678")
    assert (phone.status, phone.error_text) == (Status.DENYLISTED, "Stop")
    # And no good news lifts them
    await quarantine.record_good(conn, "email", [ann])
    assert await quarantine.expire(conn, NOW + 3650 * DAY) == 0


async def test_a_stop_to_a_short_code_is_kept_for_it_alone(conn: Connection, actor: Actor) -> None:
    for code in ("38000", "Shop"):
        assert await refusals.record_stop(conn, actor, KEYRING, ["+33612345678"] * 2, short_code=code, now=NOW) == 1
        assert await refusals.record_stop(conn, actor, KEYRING, ["+33612345678"], short_code=code, now=NOW) == 0
    assert await quarantine.find_entry(conn, "mobile", "+33612345678") is None
    assert await refusals.list_stops(conn, "+33 6 12 34 56 78") == ["38000", "Shop"]
    assert await refusals.lift_stop(conn, actor, KEYRING, ["+33612345678"], short_code="Shop") == 1
    assert await refusals.lift_stop(conn, actor, KEYRING, ["+33612345678"], short_code="Shop") == 0
    assert await refusals.list_stops(conn, "+33612345678") == ["38000"]
    for phones, code in (["nobody"], "1"), (["+33612345678"], "3 8"), ([], "1"):
        with pytest.raises(Invalid):
            await refusals.record_stop(conn, actor, KEYRING, phones, short_code=code, now=NOW)


async def test_ignored_errors_never_count_and_strange_reasons_are_not_kept(conn: Connection, actor: Actor) -> None:
    ignored = AddressError(address_key="a@mail.example", reason=FailureReason.ERROR_IGNORED, text="")
    await quarantine.record_hard(conn, "email", [ignored], delivery_id=None, now=NOW)
    assert await quarantine.find_entry(conn, "email", "a@mail.example") is None
    strange = AddressError(address_key="a@mail.example", reason=FailureReason.TEXT_TOO_LONG, text="\ud800")
    await quarantine.record_hard(conn, "email", [strange], delivery_id=None, now=NOW)
    assert (await quarantine.get_entry(conn, "email", "a@mail.example")).reason is FailureReason.NOT_DEFINED
    with pytest.raises(Invalid) as caught:
        await quarantine.put_in(
            conn, actor, KEYRING, "email", ["a@mail.example"], reason=FailureReason.DUPLICATE, now=NOW
        )  # fmt: skip
    assert (caught.value.code, caught.value.path) == ("BAD_REASON", "reason")


@pytest.mark.parametrize(
    ("kind", "spellings", "key"),
    [
        (AddressKind.POSTAL, ["12 Rue\u00a0de  la Paix ", "12 RUE DE LA PAIX"], "12 rue de la paix"),
        (AddressKind.FAX, ["01 42 68 53 00", "+33 1 42 68 53 00"], "+33142685300"),
        (AddressKind.OTHER, [" Handle_1", "HANDLE_1"], "handle_1"),
        (AddressKind.PUSH, [" dEvIcE:1 "], "dEvIcE:1"),
        (AddressKind.IN_APP, ["User 1"], "User 1"),
    ],
)
async def test_every_kind_of_address_has_one_form(
    conn: Connection, actor: Actor, kind: AddressKind, spellings: list[str], key: str
) -> None:
    made = await quarantine.put_in(conn, actor, KEYRING, kind, spellings, now=NOW, region="FR")
    assert [(one.address_kind, one.address_key) for one in made] == [(kind.value, key)]
