"""Bytes that content and programs refer to by their SHA-256, kept as long as somebody does. Its own store.

They are in the database: what was sent has to be made again wherever a process runs, for as long as the database is kept.
Bytes that nobody refers to any more go `UNUSED_LIFE` after they were last asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from core.db import Connection
from core.errors import Unavailable

UNUSED_LIFE = timedelta(days=1)  # longer than any transaction that is about to refer to them


class BlobUser(StrEnum):
    """Who can refer to bytes; the value names the column of `blob_use`."""

    CONTENT = "content_id"
    PROGRAM = "program_id"


async def keep(conn: Connection, data: bytes, now: datetime) -> str:
    """Keep bytes for whoever refers to them soon; returns their SHA-256 in hexadecimal."""
    digest = hashlib.sha256(data)
    await conn.execute(
        """
        INSERT INTO blob (sha256, size, touched_at, data) VALUES ($1, $2, $3, $4)
        ON CONFLICT (sha256) DO UPDATE SET touched_at = greatest(blob.touched_at, excluded.touched_at)
        """,
        digest.digest(), len(data), now, data,
    )  # fmt: skip
    return digest.hexdigest()


async def touch(conn: Connection, digests: Collection[str], now: datetime) -> dict[str, int]:
    """Keep bytes that are there already; returns the sizes of those that are, by digest."""
    rows = await conn.fetch(
        """
        UPDATE blob SET touched_at = greatest(touched_at, $2) WHERE sha256 = ANY($1::bytea[])
        RETURNING encode(sha256, 'hex') AS digest, size
        """,
        _keys(digests), now,
    )  # fmt: skip
    return {row["digest"]: row["size"] for row in rows}


async def use(conn: Connection, user: BlobUser, user_id: int, digests: Collection[str]) -> None:
    """From now on this user refers to these bytes and to no others. Their rows must be there: `keep` or `touch` them."""
    await conn.execute(f"DELETE FROM blob_use WHERE {user.value} = $1 AND sha256 <> ALL($2::bytea[])", user_id, _keys(digests))
    await conn.execute(
        f"""
        INSERT INTO blob_use (sha256, {user.value}) SELECT DISTINCT unnest($2::bytea[]), $1::bigint
        ON CONFLICT DO NOTHING
        """,
        user_id, _keys(digests),
    )  # fmt: skip


async def sizes(conn: Connection, digests: Collection[str]) -> dict[str, int]:
    """The sizes of those bytes that are there, by digest."""
    rows = await conn.fetch(
        "SELECT encode(sha256, 'hex') AS digest, size FROM blob WHERE sha256 = ANY($1::bytea[])", _keys(digests)
    )
    return {row["digest"]: row["size"] for row in rows}


async def read(conn: Connection, digests: Collection[str]) -> dict[str, bytes]:
    """The bytes, by digest. Raises Unavailable (BLOB_GONE) where some are not there."""
    rows = await conn.fetch("SELECT sha256, data FROM blob WHERE sha256 = ANY($1::bytea[])", _keys(digests)) if digests else []
    found: dict[str, bytes] = {row["sha256"].hex(): row["data"] for row in rows}
    gone = sorted(set(digests) - set(found))
    if gone:
        raise Unavailable(
            f"the bytes of a file are not in the database: SHA-256 {', '.join(gone)}",
            code="BLOB_GONE",
            hint="Bring the table blob back from a backup.",
        )
    return found


async def forget_unused(conn: Connection, now: datetime) -> int:
    """Drop bytes that nobody refers to; returns how many were dropped.

    Whoever is about to refer to some has touched them, and a row that was touched meanwhile is looked at again.
    """
    done: str = await conn.execute(
        """
        DELETE FROM blob b
         WHERE touched_at < $1 AND NOT EXISTS (SELECT FROM blob_use u WHERE u.sha256 = b.sha256)
        """,
        now - UNUSED_LIFE,
    )
    return int(done.rpartition(" ")[2])


def _keys(digests: Iterable[str]) -> list[bytes]:
    return [bytes.fromhex(digest) for digest in digests]
