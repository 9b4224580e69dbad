"""Bytes out, replies in: our end of an SMTP connection once it is set up."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress

_LONGEST_REPLY = 64 * 1024


class SmtpStream(asyncio.Protocol):
    """Counts the replies that are due and wakes the one who waits when all are there or none will come.

    Takes the place of aiosmtplib's protocol, which drops pipelined replies. One future per group of
    replies and no timer of its own: `deadline` is watched by the pool for all its streams at once.
    """

    __slots__ = (
        "_due",
        "_lines",
        "_loop",
        "_paused",
        "_rest",
        "_transport",
        "_waiter",
        "deadline",
        "ended",
        "first",
        "replies",
        "timed_out",
        "unasked",
    )

    def __init__(self, transport: asyncio.Transport) -> None:
        """Take over `transport`, on which nothing is due."""
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._waiter: asyncio.Future[None] | None = None
        self._rest = b""  # an unfinished line
        self._lines: list[bytes] = []  # of an unfinished multi-line reply
        self._due = 0
        self._paused = False
        self.first: Callable[[bytes], None] | None = None  # gets the first reply that is due, at once
        self.replies: list[bytes] = []  # the others, in order
        self.unasked: bytes | None = None  # a reply that nothing was sent for, such as a 421 of a closing server
        self.ended = False  # no further reply will come
        self.timed_out = False
        self.deadline = math.inf  # of the loop's clock
        transport.set_protocol(self)
        if transport.is_closing():
            self.ended = True

    # out

    def write(self, data: bytes, due: int) -> None:
        """Send `data`, for which `due` replies will come."""
        self._due += due
        self._transport.write(data)

    async def answers(self, seconds: float) -> list[bytes]:
        """The replies that are due; fewer when the connection ended (`ended`) or `seconds` passed first."""
        if self._due:
            await self._wait(seconds)
        replies, self.replies = self.replies, []
        return replies

    async def written(self, seconds: float) -> None:
        """Wait until the server has read enough of what was sent, at most `seconds`; does not raise."""
        if self._paused:
            await self._wait(seconds)

    async def _wait(self, seconds: float) -> None:
        if self.ended:
            return
        self.deadline = self._loop.time() + seconds
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
            self.deadline = math.inf

    def expire(self) -> None:
        """The deadline has passed: end the connection."""
        self.timed_out = True
        self.abort()

    def abort(self) -> None:
        """End the connection now. The server throws away a message whose end was not sent."""
        self.ended = True
        with suppress(AttributeError):  # of a TLS transport that is closed for good, in the first versions of Python 3.11
            self._transport.abort()
        self._wake()

    async def quit(self, seconds: float) -> None:
        """Take leave; at most `seconds`."""
        if not self.ended:
            self.write(b"QUIT\r\n", 1)
            await self.answers(seconds)
        self.ended = True
        self._transport.close()

    # in

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        lines = data.split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            if line[3:4] == b"-":
                self._lines.append(line)
            elif self._lines:
                self._lines.append(line)
                reply = b"\n".join(self._lines)
                self._lines = []
                self._take(reply)
            else:
                self._take(line)
        if len(self._rest) + sum(map(len, self._lines)) > _LONGEST_REPLY:
            self.abort()

    def _take(self, reply: bytes) -> None:
        if not self._due:
            self.unasked = reply
            self.ended = self.ended or reply.startswith(b"421")
            return
        self._due -= 1
        if self.first is not None:
            first, self.first = self.first, None
            first(reply)
        else:
            self.replies.append(reply)
        if reply.startswith(b"421"):  # the server closes the connection, whatever else was asked
            self.ended = True
            self._wake()
        elif not self._due:
            self._wake()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if not self._due:
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
