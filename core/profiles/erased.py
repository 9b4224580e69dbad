"""Addresses of people who were erased: nobody writes to them until whoever has one opts in again (feature map 2.72).

Only a keyed hash of an address is kept, so the table names nobody, and whoever comes back with a file is known all the same.
Preparations leave such people out, claims ask again, both with the one expression below. A person is let in by an act of
consent of their own after the erasure: an entry of the ledger that grants something and is marked so (`by_person`). What a
file says, a merge that is undone, or somebody who edits the profile, is none, and no text of an origin makes it one.

The hash is an HMAC-SHA256 (RFC 2104), which Postgres works out itself from the two padded halves of the key: see `halves_of`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from channels.contract import AddressKind
from core.db import Connection
from core.profiles.store import erased as store
from core.secrets import Keyring

PURPOSE = "erased-address"
_BLOCK = 64  # bytes, of SHA-256


@dataclass(frozen=True, slots=True)
class HashKey:
    """What Postgres makes the hashes of one master key with."""

    key_id: int
    inner: bytes
    outer: bytes


def halves_of(key_id: int, key: bytes) -> HashKey:
    """HMAC(key, m) = SHA-256(outer || SHA-256(inner || m))."""
    padded = key.ljust(_BLOCK, b"\0")
    return HashKey(key_id, bytes(one ^ 0x36 for one in padded), bytes(one ^ 0x5C for one in padded))


def hash_keys(keyring: Keyring) -> list[HashKey]:
    """Those of every master key."""
    return [halves_of(key_id, key) for key_id, key in keyring.derive_all(PURPOSE).items()]


async def find_reach(conn: Connection, keyring: Keyring, kind: AddressKind) -> list[HashKey]:
    """The keys under which addresses of a kind are kept; nothing where nobody was erased. What a preparation has to ask for."""
    used = set(await store.list_key_ids(conn, kind.value))
    return [one for one in hash_keys(keyring) if one.key_id in used]


async def keep_out(
    conn: Connection, keyring: Keyring, addresses: Sequence[tuple[str, str]], spared: Sequence[int], now: datetime
) -> None:
    """Nobody writes to these addresses (kind and normalised form) from now on, but to the profiles that are spared."""
    key = keyring.newest
    secret = key.derive(PURPOSE)
    hashes = [hmac.new(secret, address.encode(), hashlib.sha256).digest() for _, address in addresses]
    await store.insert_addresses(conn, [kind for kind, _ in addresses], key.key_id, hashes, list(spared), now)


async def that_are_somebodys(
    conn: Connection, keyring: Keyring, kind: AddressKind | str, address_keys: Sequence[str]
) -> list[str]:
    """These addresses (normalised) without those of people who were erased, which nobody has: none of them is written down."""
    named = AddressKind(kind).value
    used = set(await store.list_key_ids(conn, named))
    hashes = [
        (key, key_id, hmac.new(secret, key.encode(), hashlib.sha256).digest())
        for key_id, secret in keyring.derive_all(PURPOSE).items() if key_id in used for key in address_keys
    ]  # fmt: skip
    gone = await store.list_gone(conn, named, hashes) if hashes else set()
    return [key for key in address_keys if key not in gone]


async def count_by_key(conn: Connection) -> dict[int, int]:
    """How many addresses are kept under each master key, by its id."""
    return await store.count_by_key(conn)
