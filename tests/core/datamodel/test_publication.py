"""Publishing: all or nothing, nothing lost, and everything told before."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.graphql.datamodel.uses import UNUSED
from core.access import SYSTEM
from core.audit import list_entries
from core.datamodel.drafts import get_draft, remove_dataset, remove_field, save_dataset
from core.datamodel.hidden import count_values, drop_hidden, list_hidden
from core.datamodel.publication import get_published, list_published, preview, publish, roll_back
from core.datamodel.records import AUDIT_KINDS, Action, Choice, FieldKind
from core.db import Connection, Pool, transaction
from core.errors import ClarionError, Conflict, Invalid, NotFound, Stale
from core.paging import PageRequest
from tests.core.datamodel.model import NOW, columns, field, publish_draft, publish_fields, save

LEVELS = (Choice(name="gold", label="Gold"), Choice(name="silver", label="Silver"))


async def test_every_kind_becomes_a_column_that_holds_it(conn: Connection) -> None:
    kinds: dict[FieldKind, tuple[str, Any]] = {
        FieldKind.TEXT: ("character varying(20)", "Zoë"),
        FieldKind.INTEGER: ("bigint", 2**62),
        FieldKind.DECIMAL: ("numeric", Decimal("12.3400000000000000001")),
        FieldKind.BOOLEAN: ("boolean", True),
        FieldKind.DATE: ("date", date(1984, 2, 29)),
        FieldKind.INSTANT: ("timestamp with time zone", datetime(2026, 1, 1, tzinfo=UTC)),
        FieldKind.ENUMERATION: ("character varying(30)", "gold"),
        FieldKind.JSON: ("jsonb", {"a": [1, None]}),
        FieldKind.POINT: ("point", asyncpg.Point(2.35, 48.85)),
        FieldKind.AUTOMATIC_ID: ("uuid", UUID(int=7)),
    }
    assert set(kinds) == set(FieldKind) - AUDIT_KINDS  # which are of datasets alone
    more: dict[FieldKind, dict[str, Any]] = {FieldKind.TEXT: {"max_length": 20}, FieldKind.ENUMERATION: {"choices": LEVELS}}

    await publish_fields(conn, *(field(f"a_{kind}", kind, **more.get(kind, {})) for kind in kinds))

    assert await columns(conn) == {f"x_a_{kind}": sql for kind, (sql, _) in kinds.items()}
    for kind, (_, value) in kinds.items():
        column = f"x_a_{kind}"
        assert await conn.fetchval(f"INSERT INTO profile ({column}) VALUES ($1) RETURNING {column}", value) == value


async def test_a_preview_tells_what_publishing_then_does(conn: Connection) -> None:
    await publish_fields(conn, field("tier", max_length=20), field("points", FieldKind.INTEGER))
    await save(conn, field("tier", label="Level", max_length=30))
    await save(conn, field("vip", FieldKind.BOOLEAN, personal=True))
    await remove_field(conn, SYSTEM, "profile", "points", now=NOW)
    await save_dataset(conn, SYSTEM, name="purchase", label="Purchase", now=NOW)
    await save(conn, field("amount", FieldKind.DECIMAL), "purchase")

    found = await preview(conn)

    assert [(one.action, one.entity, one.field, one.details) for one in found.changes] == [
        (Action.CHANGE, "profile", "tier", ("label: 'Tier' becomes 'Level'", "max length: 20 becomes 30")),
        (Action.ADD, "profile", "vip", ()),
        (Action.ADD, "purchase", None, ()),
        (Action.ADD, "purchase", "amount", ()),
        (Action.HIDE, "profile", "points", ()),
    ]
    assert [step.locks for step in found.steps] == [("profile",), ("test_profile",), ("profile",), ("test_profile",), ()]
    assert found.base_version == 1
    assert found.draft_version == (await get_draft(conn)).version

    done = await publish_draft(conn)

    assert list(done.statements) == [step.sql for step in found.steps]
    assert await columns(conn) == {"x_tier": "character varying(30)", "x_points": "bigint", "x_vip": "boolean"}
    assert await columns(conn, "x_purchase") == {"x_amount": "numeric"}
    after = await preview(conn)
    assert (after.changes, after.steps) == ((), ())


async def test_publishing_says_who_and_when_and_is_in_the_log(conn: Connection) -> None:
    done = await publish_fields(conn, field())

    assert (done.version, done.published_by, done.published_at) == (1, SYSTEM.name, NOW)
    assert await get_published(conn) == done
    page = await list_published(conn, PageRequest(first=5))
    assert [one.version for one in page.rows] == [1, 0]
    page = await list_published(conn, PageRequest(first=5, after=1))
    assert [one.version for one in page.rows] == [0]
    entries = await list_entries(conn, object_type="data_model", object_ids=["1"], before_id=None, limit=5)
    assert [(entry.action, entry.changes) for entry in entries] == [("data_model.publish", {"from": 0, "statements": 2})]


async def test_what_was_not_previewed_is_not_published(conn: Connection) -> None:
    await save(conn, field())
    version = (await get_draft(conn)).version
    await save(conn, field("more"))
    with pytest.raises(Stale):
        await publish(conn, SYSTEM, expected_version=version, now=NOW, guard=UNUSED)


async def test_nothing_new_is_not_published(conn: Connection) -> None:
    with pytest.raises(Conflict) as refused:
        await publish_draft(conn)
    assert refused.value.code == "NOTHING_TO_PUBLISH"


async def test_hidden_values_are_there_again_when_their_field_is(conn: Connection) -> None:
    await publish_fields(conn, field("tier", max_length=20))
    await conn.execute("INSERT INTO profile (x_tier) VALUES ('gold')")
    await remove_field(conn, SYSTEM, "profile", "tier", now=NOW)
    await publish_draft(conn)
    assert [(one.entity, one.field, one.sql_type) for one in await list_hidden(conn)] == [
        ("profile", "tier", "character varying(20)")
    ]

    for other in (field("tier", FieldKind.INTEGER), field("tier", max_length=19)):
        with pytest.raises(Conflict) as refused:
            await save(conn, other)
        assert refused.value.code == "HIDDEN_DATA"
    await save(conn, field("tier", max_length=25))
    assert [one.action for one in (await preview(conn)).changes] == [Action.SHOW]
    await publish_draft(conn)

    assert await list_hidden(conn) == []
    assert await conn.fetchval("SELECT x_tier FROM profile") == "gold"


async def test_a_dataset_is_hidden_with_its_rows_and_shown_with_them(conn: Connection) -> None:
    await save_dataset(conn, SYSTEM, name="purchase", label="Purchase", now=NOW)
    await publish_fields(conn, field("amount", FieldKind.DECIMAL), entity="purchase")
    await conn.execute("INSERT INTO x_purchase (x_amount) VALUES (1.5)")
    await remove_dataset(conn, SYSTEM, "purchase", now=NOW)
    await publish_draft(conn)
    assert [(one.entity, one.field) for one in await list_hidden(conn)] == [("purchase", None)]

    await roll_back(conn, SYSTEM, 1, now=NOW, guard=UNUSED)

    assert await list_hidden(conn) == []
    assert await conn.fetchval("SELECT x_amount FROM x_purchase") == Decimal("1.5")


async def test_going_back_hides_what_came_later_and_shows_what_was_there(conn: Connection) -> None:
    await publish_fields(conn, field("tier"))
    await remove_field(conn, SYSTEM, "profile", "tier", now=NOW)
    await publish_fields(conn, field("points", FieldKind.INTEGER))

    done = await roll_back(conn, SYSTEM, 1, now=NOW, guard=UNUSED)

    assert done.version == 3
    assert done.model == (await get_draft(conn)).model
    assert [one.name for one in done.model.entities[0].fields] == ["tier"]
    assert [one.field for one in await list_hidden(conn)] == ["points"]


async def test_going_back_keeps_what_has_become_longer(conn: Connection) -> None:
    await publish_fields(conn, field("tier", max_length=20))
    await publish_fields(conn, field("tier", label="Level", max_length=30))

    done = await roll_back(conn, SYSTEM, 1, now=NOW, guard=UNUSED)

    (tier,) = done.model.entities[0].fields
    assert (tier.label, tier.max_length) == ("Tier", 30)
    assert await columns(conn) == {"x_tier": "character varying(30)"}


async def test_going_back_waits_for_an_open_draft_and_needs_a_version(conn: Connection) -> None:
    await publish_fields(conn, field("tier"))
    with pytest.raises(NotFound):
        await roll_back(conn, SYSTEM, 7, now=NOW, guard=UNUSED)
    await save(conn, field("points", FieldKind.INTEGER))
    with pytest.raises(Conflict) as refused:
        await roll_back(conn, SYSTEM, 0, now=NOW, guard=UNUSED)
    assert refused.value.code == "DRAFT_OPEN"


async def test_values_are_dropped_only_when_hidden_confirmed_and_not_drafted(conn: Connection) -> None:
    await publish_fields(conn, field("tier"), field("points", FieldKind.INTEGER))
    with pytest.raises(NotFound):
        await drop_hidden(conn, SYSTEM, "profile", "tier", confirm="profile.tier")
    with pytest.raises(NotFound):
        await drop_hidden(conn, SYSTEM, "profile", None, confirm="profile")
    with pytest.raises(NotFound):
        await drop_hidden(conn, SYSTEM, "profile; DROP TABLE profile", None, confirm="profile; DROP TABLE profile")
    await remove_field(conn, SYSTEM, "profile", "tier", now=NOW)
    await publish_draft(conn)
    with pytest.raises(Invalid) as unconfirmed:
        await drop_hidden(conn, SYSTEM, "profile", "tier", confirm="yes")
    assert unconfirmed.value.code == "NOT_CONFIRMED"
    await save(conn, field("tier"))
    with pytest.raises(Conflict) as drafted:
        await drop_hidden(conn, SYSTEM, "profile", "tier", confirm="profile.tier")
    assert drafted.value.code == "IN_DRAFT"
    assert set(await columns(conn)) == {"x_tier", "x_points"}

    await remove_field(conn, SYSTEM, "profile", "tier", now=NOW)
    await drop_hidden(conn, SYSTEM, "profile", "tier", confirm="profile.tier")

    assert set(await columns(conn)) == {"x_points"}
    await save(conn, field("tier", FieldKind.INTEGER))
    await publish_draft(conn)
    assert (await columns(conn))["x_tier"] == "bigint"


async def test_a_table_in_use_is_not_waited_for_and_nothing_is_half_done(pool: Pool) -> None:
    async with transaction(pool) as conn:
        await save_dataset(conn, SYSTEM, name="purchase", label="Purchase", now=NOW)
        await save(conn, field())
        version = (await get_draft(conn)).version
    async with transaction(pool) as reader:
        await reader.fetch("SELECT id FROM profile")
        async with transaction(pool) as conn:
            with pytest.raises(Conflict) as refused:
                await publish(conn, SYSTEM, expected_version=version, now=NOW, guard=UNUSED, lock_timeout_ms=50)
            assert refused.value.code == "TABLE_BUSY"
            assert (await get_published(conn)).version == 0
            assert await columns(conn, "x_purchase") == {}
            assert not await conn.fetchval("SELECT to_regclass('x_purchase') IS NOT NULL")
    async with transaction(pool) as conn:
        assert (await publish(conn, SYSTEM, expected_version=version, now=NOW, guard=UNUSED)).version == 1


async def test_what_a_view_uses_is_refused_with_the_databases_words(conn: Connection) -> None:
    await publish_fields(conn, field("tier", max_length=20), field("old"))
    await conn.execute("CREATE VIEW best AS SELECT x_tier, x_old FROM profile")
    await remove_field(conn, SYSTEM, "profile", "old", now=NOW)
    await publish_draft(conn)
    with pytest.raises(Conflict) as dropped:
        await drop_hidden(conn, SYSTEM, "profile", "old", confirm="profile.old")
    with pytest.raises(Conflict) as lengthened:
        await publish_fields(conn, field("tier", max_length=30))
    assert (dropped.value.code, lengthened.value.code) == ("USED_BY_SQL", "USED_BY_SQL")
    assert "view" in lengthened.value.message
    assert await columns(conn) == {"x_tier": "character varying(20)", "x_old": "character varying(255)"}
    assert await conn.fetchval("SHOW lock_timeout") == "0"


async def test_two_who_publish_at_once_publish_once(pool: Pool) -> None:
    async with transaction(pool) as conn:
        await save(conn, field())
        version = (await get_draft(conn)).version

    async def attempt() -> str:
        try:
            async with transaction(pool) as conn:
                await publish(conn, SYSTEM, expected_version=version, now=NOW, guard=UNUSED)
        except ClarionError as error:
            return error.code
        return "done"

    assert sorted(await asyncio.gather(attempt(), attempt())) == ["VERSION_CHANGED", "done"]


NAMES = st.sampled_from(["a", "b", "c"])
KINDS = st.sampled_from([FieldKind.INTEGER, FieldKind.DATE, FieldKind.TEXT])
ACTS = st.one_of(
    st.tuples(st.just("save"), NAMES, KINDS, st.integers(1, 3)),
    st.tuples(st.just("remove"), NAMES),
    st.just(("publish",)),
    st.tuples(st.just("back"), st.integers(0, 3)),
    st.tuples(st.just("drop"), NAMES),
)


@given(st.lists(ACTS, max_size=12))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
async def test_whatever_is_done_the_columns_are_those_of_the_model_and_of_what_is_hidden(
    conn: Connection, acts: Sequence[tuple[Any, ...]]
) -> None:
    attempt = conn.transaction()
    await attempt.start()
    try:
        for act in acts:
            before = await columns(conn)
            try:
                await _do(conn, act)
            except ClarionError:
                assert await columns(conn) == before
            shown = (await get_published(conn)).model.entities[0].fields
            hidden = [one.field for one in await list_hidden(conn)]
            assert sorted(await columns(conn)) == sorted(f"x_{name}" for name in [*(one.name for one in shown), *hidden])
            if act[0] != "drop":
                assert set(before) <= set(await columns(conn))
    finally:
        await attempt.rollback()


async def _do(conn: Connection, act: tuple[Any, ...]) -> None:
    match act:
        case ("save", name, kind, length):
            await save(conn, field(name, kind, **({"max_length": length} if kind is FieldKind.TEXT else {})))
        case ("remove", name):
            await remove_field(conn, SYSTEM, "profile", name, now=NOW)
        case ("publish",):
            await publish_draft(conn)
        case ("back", version):
            await roll_back(conn, SYSTEM, version, now=NOW, guard=UNUSED)
        case ("drop", name):
            await drop_hidden(conn, SYSTEM, "profile", name, confirm=f"profile.{name}")


async def test_what_dropping_would_do_is_told_beforehand(conn: Connection) -> None:
    await publish_fields(conn, field("tier"))
    await conn.execute("INSERT INTO profile (x_tier) VALUES ('gold'), (NULL), ('red')")
    await remove_field(conn, SYSTEM, "profile", "tier", now=NOW)
    await publish_draft(conn)

    (found,) = await list_hidden(conn)

    assert await count_values(conn, found) == 2
    assert [(one.sql, one.locks) for one in found.steps] == [
        ("ALTER TABLE profile DROP COLUMN x_tier", ("profile",)),
        ("ALTER TABLE test_profile DROP COLUMN x_tier", ("test_profile",)),
    ]
    dropped = await drop_hidden(conn, SYSTEM, "profile", "tier", confirm="profile.tier")
    assert (dropped.steps, await count_values(conn, dropped)) == (found.steps, None)
