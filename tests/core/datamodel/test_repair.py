"""What somebody has changed in the database by SQL is found, and made again as it was published."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress

import asyncpg
import pytest

from core.access import SYSTEM, Actor, Permission
from core.audit import list_entries
from core.datamodel import jobs
from core.datamodel.drafts import get_draft, remove_field
from core.datamodel.hidden import list_hidden
from core.datamodel.keys import usable_keys
from core.datamodel.publication import get_published, preview
from core.datamodel.records import BuildState, DamageKind, FieldKind, LinkKind, OnDelete, Repair
from core.datamodel.repair import preview_repair, repair_data_model
from core.db import Connection, Pool, transaction
from core.errors import ClarionError, Conflict, Forbidden, Stale
from core.runtime import Runtime
from tests.core.datamodel.building import in_the_middle, indexes
from tests.core.datamodel.model import (
    NOW,
    builds,
    columns,
    dataset,
    field,
    indexed,
    link,
    point,
    publish_draft,
    save,
    unique,
)
from tests.core.datamodel.test_links import foreign_keys

K = DamageKind


async def market(conn: Connection) -> None:
    """Fields of profiles, shops, purchases of shops by profiles, and tags of purchases, published."""
    await save(conn, field("tier", max_length=20))
    await save(conn, field("uid", FieldKind.AUTOMATIC_ID))
    await dataset(conn, "shop", field("code", max_length=20))
    await unique(conn, "by_code", "code", entity="shop")
    await dataset(conn, "tag", field("word", max_length=20))
    await dataset(conn, "purchase", field("code", max_length=20), field("number", FieldKind.AUTOMATIC_ID))
    await point(conn, link("shop", "shop", on_delete=OnDelete.REFUSE))
    await point(conn, link(on_delete=OnDelete.DELETE))
    await point(conn, link("tags", "tag", LinkKind.MANY_TO_MANY))
    await indexed(conn, "by_place", "code", "customer", "created_at")
    await publish_draft(conn)


async def state(conn: Connection) -> object:
    """All that a publication makes, as the database tells it."""
    tables = ("profile", "test_profile", "x_shop", "x_tag", "x_purchase", "x__purchase__tags")
    told = await conn.fetch(
        """
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity::text, a.atthasdef
          FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
         WHERE c.relname = ANY($1::text[]) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, 2
        """,
        list(tables),
    )
    primary = await conn.fetch(
        "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE contype = 'p' AND conrelid::regclass::text LIKE 'x\\_%' ORDER BY 1"
    )
    return told, primary, await foreign_keys(conn), [await indexes(conn, one) for one in tables]


def told(found: Repair) -> list[tuple[DamageKind, str, str | None, bool]]:
    return [(one.kind, one.table, one.column or one.name, one.is_mended) for one in found.damages]


async def mend(conn: Connection) -> Repair:
    async with conn.transaction():
        return await repair_data_model(conn, SYSTEM, digest=(await preview_repair(conn)).digest, now=NOW)


DROPPED = {
    "field": ("ALTER TABLE profile DROP COLUMN x_tier", [(K.COLUMN, "profile", "x_tier", True)]),
    "field of test profiles": ("ALTER TABLE test_profile DROP COLUMN x_tier", [(K.COLUMN, "test_profile", "x_tier", True)]),
    "automatic id": (
        "ALTER TABLE profile DROP COLUMN x_uid", [(K.COLUMN, "profile", "x_uid", True), (K.INDEX, "profile", "uid", True)],
    ),
    "filling of ids": (
        "ALTER TABLE x_purchase ALTER COLUMN x_number DROP DEFAULT", [(K.FILLING, "x_purchase", "x_number", True)],
    ),
    "filling of times": (
        "ALTER TABLE x_purchase ALTER COLUMN updated_at DROP DEFAULT", [(K.FILLING, "x_purchase", "updated_at", True)],
    ),
    "numbers": ("ALTER TABLE x_purchase ALTER COLUMN id DROP IDENTITY", [(K.FILLING, "x_purchase", "id", True)]),
    "time": (
        "ALTER TABLE x_purchase DROP COLUMN created_at",
        [(K.COLUMN, "x_purchase", "created_at", True), (K.INDEX, "x_purchase", "by_place", True)],
    ),
    "link": (
        "ALTER TABLE x_purchase DROP COLUMN x_shop_id",
        [
            (K.COLUMN, "x_purchase", "x_shop_id", True), (K.REFERENCE, "x_purchase", "x_shop_id", True),
            (K.INDEX, "x_purchase", "shop", True),
        ],
    ),
    "foreign key": (
        "ALTER TABLE x_purchase DROP CONSTRAINT x_shop_id_fkey", [(K.REFERENCE, "x_purchase", "x_shop_id", True)],
    ),
    "foreign key of pairs": (
        "ALTER TABLE x__purchase__tags DROP CONSTRAINT target_id_fkey", [(K.REFERENCE, "x__purchase__tags", "target_id", True)],
    ),
    "foreign key that does something else": (
        "ALTER TABLE x_purchase DROP CONSTRAINT x_customer_id_fkey, ADD CONSTRAINT x_customer_id_fkey"
        " FOREIGN KEY (x_customer_id) REFERENCES profile (id) ON DELETE SET NULL",
        [(K.REFERENCE, "x_purchase", "x_customer_id", True)],
    ),
    "foreign key that leads elsewhere": (
        "ALTER TABLE x_purchase DROP CONSTRAINT x_shop_id_fkey, ADD CONSTRAINT x_shop_id_fkey"
        " FOREIGN KEY (x_shop_id) REFERENCES x_tag (id) ON DELETE RESTRICT",
        [(K.REFERENCE, "x_purchase", "x_shop_id", True)],
    ),
    "foreign key that was not checked": (
        "ALTER TABLE x_purchase DROP CONSTRAINT x_shop_id_fkey, ADD CONSTRAINT x_shop_id_fkey"
        " FOREIGN KEY (x_shop_id) REFERENCES x_shop (id) ON DELETE RESTRICT NOT VALID",
        [(K.REFERENCE, "x_purchase", "x_shop_id", True)],
    ),
    "pairs": (
        "DROP TABLE x__purchase__tags",
        [
            (K.TABLE, "x__purchase__tags", "tags", True), (K.REFERENCE, "x__purchase__tags", "source_id", True),
            (K.REFERENCE, "x__purchase__tags", "target_id", True),
        ],
    ),
    "dataset": (
        "DROP TABLE x_shop CASCADE",
        [(K.TABLE, "x_shop", None, True), (K.REFERENCE, "x_purchase", "x_shop_id", True), (K.KEY, "x_shop", "by_code", True)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", DROPPED)
async def test_what_was_dropped_is_made_again(runtime: Runtime, db: Connection, what: str) -> None:
    # Given a model that is built, and rows
    await market(db)
    await jobs.build(runtime)
    await db.execute("INSERT INTO profile (x_tier) VALUES ('gold'); INSERT INTO x_shop (x_code) VALUES ('S1')")
    await db.execute("INSERT INTO x_purchase (x_code, x_shop_id, x_customer_id) VALUES ('A', NULL, 1)")
    before, (drop, expected) = await state(db), DROPPED[what]
    assert told(await preview_repair(db)) == []

    # When one thing goes
    await db.execute(drop)
    assert await state(db) != before

    # Then it is found and told with its statements, none of which has run
    found = await preview_repair(db)
    assert told(found) == expected
    assert await state(db) != before
    assert (await preview_repair(db)).digest == found.digest

    # And a repair makes it again, to the last index
    assert await mend(db) == found
    await jobs.build(runtime)
    assert await state(db) == before
    assert {one.state for one in await builds(db)} == {BuildState.DONE}
    assert told(await preview_repair(db)) == []
    after = await preview(db)
    assert (after.changes, after.steps) == ((), ())


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_is_dropped_together_is_made_again(runtime: Runtime, db: Connection, seed: int) -> None:
    """Several things in any order: what goes with another has gone already, or is not there to be changed."""
    await market(db)
    await jobs.build(runtime)
    before, rng = await state(db), random.Random(seed)
    for what in rng.sample(sorted(DROPPED), rng.randint(2, 8)):
        with suppress(asyncpg.UndefinedObjectError, asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError):
            async with db.transaction():
                await db.execute(DROPPED[what][0])
    await mend(db)
    await jobs.build(runtime)
    assert told(await preview_repair(db)) == []
    assert await state(db) == before


async def test_all_at_once_is_made_again(runtime: Runtime, db: Connection) -> None:
    await market(db)
    await jobs.build(runtime)
    before = await state(db)
    await db.execute("DROP TABLE x_shop, x_tag, x_purchase, x__purchase__tags CASCADE")
    await db.execute("ALTER TABLE profile DROP COLUMN x_tier; ALTER TABLE test_profile DROP COLUMN x_uid")
    await mend(db)
    await jobs.build(runtime)
    assert await state(db) == before
    assert [key.name for key in await usable_keys(db, "shop")] == ["by_code"]


async def test_keys_and_indexes_are_built_again_by_the_job(runtime: Runtime, db: Connection) -> None:
    # Given every index of the model dropped, and rows that break the key since
    await market(db)
    await jobs.build(runtime)
    before = await state(db)
    for one in await builds(db):
        if one.object.startswith("x_1_"):
            await db.execute(f"DROP INDEX {one.object}")
    await db.execute("INSERT INTO x_shop (x_code) VALUES ('S1'), ('S1')")

    # When it is repaired
    found = await mend(db)
    assert {one.kind for one in found.damages} == {K.KEY, K.INDEX}
    assert found.steps == ()
    assert all(" CONCURRENTLY " in one for one in found.afterwards)
    assert await db.fetchval("SELECT count(*) FROM outbox WHERE topic = 'data_model.build_due'") == 1
    waiting = [one for one in await builds(db) if one.state is BuildState.WAITING]
    assert len(waiting) == len(found.afterwards)
    assert told(await preview_repair(db)) == [], "what is on its way is no damage"
    await jobs.build(runtime)

    # Then the key says what is in its way, and is built once that is mended
    (failed,) = [one for one in await builds(db) if one.state is BuildState.FAILED]
    assert failed.error is not None
    assert failed.error.code == "REPEATED_VALUES"
    assert told(await preview_repair(db)) == [], "what has failed has its own error"
    await db.execute("DELETE FROM x_shop")
    await db.execute("UPDATE data_model_build SET state = 'waiting'")
    await jobs.build(runtime)
    assert await state(db) == before


async def test_a_broken_index_is_built_again(runtime: Runtime, db: Connection) -> None:
    await market(db)
    await jobs.build(runtime)
    (key,) = [one for one in await builds(db) if one.name == "by_code"]
    await db.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = $1::regclass", key.object)
    (found,) = (await preview_repair(db)).damages
    assert (found.kind, "not whole" in found.message) == (K.KEY, True)
    await mend(db)
    await jobs.build(runtime)
    assert told(await preview_repair(db)) == []


async def test_lost_values_stay_lost_and_all_others_stay(runtime: Runtime, db: Connection) -> None:
    # Given two purchases at a shop whose table goes, and a hidden field
    await market(db)
    await save(db, field("old"), "purchase")
    await publish_draft(db)
    await jobs.build(runtime)
    await db.execute("INSERT INTO x_shop (x_code) VALUES ('S1'), ('S2'); INSERT INTO x_purchase (x_code, x_shop_id, x_old) "
                     "VALUES ('A', 1, 'x'), ('B', 2, 'y')")  # fmt: skip
    await remove_field(db, SYSTEM, "purchase", "old", now=NOW)
    await publish_draft(db)
    await db.execute("DROP TABLE x_shop CASCADE; ALTER TABLE x_purchase DROP COLUMN x_code, DROP COLUMN created_at")

    await mend(db)
    await jobs.build(runtime)

    # Then the rows have what they had, and what was lost is empty
    rows = await db.fetch("SELECT id, x_code, x_shop_id, x_old, created_at IS NOT NULL AS dated FROM x_purchase ORDER BY id")
    assert [tuple(row) for row in rows] == [(1, None, 1, "x", True), (2, None, 2, "y", True)]
    assert [one.field for one in await list_hidden(db)] == ["old"]
    # And no new shop is taken for one that is lost, which the check of the link names
    assert await db.fetchval("INSERT INTO x_shop DEFAULT VALUES RETURNING id") == 3
    (failed,) = [one for one in await builds(db) if one.state is BuildState.FAILED]
    assert failed.error is not None
    assert (failed.name, failed.error.code) == ("shop", "ROWS_WITHOUT_TARGET")
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await db.execute("INSERT INTO x_purchase (x_shop_id) VALUES (1)")


async def test_numbers_go_on_behind_the_highest(db: Connection) -> None:
    await market(db)
    await db.execute("INSERT INTO x_purchase (id) VALUES (70); ALTER TABLE x_purchase ALTER COLUMN id DROP IDENTITY")
    await mend(db)
    assert await db.fetchval("INSERT INTO x_purchase DEFAULT VALUES RETURNING id") == 71


BY_HAND = {
    "ALTER TABLE profile ALTER COLUMN x_tier TYPE text": [(K.TYPE, "profile", "x_tier", False)],
    "ALTER TABLE x_shop ALTER COLUMN x_code TYPE character varying(30)": [(K.TYPE, "x_shop", "x_code", False)],
    "ALTER TABLE test_profile ALTER COLUMN x_tier TYPE text": [(K.TYPE, "test_profile", "x_tier", False)],
    "ALTER TABLE x_purchase ALTER COLUMN created_at TYPE timestamp": [(K.TYPE, "x_purchase", "created_at", False)],
    "ALTER TABLE x_shop DROP COLUMN id CASCADE": [
        (K.COLUMN, "x_shop", "id", False), (K.REFERENCE, "x_purchase", "x_shop_id", False),
    ],
    "ALTER TABLE x_shop DROP CONSTRAINT x_shop_pkey CASCADE": [
        (K.PRIMARY_KEY, "x_shop", None, False), (K.REFERENCE, "x_purchase", "x_shop_id", False),
    ],
    "ALTER TABLE x__purchase__tags DROP CONSTRAINT x__purchase__tags_pkey": [
        (K.PRIMARY_KEY, "x__purchase__tags", "tags", False),
    ],
    "DROP INDEX x__purchase__tags_target_id_idx": [(K.INDEX, "x__purchase__tags", "target_id", False)],
    "ALTER TABLE x__purchase__tags DROP COLUMN target_id": [
        (K.COLUMN, "x__purchase__tags", "target_id", False), (K.REFERENCE, "x__purchase__tags", "target_id", False),
    ],
    "ALTER TABLE x_purchase DROP CONSTRAINT x_shop_id_fkey, ALTER COLUMN x_shop_id TYPE integer": [
        (K.TYPE, "x_purchase", "x_shop_id", False), (K.REFERENCE, "x_purchase", "x_shop_id", False),
    ],
}  # fmt: skip


@pytest.mark.parametrize("change", BY_HAND)
async def test_what_only_a_person_can_mend_is_named_and_left_alone(runtime: Runtime, db: Connection, change: str) -> None:
    await market(db)
    await jobs.build(runtime)
    await db.execute(change)
    before = await state(db)
    found = await preview_repair(db)
    assert [one for one in told(found) if not one[3]] == BY_HAND[change]
    assert all(one.hint for one in found.damages if not one.is_mended)
    if all(not one.is_mended for one in found.damages):
        with pytest.raises(Conflict) as refused:
            await repair_data_model(db, SYSTEM, digest=found.digest, now=NOW)
        assert (refused.value.code, refused.value.hint) == ("NOTHING_TO_REPAIR", found.damages[0].hint)
    # And it keeps nothing else from being mended
    await db.execute("ALTER TABLE profile DROP COLUMN x_uid")
    await mend(db)
    await jobs.build(runtime)
    assert [one for one in told(await preview_repair(db)) if not one[3]] == BY_HAND[change]
    assert await state(db) == before


async def test_what_a_person_has_mended_lets_the_rest_follow(runtime: Runtime, db: Connection) -> None:
    await market(db)
    await jobs.build(runtime)
    before = await state(db)
    await db.execute("ALTER TABLE x_shop DROP CONSTRAINT x_shop_pkey CASCADE")
    (key, _) = (await preview_repair(db)).damages
    assert key.hint is not None
    await db.execute(key.hint.partition(": ")[2])
    await mend(db)
    await jobs.build(runtime)
    assert await state(db) == before


async def test_a_healthy_model_has_nothing_to_repair(runtime: Runtime, db: Connection) -> None:
    for step in (None, market):
        if step is not None:
            await step(db)
            assert told(await preview_repair(db)) == [], "its indexes are on their way"
            await jobs.build(runtime)
        found = await preview_repair(db)
        assert (found.damages, found.steps, found.afterwards) == ((), (), ())
        with pytest.raises(Conflict) as refused:
            await repair_data_model(db, SYSTEM, digest=found.digest, now=NOW)
        assert refused.value.code == "NOTHING_TO_REPAIR"


async def test_drafts_versions_and_what_is_hidden_stay(runtime: Runtime, db: Connection) -> None:
    await market(db)
    await remove_field(db, SYSTEM, "profile", "tier", now=NOW)
    await publish_draft(db)
    await save(db, field("more"))
    draft, published = await get_draft(db), await get_published(db)
    await db.execute("ALTER TABLE x_shop DROP COLUMN x_code; ALTER TABLE profile DROP COLUMN x_tier")
    found = await mend(db)
    assert [(one.table, one.column) for one in found.damages if one.kind is K.COLUMN] == [("x_shop", "x_code")]
    assert (await get_draft(db), await get_published(db)) == (draft, published)
    assert "x_more" not in await columns(db)


async def test_it_is_told_in_the_audit_log_and_not_everybody_may(db: Connection) -> None:
    await market(db)
    await db.execute("ALTER TABLE profile DROP COLUMN x_tier; ALTER TABLE x_purchase DROP CONSTRAINT x_shop_id_fkey")
    digest = (await preview_repair(db)).digest
    with pytest.raises(Forbidden):
        await repair_data_model(db, Actor(name="token:1", permissions=frozenset({Permission.EDIT})), digest=digest, now=NOW)
    await mend(db)
    entries = await list_entries(db, object_type="data_model", object_ids=["1"], before_id=None, limit=5)
    assert [one.changes for one in entries if one.action == "data_model.repair"] == [
        {"statements": 2, "builds": 1, "mended": ["column profile.x_tier", "reference x_purchase.x_shop_id"]}
    ]


async def test_what_was_not_previewed_is_not_repaired(db: Connection) -> None:
    await market(db)
    await db.execute("ALTER TABLE profile DROP COLUMN x_tier")
    digest = (await preview_repair(db)).digest
    await db.execute("ALTER TABLE x_shop DROP COLUMN x_code")
    with pytest.raises(Stale) as refused:
        await repair_data_model(db, SYSTEM, digest=digest, now=NOW)
    assert refused.value.code == "VERSION_CHANGED"
    assert "x_tier" not in await columns(db)


async def test_a_table_in_use_is_not_waited_for_and_nothing_is_half_done(runtime: Runtime, pool: Pool) -> None:
    async with pool.acquire() as conn:
        await market(conn)
        await jobs.build(runtime)
        await conn.execute("DROP TABLE x_shop CASCADE; ALTER TABLE profile DROP COLUMN x_tier")
        digest, before = (await preview_repair(conn)).digest, await state(conn)
    async with transaction(pool) as reader:
        await reader.fetch("SELECT id FROM profile")
        async with transaction(pool) as conn:
            with pytest.raises(Conflict) as refused:
                await repair_data_model(conn, SYSTEM, digest=digest, now=NOW, lock_timeout_ms=50)
            assert refused.value.code == "TABLE_BUSY"
            assert await state(conn) == before
            assert await conn.fetchval("SHOW lock_timeout") == "0"
    async with transaction(pool) as conn:
        assert {one.state for one in await builds(conn)} == {BuildState.DONE}
        await repair_data_model(conn, SYSTEM, digest=digest, now=NOW)


async def test_while_something_is_built_on_a_table_it_is_not_repaired(runtime: Runtime, db: Connection) -> None:
    await market(db)
    await db.execute("ALTER TABLE x_purchase ALTER COLUMN x_number DROP DEFAULT")
    async with in_the_middle(runtime):
        with pytest.raises(Conflict) as refused:
            await mend(db)
        assert refused.value.code == "TABLE_BUSY"
    await mend(db)


@pytest.mark.parametrize(
    "obstacle",
    [
        "CREATE VIEW x_shop AS SELECT 1 AS id",
        "CREATE SEQUENCE x_shop",
        "ALTER TABLE x_purchase ADD CONSTRAINT x_shop_id_fkey CHECK (id > 0)",
    ],
)
async def test_what_is_in_the_way_is_told_and_nothing_is_half_done(db: Connection, obstacle: str) -> None:
    await market(db)
    await db.execute("DROP TABLE x_shop CASCADE; ALTER TABLE profile DROP COLUMN x_tier")
    await db.execute(obstacle)
    before = await state(db)
    with pytest.raises(Conflict) as refused:
        await mend(db)
    assert refused.value.code == "USED_BY_SQL"
    assert await state(db) == before


async def test_two_who_repair_at_once_repair_once(pool: Pool) -> None:
    async with pool.acquire() as conn:
        await market(conn)
        await conn.execute("ALTER TABLE profile DROP COLUMN x_tier")
        digest = (await preview_repair(conn)).digest

    async def attempt() -> str:
        try:
            async with transaction(pool) as conn:
                await repair_data_model(conn, SYSTEM, digest=digest, now=NOW)
        except ClarionError as error:
            return error.code
        return "done"

    assert sorted(await asyncio.gather(attempt(), attempt())) == ["NOTHING_TO_REPAIR", "done"]


async def test_a_repair_that_dies_before_its_job_is_built_by_the_next(runtime: Runtime, db: Connection) -> None:
    """The job is lost with the broker: the sweep announces it again."""
    await market(db)
    await jobs.build(runtime)
    before: Sequence[object] = (await state(db),)
    await db.execute("DROP TABLE x_shop CASCADE")
    await mend(db)
    await db.execute("DELETE FROM outbox")
    await jobs.sweep(runtime)
    assert await db.fetchval("SELECT count(*) FROM outbox WHERE topic = 'data_model.build_due'") == 1
    await jobs.build(runtime)
    assert (await state(db),) == before
