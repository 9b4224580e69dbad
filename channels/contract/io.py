"""The network as a plugin sees it: guarded, bounded in time, counted."""

from __future__ import annotations

import socket
from typing import Protocol


class EgressRefused(OSError):
    """The address is private, loopback, link-local or a metadata service, and not allowed by the settings."""


class ChannelIO(Protocol):
    """The only way out for a plugin."""

    async def connect(self, host: str, port: int, *, timeout: float) -> socket.socket:
        """A connected non-blocking TCP socket. Raises EgressRefused, TimeoutError, OSError."""
        ...

    def now(self) -> float:
        """Seconds since the epoch, from the installation's clock."""
        ...
