"""What names somebody in a request: sealed as long as it is needed, a keyed hash for good."""

from __future__ import annotations

import msgspec

from core.personal import Person
from core.secrets import Keyring

REFERENCE = "privacy-reference"


def hash_of(keyring: Keyring, namespace: str, value: str) -> str:
    """What stands for a value of a namespace, by its name: the same whenever it is asked about (under the newest key)."""
    return keyring.keyed_hash(f"{namespace}/{value}", REFERENCE)


def seal_value(keyring: Keyring, request_id: int, value: str) -> bytes:
    """For the row of the request."""
    return keyring.encrypt(value.encode(), f"privacy/{request_id}/value")


def open_value(keyring: Keyring, request_id: int, sealed: bytes) -> str:
    """Raises Invalid (SECRET_UNREADABLE)."""
    return keyring.decrypt(sealed, f"privacy/{request_id}/value").decode()


def seal_person(keyring: Keyring, request_id: int, person: Person) -> bytes:
    """For the row of the request."""
    return keyring.encrypt(msgspec.json.encode(person), f"privacy/{request_id}/person")


def open_person(keyring: Keyring, request_id: int, sealed: bytes) -> Person:
    """Raises Invalid (SECRET_UNREADABLE)."""
    return msgspec.json.decode(keyring.decrypt(sealed, f"privacy/{request_id}/person"), type=Person)
