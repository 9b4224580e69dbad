"""SQL on rows of datasets. Names of tables and columns are those of the published model; values are bound."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from core.datamodel.physical import PAIR_COLUMNS
from core.db import Connection
from core.rows.shape import Column, Shape
from core.rows.ways import Way
from core.targeting.sql import Statement


def _sent(columns: Sequence[Column], start: int) -> str:
    """Arrays from the parameter of this number on, side by side as rows."""
    return ", ".join(f"${start + n}::{_array(one.sent_as)}" for n, one in enumerate(columns))


def _array(sql_type: str) -> str:
    return f"{sql_type}[]"


def _names(columns: Sequence[Column]) -> str:
    return "".join(f", {one.column}" for one in columns)


def _typed(columns: Sequence[Column]) -> list[str]:
    """What is sent, as what the columns hold."""
    return [f"s.{one.column}::{one.sql_type}" if one.sent_as != one.sql_type else f"s.{one.column}" for one in columns]


def _across(rows: Sequence[Sequence[Any]], columns: Sequence[Any]) -> list[list[Any]]:
    """Rows as arrays, one for each column."""
    return [[row[n] for row in rows] for n in range(len(columns))]


async def find_by_key(
    conn: Connection, table: str, columns: Sequence[Column], keys: Sequence[Any], *, merged: bool = False
) -> dict[Any, int]:
    """The ids of the rows of these keys, which have `values` of the columns; `merged`: of merged profiles the survivors'."""
    same = " AND ".join(f"t.{one.column} = {value}" for one, value in zip(columns, _typed(columns), strict=True))
    rows = await conn.fetch(
        f"""
        SELECT s.n, {"coalesce(t.merged_into, t.id)" if merged else "t.id"} AS id
          FROM unnest($1::int[], {_sent(columns, 2)}) AS s (n{_names(columns)}) JOIN {table} t ON {same}
        """,
        list(range(len(keys))), *_across([one.values for one in keys], columns),
    )  # fmt: skip
    return {keys[row["n"]]: row["id"] for row in rows}


async def lock_by_key(
    conn: Connection, shape: Shape, columns: Sequence[Column], keys: Sequence[Any], *, delete: bool
) -> dict[Any, asyncpg.Record]:
    """The rows of these keys, held against other changes until the transaction ends."""
    same = " AND ".join(f"t.{one.column} = {value}" for one, value in zip(columns, _typed(columns), strict=True))
    rows = await conn.fetch(
        f"""
        SELECT s.n, {", ".join(f"t.{name}" for name in shape.selected)}
          FROM {shape.table} t JOIN unnest($1::int[], {_sent(columns, 2)}) AS s (n{_names(columns)}) ON {same}
         ORDER BY t.id FOR {"" if delete else "NO KEY "}UPDATE OF t
        """,
        list(range(len(keys))), *_across([one.values for one in keys], columns),
    )  # fmt: skip
    return {keys[row["n"]]: row for row in rows}


async def lock_rows(conn: Connection, shape: Shape, ids: Sequence[int], *, delete: bool) -> dict[Any, asyncpg.Record]:
    """The same, by id."""
    rows = await conn.fetch(
        f"""
        SELECT {", ".join(shape.selected)} FROM {shape.table} WHERE id = ANY($1::bigint[])
         ORDER BY id FOR {"" if delete else "NO KEY "}UPDATE
        """,
        list(ids),
    )
    return {row["id"]: row for row in rows}


async def find_rows(conn: Connection, shape: Shape, ids: Sequence[int]) -> list[asyncpg.Record]:
    """Those of the rows that there are."""
    found: list[asyncpg.Record] = await conn.fetch(
        f"SELECT {', '.join(shape.selected)} FROM {shape.table} WHERE id = ANY($1::bigint[])", list(ids)
    )
    return found


async def hold_targets(conn: Connection, table: str, ids: Sequence[int]) -> set[int]:
    """Those of the rows that there are; nobody deletes them until the transaction ends."""
    if not ids:
        return set()
    rows = await conn.fetch(f"SELECT id FROM {table} WHERE id = ANY($1::bigint[]) ORDER BY id FOR KEY SHARE", list(ids))
    return {row["id"] for row in rows}


async def reserve_ids(conn: Connection, table: str, count: int) -> list[int]:
    """Numbers for new rows."""
    rows = await conn.fetch("SELECT nextval(pg_get_serial_sequence($1, 'id')) AS id FROM generate_series(1, $2)", table, count)
    return [row["id"] for row in rows]


async def insert_rows(
    conn: Connection, shape: Shape, columns: Sequence[Column], rows: Mapping[int, Sequence[Any]], now: datetime
) -> dict[int, asyncpg.Record]:
    """Add rows, by id; columns that are not given are empty, or filled by themselves. Raises what `REFUSED` names."""
    values = "".join(f", {value}" for value in _typed(columns))
    more = f", {_sent(columns, 3)}" if columns else ""
    found = await conn.fetch(
        f"""
        INSERT INTO {shape.table} (id, created_at, updated_at{_names(columns)})
        SELECT s.id, $1, $1{values} FROM unnest($2::bigint[]{more}) AS s (id{_names(columns)})
        RETURNING {", ".join(shape.selected)}
        """,
        now, list(rows), *_across(list(rows.values()), columns),
    )  # fmt: skip
    return {row["id"]: row for row in found}


async def update_rows(
    conn: Connection, shape: Shape, columns: Sequence[Column], rows: Mapping[int, Sequence[Any]], now: datetime
) -> dict[int, asyncpg.Record]:
    """Write columns of locked rows, by id; each is changed later than before. Raises what `REFUSED` names."""
    changes = ", ".join(f"{one.column} = {value}" for one, value in zip(columns, _typed(columns), strict=True))
    found = await conn.fetch(
        f"""
        UPDATE {shape.table} t SET updated_at = greatest($1, t.updated_at + interval '1 microsecond'), {changes}
          FROM unnest($2::bigint[], {_sent(columns, 3)}) AS s (row_id{_names(columns)}) WHERE t.id = s.row_id
        RETURNING {", ".join(f"t.{name}" for name in shape.selected)}
        """,
        now, list(rows), *_across(list(rows.values()), columns),
    )  # fmt: skip
    return {row["id"]: row for row in found}


async def find_taken(
    conn: Connection, table: str, columns: Sequence[Column], rows: Mapping[int, tuple[int | None, Sequence[Any]]]
) -> set[int]:
    """The places of those whose values another row has; beside them the id of the row itself, if it is there."""
    same = " AND ".join(f"t.{one.column} = {value}" for one, value in zip(columns, _typed(columns), strict=True))
    found = await conn.fetch(
        f"""
        SELECT s.n FROM unnest($1::int[], $2::bigint[], {_sent(columns, 3)}) AS s (n, own{_names(columns)})
         WHERE EXISTS (SELECT FROM {table} t WHERE {same} AND t.id IS DISTINCT FROM s.own)
        """,
        list(rows), [own for own, _ in rows.values()], *_across([values for _, values in rows.values()], columns),
    )  # fmt: skip
    return {row["n"] for row in found}


async def find_referring(conn: Connection, places: Iterable[tuple[str, str]], ids: Sequence[int]) -> dict[int, int]:
    """The rows that a column of some table refers to, each with the place of one such column."""
    parts = [
        f"SELECT k.id, {n} AS place FROM unnest($1::bigint[]) AS k (id)"
        f" WHERE EXISTS (SELECT FROM {table} t WHERE t.{column} = k.id)"
        for n, (table, column) in enumerate(places)
    ]
    rows = await conn.fetch(" UNION ALL ".join(parts), list(ids)) if parts else []
    return {row["id"]: row["place"] for row in rows}


async def delete_rows(conn: Connection, table: str, ids: Sequence[int]) -> None:
    """Delete locked rows. Raises what `REFUSED` names."""
    await conn.execute(f"DELETE FROM {table} WHERE id = ANY($1::bigint[])", list(ids))


async def add_pairs(conn: Connection, table: str, pairs: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """Add pairs; those that were not there before."""
    near, far = PAIR_COLUMNS
    rows = await conn.fetch(
        f"""
        INSERT INTO {table} ({near}, {far}) SELECT * FROM unnest($1::bigint[], $2::bigint[])
        ON CONFLICT DO NOTHING RETURNING {near} AS near, {far} AS far
        """,
        [one for one, _ in pairs], [other for _, other in pairs],
    )  # fmt: skip
    return {(row["near"], row["far"]) for row in rows}


async def remove_pairs(conn: Connection, table: str, pairs: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """Remove pairs; those that were there."""
    near, far = PAIR_COLUMNS
    rows = await conn.fetch(
        f"""
        DELETE FROM {table} t USING unnest($1::bigint[], $2::bigint[]) AS s (near, far)
         WHERE t.{near} = s.near AND t.{far} = s.far RETURNING t.{near} AS near, t.{far} AS far
        """,
        [one for one, _ in pairs], [other for _, other in pairs],
    )  # fmt: skip
    return {(row["near"], row["far"]) for row in rows}


async def fetch(conn: Connection, statement: Statement, seconds: float) -> list[asyncpg.Record]:
    """What a statement gives. Raises TimeoutError when it takes longer; it is ended then."""
    found: list[asyncpg.Record] = await conn.fetch(statement.text, *statement.args, timeout=seconds)
    return found


async def count_rows(conn: Connection, table: str, seconds: float) -> int:
    """How many rows there are. Raises TimeoutError."""
    return int(await conn.fetchval(f"SELECT count(*) FROM {table}", timeout=seconds))


async def find_linked(conn: Connection, way: Way, ids: Sequence[int], after: int | None, limit: int) -> dict[int, list[int]]:
    """The keys of the rows at the end of a way, by the row that it starts from, lowest first."""
    target = "coalesce(f.merged_into, f.id)" if way.target == "profile" else "f.id"
    # Of a profile: its own, and those of whoever is merged into it.
    own = "SELECT p.id FROM profile p WHERE p.id = k.id OR p.merged_into = k.id" if way.source == "profile" else "SELECT k.id"
    if way.pairs is None:
        same = " AND ".join(f"f.{far} = s.{near}" for near, far in way.on)
        joined = f"{way.source} s JOIN {way.target} f ON {same} WHERE s.id = ANY(ARRAY({own}))"
    else:
        near, far = way.pairs_near, way.pairs_far
        joined = f"{way.pairs} s JOIN {way.target} f ON f.id = s.{far} WHERE s.{near} = ANY(ARRAY({own}))"
    rows = await conn.fetch(
        f"""
        SELECT k.id AS source, array(
            SELECT DISTINCT {target} AS id FROM {joined} AND ($2::bigint IS NULL OR {target} > $2) ORDER BY 1 LIMIT $3
        ) AS found FROM unnest($1::bigint[]) AS k (id)
        """,
        list(ids), after, limit,
    )  # fmt: skip
    return {row["source"]: row["found"] for row in rows}


async def find_team_values(conn: Connection, shape: Shape, ids: Sequence[int]) -> dict[int, asyncpg.Record]:
    """What rows of a table of ours have in the columns of the team, by id."""
    names = "".join(f", {one.column}" for one in shape.columns.values())
    rows = await conn.fetch(f"SELECT id{names} FROM {shape.table} WHERE id = ANY($1::bigint[])", list(ids))
    return {row["id"]: row for row in rows}
