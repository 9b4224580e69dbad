"""The network as a plugin sees it: guarded, bounded in time, counted, and silent about secrets."""

from __future__ import annotations

import socket
from typing import Protocol


class EgressRefused(OSError):
    """The address is private, loopback, link-local or a metadata service, and not allowed by the settings."""


class ChannelIO(Protocol):
    """The only way out for a plugin, made for one channel account."""

    async def connect(self, host: str, port: int, *, timeout: float) -> socket.socket:
        """A connected non-blocking TCP socket. Raises EgressRefused, TimeoutError, OSError.

        Connections and how long they took are counted by channel and outcome, in `/metrics`.
        """
        ...

    def now(self) -> float:
        """Seconds since the epoch, from the installation's clock."""
        ...

    def log(self, event: str, **facts: object) -> None:
        """One line in the process's log, with the channel's name and without the account's secrets.

        For what an operator must know and no outcome says. No addresses and no contents of messages.
        """
        ...

    def count(self, event: str) -> None:
        """One more of something that an operator should see the number of, in `/metrics` by channel and event.

        `event` is one of a few names that the plugin knows: never anything of a message or an answer.
        """
        ...
