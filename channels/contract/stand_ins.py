"""What stands in for the platform while a plugin is tried: a plain network door and a gate that takes notes."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Collection

from channels.contract.outcomes import Outcome, OutcomeKind


class DirectIO:
    """A `ChannelIO` without a guard: what the platform gives to plugins, for tests and tools."""

    def __init__(self) -> None:
        self.connections = 0  # asked for so far
        self.lines: list[str] = []  # what the plugin logged
        self.counts: Counter[str] = Counter()  # what it counted

    async def connect(self, host: str, port: int, *, timeout: float) -> socket.socket:
        """See `channels.contract.ChannelIO`."""
        self.connections += 1
        loop = asyncio.get_running_loop()
        family, kind, protocol, _, address = (await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))[0]
        connected = socket.socket(family, kind, protocol)
        connected.setblocking(False)
        try:
            async with asyncio.timeout(timeout):
                await loop.sock_connect(connected, address)
        except BaseException:
            connected.close()
            raise
        return connected

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def log(self, event: str, **facts: object) -> None:
        """See `channels.contract.ChannelIO`."""
        self.lines.append(" ".join([event, *(f"{name}={value}" for name, value in facts.items())]))

    def count(self, event: str) -> None:
        """See `channels.contract.ChannelIO`."""
        self.counts[event] += 1


class NoNetwork(DirectIO):
    """A `ChannelIO` whose provider refuses every connection."""

    async def connect(self, host: str, port: int, *, timeout: float) -> socket.socket:
        """Raises ConnectionRefusedError."""
        self.connections += 1
        raise ConnectionRefusedError(f"{host}:{port} refused the connection")


class RecordingGate:
    """A `Gate` that writes down what happens, and what must not happen as `mistakes`."""

    def __init__(self, *, refuse: Collection[int] = (), held: bool = False, error: Exception | None = None) -> None:
        self.asked: list[int] = []
        self.handed: set[int] = set()
        self.settled: dict[int, Outcome] = {}
        self.most_in_doubt = 0  # handed over and not settled, at any one time
        self.mistakes: list[str] = []
        self.someone_asked = asyncio.Event()
        self._refuse = refuse
        self._error = error
        self._open = asyncio.Event()
        if not held:
            self._open.set()

    def release(self) -> None:
        """Answer the hand-overs that were held."""
        self._open.set()

    async def hand_over(self, index: int) -> bool:
        """See `channels.contract.Gate`."""
        if index in self.asked:
            self.mistakes.append(f"message {index} handed over twice")
        if index in self.settled:
            self.mistakes.append(f"message {index} handed over after it was settled")
        self.asked.append(index)
        self.someone_asked.set()
        await asyncio.sleep(0)
        await self._open.wait()
        if self._error is not None:
            raise self._error
        if index in self._refuse:
            return False
        self.handed.add(index)
        self.most_in_doubt = max(self.most_in_doubt, len(self.handed - self.settled.keys()))
        return True

    def settle(self, index: int, outcome: Outcome) -> None:
        """See `channels.contract.Gate`."""
        if index in self.settled:
            self.mistakes.append(f"message {index} settled twice")
        if index in self._refuse and index in self.asked:
            self.mistakes.append(f"message {index} settled after it was held back")
        handed = index in self.handed
        if outcome.kind in (OutcomeKind.ACCEPTED, OutcomeKind.UNKNOWN) and not handed:
            self.mistakes.append(f"message {index} {outcome.kind} without hand-over")
        self.settled[index] = outcome

    def accepted(self) -> set[int]:
        """Indexes of the messages that the provider took."""
        return {index for index, outcome in self.settled.items() if outcome.kind is OutcomeKind.ACCEPTED}
