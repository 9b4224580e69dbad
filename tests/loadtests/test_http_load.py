"""The load generator against a real server that answers some requests late, some wrongly and some never."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

import pytest

from loadtests.http_load import Load, Order

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 0.3
LATE = 0.8  # seconds: after the schedule of every run here, before its patience ends
REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"
WRONG = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"


class Server:
    """Does what the path says, and counts."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ", 2)[1].decode()
                self.asked[path] += 1
                if path == "/never":
                    continue
                if path == "/hangs-up":
                    break
                if path == "/late":
                    await asyncio.sleep(LATE)
                writer.write(WRONG if path == "/wrong" else REDIRECT)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """One that listens."""
    made = Server()
    async with await asyncio.start_server(made.serve, "127.0.0.1", 0) as listening:
        made.port = listening.sockets[0].getsockname()[1]
        yield made


def order(
    server: Server, paths: list[str], *, rate: float | None = 200.0, connections: int = 100, patience: float = 5.0
) -> Order:
    """A short run without a warm-up, so that every request counts."""
    return Order(
        host="127.0.0.1", port=server.port, paths=paths, headers="", connections=connections, seconds=SECONDS, warm_up=0.0,
        rate=rate, patience=patience,
    )  # fmt: skip


async def test_every_answer_is_in_the_figures(server: Server) -> None:
    """The quick ones, when nothing is wrong."""
    result = await Load(order(server, ["/"])).run()

    assert result.answered == server.asked.total() > 0
    assert (result.failed, result.unanswered, result.late) == (0, 0, 0)


async def test_an_answer_after_the_schedule_counts(server: Server) -> None:
    """With all of its time; and what came late makes the rate small."""
    result = await Load(order(server, ["/late"])).run()

    assert result.answered == server.asked["/late"] > 0
    assert (result.failed, result.unanswered) == (0, 0)
    assert result.p50 >= LATE * 1000
    assert result.rate <= result.answered / LATE


async def test_what_is_never_answered_has_failed(server: Server) -> None:
    """And is in the figures with the time that was waited."""
    result = await Load(order(server, ["/", "/never"], patience=2 * LATE)).run()

    assert result.answered == server.asked["/"]
    assert result.failed == result.unanswered == server.asked["/never"] > 0
    assert result.p99 >= LATE * 1000


async def test_what_could_not_even_be_asked_has_failed(server: Server) -> None:
    """One connection that never gets its answer: everything scheduled behind it."""
    result = await Load(order(server, ["/never"], connections=1, patience=0.1)).run()

    assert server.asked["/never"] == 1
    assert result.answered == 0
    assert result.failed == result.unanswered == result.late + 1 > 1


async def test_what_waits_for_a_connection_is_late_and_counts(server: Server) -> None:
    """One connection, and a first answer that takes longer than the schedule: the others are asked behind it."""
    result = await Load(order(server, ["/late", *["/"] * 1000], connections=1)).run()

    assert result.answered == server.asked.total() == result.late + 1 > 1
    assert result.failed == 0
    assert result.p50 >= (LATE - SECONDS) * 1000


@pytest.mark.parametrize("rate", [200.0, None])
@pytest.mark.parametrize("path", ["/wrong", "/hangs-up"])
async def test_a_wrong_answer_or_none_has_failed(server: Server, path: str, rate: float | None) -> None:
    """Also one with a body, which the generator does not read."""
    result = await Load(order(server, [*["/"] * 9, path], rate=rate)).run()

    assert result.failed >= server.asked[path] > 0
    assert result.answered == server.asked["/"]


async def test_the_closed_loop_waits_too(server: Server) -> None:
    """What was asked in the time counts, and what is never answered has failed."""
    result = await Load(order(server, ["/late", "/never"], rate=None, connections=4, patience=LATE * 2)).run()

    assert server.asked == {"/late": 2, "/never": 2}
    assert (result.answered, result.failed, result.unanswered) == (2, 2, 2)


@pytest.mark.parametrize(("path", "code"), [("/", 0), ("/never", 1), ("/wrong", 1)])
async def test_a_failure_is_in_the_exit(server: Server, path: str, code: int) -> None:
    """As a benchmark runs it: a process with an order, which says one line."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadtests.http_load", cwd=ROOT,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    given = order(server, [path], patience=0.1 if code else 5.0)
    said, complained = await process.communicate(json.dumps(asdict(given)).encode())

    assert process.returncode == code, complained
    assert bool(json.loads(said)["failed"]) is bool(code)
    assert (b"requests failed" in complained) is bool(code)
