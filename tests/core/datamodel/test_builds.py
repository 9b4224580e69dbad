"""What follows from a publication: indexes and checks, built by a job."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import asyncpg
import pytest

from api.graphql.datamodel.uses import UNUSED
from core.access import SYSTEM
from core.datamodel import jobs
from core.datamodel.builds import retry
from core.datamodel.hidden import drop_hidden
from core.datamodel.keys import remove_index, remove_key, usable_keys
from core.datamodel.links import remove_link
from core.datamodel.publication import preview, roll_back
from core.datamodel.records import Build, BuildKind, BuildState, FieldKind, LinkKind, OnDelete
from core.db import Connection
from core.runtime import Runtime
from core.targeting.check import check
from core.targeting.parse import parse_text
from core.targeting.published import present_catalogue
from core.targeting.sql import compile_statement, population
from tests.core.datamodel.building import indexes, shop
from tests.core.datamodel.model import (
    NOW,
    builds,
    dataset,
    field,
    indexed,
    link,
    point,
    publish_draft,
    publish_fields,
    save,
    unique,
)


def states(found: list[Build]) -> list[tuple[str, str, str]]:
    """Kind, name and state."""
    return [(one.kind.value, one.name, one.state.value) for one in found]


async def test_a_job_builds_what_was_published(runtime: Runtime, db: Connection) -> None:
    await shop(db)
    assert states(await builds(db)) == [
        ("index", "by_place", "waiting"),
        ("key", "by_code", "waiting"),
        ("link", "customer", "waiting"),
        ("reference", "customer", "done"),
    ]
    assert await usable_keys(db, "purchase") == ()

    await jobs.build(runtime)

    assert {one.state for one in await builds(db)} == {BuildState.DONE}
    assert await indexes(db) == [
        "fold_text((x_code)::text) text_pattern_ops, x_customer_id, created_at",
        "unique x_code",
        "x_customer_id",
    ]
    assert [key.name for key in await usable_keys(db, "purchase")] == ["by_code"]


async def test_what_the_model_has_no_longer_is_dropped(runtime: Runtime, db: Connection) -> None:
    await shop(db)
    await jobs.build(runtime)
    await remove_key(db, SYSTEM, "purchase", "by_code", now=NOW)
    await remove_index(db, SYSTEM, "purchase", "by_place", now=NOW)
    found = await preview(db)
    assert [one.split(" IF")[0] for one in found.afterwards] == ["DROP INDEX CONCURRENTLY"] * 2
    await publish_draft(db)
    assert await usable_keys(db, "purchase") == ()

    await jobs.build(runtime)

    assert await indexes(db) == ["x_customer_id"]
    assert states(await builds(db)) == [("link", "customer", "done"), ("reference", "customer", "done")]


async def test_repeated_values_are_told_by_ids_mended_and_tried_again(runtime: Runtime, db: Connection) -> None:
    await dataset(db, "purchase", field("code", max_length=30))
    await publish_draft(db)
    await db.execute("INSERT INTO x_purchase (x_code) VALUES ('secret'), ('secret'), ('other'), (NULL), (NULL), ('Secret')")
    await unique(db, "by_code", "code")
    await publish_draft(db)

    await jobs.build(runtime)

    (failed,) = await builds(db)
    assert (failed.state, failed.error and failed.error.code) == (BuildState.FAILED, "REPEATED_VALUES")
    assert failed.error is not None
    assert failed.error.message == "1 value is in more than one row of purchase: ids 1, 2"
    assert await indexes(db) == []
    assert await usable_keys(db, "purchase") == ()
    await jobs.build(runtime)  # what failed is not tried again by itself
    assert (await builds(db))[0].state is BuildState.FAILED

    await db.execute("DELETE FROM x_purchase WHERE id = 2")
    assert (await retry(db, SYSTEM, failed.id, NOW)).state is BuildState.WAITING
    await jobs.build(runtime)

    assert (await builds(db))[0].state is BuildState.DONE
    assert [key.name for key in await usable_keys(db, "purchase")] == ["by_code"]
    with pytest.raises(asyncpg.UniqueViolationError):
        await db.execute("INSERT INTO x_purchase (x_code) VALUES ('secret')")


async def test_the_indexes_of_hidden_links_stay_and_go_with_their_keys(runtime: Runtime, db: Connection) -> None:
    await dataset(db, "purchase", field("code"))
    await point(db, link(kind=LinkKind.ONE_TO_ONE))
    await point(db, link("by_code", source_fields=("code",), target_fields=("external_id",)))
    await publish_draft(db)
    await jobs.build(runtime)
    assert await indexes(db) == ["unique x_customer_id", "x_code"]
    await remove_link(db, SYSTEM, "purchase", "customer", now=NOW)
    await remove_link(db, SYSTEM, "purchase", "by_code", now=NOW)
    await publish_draft(db)
    await jobs.build(runtime)
    assert await indexes(db) == ["unique x_customer_id"]

    await point(db, link())  # there may be several now
    await publish_draft(db)
    await jobs.build(runtime)
    assert await indexes(db) == ["x_customer_id"]

    await remove_link(db, SYSTEM, "purchase", "customer", now=NOW)
    await publish_draft(db)
    await drop_hidden(db, SYSTEM, "purchase", None, link="customer", confirm="purchase.customer")
    assert await builds(db) == []
    assert await indexes(db) == []


async def test_both_ends_of_a_link_by_fields_are_indexed(runtime: Runtime, db: Connection) -> None:
    await dataset(db, "shop", field("code", max_length=20), field("number", max_length=20))
    await unique(db, "by_number", "number", entity="shop")
    await dataset(db, "purchase", field("code", max_length=20), field("number", max_length=20))
    await point(db, link("shop", "shop", source_fields=("code",), target_fields=("code",)))
    await point(db, link("branch", "shop", LinkKind.ONE_TO_ONE, source_fields=("number",), target_fields=("number",)))
    await publish_draft(db)
    await jobs.build(runtime)
    assert await indexes(db) == ["unique x_number", "x_code"]
    assert await indexes(db, "x_shop") == ["unique x_number", "x_code"]  # the first is the key


async def test_foreign_keys_are_checked_for_the_rows_of_before(runtime: Runtime, db: Connection) -> None:
    await dataset(db)
    await publish_draft(db)
    await db.execute("INSERT INTO x_purchase DEFAULT VALUES")
    await point(db, link(on_delete=OnDelete.REFUSE))
    await publish_draft(db)
    valid = "SELECT convalidated FROM pg_constraint WHERE conname = 'x_customer_id_fkey'"
    assert await db.fetchval(valid) is False

    await jobs.build(runtime)

    assert await db.fetchval(valid) is True
    assert {one.state for one in await builds(db)} == {BuildState.DONE}
    await roll_back(db, SYSTEM, 1, now=NOW, guard=UNUSED)
    assert [one.kind for one in await builds(db)] == [BuildKind.LINK]
    await roll_back(db, SYSTEM, 2, now=NOW, guard=UNUSED)
    await jobs.build(runtime)
    assert await db.fetchval(valid) is True


async def test_keys_that_lead_nowhere_are_told(runtime: Runtime, db: Connection) -> None:
    await dataset(db)
    await point(db, link())
    await publish_draft(db)
    await db.execute("ALTER TABLE x_purchase DISABLE TRIGGER ALL; INSERT INTO x_purchase (x_customer_id) VALUES (77)")
    await point(db, link(on_delete=OnDelete.DELETE))
    await publish_draft(db)
    await jobs.build(runtime)
    (failed,) = [one for one in await builds(db) if one.kind is BuildKind.REFERENCE]
    assert failed.error is not None
    assert (failed.state, failed.error.code) == (BuildState.FAILED, "ROWS_WITHOUT_TARGET")


async def test_what_others_dropped_is_built_again_when_asked(runtime: Runtime, db: Connection) -> None:
    await shop(db)
    await jobs.build(runtime)
    (key,) = [one for one in await builds(db) if one.kind is BuildKind.KEY]
    await db.execute(f"DROP INDEX {key.object}")
    assert await usable_keys(db, "purchase") == ()
    await retry(db, SYSTEM, key.id, NOW)
    assert (await retry(db, SYSTEM, key.id, NOW)).turn == key.turn + 1  # it waits already
    await jobs.build(runtime)
    assert len(await usable_keys(db, "purchase")) == 1


# Names of indexes and their fields, with questions that each of them is to serve.
SERVED = {
    ("tier", ("tier",)): ("tier = 'Gold'", "tier starts_with 'go'", "tier in ('Gold', 'Silver')", "tier = exactly('Gold')"),
    ("points", ("points", "country")): ("points > 3",),
    ("city", ("city",)): ("city = 'Köln'", "city starts_with 'SÃO'", "city in ('Lyon', 'Metz')", "city = accented('Orléans')"),
    ("zip", ("zip_code",)): ("zip_code starts_with '75'",),
    ("country", ("country", "updated_at")): ("country = 'FR'", "country in ('FR', 'DE') and updated_at > now - 2 days"),
    ("changed", ("updated_at",)): ("updated_at >= now - 1 day", "updated_at = 2026-02-03"),
    ("born", ("birth_date",)): ("birth_date < 1990-01-01", "age >= 18", "age between 30 and 39"),
    ("mail", ("opt_out_email",)): ("opt_out_email", "opt_out_email = true"),
    ("sale", ("ccpa_opt_out",)): ("not ccpa_opt_out",),
    ("place", ("latitude", "longitude")): (
        "within_km(point(longitude, latitude), point(2.35, 48.86), 30)",
        "latitude > 45.5",
        "latitude between 44 and 45",
    ),
    ("shop", ("shop",)): ("within_km(shop, point(2.35, 48.86), 30)", "within_km(shop, point(179.9, 10), 100)"),
    ("grid", ("north", "east")): ("within_km(point(east, north), point(-2.5, -48.86), 30)",),
}


async def test_the_questions_of_audiences_are_served_by_an_index(runtime: Runtime, db: Connection) -> None:
    await publish_fields(
        db, field("tier", max_length=30), field("points", FieldKind.INTEGER), field("shop", FieldKind.POINT),
        field("north", FieldKind.DECIMAL), field("east", FieldKind.DECIMAL),
    )  # fmt: skip
    for name, fields in SERVED:
        await indexed(db, f"by_{name}", *fields, entity="profile")
    await publish_draft(db)
    await jobs.build(runtime)
    await db.execute("SET enable_seqscan = off")
    catalogue = await present_catalogue(db)
    for (name, _), questions in SERVED.items():
        for question in questions:
            asked = compile_statement(population(check(parse_text(question), catalogue), at=NOW, zone=ZoneInfo("UTC")))
            plan = "\n".join(row[0] for row in await db.fetch(f"EXPLAIN {asked.text}", *asked.args))
            assert f"_profile_by_{name}" in plan, f"{question}\n{plan}"
            assert "Index Cond" in plan, f"{question}\n{plan}"


async def test_automatic_ids_rewrite_no_row_and_are_indexed(runtime: Runtime, db: Connection) -> None:
    await dataset(db, "purchase", field("code"), field("first_uid", FieldKind.AUTOMATIC_ID))
    await publish_draft(db)
    await db.execute("INSERT INTO x_purchase DEFAULT VALUES")
    file = await db.fetchval("SELECT pg_relation_filenode('x_purchase')")
    await save(db, field("uid", FieldKind.AUTOMATIC_ID), "purchase")
    await publish_draft(db)
    await db.execute("INSERT INTO x_purchase DEFAULT VALUES")
    await jobs.build(runtime)

    rows = await db.fetch("SELECT x_uid IS NULL AS none, x_first_uid IS NULL AS no_first FROM x_purchase ORDER BY id")
    assert [tuple(row) for row in rows] == [(True, False), (False, False)]
    assert await db.fetchval("SELECT pg_relation_filenode('x_purchase')") == file
    assert await indexes(db) == ["unique x_first_uid", "unique x_uid"]
    await unique(db, "by_uid", "uid")
    await publish_draft(db)
    await jobs.build(runtime)
    assert await indexes(db) == ["unique x_first_uid", "unique x_uid"]
    assert [key.name for key in await usable_keys(db, "purchase")] == ["by_uid"]


async def test_a_longer_text_has_no_index_built_while_its_table_is_locked(runtime: Runtime, db: Connection) -> None:
    await publish_fields(db, field("tier", max_length=20, searchable=True), field("card", max_length=20))
    await indexed(db, "by_tier", "tier", "card", entity="profile")
    await unique(db, "by_card", "card", entity="profile")
    await publish_draft(db)
    await jobs.build(runtime)
    before = await files(db)
    await save(db, field("tier", max_length=30, searchable=True))
    await save(db, field("card", max_length=30))
    computed = sorted(one.object for one in await builds(db) if one.kind is not BuildKind.KEY)
    told = await preview(db)

    await publish_draft(db)

    assert [step.sql for step in told.steps if "INDEX" in step.sql] == [f"DROP INDEX {one}" for one in computed]
    assert sorted(told.afterwards) == sorted(one.statement for one in await builds(db) if one.kind is not BuildKind.KEY)
    assert await files(db) == {name: file for name, file in before.items() if name not in computed}
    assert states(await builds(db)) == [
        ("index", "by_tier", "waiting"), ("key", "by_card", "done"), ("search", "search_words", "waiting"),
    ]  # fmt: skip
    await jobs.build(runtime)
    assert (await files(db)).keys() == before.keys()
    assert {one.state for one in await builds(db)} == {BuildState.DONE}


async def files(db: Connection) -> dict[str, int]:
    """Where the indexes of a team lie: one that was built again lies elsewhere."""
    rows = await db.fetch(r"SELECT relname, relfilenode FROM pg_class WHERE relname LIKE 'x\_1\_%'")
    return {row["relname"]: row["relfilenode"] for row in rows}
