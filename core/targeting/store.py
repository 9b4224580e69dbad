"""SQL on audiences, and the two questions asked of a population."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import msgspec
from sqlalchemy import Select, func, select

from core.datamodel.store.model import STAMP as MODEL_STAMP
from core.db import Connection
from core.events.store.types import STAMP as TYPES_STAMP
from core.targeting.catalogue import Kind
from core.targeting.json_form import to_json
from core.targeting.records import Audience, AudienceDraft, AudienceKind, MemberColumn, NamedAudience
from core.targeting.sql import Statement, compile_statement

NAMES_LOCK = 0x636C_6172_0400  # advisory

COLUMNS = (
    "id, name, label, kind, expression, expression_text, version, created_at, updated_at, created_by, description, expires_at,"
    " counted, counted_at"
)


def read_audience(row: asyncpg.Record) -> Audience:
    return Audience(**{**row, "kind": AudienceKind(row["kind"])})


async def hold_names(conn: Connection) -> None:
    """Until the end of the transaction nobody else saves a question that names audiences: two could name each other."""
    await conn.execute("SELECT pg_advisory_xact_lock($1)", NAMES_LOCK)


async def insert_audience(
    conn: Connection, draft: AudienceDraft, kind: AudienceKind, reads: Sequence[str], uses: Sequence[int], created_by: str
) -> Audience | None:
    """Add an audience; None when the name is taken."""
    row = await conn.fetchrow(
        f"""
        WITH added AS (
            INSERT INTO audience (name, label, kind, expression, expression_text, reads, created_by, description, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, $8, $9, $10)
            ON CONFLICT (name) DO NOTHING
            RETURNING {COLUMNS}
        ), kept AS (
            INSERT INTO audience_version (audience_id, version, expression, expression_text)
            SELECT id, version, expression, expression_text FROM added
        ), used AS (
            INSERT INTO audience_use (audience_id, used_id) SELECT added.id, u FROM added, unnest($7::bigint[]) AS u
        )
        SELECT * FROM added
        """,
        draft.name, draft.label, kind.value, to_json(draft.expression), draft.expression.text, list(reads), list(uses),
        created_by, draft.description, draft.expires_at,
    )  # fmt: skip
    return read_audience(row) if row else None


async def find_named(conn: Connection, names: Sequence[tuple[str, int | None]]) -> dict[tuple[str, int | None], NamedAudience]:
    """The audiences of these names, as they are or (where a number stands beside the name) as that version was."""
    rows = await conn.fetch(
        """
        SELECT n.name, n.version, a.id, a.kind, coalesce(v.expression, a.expression) AS expression,
               f.reconciled_at IS NOT NULL AS reconciled,
               (SELECT jsonb_object_agg(c.name, c.kind) FROM audience_column c WHERE c.audience_id = a.id) AS columns
          FROM unnest($1::text[], $2::bigint[]) AS n (name, version)
          JOIN audience a ON a.name = n.name
          LEFT JOIN audience_version v ON v.audience_id = a.id AND v.version = n.version
          LEFT JOIN audience_file f ON f.audience_id = a.id
         WHERE n.version IS NULL OR v.version IS NOT NULL
        """,
        [name for name, _ in names], [version for _, version in names],
    )  # fmt: skip
    return {
        (row["name"], row["version"]): NamedAudience(
            id=row["id"],
            name=row["name"],
            kind=AudienceKind(row["kind"]),
            expression=row["expression"],
            columns={name: Kind(kind) for name, kind in (row["columns"] or {}).items()},
            reconciled=row["reconciled"],
        )
        for row in rows
    }


async def is_named(conn: Connection, audience_id: int, *, by_itself: bool) -> list[str]:
    """The names of some audiences whose question names this one; its own, which may name what it was before, if asked for."""
    rows = await conn.fetch(
        """
        SELECT a.name FROM audience_use u JOIN audience a ON a.id = u.audience_id WHERE u.used_id = $1 AND ($2 OR a.id <> $1)
         ORDER BY a.id LIMIT 6
        """,
        audience_id,
        by_itself,
    )
    return [row["name"] for row in rows]


async def find_audience(conn: Connection, audience_id: int) -> Audience | None:
    """The audience, if it exists."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM audience WHERE id = $1", audience_id)
    return read_audience(row) if row else None


async def find_audiences(conn: Connection, ids: Sequence[int]) -> list[Audience]:
    """Those of the audiences that exist, by id."""
    rows = await conn.fetch(f"SELECT {COLUMNS} FROM audience WHERE id = ANY($1) ORDER BY id", ids)
    return [read_audience(row) for row in rows]


async def find_audience_by_name(conn: Connection, name: str) -> Audience | None:
    """The audience of this name, if there is one."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM audience WHERE name = $1", name)
    return read_audience(row) if row else None


async def lock_audience(conn: Connection, audience_id: int) -> Audience | None:
    """The audience, held against other changes until the transaction ends."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM audience WHERE id = $1 FOR UPDATE", audience_id)
    return read_audience(row) if row else None


async def list_audiences(conn: Connection, *, after: int | None, limit: int) -> list[Audience]:
    """Audiences after an id, oldest first."""
    rows = await conn.fetch(
        f"""
        SELECT {COLUMNS} FROM audience WHERE $1::bigint IS NULL OR id > $1 ORDER BY id LIMIT $2
        """,
        after, limit,
    )  # fmt: skip
    return [read_audience(row) for row in rows]


async def count_audiences(conn: Connection) -> int:
    """How many there are."""
    return int(await conn.fetchval("SELECT count(*) FROM audience"))


async def update_audience(
    conn: Connection, audience_id: int, draft: AudienceDraft, reads: Sequence[str], uses: Sequence[int]
) -> Audience:
    """Write a new version of a locked audience. Raises asyncpg's UniqueViolationError for a taken name."""
    row = await conn.fetchrow(
        f"""
        WITH changed AS (
            UPDATE audience
               SET name = $2, label = $3, expression = $4, expression_text = $5, reads = $6, description = $8,
                   expires_at = $9, version = version + 1, updated_at = clock_timestamp()
             WHERE id = $1
            RETURNING {COLUMNS}
        ), kept AS (
            INSERT INTO audience_version (audience_id, version, expression, expression_text)
            SELECT id, version, expression, expression_text FROM changed
        ), unused AS (
            DELETE FROM audience_use WHERE audience_id = $1 AND used_id <> ALL ($7::bigint[])
        ), used AS (
            INSERT INTO audience_use (audience_id, used_id) SELECT $1, u FROM unnest($7::bigint[]) AS u ON CONFLICT DO NOTHING
        )
        SELECT * FROM changed
        """,
        audience_id, draft.name, draft.label, to_json(draft.expression), draft.expression.text, list(reads), list(uses),
        draft.description, draft.expires_at,
    )  # fmt: skip
    assert row is not None, "the caller holds the row"
    return read_audience(row)


async def count_by_code(conn: Connection, split: Select[Any]) -> dict[str, int]:
    """How many rows of codes and keys have each code."""
    rows = split.subquery()
    counted = compile_statement(select(rows.c.code, func.count()).group_by(rows.c.code))
    return {row[0]: row[1] for row in await conn.fetch(counted.text, *counted.args)}


async def insert_columns(conn: Connection, audience_id: int, columns: Sequence[MemberColumn]) -> None:
    """Keep which columns the members of a new audience bring along."""
    if columns:
        await conn.execute(
            """
            INSERT INTO audience_column (audience_id, position, name, label, kind, personal)
            SELECT $1, position, name, label, kind, personal
              FROM unnest($2::text[], $3::text[], $4::text[], $5::boolean[])
                   WITH ORDINALITY AS c (name, label, kind, personal, position)
            """,
            audience_id, [one.name for one in columns], [one.label for one in columns], [one.kind.value for one in columns],
            [one.personal for one in columns],
        )  # fmt: skip


async def list_columns(conn: Connection, audience_ids: Sequence[int]) -> dict[int, list[MemberColumn]]:
    """Which columns the members of audiences bring along, in their order."""
    rows = await conn.fetch(
        """
        SELECT audience_id, name, label, kind, personal FROM audience_column
         WHERE audience_id = ANY ($1) ORDER BY audience_id, position
        """,
        list(audience_ids),
    )
    found: dict[int, list[MemberColumn]] = {one: [] for one in audience_ids}
    for row in rows:
        column = MemberColumn(name=row["name"], label=row["label"], kind=Kind(row["kind"]), personal=row["personal"])
        found[row["audience_id"]].append(column)
    return found


async def keep_count(conn: Connection, audience_id: int, counted: int, at: datetime) -> None:
    """Remember how many an audience found; nothing of it is another version."""
    await conn.execute("UPDATE audience SET counted = $2, counted_at = $3 WHERE id = $1", audience_id, counted, at)


async def touch_audience(conn: Connection, audience_id: int) -> Audience:
    """A list has other members: another version of it."""
    row = await conn.fetchrow(
        f"""
        WITH changed AS (
            UPDATE audience SET version = version + 1, updated_at = clock_timestamp() WHERE id = $1 RETURNING {COLUMNS}
        ), kept AS (
            INSERT INTO audience_version (audience_id, version, expression, expression_text)
            SELECT id, version, expression, expression_text FROM changed
        )
        SELECT * FROM changed
        """,
        audience_id,
    )
    return read_audience(row)


async def list_files(conn: Connection, audience_ids: Sequence[int]) -> list[int]:
    """The files that audiences and the work on them need."""
    rows = await conn.fetch(
        """
        SELECT file_id FROM audience_file WHERE audience_id = ANY ($1)
         UNION SELECT file_id FROM audience_run
                WHERE audience_id = ANY ($1) AND file_id IS NOT NULL AND finished_at IS NULL
        """,
        list(audience_ids),
    )
    return [row["file_id"] for row in rows]


async def delete_audience(conn: Connection, audience_id: int) -> None:
    """Remove it. Raises asyncpg's ForeignKeyViolationError when something refers to it."""
    await conn.execute("DELETE FROM audience WHERE id = $1", audience_id)


def counting(population: Select[Any]) -> Select[Any]:
    """How many rows a population has. The table stays also where the question names no column of it, as `true` does."""
    return population.with_only_columns(func.count(), maintain_column_froms=True)


def everyone(population: Select[Any]) -> Select[Any]:
    """All keys of a population."""
    return population


@dataclass(frozen=True, slots=True)
class Sampling:
    """The first keys of a population."""

    size: int

    def __call__(self, population: Select[Any]) -> Select[Any]:
        return population.order_by(*population.selected_columns).limit(self.size)


async def fetch_keys(conn: Connection, statement: Statement, seconds: float) -> list[int]:
    """The first column of what a statement gives. Raises TimeoutError when it takes longer; it is ended then."""
    return [row[0] for row in await conn.fetch(statement.text, *statement.args, timeout=seconds)]


async def fetch_rows(conn: Connection, statement: Statement, seconds: float) -> list[asyncpg.Record]:
    """What a statement gives. Raises TimeoutError when it takes longer; it is ended then."""
    rows: list[asyncpg.Record] = await conn.fetch(statement.text, *statement.args, timeout=seconds)
    return rows


async def estimate_cost(conn: Connection, statement: Statement) -> float:
    """What Postgres expects a statement to cost, in units of its own."""
    return float((await explain(conn, statement))["Total Cost"])


async def find_stamps(conn: Connection) -> tuple[str, str, bool]:
    """By what the published model and the types of events are known, and whether any profile is merged into another.

    Of profiles themselves nobody reads while a data model is published.
    """
    row = await conn.fetchrow(
        f"SELECT {MODEL_STAMP}, {TYPES_STAMP}, EXISTS (SELECT FROM profile_merge WHERE undone_at IS NULL)"
    )
    return row[0], row[1], row[2]


async def explain(conn: Connection, statement: Statement) -> Mapping[str, Any]:
    """The plan of a statement, as Postgres tells it; it does not run."""
    told = await conn.fetchval(f"EXPLAIN (FORMAT JSON) {statement.text}", *statement.args)
    plan: Mapping[str, Any] = msgspec.json.decode(told)[0]["Plan"]
    return plan


async def table_sizes(conn: Connection, tables: Sequence[str]) -> dict[str, int]:
    """How many rows tables have, as they were last counted by Postgres itself."""
    rows = await conn.fetch(
        """
        SELECT relname, greatest(reltuples, 0)::bigint AS rows FROM pg_class
         WHERE relnamespace = current_schema()::regnamespace AND relname = ANY ($1)
        """,
        list(tables),
    )
    return {row["relname"]: row["rows"] for row in rows}


_QUESTIONS = """(
    SELECT 'audience' AS kind, id, name, reads FROM audience UNION ALL SELECT 'filter', id, name, reads FROM question_filter
) q"""


async def list_readers(conn: Connection, reads: Sequence[str], limit: int) -> list[tuple[str, str, list[str]]]:
    """The audiences and filters whose question reads any of these: the kind, the name and what is read, oldest first."""
    rows = await conn.fetch(
        f"""
        SELECT kind, name, ARRAY(SELECT r FROM unnest(reads) AS r WHERE r = ANY ($1) ORDER BY r) AS found
          FROM {_QUESTIONS} WHERE reads && $1::text[] ORDER BY kind, id LIMIT $2
        """,
        list(reads), limit,
    )  # fmt: skip
    return [(row["kind"], row["name"], row["found"]) for row in rows]


async def list_readers_of(conn: Connection, beginning: str) -> list[tuple[str, str, list[str]]]:
    """The audiences and filters whose question reads something that begins so, in the same way."""
    rows = await conn.fetch(
        f"""
        SELECT kind, name, found
          FROM {_QUESTIONS},
               LATERAL (SELECT ARRAY(SELECT r FROM unnest(reads) AS r WHERE starts_with(r, $1)) AS found) f
         WHERE found <> '{{}}' ORDER BY kind, id
        """,
        beginning,
    )
    return [(row["kind"], row["name"], row["found"]) for row in rows]
