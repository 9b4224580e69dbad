"""The sink: a catch-all SMTP server that keeps what it got."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path

import uvloop

from api.cli.sink.behaviour import Behaviour
from api.cli.sink.segments import SEGMENT_BYTES, Received, SegmentWriter
from api.cli.sink.session import Session


class Sink:
    """Accepts mail for everyone. Without a directory it forgets the messages and only counts them.

    Messages of one turn of the event loop are written together, and answered once they are in the file.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        directory: Path | None = None,
        behaviour: Behaviour | None = None,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self.host = host
        self.port = port
        self.behaviour = behaviour or Behaviour()
        self.accepted = 0  # messages kept (or counted) so far
        self.connections = 0  # made so far
        self.sessions: set[Session] = set()
        self._writer = SegmentWriter(directory, segment_bytes) if directory else None
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._ready: list[tuple[Received, Session | None, float]] = []

    async def start(self) -> None:
        """Listen; `port` then holds the real one. Raises OSError when the address is taken."""
        context = self.behaviour.tls if self.behaviour.implicit_tls else None
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, self.host, self.port, ssl=context, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening, drop every connection, write what is left. Safe to call twice."""
        if self._server is not None:
            self._server.close()
            for session in list(self.sessions):
                session.abort()
            await self._server.wait_closed()
            self._server = None
        if self._ready:
            self._flush()
        if self._writer is not None:
            self._writer.close()

    def keep(self, message: Received, session: Session | None, delay: float) -> None:
        """Keep a message with the others of this turn of the loop, then let the session answer."""
        if not self._ready:
            asyncio.get_running_loop().call_soon(self._flush)
        self._ready.append((message, session, delay))

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Run something for a session beside its protocol callbacks."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _session(self) -> Session:
        self.connections += 1
        return Session(self)

    def _flush(self) -> None:
        ready, self._ready = self._ready, []
        if self._writer is not None and ready:
            self._writer.write([message for message, _, _ in ready])
        behaviour = self.behaviour
        for _, session, delay in ready:
            self.accepted += 1
            if behaviour.delay and self.accepted % behaviour.delay_every == 0:
                delay = max(delay, behaviour.delay)
            if session is None:
                continue
            if delay:
                asyncio.get_running_loop().call_later(delay, session.answer_final)
            else:
                session.answer_final()


def run_sink(
    host: str,
    port: int,
    directory: Path | None,
    *,
    discard: bool = False,
    delay: float = 0.0,
    delay_every: int = 10,
    ready: Callable[[Sink], None] | None = None,
) -> None:
    """Run a sink until SIGINT or SIGTERM; `ready` is called once it listens.

    Without a directory, or with `discard`, messages are only counted. Every `delay_every`-th final answer comes
    `delay` seconds late. Raises OSError when the address is taken.
    """
    behaviour = Behaviour(delay=delay, delay_every=delay_every)
    sink = Sink(host=host, port=port, directory=None if discard else directory, behaviour=behaviour)
    uvloop.run(_serve(sink, ready))


async def _serve(sink: Sink, ready: Callable[[Sink], None] | None) -> None:
    await sink.start()
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    if ready is not None:
        ready(sink)
    await ended.wait()
    await sink.close()
