"""A message ready for the wire."""

from __future__ import annotations

from msgspec import Struct

from render_ext import Identity


class OutgoingMessage(Struct, frozen=True, kw_only=True, gc=False):
    """Bytes for one recipient. The reference (Message-ID) and the sender are the same on every attempt."""

    identity: Identity
    address: str
    body: bytes
    reference: str
    sender: str | None = None  # envelope sender, where the channel has one
    wire_ready: bool = False  # of email: the body is ASCII, its lines end with CRLF, and none begins with a dot
