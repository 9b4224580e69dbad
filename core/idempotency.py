"""Answers kept under the key that a client sent with a request, so that sending it again does nothing twice. Its own store.

Key, request and answer are written in the transaction of the work itself: after a crash all are there or none. Two
requests with one key at once take turns at the key's row. Answers are sealed: they may hold secrets that are shown once,
and people's data.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta

from core.db import Connection
from core.errors import Conflict, Invalid
from core.secrets import Keyring

LIFE = timedelta(hours=24)
WAIT_SECONDS = 10.0  # for another request with the same key
LONGEST_KEY = 200


def check_key(key: str) -> None:
    """Raises Invalid (BAD_IDEMPOTENCY_KEY)."""
    if not 1 <= len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise Invalid(
            f"an Idempotency-Key has 1 to {LONGEST_KEY} printable ASCII characters",
            code="BAD_IDEMPOTENCY_KEY",
            path="Idempotency-Key",
            hint="Send a fresh UUID with each new request.",
        )


async def claim(conn: Connection, keyring: Keyring, actor: str, key: str, request: bytes) -> bytes | None:
    """Take the key in this transaction. The stored answer when the same request was answered before, else None.

    Waits for a transaction that holds the key. Raises Conflict (IDEMPOTENCY_KEY_REUSED) when it came with another request
    before, Conflict (IDEMPOTENCY_KEY_BUSY) when the other request does not end.
    """
    digest, *others = _digests(keyring, request)
    try:
        taken = await conn.fetchval(
            """
            INSERT INTO idempotency_key (actor, key, request_hash) VALUES ($1, $2, $3)
            ON CONFLICT DO NOTHING
            RETURNING true
            """,
            actor, key, digest, timeout=WAIT_SECONDS,
        )  # fmt: skip
    except TimeoutError:
        raise Conflict(
            "a request with this Idempotency-Key is still running",
            code="IDEMPOTENCY_KEY_BUSY",
            path="Idempotency-Key",
            hint="Send it again later.",
        ) from None
    if taken:
        return None
    row = await conn.fetchrow("SELECT request_hash, response FROM idempotency_key WHERE actor = $1 AND key = $2", actor, key)
    if row is None or row["request_hash"] not in (digest, *others):
        raise Conflict(
            "this Idempotency-Key came with another request before",
            code="IDEMPOTENCY_KEY_REUSED",
            path="Idempotency-Key",
            hint="Use a fresh key for each new request.",
        )
    if row["response"] is None:
        raise Conflict(
            "the answer to this request named somebody who was erased since",
            code="IDEMPOTENCY_ANSWER_ERASED",
            path="Idempotency-Key",
            hint="The request was carried out. Read what it changed.",
        )
    return keyring.decrypt(row["response"], _context(actor, key))


async def keep_answer(conn: Connection, keyring: Keyring, actor: str, key: str, answer: bytes) -> None:
    """Store the answer under a key claimed in this transaction."""
    await conn.execute(
        "UPDATE idempotency_key SET response = $3 WHERE actor = $1 AND key = $2",
        actor, key, keyring.encrypt(answer, _context(actor, key)),
    )  # fmt: skip


async def list_answers(
    conn: Connection, keyring: Keyring, after: tuple[str, str], limit: int
) -> list[tuple[str, str, bytes | None]]:
    """Stored answers with their actors and keys, in the order of both, behind one; None: one that no key of ours opens."""
    rows = await conn.fetch(
        """
        SELECT actor, key, response FROM idempotency_key
         WHERE (actor, key) > ($1, $2) AND response IS NOT NULL ORDER BY actor, key LIMIT $3
        """,
        *after, limit,
    )  # fmt: skip
    return [(row["actor"], row["key"], _opened(keyring, row["actor"], row["key"], row["response"])) for row in rows]


async def forget_answers(conn: Connection, keys: Sequence[tuple[str, str]]) -> int:
    """Drop the answers under these actors and keys; the keys stay, so that nothing is done twice. Returns how many."""
    done: str = await conn.execute(
        """
        UPDATE idempotency_key SET response = NULL
         WHERE (actor, key) IN (SELECT * FROM unnest($1::text[], $2::text[])) AND response IS NOT NULL
        """,
        [actor for actor, _ in keys], [key for _, key in keys],
    )  # fmt: skip
    return int(done.rpartition(" ")[2])


def _digests(keyring: Keyring, request: bytes) -> list[bytes]:
    """What stands for a request under each master key, newest first: nobody without one can try out whom it named."""
    return [hmac.new(key.derive("idempotency"), request, hashlib.sha256).digest() for key in keyring.by_id.values()]


def _opened(keyring: Keyring, actor: str, key: str, sealed: bytes) -> bytes | None:
    try:
        return keyring.decrypt(sealed, _context(actor, key))
    except Invalid:
        return None


async def forget_old(conn: Connection, now: datetime) -> int:
    """Drop keys past their life; returns how many."""
    done: str = await conn.execute("DELETE FROM idempotency_key WHERE created_at < $1", now - LIFE)
    return int(done.rpartition(" ")[2])


async def count_by_key(conn: Connection) -> dict[int, int]:
    """How many stored answers each master key seals, by its id."""
    rows = await conn.fetch(
        "SELECT get_byte(response, 0) AS key_id, count(*) AS answers FROM idempotency_key WHERE response IS NOT NULL GROUP BY 1"
    )
    return {row["key_id"]: row["answers"] for row in rows}


def _context(actor: str, key: str) -> str:
    return f"idempotency/{actor}/{key}"
