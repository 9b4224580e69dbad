"""SQL on the addresses of people who were erased."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core.db import Connection
from core.profiles.reached_by import KINDS, key_text

_NOBODYS = " AND ".join(
    f"NOT EXISTS (SELECT FROM profile p WHERE $1 = '{kind.value}' AND {key_text(kind, 'p')} = a.address)"
    for kind in sorted(KINDS)
)


async def list_key_ids(conn: Connection, kind: str) -> list[int]:
    """The master keys under which addresses of a kind are kept: one look into the index for each."""
    rows = await conn.fetch(
        """
        WITH RECURSIVE used AS (
            (SELECT key_id FROM erased_address WHERE address_kind = $1 ORDER BY key_id LIMIT 1)
            UNION ALL
            SELECT (SELECT e.key_id FROM erased_address e
                     WHERE e.address_kind = $1 AND e.key_id > used.key_id ORDER BY e.key_id LIMIT 1)
              FROM used WHERE used.key_id IS NOT NULL
        )
        SELECT key_id FROM used WHERE key_id IS NOT NULL
        """,
        kind,
    )
    return [row["key_id"] for row in rows]


async def insert_addresses(
    conn: Connection, kinds: Sequence[str], key_id: int, hashes: Sequence[bytes], spared: Sequence[int], now: datetime
) -> None:
    """Keep addresses; one that is kept already is so from now on."""
    await conn.execute(
        """
        INSERT INTO erased_address (address_kind, key_id, hash, erased_at, spared)
        SELECT DISTINCT kind, $2::smallint, hash, $5::timestamptz, $4::bigint[]
          FROM unnest($1::text[], $3::bytea[]) AS a (kind, hash)
         ORDER BY kind, hash
        ON CONFLICT (address_kind, key_id, hash) DO UPDATE
           SET erased_at = greatest(erased_address.erased_at, excluded.erased_at), spared = excluded.spared
        """,
        kinds, key_id, hashes, spared, now,
    )  # fmt: skip


async def list_gone(conn: Connection, kind: str, hashes: Sequence[tuple[str, int, bytes]]) -> set[str]:
    """Those of these addresses, each with a key and its hash under it, that are kept as erased and that nobody has: no profile,
    and no device."""
    rows = await conn.fetch(
        f"""
        SELECT DISTINCT a.address
          FROM unnest($2::text[], $3::smallint[], $4::bytea[]) AS a (address, key_id, hash)
          JOIN erased_address e ON e.address_kind = $1 AND e.key_id = a.key_id AND e.hash = a.hash
         WHERE {_NOBODYS}
           AND NOT EXISTS (SELECT FROM app_subscription s WHERE $1 = 'push' AND s.registration_token = a.address)
        """,
        kind, [one for one, _, _ in hashes], [one for _, one, _ in hashes], [one for _, _, one in hashes],
    )  # fmt: skip
    return {row["address"] for row in rows}


async def count_by_key(conn: Connection) -> dict[int, int]:
    """How many are kept under each master key, by its id."""
    rows = await conn.fetch("SELECT key_id, count(*) AS n FROM erased_address GROUP BY key_id")
    return {row["key_id"]: row["n"] for row in rows}
