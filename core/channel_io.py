"""The way out that a plugin is given: guarded as everybody's, counted by channel, and blind to the account's secrets."""

from __future__ import annotations

import re
import socket
import time

from channels.contract import EgressRefused
from core.egress import GuardedIO
from core.log import get_logger
from core.metrics import CHANNEL_EVENTS, CONNECTION_SECONDS, CONNECTIONS
from core.redaction import Redaction

log = get_logger(__name__)
_EVENT = re.compile(r"[a-z][a-z_]{0,39}")  # a name, which can hold neither an address nor an answer


class AccountIO:
    """`channels.contract.ChannelIO` for one channel account."""

    def __init__(self, out: GuardedIO, channel: str, redacted: Redaction):
        self._out = out
        self._channel = channel
        self.redacted = redacted

    async def connect(self, host: str, port: int, *, timeout: float) -> socket.socket:
        """See `channels.contract.ChannelIO`."""
        began = time.monotonic()
        outcome = "failed"
        try:
            connected = await self._out.connect(host, port, timeout=timeout)
            outcome = "connected"
            CONNECTION_SECONDS.labels(self._channel).observe(time.monotonic() - began)
            return connected
        except EgressRefused:
            outcome = "refused"
            raise
        except TimeoutError:
            outcome = "timeout"
            raise
        finally:
            CONNECTIONS.labels(self._channel, outcome).inc()

    def now(self) -> float:
        """Seconds since the epoch, from the installation's clock."""
        return self._out.now()

    def log(self, event: str, **facts: object) -> None:
        """See `channels.contract.ChannelIO`."""
        told = {name: self.redacted(fact if isinstance(fact, str) else repr(fact)) for name, fact in facts.items()}
        log.info("channel says", channel=self._channel, says=self.redacted(event), facts=told)

    def count(self, event: str) -> None:
        """See `channels.contract.ChannelIO`."""
        CHANNEL_EVENTS.labels(self._channel, event if _EVENT.fullmatch(event) else "other").inc()
