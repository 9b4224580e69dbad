"""SQL on events and on the keys by which repeats are known."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg

from core.db import Connection

Key = tuple[int, bytes]  # a type's id and the hash of a key
KeyRow = tuple[int, bytes, bytes, datetime]  # … with the digest and the time of the event

_KEY_COLUMNS = ("type_id", "key", "digest", "occurred_at")


async def take_keys(conn: Connection, rows: Sequence[KeyRow]) -> bool:
    """Take keys, all of them or none: False when one was taken before. Three times as fast as `claim_keys`.

    Waits for calls that are taking the same ones, all in the order of the rows, which is that of the keys.
    """
    try:
        async with conn.transaction():
            await conn.copy_records_to_table("event_key", columns=_KEY_COLUMNS, records=rows)
    except asyncpg.UniqueViolationError:
        return False
    return True


async def claim_keys(conn: Connection, rows: Sequence[KeyRow]) -> set[Key]:
    """Take the keys that are free, and tell which. Waits as `take_keys` does."""
    found = await conn.fetch(
        """
        INSERT INTO event_key (type_id, key, digest, occurred_at)
        SELECT type_id, key, digest, occurred_at
          FROM unnest($1::integer[], $2::bytea[], $3::bytea[], $4::timestamptz[]) AS sent (type_id, key, digest, occurred_at)
         ORDER BY type_id, key
            ON CONFLICT DO NOTHING
        RETURNING type_id, key
        """,
        *map(list, zip(*rows, strict=True)),
    )
    return {(row[0], row[1]) for row in found}


async def find_digests(conn: Connection, type_ids: Sequence[int], keys: Sequence[bytes]) -> dict[Key, bytes]:
    """Of what was told under these keys."""
    rows = await conn.fetch(
        """
        SELECT k.type_id, k.key, k.digest
          FROM unnest($1::integer[], $2::bytea[]) AS sent (type_id, key) JOIN event_key k USING (type_id, key)
        """,
        type_ids, keys,
    )  # fmt: skip
    return {(row[0], row[1]): row[2] for row in rows}


async def copy_events(conn: Connection, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Store events of one type. Each row has the profile, the time, the receipt and the key, then the columns' values."""
    await conn.copy_records_to_table(table, columns=("profile_id", "occurred_at", "received_at", "key", *columns), records=rows)
