"""Links: what may be one, what becomes of it in the database, and that nothing is lost by hiding it."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from api.graphql.datamodel.uses import UNUSED
from core.access import SYSTEM
from core.datamodel import link_rules
from core.datamodel.drafts import get_draft, remove_dataset, remove_field
from core.datamodel.hidden import drop_hidden, list_hidden
from core.datamodel.links import remove_link, save_link
from core.datamodel.publication import preview, publish, roll_back
from core.datamodel.records import Action, FieldKind, LinkKind, OnDelete
from core.db import Connection, Pool, transaction
from core.errors import ClarionError, Conflict, NotFound
from tests.core.datamodel.model import (
    NOW,
    columns,
    dataset,
    field,
    link,
    point,
    publish_draft,
    save,
    unique,
)

PAIRS = {"kind": LinkKind.MANY_TO_MANY}


async def foreign_keys(conn: Connection) -> dict[str, str]:
    """Those of the team's tables, in Postgres's words."""
    rows = await conn.fetch(
        r"""
        SELECT conrelid::regclass || '.' || conname AS name, pg_get_constraintdef(oid) AS said FROM pg_constraint
         WHERE contype = 'f' AND (conname LIKE 'x\_%' OR conrelid::regclass::text LIKE 'x\_%') ORDER BY 1
        """
    )
    return {row["name"]: row["said"] for row in rows}


async def test_a_link_is_a_column_with_a_foreign_key(conn: Connection) -> None:
    await dataset(conn, "shop")
    await dataset(conn, "purchase", field("code"))
    await point(conn, link("shop", "shop", LinkKind.ONE_TO_ONE))
    await publish_draft(conn)
    await point(conn, link(on_delete=OnDelete.DELETE))
    found = await preview(conn)

    assert [(one.action, one.entity, one.link) for one in found.changes] == [(Action.ADD, "purchase", "customer")]
    assert [(one.sql, one.locks) for one in found.steps] == [
        ("ALTER TABLE x_purchase ADD COLUMN x_customer_id bigint", ("x_purchase",)),
        (
            "ALTER TABLE x_purchase ADD CONSTRAINT x_customer_id_fkey FOREIGN KEY (x_customer_id)"
            " REFERENCES profile (id) ON DELETE CASCADE NOT VALID",
            ("x_purchase", "profile"),
        ),
    ]
    assert found.afterwards[0] == "ALTER TABLE x_purchase VALIDATE CONSTRAINT x_customer_id_fkey"
    assert [one.partition(" ON ")[2] for one in found.afterwards[1:]] == ["x_purchase (x_customer_id)"]
    await publish_draft(conn)
    assert await columns(conn, "x_purchase") == {
        "x_code": "character varying(255)", "x_shop_id": "bigint", "x_customer_id": "bigint",
    }  # fmt: skip
    assert await foreign_keys(conn) == {
        "x_purchase.x_shop_id_fkey": "FOREIGN KEY (x_shop_id) REFERENCES x_shop(id) ON DELETE SET NULL",
        "x_purchase.x_customer_id_fkey": "FOREIGN KEY (x_customer_id) REFERENCES profile(id) ON DELETE CASCADE NOT VALID",
    }


async def test_what_becomes_of_rows_when_the_other_goes(conn: Connection) -> None:
    await dataset(conn)
    for act in OnDelete:
        await point(conn, link(act.value, on_delete=act))
    await publish_draft(conn)
    person = "INSERT INTO profile DEFAULT VALUES RETURNING id"
    ids = {act: await conn.fetchval(person) for act in OnDelete}
    for act, one in ids.items():
        await conn.execute(f"INSERT INTO x_purchase (x_{act.value}_id) VALUES ($1)", one)

    await conn.execute("DELETE FROM profile WHERE id = $1", ids[OnDelete.CLEAR])
    await conn.execute("DELETE FROM profile WHERE id = $1", ids[OnDelete.DELETE])
    with pytest.raises(asyncpg.PostgresError):
        async with conn.transaction():
            await conn.execute("DELETE FROM profile WHERE id = $1", ids[OnDelete.REFUSE])

    rows = await conn.fetch("SELECT x_clear_id, x_delete_id, x_refuse_id FROM x_purchase ORDER BY id")
    assert [tuple(row) for row in rows] == [(None, None, None), (None, None, ids[OnDelete.REFUSE])]
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await conn.execute("INSERT INTO x_purchase (x_clear_id) VALUES (-1)")


async def test_many_and_many_are_pairs_that_go_with_either(conn: Connection) -> None:
    await dataset(conn, "product")
    await dataset(conn)
    await point(conn, link("products", "product", **PAIRS))
    await point(conn, link("viewers", "profile", **PAIRS, on_delete=OnDelete.REFUSE))
    await publish_draft(conn)
    assert (await preview(conn)).steps == ()
    found = await conn.fetch(
        """
        SELECT pg_get_indexdef(indexrelid) AS said FROM pg_index WHERE indrelid = 'x__purchase__products'::regclass ORDER BY 1
        """
    )
    assert [row["said"].partition("(")[2] for row in found] == ["target_id)", "source_id, target_id)"]
    assert await foreign_keys(conn) == {
        "x__purchase__products.source_id_fkey": "FOREIGN KEY (source_id) REFERENCES x_purchase(id) ON DELETE CASCADE",
        "x__purchase__products.target_id_fkey": "FOREIGN KEY (target_id) REFERENCES x_product(id) ON DELETE CASCADE",
        "x__purchase__viewers.source_id_fkey": "FOREIGN KEY (source_id) REFERENCES x_purchase(id) ON DELETE CASCADE",
        "x__purchase__viewers.target_id_fkey": "FOREIGN KEY (target_id) REFERENCES profile(id) ON DELETE RESTRICT",
    }


async def test_a_hidden_link_keeps_its_keys_and_keeps_nobody_from_going(conn: Connection) -> None:
    await dataset(conn)
    await point(conn, link(on_delete=OnDelete.REFUSE))
    await point(conn, link("viewers", **PAIRS, on_delete=OnDelete.REFUSE))
    await publish_draft(conn)
    one, other = [await conn.fetchval("INSERT INTO profile DEFAULT VALUES RETURNING id") for _ in range(2)]
    await conn.execute("INSERT INTO x_purchase (x_customer_id) VALUES ($1), ($2)", one, other)
    await conn.execute("INSERT INTO x__purchase__viewers VALUES (1, $1), (2, $1), (1, $2)", one, other)

    await remove_link(conn, SYSTEM, "purchase", "customer", now=NOW)
    await remove_link(conn, SYSTEM, "purchase", "viewers", now=NOW)
    found = await preview(conn)
    assert [(change.action, change.link) for change in found.changes] == [
        (Action.HIDE, "customer"), (Action.HIDE, "viewers"),
    ]  # fmt: skip
    assert found.afterwards == ()
    await publish_draft(conn)

    assert [(hidden.entity, hidden.field, hidden.link) for hidden in await list_hidden(conn)] == [
        ("purchase", None, "viewers"), ("purchase", None, "customer"),
    ]  # fmt: skip
    await conn.execute("DELETE FROM profile WHERE id = $1", one)

    await roll_back(conn, SYSTEM, 1, now=NOW, guard=UNUSED)
    assert await list_hidden(conn) == []
    kept = await conn.fetch("SELECT x_customer_id FROM x_purchase ORDER BY id")
    assert [row["x_customer_id"] for row in kept] == [None, other]
    assert [tuple(row) for row in await conn.fetch("SELECT * FROM x__purchase__viewers")] == [(1, other)]
    with pytest.raises(asyncpg.PostgresError):
        await conn.execute("DELETE FROM profile WHERE id = $1", other)


async def test_what_becomes_of_rows_may_change_and_what_others_rely_on_may_not(conn: Connection) -> None:
    await dataset(conn, "shop", field("code"))
    await dataset(conn, "purchase", field("code"))
    await point(conn, link())
    await publish_draft(conn)
    for wrong in (
        link(target="shop"),
        link(kind=LinkKind.ONE_TO_ONE),
        link(reverse_name="orders"),
        link(source_fields=("code",), target_fields=("external_id",)),
    ):
        with pytest.raises(Conflict) as refused:
            await point(conn, wrong)
        assert refused.value.code == "LINK_FIXED"
    await point(conn, link(label="Buyer", reverse_label="Orders", on_delete=OnDelete.REFUSE))
    found = await preview(conn)
    assert found.changes[0].details == (
        "label: 'Customer' becomes 'Buyer'", "reverse label: 'Of customer' becomes 'Orders'", "on delete: clear becomes refuse",
    )  # fmt: skip
    assert len(found.steps) == 1
    assert found.afterwards == ("ALTER TABLE x_purchase VALIDATE CONSTRAINT x_customer_id_fkey",)
    await publish_draft(conn)
    (said,) = (await foreign_keys(conn)).values()
    assert said.endswith("ON DELETE RESTRICT NOT VALID")


async def test_a_link_by_fields_is_no_column(conn: Connection) -> None:
    await dataset(conn, "shop", field("code", max_length=20))
    await dataset(conn, "purchase", field("code", max_length=20), field("mail"), field("points", FieldKind.INTEGER))
    await point(conn, link("shop", "shop", source_fields=("code",), target_fields=("code",)))
    await point(conn, link("customer", source_fields=("mail",), target_fields=("email",)))
    await point(conn, link("owner", source_fields=("points", "code"), target_fields=("id", "external_id")))
    await publish_draft(conn)

    assert set(await columns(conn, "x_purchase")) == {"x_code", "x_mail", "x_points"}
    assert await foreign_keys(conn) == {}
    await remove_link(conn, SYSTEM, "purchase", "customer", now=NOW)
    assert [one.split()[0] for one in (await preview(conn)).afterwards] == ["DROP"]
    await publish_draft(conn)
    assert await list_hidden(conn) == []


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (link("Customer"), "BAD_NAME"),
        (link("first"), "RESERVED_NAME"),
        (link(reverse_name="a b"), "BAD_NAME"),
        (link(label=""), "BAD_LABEL"),
        (link(reverse_label="a\n"), "BAD_LABEL"),
        (link(target="shops"), "DATASET_NOT_FOUND"),
        (link("code"), "NAME_TAKEN"),
        (link("co_de"), "NAME_TAKEN"),
        (link("buyer"), "NAME_TAKEN"),  # its column is that of the field buyer_id
        (link(reverse_name="email"), "NAME_TAKEN"),
        (link(reverse_name="first_name"), "NAME_TAKEN"),
        (link(target="purchase", reverse_name="customer"), "NAME_TAKEN"),
        (link(target="purchase", reverse_name="code"), "NAME_TAKEN"),
        (link(reverse_name="of_other"), "NAME_TAKEN"),
        (link("created", "shop", reverse_name="createdat"), None),
        (link(source_fields=("code",)), "BAD_FIELDS"),
        (link(source_fields=("code", "code"), target_fields=("email", "external_id")), "BAD_FIELDS"),
        (link(source_fields=("code", "buyer_id"), target_fields=("email", "email")), "BAD_FIELDS"),
        (link(source_fields=("code",), target_fields=("id",)), "BAD_FIELDS"),
        (link(source_fields=("place",), target_fields=("place",), target="purchase"), "BAD_FIELDS"),
        (link(source_fields=("colour",), target_fields=("email",)), "UNKNOWN_FIELD"),
        (link(source_fields=("code",), target_fields=("last_name",)), "UNKNOWN_FIELD"),
        (link(source_fields=("id",), target_fields=("id",)), "UNKNOWN_FIELD"),
        (link(source_fields=("story",), target_fields=("external_id",)), "TOO_WIDE"),
        (link(source_fields=("code",), target_fields=("email",), on_delete=OnDelete.DELETE), "BAD_ON_DELETE"),
        (link(source_fields=("code",), target_fields=("email",), **PAIRS), "BAD_FIELDS"),
        (link(**PAIRS, on_delete=OnDelete.DELETE), "BAD_ON_DELETE"),
        (link("a" * 30, reverse_name="b" * 30), None),
    ],
)
async def test_what_a_link_cannot_be_is_refused(conn: Connection, wrong: Any, code: str | None) -> None:
    await dataset(conn, "shop")
    await dataset(
        conn, "purchase", field("code"), field("buyer_id", FieldKind.INTEGER), field("story", max_length=700),
        field("place", FieldKind.POINT),
    )  # fmt: skip
    await point(conn, link("other"))
    before = await get_draft(conn)
    if code is None:
        await point(conn, wrong)
        return
    with pytest.raises(ClarionError) as refused:
        await point(conn, wrong)
    assert refused.value.code == code
    assert await get_draft(conn) == before


async def test_pairs_have_room_for_their_names_and_a_table_of_their_own(conn: Connection) -> None:
    await dataset(conn, "a" * 30)
    with pytest.raises(ClarionError) as long:
        await point(conn, link("b" * 29, **PAIRS, reverse_name="back"), entity="a" * 30)
    assert long.value.code == "NAME_TOO_LONG"
    await point(conn, link("b" * 28, **PAIRS, reverse_name="back"), entity="a" * 30)
    await dataset(conn, "a")
    await dataset(conn, "a__b")
    await point(conn, link("c", **PAIRS), entity="a__b")
    with pytest.raises(Conflict) as taken:
        await point(conn, link("b__c", **PAIRS, reverse_name="ways"), entity="a")
    assert (taken.value.code, "a__b.c" in taken.value.message) == ("NAME_TAKEN", True)
    await publish_draft(conn)
    assert await conn.fetchval("SELECT to_regclass($1) IS NOT NULL", f"x__{'a' * 30}__{'b' * 28}")


async def test_what_a_link_or_a_key_is_made_of_stays_in_the_draft(conn: Connection) -> None:
    await dataset(conn, "shop")
    await dataset(conn, "purchase", field("code"), field("number"))
    await point(conn, link("shop", "shop"))
    await point(conn, link(source_fields=("code",), target_fields=("external_id",)))
    await unique(conn, "by_number", "number")
    await unique(conn, "by_shop", "shop", "code")
    for act, told in (
        (remove_dataset(conn, SYSTEM, "shop", now=NOW), "purchase.shop"),
        (remove_field(conn, SYSTEM, "purchase", "code", now=NOW), "customer"),
        (remove_field(conn, SYSTEM, "purchase", "number", now=NOW), "by_number"),
        (remove_link(conn, SYSTEM, "purchase", "shop", now=NOW), "by_shop"),
    ):
        with pytest.raises(ClarionError) as refused:
            await act
        assert told in refused.value.message
        assert refused.value.hint is not None
        assert "first" in refused.value.hint
    with pytest.raises(NotFound) as missing:
        await remove_link(conn, SYSTEM, "purchase", "nothing", now=NOW)
    assert missing.value.code == "LINK_NOT_FOUND"


async def test_hidden_keys_are_those_of_one_table_and_no_field(conn: Connection) -> None:
    await dataset(conn, "shop")
    await dataset(conn, "purchase", field("seller_id", FieldKind.INTEGER))
    await point(conn, link())
    await publish_draft(conn)
    await remove_link(conn, SYSTEM, "purchase", "customer", now=NOW)
    await remove_field(conn, SYSTEM, "purchase", "seller_id", now=NOW)
    await publish_draft(conn)
    for act in (
        point(conn, link(target="shop")),
        save(conn, field("customer_id", FieldKind.INTEGER), "purchase"),
        point(conn, link("seller")),
    ):
        with pytest.raises(Conflict) as refused:
            await act
        assert refused.value.code == "HIDDEN_DATA"
    await point(conn, link(kind=LinkKind.ONE_TO_ONE))
    assert [(one.action, one.link) for one in (await preview(conn)).changes] == [(Action.SHOW, "customer")]
    with pytest.raises(Conflict) as drafted:
        await drop_hidden(conn, SYSTEM, "purchase", None, link="customer", confirm="purchase.customer")
    assert drafted.value.code == "IN_DRAFT"


async def test_hidden_links_are_dropped_before_what_they_lead_to(conn: Connection) -> None:
    await dataset(conn, "shop")
    await dataset(conn)
    await point(conn, link("shop", "shop"))
    await point(conn, link("shops", "shop", **PAIRS))
    await publish_draft(conn)
    for name in ("shop", "shops"):
        await remove_link(conn, SYSTEM, "purchase", name, now=NOW)
    await remove_dataset(conn, SYSTEM, "shop", now=NOW)
    await publish_draft(conn)

    with pytest.raises(Conflict) as linked:
        await drop_hidden(conn, SYSTEM, "shop", None, confirm="shop")
    assert linked.value.code == "LINKED"
    await drop_hidden(conn, SYSTEM, "purchase", None, link="shop", confirm="purchase.shop")
    await drop_hidden(conn, SYSTEM, "purchase", None, link="shops", confirm="purchase.shops")
    await drop_hidden(conn, SYSTEM, "shop", None, confirm="shop")

    assert await list_hidden(conn) == []
    assert await columns(conn, "x_purchase") == {}
    assert not await conn.fetchval("SELECT to_regclass('x__purchase__shops') IS NOT NULL")


async def test_a_link_may_lead_to_its_own_dataset_and_between_tables_of_ours(conn: Connection) -> None:
    await dataset(conn)
    await point(conn, link("parent", "purchase", reverse_name="parts"))
    await point(conn, link("sponsor", "profile", on_delete=OnDelete.CLEAR), entity="campaign")
    await point(conn, link("favourite", "purchase"), entity="profile")
    found = await preview(conn)
    await publish_draft(conn)
    assert ("campaign", "profile") in [one.locks for one in found.steps]
    assert set(await foreign_keys(conn)) == {
        "campaign.x_sponsor_id_fkey", "profile.x_favourite_id_fkey", "x_purchase.x_parent_id_fkey",
    }  # fmt: skip


async def test_links_have_a_bound(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_rules, "MAX_LINKS", 1)
    await dataset(conn)
    await point(conn, link())
    with pytest.raises(ClarionError) as refused:
        await save_link(conn, SYSTEM, "purchase", link("other"), now=NOW)
    assert refused.value.code == "TOO_MANY_LINKS"


async def test_tables_are_locked_before_any_is_changed_and_profiles_last(pool: Pool) -> None:
    async with transaction(pool) as conn:
        await dataset(conn)
        await dataset(conn, "shop")
        await publish_draft(conn)
        await point(conn, link("favourite", "shop"), entity="profile")
        await point(conn, link())
        version = (await get_draft(conn)).version
    async with transaction(pool) as writer:  # as who writes a purchase, and only then looks for its customer
        await writer.execute("INSERT INTO x_purchase DEFAULT VALUES")
        async with transaction(pool) as conn:
            with pytest.raises(Conflict) as busy:
                await publish(conn, SYSTEM, expected_version=version, now=NOW, guard=UNUSED, lock_timeout_ms=50)
            assert busy.value.code == "TABLE_BUSY"
        await writer.execute("UPDATE profile SET first_name = 'Ann'")
    async with transaction(pool) as conn:
        await publish(conn, SYSTEM, expected_version=version, now=NOW, guard=UNUSED)
        modes = await conn.fetch(
            """
            SELECT relation::regclass::text AS name, mode FROM pg_locks
             WHERE pid = pg_backend_pid() AND mode LIKE '%Exclusive%' AND relation::regclass::text IN ('x_shop', 'profile')
               AND mode <> 'RowExclusiveLock'
            """
        )
        assert ("x_shop", "AccessExclusiveLock") not in [tuple(row) for row in modes]  # others read it meanwhile
        assert ("profile", "AccessExclusiveLock") in [tuple(row) for row in modes]
