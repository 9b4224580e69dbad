"""SQL on many entries of quarantine at once, each with what a file says of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from core.db import Connection


class Put(NamedTuple):
    """One address with what is said of it; None: nothing, so it stays or becomes what it is without."""

    kind: str
    key: str
    status: str | None
    reason: int | None
    text: str | None


async def put_rows(conn: Connection, rows: Sequence[Put], now: datetime, *, new: bool, known: bool) -> list[tuple[bool, bool]]:
    """Give addresses, each named once, what is said of them: new ones, known ones; whether each was known, and differs.

    Of those that are told to be good the errors are forgotten.
    """
    found = await conn.fetch(
        """
        WITH asked AS (
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::smallint[], $5::text[])
                WITH ORDINALITY AS a (address_kind, address_key, status, reason, error_text, n)
        ), before AS MATERIALIZED (
            SELECT a.n, a.address_kind, a.address_key, q.address_key IS NOT NULL AS known,
                   coalesce(a.status, q.status, 'quarantine') AS status, coalesce(a.reason, q.reason, 0) AS reason,
                   coalesce(a.error_text, q.error_text, '') AS error_text,
                   (coalesce(a.status, q.status), coalesce(a.reason, q.reason), coalesce(a.error_text, q.error_text))
                       IS DISTINCT FROM (q.status, q.reason, q.error_text) AS differs
              FROM asked a LEFT JOIN quarantine q USING (address_kind, address_key)
        ), written AS (
            INSERT INTO quarantine AS q (address_kind, address_key, status, reason, error_text, created_at, updated_at)
            SELECT address_kind, address_key, status, reason, error_text, $6, $6 FROM before
             WHERE CASE WHEN known THEN $8 AND differs ELSE $7 END ORDER BY address_kind, address_key
                ON CONFLICT (address_kind, address_key) DO UPDATE
               SET status = excluded.status, reason = excluded.reason, error_text = excluded.error_text,
                   error_count = CASE WHEN excluded.status IN ('valid', 'unknown') THEN 0 ELSE q.error_count END,
                   first_error_at = CASE WHEN excluded.status IN ('valid', 'unknown') THEN NULL ELSE q.first_error_at END,
                   last_error_at = CASE WHEN excluded.status IN ('valid', 'unknown') THEN NULL ELSE q.last_error_at END,
                   updated_at = excluded.updated_at
        )
        SELECT known, differs FROM before ORDER BY n
        """,
        *map(list, zip(*rows, strict=True)), now, new, known,
    )  # fmt: skip
    return [(row["known"], row["differs"]) for row in found]


async def delete_rows(conn: Connection, kinds: Sequence[str], keys: Sequence[str]) -> set[tuple[str, str]]:
    """Let addresses out; those that were in."""
    rows = await conn.fetch(
        """
        DELETE FROM quarantine
         WHERE (address_kind, address_key) IN (
               SELECT q.address_kind, q.address_key FROM quarantine q
                 JOIN unnest($1::text[], $2::text[]) AS a (kind, key) ON a.kind = q.address_kind AND a.key = q.address_key
                ORDER BY 1, 2 FOR UPDATE OF q)
        RETURNING address_kind, address_key
        """,
        list(kinds), list(keys),
    )  # fmt: skip
    return {(row["address_kind"], row["address_key"]) for row in rows}
