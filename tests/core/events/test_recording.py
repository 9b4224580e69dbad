"""Recording: typed, in sets, each event once, each refusal in its place."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from core.access import Actor, Permission
from core.audit import list_entries
from core.db import Connection
from core.errors import Forbidden, Invalid
from core.events import recording
from core.events.changes import newest_position, read_changes
from core.events.history import list_events
from core.events.recording import record_events
from core.events.records import UnknownFields
from tests.core.events.told import FIELDS, NOW, REPEATED, STORED, add_profile, codes, event, person, save, tell


async def rows(conn: Connection, table: str = "e_purchase") -> list[Any]:
    return list(await conn.fetch(f"SELECT * FROM {table} ORDER BY id"))


async def test_a_payload_becomes_typed_columns(conn: Connection) -> None:
    await save(conn, "purchase", *FIELDS)
    profile_id = await add_profile(conn)
    payload = {
        "amount": Decimal("19.90"), "product": " Cafe\u0301 ", "pieces": 2**62, "gift": True, "due": "2026-04-01",
        "shipped": "2026-03-14T10:00:00+02:00", "way": "On the web",
    }  # fmt: skip
    assert codes(await tell(conn, event(payload=payload, occurred_at="2026-03-14T23:30:00-01:00"))) == [STORED]
    (row,) = await rows(conn)
    assert dict(row) | {"id": 0} == {
        "id": 0,
        "profile_id": profile_id,
        "occurred_at": datetime(2026, 3, 15, 0, 30, tzinfo=UTC),
        "received_at": NOW,
        "key": "k1",
        "x_amount": Decimal("19.90"),
        "x_product": "Café",
        "x_pieces": 2**62,
        "x_gift": True,
        "x_due": date(2026, 4, 1),
        "x_shipped": datetime(2026, 3, 14, 8, tzinfo=UTC),
        "x_way": "web",
    }


async def test_each_event_finds_its_profile_or_not(conn: Connection) -> None:
    await save(conn)
    ann = await add_profile(conn, "ann", "ann@shop.example")
    await add_profile(conn, "bob", "both@shop.example")
    await add_profile(conn, "cid", "both@shop.example")
    people: list[int | str] = [
        ann,
        "ann",
        "ANN@Shop.example",
        "both@shop.example",
        "nobody@shop.example",
        "zoe",
        ann + 999,
        0,
        "x@",
        "a\0b",
        "",
    ]
    outcomes = await tell(conn, *(event(f"k{n}", who) for n, who in enumerate(people)))
    assert codes(outcomes) == [
        STORED, STORED, STORED, "AMBIGUOUS_EMAIL", "PROFILE_NOT_FOUND", "PROFILE_NOT_FOUND", "PROFILE_NOT_FOUND", "BAD_ID",
        "BAD_EMAIL", "BAD_EXTERNAL_ID", "BAD_EXTERNAL_ID",
    ]  # fmt: skip
    assert {row["profile_id"] for row in await rows(conn)} == {ann}
    # And a refused event has not used up its key
    assert codes(await tell(conn, event("k4", ann))) == [STORED]


async def test_what_is_told_of_a_merged_profile_is_its_survivors(conn: Connection) -> None:
    await save(conn)
    ann = await add_profile(conn, "ann", "both@shop.example")
    bob = await add_profile(conn, "bob", "both@shop.example")
    cid = await add_profile(conn, "cid", "cid@shop.example")
    dan = await add_profile(conn, "dan")
    times = [NOW - timedelta(hours=one) for one in (2, 1, 3, 4)]
    told = zip("cdae", ("cid", "dan", "ann", "bob"), times, strict=True)
    await tell(conn, *(event(key, who, occurred_at=at) for key, who, at in told))
    await conn.execute("UPDATE profile SET merged_into = $1 WHERE id = ANY($2::bigint[])", ann, [bob, cid])
    people: list[int | str] = [ann, bob, "bob", cid, "cid@shop.example", "both@shop.example"]
    outcomes = await tell(conn, *(event(f"k{n}", who) for n, who in enumerate(people)))
    assert codes(outcomes) == [STORED] * 6
    assert [row["profile_id"] for row in await rows(conn)] == [cid, dan, ann, bob, *[ann] * 6]
    # What they had before is read as the survivor's, too
    pages = await list_events(conn, [ann, dan], before=(NOW, 0), limit=2)
    assert [(key, [one.key for one in page.rows], page.has_next) for key, page in pages.items()] == [
        (ann, ["c", "a"], True), (dan, ["d"], False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"type": "purchas"}, "EVENT_TYPE_NOT_FOUND"),
        ({"occurred_at": "yesterday"}, "BAD_DATE"),
        ({"occurred_at": "2026-03-14T10:00:00"}, "BAD_DATE"),
        ({"occurred_at": datetime(2026, 3, 14)}, "BAD_DATE"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "BAD_DATE"),
        ({"occurred_at": NOW + timedelta(minutes=11)}, "IN_THE_FUTURE"),
        ({"occurred_at": "1969-12-31T23:59:59Z"}, "TOO_OLD"),
        ({"key": ""}, "BAD_KEY"),
        ({"key": "a\0b"}, "BAD_KEY"),
        ({"key": "\ud800"}, "BAD_KEY"),
        ({"key": "k" * 201}, "BAD_KEY"),
        ({"payload": {}}, "REQUIRED"),
        ({"payload": {"amount": None}}, "REQUIRED"),
        ({"payload": {"amount": "  "}}, "REQUIRED"),
        ({"payload": {"amount": "NaN"}}, "BAD_VALUE"),
        ({"payload": {"amount": float("nan")}}, "BAD_VALUE"),
        ({"payload": {"amount": Decimal("Infinity")}}, "BAD_VALUE"),
        ({"payload": {"amount": Decimal("1e999999")}}, "BAD_VALUE"),
        ({"payload": {"amount": 10**5000}}, "BAD_VALUE"),
        ({"payload": {"amount": True}}, "WRONG_TYPE"),
        ({"payload": {"amount": [1]}}, "WRONG_TYPE"),
        ({"payload": {"amount": 1, "product": 5}}, "WRONG_TYPE"),
        ({"payload": {"amount": 1, "product": "a\0b"}}, "BAD_TEXT"),
        ({"payload": {"amount": 1, "product": "\ud800"}}, "BAD_TEXT"),
        ({"payload": {"amount": 1, "product": "x" * 101}}, "TOO_LONG"),
        ({"payload": {"amount": 1, "prodct": "x"}}, "UNKNOWN_FIELD"),
    ],
)
async def test_what_is_wrong_with_an_event_is_told_and_nothing_is_stored(
    conn: Connection, changes: dict[str, Any], code: str
) -> None:
    await save(conn)
    await add_profile(conn)
    outcomes = await tell(conn, event(**{"key": "bad"} | changes), event("good"))
    assert codes(outcomes) == [code, STORED]
    error = outcomes[0].error
    assert error is not None
    assert len(error.message) < 300
    assert [row["key"] for row in await rows(conn)] == ["good"]


async def test_hints_name_what_is_near(conn: Connection) -> None:
    await save(conn)
    await add_profile(conn)
    outcomes = await tell(conn, event("a", type="purchas"), event("b", payload={"amount": 1, "prodct": "x"}))
    assert [one.error.hint for one in outcomes if one.error] == ["Did you mean 'purchase'?", "Did you mean 'product'?"]


async def test_unknown_fields_may_be_ignored(conn: Connection) -> None:
    await save(conn, unknown_fields=UnknownFields.IGNORE)
    await add_profile(conn)
    assert codes(await tell(conn, event(payload={"amount": 1, "colour": {"deep": []}}))) == [STORED]


async def test_a_key_is_told_once(conn: Connection) -> None:
    await save(conn)
    await save(conn, "visit")
    await add_profile(conn)
    await add_profile(conn, "bob")
    # Given an event, told twice in one call, once with another amount
    other = {"amount": "20"}
    assert codes(await tell(conn, event(), event(), event(payload=other))) == [STORED, REPEATED, "KEY_REUSED"]
    # When it is told again, it is a repeat; with another time, person or payload it is refused; of another type it is another
    again = await tell(
        conn, event(), event(payload=other), event(who="bob"), event(occurred_at=NOW - timedelta(days=90)), event(type="visit")
    )
    assert codes(again) == [REPEATED, "KEY_REUSED", "KEY_REUSED", "KEY_REUSED", STORED]
    assert len(await rows(conn)) == 1


async def test_what_was_refused_may_be_sent_in_its_right_form(conn: Connection) -> None:
    await save(conn)
    await add_profile(conn)
    assert codes(await tell(conn, event(payload={"amount": "much"}), event())) == ["BAD_VALUE", STORED]


async def test_each_call_that_stored_something_is_a_change(conn: Connection) -> None:
    purchase, visit = await save(conn), await save(conn, "visit")
    ann, bob = await add_profile(conn), await add_profile(conn, "bob")
    start = await newest_position(conn)
    await tell(conn, event("1", bob), event("2", ann), event("3", bob, type="visit"), event("4", "zoe"))
    await tell(conn, event("1", bob), event("4", "zoe"))
    (change,) = await read_changes(conn, start, 10)
    assert (change.events, change.profile_ids, change.at) == (3, (ann, bob), NOW)
    assert change.type_ids == (purchase.id, visit.id)
    assert await newest_position(conn) == change.position
    # And the audit log has who told how many, of nobody in particular
    entries = await list_entries(conn, object_type="event", object_ids=None, before_id=None, limit=9)
    told = [(one.object_id, one.changes) for one in entries]
    assert sorted(told) == [(name, {"stored": {"purchase": 2, "visit": 1}}) for name in ("purchase", "visit")]


async def test_who_may_not_import_tells_nothing(conn: Connection) -> None:
    await save(conn)
    nobody = Actor(name="x", permissions=frozenset({Permission.READ, Permission.EDIT}))
    with pytest.raises(Forbidden):
        await record_events(conn, nobody, [event()], NOW)


async def test_a_call_has_a_bound(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "MOST_AT_ONCE", 2)
    with pytest.raises(Invalid) as refused:
        await tell(conn, event("1"), event("2"), event("3"))
    assert refused.value.code == "TOO_MANY_EVENTS"
    assert await tell(conn) == []


async def test_many_events_are_read_aside(conn: Connection) -> None:
    await save(conn)
    await add_profile(conn)
    sent = [event(f"k{n}", payload={"amount": n if n % 3 else "x"}) for n in range(recording.READ_HERE + 1)]
    outcomes = codes(await tell(conn, *sent))
    assert outcomes == [STORED if n % 3 else "BAD_VALUE" for n in range(len(sent))]


def test_references_are_told_apart() -> None:
    assert person("ann") != person("ann@shop.example")
