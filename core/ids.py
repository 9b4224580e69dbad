"""Names for things that leave the database: global ids of the API, random names of uploads and leases."""

from __future__ import annotations

import base64
import binascii
import secrets

from core.errors import Invalid


def to_global_id(kind: str, key: int | str) -> str:
    """An opaque id of the API, stable for the life of the thing."""
    return base64.urlsafe_b64encode(f"{kind}:{key}".encode()).decode().rstrip("=")


def from_global_id(kind: str, text: str, path: str | None = None) -> int:
    """The number in a global id of the given kind. Raises Invalid (BAD_ID)."""
    try:
        padded = text + "=" * (-len(text) % 4)
        found, _, key = base64.urlsafe_b64decode(padded.encode("ascii")).decode().partition(":")
        number = int(key)
        if found != kind or str(number) != key or not 0 <= number < 2**63:  # int reads `1_0` and digits of any script
            raise ValueError
    except (ValueError, binascii.Error, UnicodeError):
        raise Invalid(
            f"{text[:80]!r} is not an id of type {kind}",
            code="BAD_ID",
            path=path,
            hint=f"Use the id that the API gave for it; those of another type than {kind} are refused.",
        ) from None
    return number


def random_name(size: int = 16) -> str:
    """An unguessable name safe in URLs and file names, of `size` random bytes."""
    return secrets.token_urlsafe(size)
