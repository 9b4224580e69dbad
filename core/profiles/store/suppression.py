"""SQL on suppression lists and their entries. Entries are written in the order of their keys: no two writers wait in a circle.

Whether an address is in a list is asked by one probe of the primary key for each list and form that can hold it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from core.db import Connection
from core.profiles.suppression_forms import Entry
from core.profiles.suppression_records import (
    EntryForm,
    EntryOutcome,
    SuppressionEntry,
    SuppressionKind,
    SuppressionList,
    SuppressionListDraft,
    SuppressionScope,
)

COLUMNS = "id, name, label, kind, scope, version, created_at, updated_at, created_by"
ENTRY_COLUMNS = "list_id, form, value, comment, origin, expires_at, created_at, updated_at, created_by"


def _list(row: Any) -> SuppressionList:
    return SuppressionList(**{**row, "kind": SuppressionKind(row["kind"]), "scope": SuppressionScope(row["scope"])})


def _entry(row: Any) -> SuppressionEntry:
    return SuppressionEntry(**{**row, "form": EntryForm(row["form"])})


async def insert_list(conn: Connection, draft: SuppressionListDraft, created_by: str) -> SuppressionList | None:
    """Add a list; None when the name is taken."""
    row = await conn.fetchrow(
        f"""
        INSERT INTO suppression_list (name, label, kind, scope, created_by) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (name) DO NOTHING
        RETURNING {COLUMNS}
        """,
        draft.name, draft.label, draft.kind.value, draft.scope.value, created_by,
    )  # fmt: skip
    return _list(row) if row else None


async def update_list(conn: Connection, list_id: int, draft: SuppressionListDraft) -> SuppressionList:
    """Write the next version of a locked list. Raises asyncpg's UniqueViolationError for a taken name."""
    row = await conn.fetchrow(
        f"""
        UPDATE suppression_list SET name = $2, label = $3, scope = $4, version = version + 1, updated_at = now()
         WHERE id = $1
        RETURNING {COLUMNS}
        """,
        list_id, draft.name, draft.label, draft.scope.value,
    )  # fmt: skip
    return _list(row)


async def delete_list(conn: Connection, list_id: int) -> None:
    """Remove it with its entries. Raises asyncpg's ForeignKeyViolationError when a delivery names it."""
    await conn.execute("DELETE FROM suppression_list WHERE id = $1", list_id)


async def find_lists(conn: Connection, ids: Sequence[int]) -> list[SuppressionList]:
    """Those that exist, by id."""
    rows = await conn.fetch(f"SELECT {COLUMNS} FROM suppression_list WHERE id = ANY($1::bigint[]) ORDER BY id", ids)
    return [_list(row) for row in rows]


async def lock_list(conn: Connection, list_id: int) -> SuppressionList | None:
    """By id, held against other changes until the transaction ends."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM suppression_list WHERE id = $1 FOR UPDATE", list_id)
    return _list(row) if row else None


async def hold_list(conn: Connection, list_id: int) -> SuppressionList | None:
    """By id; it stays until the transaction ends."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM suppression_list WHERE id = $1 FOR KEY SHARE", list_id)
    return _list(row) if row else None


async def list_lists(conn: Connection, after: int | None, limit: int) -> list[SuppressionList]:
    """In the order of their ids, after one."""
    rows = await conn.fetch(
        f"SELECT {COLUMNS} FROM suppression_list WHERE id > coalesce($1::bigint, 0) ORDER BY id LIMIT $2", after, limit
    )
    return [_list(row) for row in rows]


async def count_lists(conn: Connection) -> int:
    """How many there are."""
    found: int = await conn.fetchval("SELECT count(*) FROM suppression_list")
    return found


async def upsert_entries(
    conn: Connection,
    list_id: int,
    entries: Sequence[Entry],
    comments: Sequence[str],
    origins: Sequence[str],
    ends: Sequence[datetime | None],
    created_by: str,
    now: datetime,
) -> dict[Entry, EntryOutcome]:
    """Add entries, or change those that are there; which were added and which changed. No entry comes twice."""
    rows = await conn.fetch(
        """
        INSERT INTO suppression_entry AS s
               (list_id, form, value, comment, origin, expires_at, created_at, updated_at, created_by)
        SELECT $1, form, value, comment, origin, expires_at, $7, $7, $8
          FROM unnest($2::smallint[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
               AS e (form, value, comment, origin, expires_at)
         ORDER BY form, value
        ON CONFLICT (list_id, form, value) DO UPDATE
           SET comment = excluded.comment, origin = excluded.origin, expires_at = excluded.expires_at,
               updated_at = excluded.updated_at
         WHERE (s.comment, s.origin, s.expires_at) IS DISTINCT FROM (excluded.comment, excluded.origin, excluded.expires_at)
        RETURNING form, value, (xmax = 0) AS added
        """,
        list_id, [int(form) for form, _ in entries], [value for _, value in entries], comments, origins, ends, now, created_by,
    )  # fmt: skip
    outcomes = {True: EntryOutcome.ADDED, False: EntryOutcome.CHANGED}
    return {(EntryForm(row["form"]), row["value"]): outcomes[row["added"]] for row in rows}


async def delete_entries(conn: Connection, list_id: int, entries: Sequence[Entry]) -> set[Entry]:
    """Those that were there."""
    rows = await conn.fetch(
        """
        DELETE FROM suppression_entry s
         USING (SELECT form, value FROM suppression_entry
                 WHERE list_id = $1 AND (form, value) IN (SELECT * FROM unnest($2::smallint[], $3::text[]))
                 ORDER BY form, value FOR UPDATE) k
         WHERE s.list_id = $1 AND s.form = k.form AND s.value = k.value
        RETURNING s.form, s.value
        """,
        list_id, [int(form) for form, _ in entries], [value for _, value in entries],
    )  # fmt: skip
    return {(EntryForm(row["form"]), row["value"]) for row in rows}


async def list_entries(conn: Connection, list_id: int, after: Entry | None, limit: int) -> list[SuppressionEntry]:
    """In the order of form and value, after one."""
    form, value = after or (0, "")
    rows = await conn.fetch(
        f"""
        SELECT {ENTRY_COLUMNS} FROM suppression_entry
         WHERE list_id = $1 AND (form, value) > ($2, $3)
         ORDER BY form, value LIMIT $4
        """,
        list_id, int(form), value, limit,
    )  # fmt: skip
    return [_entry(row) for row in rows]


async def count_entries(conn: Connection, ids: Sequence[int]) -> dict[int, int]:
    """How many each list has, by its id; nothing for those that have none."""
    rows = await conn.fetch(
        "SELECT list_id, count(*) AS n FROM suppression_entry WHERE list_id = ANY($1::bigint[]) GROUP BY list_id", ids
    )
    return {row["list_id"]: row["n"] for row in rows}


async def find_entries(
    conn: Connection, kinds: Sequence[str], entries: Sequence[Entry], now: datetime
) -> list[SuppressionEntry]:
    """Those of the entries that lists of these kinds hold at a time, by list."""
    rows = await conn.fetch(
        f"""
        SELECT {ENTRY_COLUMNS} FROM suppression_entry
         WHERE list_id IN (SELECT id FROM suppression_list WHERE kind = ANY($1::text[]))
           AND (form, value) IN (SELECT * FROM unnest($2::smallint[], $3::text[]))
           AND (expires_at IS NULL OR expires_at > $4)
         ORDER BY list_id, form, value
        """,
        kinds, [int(form) for form, _ in entries], [value for _, value in entries], now,
    )  # fmt: skip
    return [_entry(row) for row in rows]


async def list_reach(conn: Connection, kinds: Sequence[str], named: Sequence[int]) -> list[tuple[int, EntryForm]]:
    """Which lists of these kinds apply to a delivery that names some, with the forms of entries that each holds."""
    rows = await conn.fetch(
        """
        SELECT l.id, f.form
          FROM suppression_list l, generate_series(1, 5) AS f (form)
         WHERE l.kind = ANY($1::text[]) AND (l.scope = 'all' OR l.id = ANY($2::bigint[]))
           AND EXISTS (SELECT FROM suppression_entry e WHERE e.list_id = l.id AND e.form = f.form)
         ORDER BY f.form, l.id
        """,
        kinds, named,
    )  # fmt: skip
    return [(row["id"], EntryForm(row["form"])) for row in rows]


async def expire(conn: Connection, now: datetime, limit: int) -> int:
    """Drop entries whose end has come; returns how many. Rows that somebody holds are left for the next time."""
    done: str = await conn.execute(
        """
        DELETE FROM suppression_entry
         WHERE (list_id, form, value) IN (
               SELECT list_id, form, value FROM suppression_entry WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)
        """,
        now, limit,
    )  # fmt: skip
    return int(done.rpartition(" ")[2])


async def delete_addresses(conn: Connection, kind: str, entries: Sequence[Entry]) -> int:
    """Take these out of every list of a kind; in how many entries they stood."""
    found: int = await conn.fetchval(
        """
        WITH held AS (
            SELECT e.list_id, e.form, e.value
              FROM unnest($2::smallint[], $3::text[]) AS t (form, value)
             CROSS JOIN suppression_list l
              JOIN suppression_entry e ON e.list_id = l.id AND e.form = t.form AND e.value = t.value
             WHERE l.kind = $1
             ORDER BY e.list_id, e.form, e.value FOR UPDATE OF e
        ), gone AS (
            DELETE FROM suppression_entry s USING held h
             WHERE s.list_id = h.list_id AND s.form = h.form AND s.value = h.value
            RETURNING 1
        )
        SELECT count(*) FROM gone
        """,
        kind, [int(form) for form, _ in entries], [value for _, value in entries],
    )  # fmt: skip
    return found
