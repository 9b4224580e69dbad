"""SQL on the files of audiences and their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import msgspec

from core.db import Connection
from core.targeting.records import AudienceFile, AudienceRow, FileOptions, RowOutcome

_COLUMNS = "audience_id, file_id, options, loaded_at, reconciled_at"


def _file(row: Any) -> AudienceFile:
    return AudienceFile(**{**row, "options": msgspec.convert(row["options"], FileOptions)})


async def insert_file(conn: Connection, audience_id: int, file_id: int, options: FileOptions) -> None:
    """The file of a new audience."""
    await conn.execute(
        "INSERT INTO audience_file (audience_id, file_id, options) VALUES ($1, $2, $3)", audience_id, file_id, asdict(options)
    )


async def find_files(conn: Connection, audience_ids: Sequence[int]) -> list[AudienceFile]:
    """The files of those audiences that have one."""
    rows = await conn.fetch(f"SELECT {_COLUMNS} FROM audience_file WHERE audience_id = ANY ($1)", list(audience_ids))
    return [_file(row) for row in rows]


async def set_loaded(conn: Connection, audience_id: int, now: datetime) -> None:
    """All rows are here."""
    await conn.execute("UPDATE audience_file SET loaded_at = $2 WHERE audience_id = $1", audience_id, now)


async def set_reconciled(conn: Connection, audience_id: int, at: datetime | None) -> None:
    """Its members are known since then; None: no longer."""
    await conn.execute("UPDATE audience_file SET reconciled_at = $2 WHERE audience_id = $1", audience_id, at)


async def clear_file(conn: Connection, audience_id: int) -> None:
    """Nothing of its file is known."""
    await conn.execute(
        """
        WITH rows AS (DELETE FROM audience_row WHERE audience_id = $1)
        DELETE FROM audience_column WHERE audience_id = $1
        """,
        audience_id,
    )


async def insert_rows(conn: Connection, audience_id: int, lines: Sequence[int], data: Sequence[str]) -> None:
    """Rows as they were read, each a JSON object."""
    await conn.execute(
        """
        INSERT INTO audience_row (audience_id, line, data)
        SELECT $1, line, data::jsonb FROM unnest($2::bigint[], $3::text[]) AS r (line, data)
        """,
        audience_id, list(lines), list(data),
    )  # fmt: skip


async def list_rows(
    conn: Connection, audience_id: int, outcome: RowOutcome | None, *, after: int | None, limit: int
) -> list[AudienceRow]:
    """Rows of all or of one outcome, in the order of the file, after a line."""
    rows = await conn.fetch(
        """
        SELECT line, outcome, profile_id, data FROM audience_row
         WHERE audience_id = $1 AND line > coalesce($2::bigint, 0) AND ($3::text IS NULL OR outcome = $3)
         ORDER BY line LIMIT $4
        """,
        audience_id, after, outcome.value if outcome else None, limit,
    )  # fmt: skip
    return [AudienceRow(**{**row, "outcome": RowOutcome(row["outcome"])}) for row in rows]


async def count_rows(conn: Connection, audience_id: int) -> dict[RowOutcome, int]:
    """How many rows there are of each outcome."""
    rows = await conn.fetch(
        "SELECT outcome, count(*) AS n FROM audience_row WHERE audience_id = $1 GROUP BY outcome", audience_id
    )
    return {RowOutcome(row["outcome"]): row["n"] for row in rows}


async def clear_members(conn: Connection, audience_id: int) -> None:
    """Nobody is a member any more."""
    await conn.execute("DELETE FROM audience_member WHERE audience_id = $1", audience_id)


async def find_by_key(
    conn: Connection, columns: Sequence[str], types: Sequence[str], values: Sequence[tuple[Any, ...]]
) -> Mapping[tuple[Any, ...], tuple[int, int]]:
    """For each of the values of some columns together that somebody has: the profile that stands for it, and how many there
    are."""
    names = [f"v{number}" for number in range(len(columns))]
    given = ", ".join(f"${number}::{one}[]" for number, one in enumerate(types, 1))
    equal = " AND ".join(f"p.{column} = k.{name}" for column, name in zip(columns, names, strict=True))
    rows = await conn.fetch(
        f"""
        SELECT k.n, f.id, f.profiles
          FROM unnest({given}) WITH ORDINALITY AS k ({", ".join(names)}, n)
         CROSS JOIN LATERAL (SELECT min(coalesce(p.merged_into, p.id)) AS id,
                                    count(DISTINCT coalesce(p.merged_into, p.id)) AS profiles FROM profile p WHERE {equal}) f
         WHERE f.id IS NOT NULL
        """,
        *([value[index] for value in values] for index in range(len(columns))),
    )
    return {values[row["n"] - 1]: (row["id"], row["profiles"]) for row in rows}


async def hold_profiles(conn: Connection, ids: Sequence[int]) -> set[int]:
    """Those of the profiles that are there, kept from being deleted until the end of the transaction."""
    rows = await conn.fetch("SELECT id FROM profile WHERE id = ANY ($1) ORDER BY id FOR KEY SHARE", list(ids))
    return {row["id"] for row in rows}


async def add_members(conn: Connection, audience_id: int, lines: Sequence[int], ids: Sequence[int], now: datetime) -> set[int]:
    """Make people members, with what their rows say; returns who was none before."""
    rows = await conn.fetch(
        """
        INSERT INTO audience_member (audience_id, profile_id, added_at, data)
        SELECT $1, m.profile_id, $4, r.data
          FROM unnest($2::bigint[], $3::bigint[]) AS m (line, profile_id)
          JOIN audience_row r ON r.audience_id = $1 AND r.line = m.line
        ON CONFLICT DO NOTHING RETURNING profile_id
        """,
        audience_id, list(lines), list(ids), now,
    )  # fmt: skip
    return {row["profile_id"] for row in rows}


async def settle_rows(
    conn: Connection, audience_id: int, lines: Sequence[int], ids: Sequence[int | None], outcomes: Sequence[RowOutcome]
) -> None:
    """Write whom rows are about."""
    await conn.execute(
        """
        UPDATE audience_row r SET profile_id = s.profile_id, outcome = s.outcome
          FROM unnest($2::bigint[], $3::bigint[], $4::text[]) AS s (line, profile_id, outcome)
         WHERE r.audience_id = $1 AND r.line = s.line
        """,
        audience_id, list(lines), list(ids), [one.value for one in outcomes],
    )  # fmt: skip


async def rename_columns(conn: Connection, names: Sequence[str]) -> int:
    """Call columns of these names otherwise, and forget their values; returns how many columns it were."""
    found: int = await conn.fetchval(
        """
        WITH renamed AS (
            UPDATE audience_column SET name = 'column_' || position || '__erased' WHERE name = ANY ($1::text[])
            RETURNING audience_id
        ), rows AS (
            UPDATE audience_row SET data = data - $1::text[]
             WHERE audience_id IN (SELECT audience_id FROM renamed) AND data ?| $1::text[]
        ), members AS (
            UPDATE audience_member SET data = data - $1::text[]
             WHERE audience_id IN (SELECT audience_id FROM renamed) AND data ?| $1::text[]
        )
        SELECT count(*) FROM renamed
        """,
        list(names),
    )
    return found
