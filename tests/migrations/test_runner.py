"""The schema: from nothing to now, twice at once, and never onto a newer database."""

from __future__ import annotations

import asyncio
import json

import asyncpg
import pytest

from core.content.compile import FrozenContent
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


async def test_long_postal_addresses_are_cut_to_what_is_compared(database_url: str) -> None:
    """Of a database from before they were cut when they were written down."""
    conn = await asyncpg.connect(database_url)
    await conn.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await migrate(database_url, to="0040")
    long, short = "a" * 600, "b" * 600
    await conn.execute(
        """
        INSERT INTO quarantine (address_kind, address_key, status, updated_at)
        SELECT kind, key, status, now() + n * interval '1 day'
          FROM (VALUES ('postal', $1 || '1', 'erroneous', 1), ('postal', $1 || '2', 'denylisted', 2),
                       ('postal', $1, 'valid', 3),
                       ('postal', $2 || '1', 'valid', 4), ('other', $1 || '1', 'valid', 5)) AS t (kind, key, status, n)
        """,
        long, short,
    )  # fmt: skip
    await conn.execute(
        """
        WITH made AS (INSERT INTO suppression_list (name, label, kind, scope, created_by)
                      SELECT kind, kind, kind, 'all', 'x' FROM unnest('{postal,other}'::text[]) AS kind RETURNING id)
        INSERT INTO suppression_entry (list_id, form, value, expires_at, created_at, updated_at, created_by)
        SELECT id, form, value, ends, now(), now(), 'x'
          FROM made, (VALUES (1, $1 || '1', '2030-01-01'::timestamptz), (1, $1 || '2', NULL), (1, $2, '2030-01-01'),
                             (2, repeat('c', 64), NULL)) AS t (form, value, ends)
        """,
        long, short,
    )  # fmt: skip
    await migrate(database_url)
    kept = await conn.fetch("SELECT address_kind, address_key, status FROM quarantine ORDER BY updated_at")
    assert [tuple(row) for row in kept] == [
        ("postal", long, "denylisted"), ("postal", short, "valid"), ("other", long + "1", "valid"),
    ]  # fmt: skip
    entries = await conn.fetch(
        "SELECT value, expires_at IS NULL AS forever FROM suppression_entry e JOIN suppression_list l ON l.id = e.list_id"
        " WHERE l.kind = 'postal' ORDER BY form, value"
    )
    assert [tuple(row) for row in entries] == [(long, True), (short, False), ("c" * 64, True)]
    assert await conn.fetchval("SELECT max(length(value)) FROM suppression_entry") == 601
    await conn.close()


async def test_entries_of_consent_go_on_letting_in_whom_they_let_in(database_url: str) -> None:
    """Of a database from before they said whose act they are: what merges wrote never was the person's."""
    conn = await asyncpg.connect(database_url)
    await conn.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await migrate(database_url, to="0045")
    await conn.execute("""
        INSERT INTO erased_address (address_kind, key_id, hash, erased_at)
        VALUES ('email', 1, 'a', '2026-02-01Z'), ('email', 1, 'b', '2026-03-01Z');
        INSERT INTO consent_entry (profile_id, channel, decision, origin, actor, happened_at, recorded_at)
        SELECT 1, 'email', decision, origin, 'x', at::timestamptz, now()
          FROM (VALUES ('granted', 'page', '2026-01-31Z'), ('refused', 'page', '2026-02-02Z'),
                       ('granted', 'page', '2026-02-02Z'), ('granted', '', '2026-02-02Z'),
                       ('granted', 'profile', '2026-02-02Z'), ('granted', 'import:7', '2026-02-02Z'),
                       ('granted', 'merge:7', '2026-02-02Z'), ('granted', 'undone merge:7', '2026-02-02Z'))
               AS t (decision, origin, at);
    """)
    await migrate(database_url)
    kept = await conn.fetch("SELECT origin, by_person FROM consent_entry ORDER BY id")
    assert [tuple(row) for row in kept] == [
        ("page", None), ("page", None), ("page", True), ("", True), ("profile", False), ("import:7", False),
        ("merge:7", False), ("undone merge:7", False),
    ]  # fmt: skip
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only ever added to"):
        await conn.execute("UPDATE consent_entry SET by_person = true")
    await conn.close()


async def test_what_was_sent_before_links_had_targets_can_be_read(database_url: str) -> None:
    """Of a database from before content said anything about its links."""
    link = {"number": 1, "url": "https://shop.example/a", "label": "A", "part": "html", "hidden": False, "conditional": False}
    frozen = {
        "parts": {"html": "<p>Hi</p>"}, "data": {}, "label": "Spring", "date": "2026-03-01T09:00:00Z", "seed": "1",
        "locale": "en", "zone": "UTC", "tracked": True, "fields": [], "hidden_link": None, "format": 1,
    }  # fmt: skip
    conn = await asyncpg.connect(database_url)
    await conn.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await migrate(database_url, to="0007")
    for links in ([link, {**link, "number": 2}], []):
        await conn.execute(
            """
            INSERT INTO program (delivery_id, channel, config, content, fields, token_key_id, base_url, engine_version)
            VALUES (1, 'email', '{}', $1, '{}', 1, 'https://t.example', 1)
            """,
            json.dumps({**frozen, "links": links}),
        )
    await migrate(database_url)
    stored = await conn.fetch("SELECT content FROM program ORDER BY id")
    first, second = (FrozenContent.from_json(json.loads(row["content"])) for row in stored)
    assert [(one.number, one.target) for one in first.links] == [(1, link["url"]), (2, link["url"])]
    assert (second.links, second.attachments) == ((), ())
    await conn.close()


def test_other_database_of_the_same_server() -> None:
    assert with_database("postgresql://u@h:1/a?x=1", "b") == "postgresql://u@h:1/b?x=1"
