"""The schema: from nothing to now, twice at once, and never onto a newer database."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from migrations.runner import DatabaseTooNew, DatabaseTooOld, check_schema, current_revision, migrate, newest_revision
from tests.conftest import with_database


async def test_two_migrations_at_once_leave_one_schema(server_url: str, database_url: str) -> None:
    # Given an empty database
    conn = await asyncpg.connect(database_url)
    await conn.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    assert await current_revision(database_url) is None
    with pytest.raises(DatabaseTooOld, match="clarion migrate"):
        await check_schema(database_url)

    # When two processes migrate it at the same time
    reached = await asyncio.gather(migrate(database_url), migrate(database_url))

    # Then both end at the newest revision and the tables are there
    assert list(reached) == [newest_revision()] * 2
    await check_schema(database_url)
    assert await conn.fetchval("SELECT count(*) FROM profile") == 0
    await conn.close()


async def test_a_newer_database_is_refused(database_url: str) -> None:
    conn = await asyncpg.connect(database_url)
    await conn.execute("UPDATE alembic_version SET version_num = '9999'")
    await conn.close()
    with pytest.raises(DatabaseTooNew, match="9999"):
        await migrate(database_url)
    with pytest.raises(DatabaseTooNew, match="newer Clarion"):
        await check_schema(database_url)


async def test_files_of_runs_that_are_under_way_are_not_idle(database_url: str) -> None:
    """Of a database from before files were kept for a time."""
    conn = await asyncpg.connect(database_url)
    await conn.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await migrate(database_url, to="0005")
    await conn.execute("""
        INSERT INTO stored_file (kind, name, location, created_by)
        SELECT 'upload', state, state, 'x' FROM unnest('{waiting,running,finished,writing}'::text[]) AS state;
        INSERT INTO import_run (state, file_id, match_key, options, created_by, finished_at)
        SELECT name, id, 'email', '{}', 'x', CASE WHEN name = 'finished' THEN now() END
          FROM stored_file WHERE name <> 'writing';
        INSERT INTO export_run (state, file_id, columns, created_by)
        SELECT 'ready', id, '{id}', 'x' FROM stored_file WHERE name = 'writing';
    """)
    await migrate(database_url)
    idle = await conn.fetch("SELECT name FROM stored_file WHERE idle_since = created_at ORDER BY name")
    assert [row["name"] for row in idle] == ["finished", "waiting"]
    await conn.close()


def test_other_database_of_the_same_server() -> None:
    assert with_database("postgresql://u@h:1/a?x=1", "b") == "postgresql://u@h:1/b?x=1"
