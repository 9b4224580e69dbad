"""Connections to the paging service."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from channels.contract import (
    ChannelIO,
    FailureReason,
    Gate,
    Outcome,
    OutcomeKind,
    OutgoingMessage,
)

ANSWER = 30.0  # seconds


class Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, line: bytes) -> bytes:
        """Send a line, read the answer; empty when the connection is lost. Raises TimeoutError, OSError."""
        self._writer.write(line)
        async with asyncio.timeout(ANSWER):
            return await self._reader.readline()

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


async def connect(io: ChannelIO, host: str, port: int) -> Line:
    """A connection. Raises OSError, also when it takes too long."""
    connected = await io.connect(host, port, timeout=10.0)
    return Line(*await asyncio.open_connection(sock=connected))


class PagerSender:
    """Up to `connections` lines, kept between batches."""

    def __init__(self, io: ChannelIO, host: str, port: int, connections: int) -> None:
        self._io = io
        self._where = (host, port)
        self._free = asyncio.Semaphore(connections)
        self._idle: list[Line] = []
        self._closed = False

    async def send(self, batch: Sequence[OutgoingMessage], gate: Gate) -> None:
        """See `channels.contract.Sender`."""
        tasks = [asyncio.ensure_future(self._one(i, message, gate)) for i, message in enumerate(batch)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, index: int, message: OutgoingMessage, gate: Gate) -> None:
        async with self._free:
            if self._closed:
                return
            try:
                line = self._idle.pop() if self._idle else await connect(self._io, *self._where)
            except OSError as error:
                reason = FailureReason.UNREACHABLE
                gate.settle(index, Outcome(kind=OutcomeKind.PROVIDER_DOWN, reason=reason, text=str(error)))
                return
            if not await gate.hand_over(index):  # nothing was sent: the line stays good
                self._idle.append(line)
                return
            await self._page(line, index, message, gate)

    async def _page(self, line: Line, index: int, message: OutgoingMessage, gate: Gate) -> None:
        text = b"PAGE %b %b %b\n" % (message.reference.encode(), message.address.encode(), message.body)
        try:
            answer = await line.ask(text)
        except (OSError, asyncio.CancelledError) as error:
            line.close()
            gate.settle(index, Outcome(kind=OutcomeKind.UNKNOWN, text="no answer"))
            if isinstance(error, asyncio.CancelledError):
                raise
            return
        if answer:
            self._idle.append(line)
        else:
            line.close()
        gate.settle(index, _outcome(answer.decode().strip()))

    async def close(self) -> None:
        """See `channels.contract.Sender`."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()


def _outcome(answer: str) -> Outcome:
    verdict, _, rest = answer.partition(" ")
    if verdict == "OK":
        return Outcome(kind=OutcomeKind.ACCEPTED, provider_id=rest)
    if verdict == "NO":
        kind = OutcomeKind.INVALID_ADDRESS if rest == "unknown number" else OutcomeKind.TRANSIENT
        return Outcome(kind=kind, reason=FailureReason.USER_UNKNOWN, code="NO", text=rest)
    return Outcome(kind=OutcomeKind.UNKNOWN, text=answer or "connection lost")
