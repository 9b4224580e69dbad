"""Replies, however the network cuts them."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hypothesis import given, settings
from hypothesis import strategies as st

from channels.email.stream import SmtpStream

REPLIES = [
    b"250 2.0.0 Ok: queued as 1",
    b"250-first\r\n250-second\r\n250 third",
    b"550 5.1.1 Nobody",
    b"250",
    b"354 Go on",
]
WIRE = b"".join(reply + b"\r\n" for reply in REPLIES)


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[SmtpStream, socket.socket]]:
    """A stream and the server's end of its connection."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    stream = SmtpStream(transport)
    try:
        yield stream, theirs
    finally:
        stream.abort()
        theirs.close()
        await asyncio.sleep(0)


@given(cuts=st.sets(st.integers(1, len(WIRE) - 1)))
@settings(max_examples=50, deadline=None)
def test_replies_are_found_wherever_they_are_cut(cuts: set[int]) -> None:
    async def run() -> None:
        async with connected() as (stream, _):
            stream.write(b"", len(REPLIES))
            edges = [0, *sorted(cuts), len(WIRE)]
            for start, end in itertools.pairwise(edges):
                stream.data_received(WIRE[start:end])
            got = await stream.answers(1)
            assert [reply.replace(b"\r", b"").strip() for reply in got] == [reply.replace(b"\r\n", b"\n") for reply in REPLIES]

    asyncio.run(run())


async def test_the_first_reply_is_told_at_once() -> None:
    async with connected() as (stream, theirs):
        told: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        stream.first = told.set_result
        stream.write(b".\r\nMAIL\r\n", 2)
        waiting = asyncio.create_task(stream.answers(5))
        theirs.send(b"250 taken\r\n")
        assert await told == b"250 taken\r"
        assert not waiting.done()
        theirs.send(b"250 mail\r\n")
        assert [reply.strip() for reply in await waiting] == [b"250 mail"]


async def test_421_ends_the_wait_for_the_others() -> None:
    async with connected() as (stream, theirs):
        stream.write(b"MAIL\r\nRCPT\r\nDATA\r\n", 3)
        theirs.send(b"250 ok\r\n421 bye\r\n")
        assert [reply[:3] for reply in await stream.answers(5)] == [b"250", b"421"]
        assert stream.ended


async def test_a_lost_connection_ends_the_wait() -> None:
    async with connected() as (stream, theirs):
        stream.write(b"MAIL\r\nRCPT\r\nDATA\r\n", 3)
        theirs.send(b"250 ok\r\n")
        theirs.shutdown(socket.SHUT_RDWR)
        assert [reply[:3] for reply in await stream.answers(5)] == [b"250"]
        assert stream.ended
        assert await stream.answers(5) == []


async def test_a_server_that_talks_without_end_is_left() -> None:
    async with connected() as (stream, _):
        stream.write(b"MAIL\r\n", 1)
        stream.data_received(b"2" * 70_000)
        assert stream.ended
        assert await stream.answers(5) == []


async def test_what_was_not_asked_for_is_kept_apart() -> None:
    async with connected() as (stream, _):
        stream.data_received(b"421 4.4.2 Timeout\r\n")
        assert stream.unasked is not None
        assert stream.ended
