"""SQL on events and on the keys by which repeats are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


_OWN = {"profile_id": "bigint", "occurred_at": "timestamptz", "received_at": "timestamptz", "key": "text"}


async def store_events(conn: Connection, table: str, columns: Mapping[str, str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Store events of one type. Each row has the profile, the time, the receipt and the key, then the values of the columns,
    a JSON as its text."""
    if "jsonb" not in columns.values():
        await conn.copy_records_to_table(table, columns=(*_OWN, *columns), records=rows)
        return
    # What copies in binary form has no other form for a JSON.
    types = {**_OWN, **columns}
    sent = ", ".join(f"${n}::{'text' if of == 'jsonb' else of}[]" for n, of in enumerate(types.values(), start=1))
    values = ", ".join(f"s.{name}::jsonb" if of == "jsonb" else f"s.{name}" for name, of in types.items())
    names = ", ".join(types)
    await conn.execute(
        f"INSERT INTO {table} ({names}) SELECT {values} FROM unnest({sent}) AS s ({names})",
        *map(list, zip(*rows, strict=True)),
    )
