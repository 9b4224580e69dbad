"""Tracking tokens: what they carry. Minting and checking them is native (`_tokens.pyx`).

A token is the base64url text (RFC 4648 section 5, without padding) of

    version << 4 | kind · key id · six LEB128 numbers · 10 bytes of MAC

where the numbers are delivery, recipient kind, recipient, occurrence of the ledger row, link and link
occurrence, and the MAC is keyed BLAKE2s (RFC 7693) of all that stands before it. There is one valid text
for a token.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from msgspec import Struct

SECRET_BYTES = 32


class TokenKind(IntEnum):
    """What a token is for; the numbers are the URL codes of the tracking log."""

    CLICK = 1
    OPEN = 2
    UNSUBSCRIBE = 3
    MIRROR = 6


class Identity(Struct, frozen=True, gc=False):
    """The ledger row that a message belongs to. Numbers are 0 to 2**63 - 1."""

    delivery_id: int
    recipient_kind: int
    recipient_id: int
    occurrence: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a token says. `link` and `link_occurrence` are 0 where the token is not of a link."""

    kind: TokenKind
    key_id: int
    delivery_id: int
    recipient_kind: int
    recipient_id: int
    occurrence: int = 0
    link: int = 0
    link_occurrence: int = 0

    @property
    def identity(self) -> Identity:
        """The ledger row."""
        return Identity(self.delivery_id, self.recipient_kind, self.recipient_id, self.occurrence)


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A signing key: its id (0 to 255) stands in every token made with it. Raises ValueError."""

    key_id: int
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.key_id <= 255:
            raise ValueError(f"key id {self.key_id} is not 0 to 255")
        if len(self.secret) != SECRET_BYTES:
            raise ValueError(f"a token key has {SECRET_BYTES} bytes, not {len(self.secret)}")
