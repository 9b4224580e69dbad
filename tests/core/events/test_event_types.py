"""Types of events: what they may be, what becomes of their tables, and who sees a change when."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from core.access import SYSTEM, Actor, Permission
from core.datamodel.records import FieldKind
from core.db import Connection, Pool, transaction
from core.errors import ClarionError, Conflict, Forbidden, Invalid, LimitReached, NotFound, Stale
from core.events import event_types, rules
from core.events.event_types import find_event_type, list_event_types, remove_event_type, save_event_type
from core.events.physical import columns_of
from core.events.present import present_event_types
from core.events.records import EventField
from core.events.store.types import read_columns
from tests.core.events.told import (
    AMOUNT,
    FIELDS,
    NOW,
    PRODUCT,
    REPEATED,
    STORED,
    add_profile,
    codes,
    draft,
    event,
    save,
    tell,
)


def field(name: str = "tier", kind: FieldKind = FieldKind.INTEGER, **more: Any) -> EventField:
    return EventField(name=name, label="X", kind=kind, **more)


async def test_what_columns_of_says_is_so(conn: Connection) -> None:
    made = await save(conn, "purchase", *FIELDS, field("note", FieldKind.TEXT))
    lying = await read_columns(conn, "e_purchase")
    told = columns_of(made)
    assert {one.column: one.sql_type for one in told.values()} | {"profile_id": "bigint", "id": "bigint"} == lying
    assert {name: one.field.kind for name, one in told.items()} == {
        "occurred_at": FieldKind.INSTANT, "received_at": FieldKind.INSTANT, "key": FieldKind.TEXT,
        **{one.name: one.kind for one in FIELDS}, "note": FieldKind.TEXT,
    }  # fmt: skip
    assert lying["x_note"] == "character varying(255)"
    # And whoever asks what one person did in a window of time is served by the key
    await conn.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
    plan = await conn.fetch(
        "EXPLAIN SELECT FROM profile p WHERE EXISTS (SELECT FROM e_purchase e WHERE e.profile_id = p.id"
        " AND e.occurred_at >= '2026-03-01' AND e.occurred_at < '2026-03-10' AND e.x_amount > 5)"
    )
    text = "\n".join(row[0] for row in plan)
    assert "em_purchase_2026_03_pkey" in text
    assert "2026_04" not in text


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"name": "Bad"}, "BAD_NAME", "name"),
        ({"name": "a" * 31}, "BAD_NAME", "name"),
        ({"name": "select;"}, "BAD_NAME", "name"),
        ({"name": "exists"}, "RESERVED_NAME", "name"),
        ({"label": ""}, "BAD_LABEL", "label"),
        ({"description": "a\nb"}, "BAD_DESCRIPTION", "description"),
        ({"retention_days": 0}, "BAD_RETENTION", "retention_days"),
        ({"retention_days": 10**9}, "BAD_RETENTION", "retention_days"),
        ({"fields": (field("occurred_at"),)}, "RESERVED_NAME", "fields.0.name"),
        ({"fields": (field("Bad"),)}, "BAD_NAME", "fields.0.name"),
        ({"fields": (field(), field())}, "NAME_TAKEN", "fields.1.name"),
        ({"fields": (field(kind=FieldKind.POINT),)}, "BAD_KIND", "fields.0.kind"),
        ({"fields": (field(kind=FieldKind.ENUMERATION),)}, "CHOICES_MISSING", "fields.0.choices"),
        ({"fields": (field(kind=FieldKind.TEXT, max_length=0),)}, "BAD_LENGTH", "fields.0.max_length"),
        ({"fields": tuple(field(f"f{n}") for n in range(rules.MAX_FIELDS + 1))}, "TOO_MANY_FIELDS", "fields"),
    ],
)
async def test_what_a_type_may_not_be(conn: Connection, changes: dict[str, Any], code: str, path: str) -> None:
    with pytest.raises(Invalid) as refused:
        await save_event_type(conn, SYSTEM, replace(draft(), **changes), now=NOW)
    assert (refused.value.code, refused.value.path) == (code, path)
    assert await list_event_types(conn) == []


async def test_the_largest_type_holds_events(conn: Connection) -> None:
    await save(conn, "purchase", *(field(f"f{n}", FieldKind.TEXT) for n in range(rules.MAX_FIELDS)))
    await add_profile(conn)
    payload = {f"f{n}": str(n) for n in range(rules.MAX_FIELDS)}
    assert codes(await tell(conn, event(payload=payload))) == [STORED]


async def test_there_is_a_bound_on_types(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_types, "MAX_TYPES", 1)
    await save(conn)
    with pytest.raises(LimitReached):
        await save(conn, "visit")


async def test_a_change_makes_a_version_and_no_change_makes_none(conn: Connection) -> None:
    assert (await save(conn)).version == 1
    assert (await save(conn)).version == 1
    changed = await save(conn, "purchase", AMOUNT, PRODUCT, field())
    assert (changed.version, changed.created_by, changed.changed_by) == (2, "system", "system")
    with pytest.raises(Stale):
        await save_event_type(conn, SYSTEM, draft(), now=NOW, expected_version=1)
    with pytest.raises(Stale):  # somebody who thinks that there is none
        await save_event_type(conn, SYSTEM, draft(), now=NOW, expected_version=0)


async def test_a_kind_is_free_until_there_are_events(conn: Connection) -> None:
    await save(conn, "purchase", AMOUNT, field())
    await save(conn, "purchase", AMOUNT, field(kind=FieldKind.BOOLEAN))
    await add_profile(conn)
    assert codes(await tell(conn, event(payload={"amount": 1, "tier": True}))) == [STORED]
    with pytest.raises(Conflict) as refused:
        await save(conn, "purchase", AMOUNT, field())
    assert (refused.value.code, refused.value.path) == ("KIND_FIXED", "fields.1.kind")
    assert await conn.fetchval("SELECT x_tier FROM e_purchase") is True


async def test_texts_become_longer_and_not_shorter(conn: Connection) -> None:
    await save(conn, "purchase", AMOUNT, field(kind=FieldKind.TEXT, max_length=5))
    await add_profile(conn)
    await tell(conn, event(payload={"amount": 1, "tier": "abc"}))
    await save(conn, "purchase", AMOUNT, field(kind=FieldKind.TEXT, max_length=8))
    assert codes(await tell(conn, event("k2", payload={"amount": 1, "tier": "abcdefgh"}))) == [STORED]
    with pytest.raises(Conflict) as refused:
        await save(conn, "purchase", AMOUNT, field(kind=FieldKind.TEXT, max_length=7))
    assert refused.value.code == "LENGTH_FIXED"


async def test_a_field_that_is_left_out_is_hidden_and_shown_again(conn: Connection) -> None:
    await save(conn)
    await add_profile(conn)
    await tell(conn, event(payload={"amount": 1, "product": "Tea"}))
    await save(conn, "purchase", AMOUNT)
    assert codes(await tell(conn, event("k2", payload={"amount": 1, "product": "Tea"}))) == ["UNKNOWN_FIELD"]
    # Another kind would not fit what lies there
    with pytest.raises(Conflict) as refused:
        await save(conn, "purchase", AMOUNT, field("product"))
    assert refused.value.code == "HIDDEN_DATA"
    await save(conn)
    assert await conn.fetchval("SELECT x_product FROM e_purchase") == "Tea"
    # And what was told before the field was hidden is still the same content
    assert codes(await tell(conn, event(payload={"amount": 1, "product": "Tea"}))) == [REPEATED]


async def test_a_removed_type_takes_its_events_along(conn: Connection) -> None:
    await save(conn)
    await add_profile(conn)
    await tell(conn, event())
    for name, confirm, kind in (("visit", "visit", NotFound), ("purchase", "purchas", Invalid)):
        with pytest.raises(kind):
            await remove_event_type(conn, SYSTEM, name, confirm=confirm)
    await remove_event_type(conn, SYSTEM, "purchase", confirm="purchase")
    assert await find_event_type(conn, "purchase") is None
    assert await read_columns(conn, "e_purchase") == {}
    # A new one of its name has its own keys
    await save(conn)
    assert codes(await tell(conn, event())) == [STORED]


async def test_who_may_not_model_data_changes_nothing(conn: Connection) -> None:
    nobody = Actor(name="x", permissions=frozenset(Permission) - {Permission.MODEL_DATA})
    with pytest.raises(Forbidden):
        await save_event_type(conn, nobody, draft(), now=NOW)
    with pytest.raises(Forbidden):
        await remove_event_type(conn, nobody, "purchase", confirm="purchase")


async def test_types_are_remembered_until_they_change(pool: Pool) -> None:
    async with transaction(pool) as conn:
        await save(conn)
    async with pool.acquire() as one, pool.acquire() as other:
        known = await present_event_types(one)
        assert await present_event_types(other) is known
        # A change is seen by its own transaction alone, and forgotten with it
        changing = one.transaction()
        await changing.start()
        await save(one, "visit")
        assert (await present_event_types(one)).find("visit") is not None
        assert await present_event_types(other) is known
        await changing.rollback()
        assert await present_event_types(one) is known
        async with one.transaction():
            await save(one, "visit")
        assert (await present_event_types(other)).find("visit") is not None


async def test_a_table_that_is_read_for_long_is_not_waited_for(pool: Pool) -> None:
    async with transaction(pool) as conn:
        await save(conn)
    async with pool.acquire() as reader, reader.transaction():
        await reader.fetch("SELECT * FROM e_purchase")
        with pytest.raises(ClarionError) as refused:
            async with transaction(pool) as conn:
                await save_event_type(conn, SYSTEM, draft("purchase", AMOUNT, field()), now=NOW, lock_timeout_ms=50)
    assert refused.value.code == "TABLE_BUSY"
    async with transaction(pool) as conn:
        assert [one.version for one in await list_event_types(conn)] == [1]


async def test_a_connection_that_has_recorded_meets_a_changed_type(pool: Pool) -> None:
    async with pool.acquire() as one, pool.acquire() as other:
        async with other.transaction():
            await save(other, "purchase", AMOUNT, field(kind=FieldKind.TEXT, max_length=5))
            await add_profile(other)
        assert codes(await tell(one, event("1", payload={"amount": 1, "tier": "a"}))) == [STORED]
        async with other.transaction():
            await save(other, "purchase", AMOUNT, field(kind=FieldKind.TEXT, max_length=9), field("more", FieldKind.DECIMAL))
        assert codes(await tell(one, event("2", payload={"amount": 1, "tier": "abcdefgh", "more": "1.5"}))) == [STORED]
        assert await other.fetchval("SELECT x_more FROM e_purchase WHERE key = '2'") == Decimal("1.5")


async def test_two_who_make_one_type_at_once_make_it_once(pool: Pool) -> None:
    async def make() -> int:
        async with transaction(pool) as conn:
            return (await save(conn)).version

    assert list(await asyncio.gather(make(), make(), make())) == [1, 1, 1]
    assert await pool.fetchval("SELECT count(*) FROM event_type") == 1


async def test_a_view_of_the_teams_own_keeps_a_type(conn: Connection) -> None:
    await save(conn, "purchase", AMOUNT, field())
    await conn.execute("CREATE VIEW theirs AS SELECT x_tier FROM e_purchase")
    for attempt in (save(conn, "purchase", AMOUNT, field(kind=FieldKind.TEXT)), _remove(conn)):
        with pytest.raises(Conflict) as refused:
            await attempt
        assert refused.value.code == "USED_BY_SQL"


async def _remove(conn: Connection) -> Any:
    return await remove_event_type(conn, SYSTEM, "purchase", confirm="purchase")
