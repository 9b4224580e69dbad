"""SQL of merges. Who is merged says so in `profile.merged_into`; these tables say since when, and what was before.

Columns of the survivor are written by names that are constants of this house or of the published model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from core.db import Connection
from core.profiles.merge_records import Merge

_MERGE = """
SELECT m.id, m.survivor_id, m.merged_at, m.merged_by, m.undone_at, m.undone_by,
       array(SELECT profile_id FROM profile_alias WHERE merge_id = m.id ORDER BY profile_id) AS merged_ids
  FROM profile_merge m
"""


def _merge(row: Any) -> Merge:
    return Merge(**{**dict(row), "merged_ids": tuple(row["merged_ids"])})


async def lock_merges(conn: Connection) -> None:
    """Nobody else merges or undoes until the transaction ends: who stands under whom does not change."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtext('profile merge'))")


async def lock_people(conn: Connection, ids: Sequence[int]) -> None:
    """Nobody else changes these profiles until the transaction ends. In the order of ids, against deadlocks."""
    await conn.execute("SELECT FROM profile WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE", ids)


async def get_people(conn: Connection, ids: Sequence[int], columns: Sequence[str]) -> dict[int, dict[str, Any]]:
    """Those who exist, with these columns, by id."""
    names = ", ".join(columns)
    rows = await conn.fetch(f"SELECT id, merged_into, updated_at, {names} FROM profile WHERE id = ANY($1::bigint[])", ids)
    return {row["id"]: dict(row) for row in rows}


async def list_aliases(conn: Connection, ids: Sequence[int]) -> list[int]:
    """Who is merged into any of these."""
    rows = await conn.fetch("SELECT id FROM profile WHERE merged_into = ANY($1::bigint[]) ORDER BY id", ids)
    return [row["id"] for row in rows]


async def get_aliases(conn: Connection, ids: Sequence[int]) -> dict[int, list[int]]:
    """Who is merged into each of these; those with nobody are left out."""
    rows = await conn.fetch(
        """
        SELECT merged_into, array_agg(id ORDER BY id) AS ids FROM profile
         WHERE merged_into = ANY($1::bigint[]) GROUP BY merged_into
        """,
        ids,
    )
    return {row["merged_into"]: row["ids"] for row in rows}


async def insert_merge(
    conn: Connection, survivor_id: int, changes: Mapping[str, Any], given_up: Mapping[int, Sequence[str]],
    other_ids: Sequence[int], now: datetime, merged_by: str,
) -> int:  # fmt: skip
    """Write down a merge with what undoes it, put the others and who stood under them under the survivor, and empty the columns
    that they give up. The survivor's own columns are still to be set."""
    merge_id: int = await conn.fetchval(
        """
        INSERT INTO profile_merge (survivor_id, before, after, merged_at, merged_by)
        SELECT id, (SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(to_jsonb(p)) WHERE key = ANY($2)),
               '{}', $3, $4
          FROM profile p WHERE id = $1 RETURNING id
        """,
        survivor_id, [*changes, "updated_at"], now, merged_by,
    )  # fmt: skip
    emptied = "".join(
        f", {column} = CASE WHEN put.given_up ? '{column}' THEN NULL ELSE p.{column} END" for column in _columns(given_up)
    )
    await conn.execute(
        f"""
        WITH put AS (
            INSERT INTO profile_alias (profile_id, merge_id, stood_under, given_up)
            SELECT p.id, $1, p.merged_into,
                   (SELECT coalesce(jsonb_object_agg(key, value), '{{}}') FROM jsonb_each(to_jsonb(p))
                     WHERE $3::jsonb -> p.id::text ? key)
              FROM profile p WHERE p.id = ANY($4::bigint[]) OR p.merged_into = ANY($4::bigint[])
            RETURNING profile_id, given_up
        )
        UPDATE profile p SET merged_into = $2{emptied} FROM put WHERE p.id = put.profile_id
        """,
        merge_id, survivor_id, {str(key): list(columns) for key, columns in given_up.items()}, other_ids,
    )  # fmt: skip
    return merge_id


async def set_survivor(conn: Connection, profile_id: int, changes: Mapping[str, Any], updated_at: datetime) -> None:
    """Write columns of the survivor. Raises UniqueViolationError."""
    changed = "".join(f", {column} = ${n}" for n, column in enumerate(changes, start=3))
    await conn.execute(f"UPDATE profile SET updated_at = $2{changed} WHERE id = $1", profile_id, updated_at, *changes.values())


async def remember_after(conn: Connection, merge_id: int, columns: Sequence[str]) -> None:
    """Write down what a merge made of the survivor's columns."""
    await conn.execute(
        """
        UPDATE profile_merge m
           SET after = (SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(to_jsonb(p)) WHERE key = ANY($2))
          FROM profile p WHERE m.id = $1 AND p.id = m.survivor_id
        """,
        merge_id, [*columns, "updated_at"],
    )  # fmt: skip


async def find_merge(conn: Connection, merge_id: int) -> Merge | None:
    """By id."""
    row = await conn.fetchrow(f"{_MERGE} WHERE m.id = $1", merge_id)
    return _merge(row) if row else None


async def get_merges(conn: Connection, ids: Sequence[int]) -> list[Merge]:
    """Those that exist."""
    return [_merge(row) for row in await conn.fetch(f"{_MERGE} WHERE m.id = ANY($1::bigint[])", ids)]


async def list_merges(conn: Connection, profile_id: int | None, before: int | None, limit: int) -> list[Merge]:
    """The newest first, before one; of everybody, or those that a profile had a part in."""
    rows = await conn.fetch(
        f"""
        {_MERGE}
         WHERE ($2::bigint IS NULL OR m.id < $2)
           AND ($1::bigint IS NULL OR m.survivor_id = $1 OR m.id IN (SELECT merge_id FROM profile_alias WHERE profile_id = $1))
         ORDER BY m.id DESC LIMIT $3
        """,
        profile_id, before, limit,
    )  # fmt: skip
    return [_merge(row) for row in rows]


async def find_later(conn: Connection, merge: Merge) -> int | None:
    """The newest merge after this one that stands and has its survivor in it."""
    found: int | None = await conn.fetchval(
        """
        SELECT max(m.id) FROM profile_merge m
         WHERE m.id > $1 AND m.undone_at IS NULL
           AND (m.survivor_id = $2 OR m.id IN (SELECT merge_id FROM profile_alias WHERE profile_id = $2))
        """,
        merge.id, merge.survivor_id,
    )  # fmt: skip
    return found


async def read_undo(
    conn: Connection, merge_id: int, columns: Sequence[str]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], list[str]]:
    """Before, after and now of those columns that a merge changed, and the refusals made since. Values are as columns have
    them: a decimal that went through JSON here would not be the same."""
    row = await conn.fetchrow(
        """
        SELECT array(SELECT jsonb_object_keys(after)) AS changed, refused FROM profile_merge WHERE id = $1 FOR UPDATE
        """,
        merge_id,
    )
    names = [column for column in (*columns, "updated_at") if column in row["changed"]]
    moments = ", ".join(f"{moment}.{name}" for moment in ("b", "a", "p") for name in names)
    values = await conn.fetchrow(
        f"""
        SELECT {moments}
          FROM profile_merge m JOIN profile p ON p.id = m.survivor_id,
               jsonb_populate_record(NULL::profile, m.before) b, jsonb_populate_record(NULL::profile, m.after) a
         WHERE m.id = $1
        """,
        merge_id,
    )
    before, after, now = (dict(zip(names, list(values)[n * len(names) :], strict=False)) for n in range(3))
    return before, after, now, row["refused"]


async def get_given_up(conn: Connection, merge_id: int, columns: Sequence[str]) -> dict[int, dict[str, Any]]:
    """Those of the columns that a merge emptied, with what was in them, by profile."""
    rows = await conn.fetch(
        f"""
        SELECT a.profile_id, array(SELECT jsonb_object_keys(a.given_up)) AS emptied, {", ".join(f"g.{one}" for one in columns)}
          FROM profile_alias a, jsonb_populate_record(NULL::profile, a.given_up) g
         WHERE a.merge_id = $1 AND a.given_up <> '{{}}'
        """,
        merge_id,
    )
    return {row["profile_id"]: {one: row[one] for one in columns if one in row["emptied"]} for row in rows}


async def hold_row(conn: Connection, table: str, key: int) -> bool:
    """Whether there is a row of the published model; nobody deletes it until the transaction ends."""
    return await conn.fetchval(f"SELECT true FROM {table} WHERE id = $1 FOR KEY SHARE", key) or False


async def find_holder(conn: Connection, key: Sequence[str], values: Sequence[Any], besides: Sequence[int]) -> int | None:
    """Who besides some has these values in the columns of a key."""
    same = " AND ".join(f"{column} = ${n}" for n, column in enumerate(key, start=2))
    found: int | None = await conn.fetchval(
        f"SELECT id FROM profile WHERE {same} AND id <> ALL($1::bigint[])", besides, *values
    )  # fmt: skip
    return found


async def separate(conn: Connection, merge_id: int, given_back: Mapping[int, Mapping[str, Any]]) -> None:
    """Put those whom a merge put under its survivor where they stood before, with what they get back: null stays away.

    Raises UniqueViolationError.
    """
    filled = "".join(f", {one} = CASE WHEN $2::jsonb -> p.id::text ? '{one}' THEN g.{one} ELSE p.{one} END"
                     for one in _columns(given_back))  # fmt: skip
    await conn.execute(
        f"""
        UPDATE profile p SET merged_into = a.stood_under{filled}
          FROM profile_alias a, jsonb_populate_record(NULL::profile, a.given_up) g
         WHERE a.merge_id = $1 AND p.id = a.profile_id AND $2::jsonb IS NOT NULL
        """,
        merge_id,
        {str(key): [one for one, value in values.items() if value is not None] for key, values in given_back.items()},
    )


def _columns(of: Mapping[int, Iterable[str]]) -> list[str]:
    """All columns that are named of anybody."""
    return list(dict.fromkeys(column for columns in of.values() for column in columns))


async def end_merge(conn: Connection, merge_id: int, now: datetime, undone_by: str) -> None:
    """Say that a merge was undone, and forget the values that it kept for that."""
    await conn.execute(
        """
        WITH forgotten AS (UPDATE profile_alias SET given_up = '{}' WHERE merge_id = $1)
        UPDATE profile_merge SET undone_at = $2, undone_by = $3, before = '{}', after = '{}', refused = '{}' WHERE id = $1
        """,
        merge_id, now, undone_by,
    )  # fmt: skip
