"""While something is built: others read, write and publish, and the builder may die."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from api.graphql.datamodel.uses import UNUSED
from core.access import SYSTEM
from core.datamodel import jobs
from core.datamodel.drafts import get_draft
from core.datamodel.keys import remove_index, usable_keys
from core.datamodel.publication import publish
from core.datamodel.records import BuildKind, BuildState
from core.db import Connection, transaction
from core.errors import Conflict
from core.runtime import Runtime
from tests.core.datamodel.building import begun, free, in_the_middle, indexes, shop, until_free
from tests.core.datamodel.model import (
    NOW,
    builds,
    columns,
    dataset,
    field,
    indexed,
    publish_draft,
    publish_fields,
    save,
)


async def test_rows_are_written_while_an_index_is_built(runtime: Runtime, db: Connection) -> None:
    await dataset(db, "purchase", field("code", max_length=30))
    await publish_draft(db)
    await indexed(db, "by_code", "code")
    await publish_draft(db)
    async with in_the_middle(runtime) as building:
        await db.execute("SET lock_timeout = 1000")
        await db.execute("INSERT INTO x_purchase (x_code) VALUES ('1'), ('2')")
        await db.execute("UPDATE x_purchase SET x_code = 'x' WHERE x_code = '1'")
        await db.execute("DELETE FROM x_purchase WHERE x_code = '2'")
        assert (await builds(db))[0].state is BuildState.RUNNING
        assert not building.done()
    assert await indexes(db) == ["fold_text((x_code)::text) text_pattern_ops"]
    await db.execute("SET enable_seqscan = off")
    assert await db.fetchval("SELECT count(*) FROM x_purchase WHERE fold_text(x_code) = 'x'") == 1


async def test_there_is_one_builder_and_who_comes_later_leaves_it_alone(runtime: Runtime, db: Connection) -> None:
    await shop(db)
    async with in_the_middle(runtime):
        await jobs.build(runtime)
        await jobs.sweep(runtime)
        assert [one.state for one in await builds(db)].count(BuildState.RUNNING) == 1
        assert await db.fetchval("SELECT count(*) FROM outbox WHERE topic = 'data_model.build_due'") == 0
    assert {one.state for one in await builds(db)} == {BuildState.DONE}


async def test_a_publication_goes_by_what_is_built_or_says_that_it_waits_for_it(runtime: Runtime, db: Connection) -> None:
    await shop(db)
    await jobs.build(runtime)
    await indexed(db, "by_amount", "amount")
    await publish_draft(db)
    async with in_the_middle(runtime):
        await publish_fields(db, field("tier"))  # of another table
        await save(db, field("more"), "purchase")
        version = (await get_draft(db)).version
        async with transaction(runtime.pool) as conn:
            with pytest.raises(Conflict) as busy:
                await publish(conn, SYSTEM, expected_version=version, now=NOW, guard=UNUSED)
        assert busy.value.code == "TABLE_BUSY"
        assert busy.value.message.startswith("purchase.by_amount is being built")
        assert "x_more" not in await columns(db, "x_purchase")
    await publish_draft(db)
    assert "x_more" in await columns(db, "x_purchase")
    assert {one.state for one in await builds(db)} == {BuildState.DONE}


async def test_what_is_taken_out_while_it_is_built_is_dropped_then(runtime: Runtime, db: Connection) -> None:
    await shop(db)
    await jobs.build(runtime)
    await indexed(db, "by_amount", "amount")
    await publish_draft(db)
    async with in_the_middle(runtime):
        await remove_index(db, SYSTEM, "purchase", "by_amount", now=NOW)
        await publish_draft(db)
        assert [one.dropping for one in await builds(db) if one.name == "by_amount"] == [True]
    assert "x_amount" not in await indexes(db)
    assert "by_amount" not in [one.name for one in await builds(db)]


async def test_what_is_taken_out_and_put_back_while_it_is_built_is_kept(runtime: Runtime, db: Connection) -> None:
    await shop(db)
    await jobs.build(runtime)
    await indexed(db, "by_amount", "amount")
    await publish_draft(db)
    async with in_the_middle(runtime):
        await remove_index(db, SYSTEM, "purchase", "by_amount", now=NOW)
        await publish_draft(db)
        await indexed(db, "by_amount", "amount")
        await publish_draft(db)
    assert "x_amount" in await indexes(db)
    assert {one.state for one in await builds(db)} == {BuildState.DONE}


BUILDER = """
import asyncio, sys
from pathlib import Path
from core.config import load_settings
from core.datamodel.builder import build_all
from core.runtime import open_runtime

async def main():
    async with open_runtime(load_settings(database_url=sys.argv[1], var_dir=Path(sys.argv[2])), "worker") as runtime:
        await build_all(runtime)

asyncio.run(main())
"""


@asynccontextmanager
async def killed_in_the_middle(runtime: Runtime, url: str, folder: Path) -> AsyncIterator[None]:
    """A builder in a process of its own is killed while it builds; the server is at its last statement until the block ends."""
    async with transaction(runtime.pool) as writer:
        await writer.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        await writer.execute("INSERT INTO x_purchase DEFAULT VALUES")
        process = subprocess.Popen([sys.executable, "-c", BUILDER, url, str(folder)], cwd=Path(__file__).parents[3])
        try:
            await begun(runtime.pool)
        finally:
            process.kill()
            process.wait()
        yield


async def test_what_a_killed_builder_left_is_dropped_and_built_again(
    runtime: Runtime, db: Connection, database_url: str, tmp_path: Path
) -> None:
    await shop(db)
    async with killed_in_the_middle(runtime, database_url, tmp_path):
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CREATE%CONCURRENTLY%'"
        assert len(await db.fetch(f"{ended} AND datname = current_database()")) == 1
    await until_free(db)
    (left,) = await indexes(db)
    assert left.startswith("broken ")
    assert [one.state for one in await builds(db)].count(BuildState.RUNNING) == 1
    assert await usable_keys(db, "purchase") == ()

    await jobs.sweep(runtime)
    assert await db.fetchval("SELECT count(*) FROM outbox WHERE topic = 'data_model.build_due'") == 1
    await jobs.build(runtime)

    assert {one.state for one in await builds(db)} == {BuildState.DONE}
    assert len(await indexes(db)) == 3
    assert "broken" not in str(await indexes(db))


async def test_what_the_server_finished_for_a_killed_builder_is_not_built_again(
    runtime: Runtime, db: Connection, database_url: str, tmp_path: Path
) -> None:
    await shop(db)
    async with killed_in_the_middle(runtime, database_url, tmp_path):
        await jobs.build(runtime)  # the dead one's session builds still
        assert [one.state for one in await builds(db)].count(BuildState.RUNNING) == 1
    await until_free(db)
    finished = r"SELECT c.oid FROM pg_index i JOIN pg_class c ON c.oid = indexrelid WHERE relname LIKE 'x\_1\_%' AND indisvalid"
    (whole,) = await db.fetch(finished)

    await jobs.build(runtime)

    assert {one.state for one in await builds(db)} == {BuildState.DONE}
    assert whole in await db.fetch(finished)


async def test_a_process_that_ends_leaves_what_it_builds_to_another(runtime: Runtime, db: Connection) -> None:
    await shop(db)
    async with in_the_middle(runtime) as building:
        runtime.stopping.set()
        await asyncio.wait_for(asyncio.shield(building), 10)
    assert {one.state for one in await builds(db) if one.kind is not BuildKind.REFERENCE} == {BuildState.WAITING}
    assert await free(db)

    runtime.stopping.clear()
    await jobs.build(runtime)
    assert {one.state for one in await builds(db)} == {BuildState.DONE}


async def test_how_far_a_build_is_can_be_seen(runtime: Runtime, db: Connection) -> None:
    await shop(db)
    async with in_the_middle(runtime):
        (running,) = [one for one in await builds(db) if one.state is BuildState.RUNNING]
        assert running.phase is not None
        assert running.phase.startswith("waiting for")


async def test_a_build_that_somebody_cancels_is_tried_again_by_itself(runtime: Runtime, db: Connection) -> None:
    await shop(db)
    async with in_the_middle(runtime):
        ended = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CREATE%CONCURRENTLY%'"
        assert len(await db.fetch(f"{ended} AND datname = current_database()")) == 1
    waiting = [one for one in await builds(db) if one.state is BuildState.WAITING]
    assert len(waiting) == 1
    assert len(await indexes(db)) == 3  # the others, and what it left
    await jobs.build(runtime)
    assert {one.state for one in await builds(db)} == {BuildState.DONE}
