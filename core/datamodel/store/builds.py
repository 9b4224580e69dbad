"""SQL on what jobs build for the data model: the list of it, and the indexes and foreign keys themselves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from core.datamodel.records import Build, BuildError, BuildKind, BuildState
from core.datamodel.wanted import INDEX_PREFIX, Wanted
from core.db import Connection

BUILDER_LOCK = 0x636C_6172_0201  # advisory: one builder at a time

_COLUMNS = """
       id, object, kind, entity, name, statement, table_name AS "table", columns, dropping, state, turn, error, asked_at,
       started_at, finished_at
"""
_PROGRESS = """
       p.phase, 100.0 * coalesce(nullif(p.tuples_done, 0), p.blocks_done)
                / nullif(CASE WHEN p.tuples_done > 0 THEN p.tuples_total ELSE p.blocks_total END, 0) AS percent
"""


def _build(row: Any) -> Build:
    values = dict(row)
    error = values.pop("error")
    values |= {"kind": BuildKind(values["kind"]), "state": BuildState(values["state"]), "columns": tuple(values["columns"])}
    return Build(error=msgspec.convert(error, BuildError) if error else None, **values)


async def list_builds(conn: Connection, after: int | None, limit: int) -> list[Build]:
    """A page in the order of ids; what runs with its progress."""
    rows = await conn.fetch(
        f"""
        SELECT {_COLUMNS}, {_PROGRESS}
          FROM data_model_build
          LEFT JOIN pg_stat_progress_create_index p ON p.index_relid = to_regclass(object) AND state = 'running'
         WHERE $1::bigint IS NULL OR id > $1
         ORDER BY id LIMIT $2
        """,
        after, limit,
    )  # fmt: skip
    return [_build(row) for row in rows]


async def find_by_objects(conn: Connection, objects: Sequence[str]) -> list[Build]:
    """Those of these objects, with their progress."""
    rows = await conn.fetch(
        f"""
        SELECT {_COLUMNS}, {_PROGRESS}
          FROM data_model_build
          LEFT JOIN pg_stat_progress_create_index p ON p.index_relid = to_regclass(object) AND state = 'running'
         WHERE object = ANY($1::text[]) AND NOT dropping
        """,
        list(objects),
    )
    return [_build(row) for row in rows]


async def lock_build(conn: Connection, build_id: int) -> Build | None:
    """One of them, which nobody else changes until the transaction ends."""
    row = await conn.fetchrow(f"SELECT {_COLUMNS} FROM data_model_build WHERE id = $1 FOR UPDATE", build_id)
    return _build(row) if row else None


async def list_usable(conn: Connection, objects: Sequence[str]) -> set[str]:
    """Those of these indexes that are built and whole."""
    rows = await conn.fetch(
        """
        SELECT b.object
          FROM data_model_build b
          JOIN pg_index i ON i.indexrelid = to_regclass(b.object) AND i.indisvalid
         WHERE b.object = ANY($1::text[]) AND b.state = 'done' AND NOT b.dropping
        """,
        list(objects),
    )
    return {row["object"] for row in rows}


async def find_running(conn: Connection, tables: Sequence[str]) -> str | None:
    """What is being built on one of the tables at this moment, by a builder that lives, as `entity.name`."""
    found: str | None = await conn.fetchval(
        """
        SELECT entity || '.' || name FROM data_model_build
         WHERE state = 'running' AND table_name = ANY($1::text[])
           AND EXISTS (SELECT FROM pg_locks
                        WHERE locktype = 'advisory' AND granted AND objsubid = 1
                          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                          AND (classid::bigint << 32) | objid::bigint = $2)
         LIMIT 1
        """,
        list(tables), BUILDER_LOCK,
    )  # fmt: skip
    return found


async def ask_for(conn: Connection, ones: Sequence[Wanted], built: Sequence[bool], now: datetime) -> None:
    """Have these built, those that are there already apart. What failed is not tried again by this."""
    await conn.execute(
        """
        INSERT INTO data_model_build AS b (object, kind, entity, name, statement, table_name, columns, state, asked_at)
        SELECT object, kind, entity, name, statement, table_name,
               array(SELECT jsonb_array_elements_text(($7::jsonb)->(number::int - 1))),
               CASE WHEN built THEN 'done' ELSE 'waiting' END, $9
          FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $8::boolean[])
               WITH ORDINALITY AS one (object, kind, entity, name, statement, table_name, built, number)
         ORDER BY number
            ON CONFLICT (object) DO UPDATE
           SET dropping = false, state = 'waiting', turn = b.turn + 1, error = NULL, asked_at = excluded.asked_at,
               started_at = NULL, finished_at = NULL
         WHERE b.dropping OR (b.state = 'done' AND excluded.state = 'waiting')
        """,
        [one.object for one in ones], [one.kind.value for one in ones], [one.entity for one in ones],
        [one.name for one in ones], [one.sql for one in ones], [one.table for one in ones], [one.columns for one in ones],
        list(built), now,
    )  # fmt: skip


async def let_go(
    conn: Connection, kept: Sequence[str], hidden_entities: Sequence[str], hidden_links: Sequence[str], now: datetime
) -> None:
    """Have all others dropped, but for the indexes of links that are hidden: their rows are still found when a target goes."""
    await conn.execute("DELETE FROM data_model_build WHERE kind = 'reference' AND object <> ALL($1::text[])", list(kept))
    await conn.execute(
        """
        UPDATE data_model_build
           SET dropping = true, state = 'waiting', turn = turn + 1, error = NULL, asked_at = $4,
               started_at = NULL, finished_at = NULL
         WHERE NOT dropping AND object <> ALL($1::text[])
           AND NOT (kind = 'link' AND (entity, name) IN (SELECT * FROM unnest($2::text[], $3::text[])))
        """,
        list(kept), list(hidden_entities), list(hidden_links), now,
    )  # fmt: skip


async def forget(conn: Connection, entity: str, name: str | None) -> None:
    """What was built for a thing that has been dropped with its indexes; no name: for all of an entity."""
    await conn.execute("DELETE FROM data_model_build WHERE entity = $1 AND ($2::text IS NULL OR name = $2)", entity, name)


async def ask_again(conn: Connection, build_id: int, now: datetime) -> Build:
    """Have one looked at again."""
    row = await conn.fetchrow(
        f"""
        UPDATE data_model_build
           SET state = 'waiting', turn = turn + 1, error = NULL, asked_at = $2, started_at = NULL, finished_at = NULL
         WHERE id = $1 RETURNING {_COLUMNS}
        """,
        build_id, now,
    )  # fmt: skip
    return _build(row)


async def is_work_left(conn: Connection) -> bool:
    """Whether something waits, or is left behind by a builder that lives no more; False while one is at work.

    Holds the builder's lock until the transaction ends, when nobody else has it.
    """
    left: bool = await conn.fetchval(
        """
        SELECT EXISTS (SELECT FROM data_model_build WHERE state IN ('waiting', 'running')) AND pg_try_advisory_xact_lock($1)
        """,
        BUILDER_LOCK,
    )
    return left


async def begin_building(conn: Connection) -> bool:
    """Become the only builder, until `end_building` or the end of the session; False while somebody else is.

    What is running then was left by a builder that lives no more: it waits again.
    """
    if not await conn.fetchval("SELECT pg_try_advisory_lock($1)", BUILDER_LOCK):
        return False
    # Until the session goes back to its pool: a build takes as long as it takes, and in its waits is in nobody's way.
    await conn.execute("SELECT set_config('statement_timeout', '0', false), set_config('lock_timeout', '0', false)")
    await conn.execute("UPDATE data_model_build SET state = 'waiting' WHERE state = 'running'")
    return True


async def end_building(conn: Connection) -> None:
    """Let others build."""
    await conn.execute("SELECT pg_advisory_unlock($1)", BUILDER_LOCK)


async def take(conn: Connection, tried: Sequence[int], now: datetime) -> Build | None:
    """The next that waits, which runs now: first what is to be dropped. Not one that was tried before."""
    row = await conn.fetchrow(
        f"""
        UPDATE data_model_build SET state = 'running', started_at = $2
         WHERE state = 'waiting'
           AND id = (SELECT id FROM data_model_build WHERE state = 'waiting' AND id <> ALL($1::bigint[])
                      ORDER BY dropping DESC, started_at NULLS FIRST, id LIMIT 1)
        RETURNING {_COLUMNS}
        """,
        list(tried), now,
    )  # fmt: skip
    return _build(row) if row else None


async def finish(conn: Connection, one: Build, state: BuildState, error: BuildError | None, now: datetime | None) -> bool:
    """Say what became of it; False when something else has been asked of it meanwhile."""
    return (
        await conn.fetchval(
            """
            UPDATE data_model_build SET state = $3, error = $4, finished_at = $5
             WHERE id = $1 AND turn = $2 AND state = 'running' RETURNING true
            """,
            one.id, one.turn, state.value, None if error is None else msgspec.to_builtins(error), now,
        )
        or False
    )  # fmt: skip


async def finish_dropping(conn: Connection, one: Build) -> None:
    """It is gone, unless it has been asked for again meanwhile."""
    await conn.execute("DELETE FROM data_model_build WHERE id = $1 AND turn = $2", one.id, one.turn)


async def list_indexes(conn: Connection) -> dict[str, bool]:
    """The indexes that were built for a model, by name; False for what a broken build has left."""
    rows = await conn.fetch(
        """
        SELECT c.relname AS name, i.indisvalid AS whole
          FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
         WHERE c.relnamespace = current_schema()::regnamespace AND starts_with(c.relname, $1)
        """,
        INDEX_PREFIX,
    )
    return {row["name"]: row["whole"] for row in rows}


async def run(conn: Connection, statement: str) -> None:
    """A statement that may take long, outside of a transaction. Raises UniqueViolationError and what else was in the way."""
    await conn.execute(statement)


async def list_repeated(
    conn: Connection, table: str, columns: Sequence[str], groups: int, rows: int
) -> tuple[int, list[list[int]]]:
    """How many values more than one row has, and the first ids of the rows of some."""
    named = ", ".join(columns)
    given = " AND ".join(f"{column} IS NOT NULL" for column in columns)
    found = await conn.fetch(
        f"""
        SELECT (array_agg(id ORDER BY id))[1:$2] AS ids, count(*) OVER () AS number
          FROM {table} WHERE {given} GROUP BY {named} HAVING count(*) > 1
         ORDER BY min(id) LIMIT $1
        """,
        groups, rows,
    )  # fmt: skip
    return (found[0]["number"], [list(row["ids"]) for row in found]) if found else (0, [])
