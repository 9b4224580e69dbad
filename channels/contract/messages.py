"""A message ready for the wire."""

from __future__ import annotations

from dataclasses import dataclass

from render_ext import Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingMessage:
    """Bytes for one recipient. The reference (Message-ID) and the sender are the same on every attempt."""

    identity: Identity
    address: str
    body: bytes
    reference: str
    sender: str | None = None  # envelope sender, where the channel has one
