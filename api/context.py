"""What one request carries: who asks, when, over which connection, with which batch loaders."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from strawberry.dataloader import DataLoader
from strawberry.types import Info as StrawberryInfo

from core.access import Actor
from core.channel_registry import ChannelRegistry
from core.db import Connection, Pool
from core.errors import Unavailable
from core.runtime import Runtime

CHANNELS = "channels"  # keys among a runtime's resources: the plugins, …
WATCHES = "api.watches"  # … the rows that subscriptions watch, …
SCHEMA = "api.schema"  # … the schema as it is now, …
QUESTIONS = "api.questions"  # … and how many more questions may be asked at once

ACQUIRE_SECONDS = 10.0  # how long a request waits for a free connection


async def take(pool: Pool) -> Connection:
    """A connection that has to be given back. Raises Unavailable (NO_CONNECTION_FREE)."""
    try:
        return await pool.acquire(timeout=ACQUIRE_SECONDS)
    except TimeoutError:
        raise Unavailable(
            f"no connection to the database came free for {ACQUIRE_SECONDS:g} seconds", code="NO_CONNECTION_FREE",
            hint="What others ask takes long; send the request again in a few seconds.",
        ) from None  # fmt: skip


@asynccontextmanager
async def connection(pool: Pool) -> AsyncIterator[Connection]:
    """A connection for the length of the block. Raises Unavailable (NO_CONNECTION_FREE)."""
    conn = await take(pool)
    try:
        yield conn
    finally:
        await pool.release(conn)


class ConnectionLease:
    """One connection for one request, taken when first needed and used by one statement at a time.

    Root fields of a query run side by side, a connection does not: `use` lets them take turns. `end` is for good,
    so that nothing that outlives the request can take another connection, which nobody would return.

    `ask` is for what may take long, such as a count: only so many requests do that at once, and the others wait without a
    connection, so that questions leave some for all else.
    """

    def __init__(self, pool: Pool, given: Connection | None = None, questions: asyncio.Semaphore | None = None):
        self._pool = pool
        self._given = given
        self._questions = questions
        self._asking = False
        self._taken: Connection | None = None
        self._turn = asyncio.Lock()
        self._patience: asyncio.Timeout | None = None  # with whose turn it is
        self._ended = False

    @asynccontextmanager
    async def use(self) -> AsyncIterator[Connection]:
        """The connection, for the length of the block.

        Raises Unavailable when none comes free, TimeoutError when the lease ends meanwhile, RuntimeError where it has ended.
        """
        async with self._my_turn():
            yield await self._connection()

    @asynccontextmanager
    async def ask(self) -> AsyncIterator[Connection]:
        """As `use`, of one of those who ask. Raises Unavailable (TOO_MANY_QUESTIONS), too."""
        async with self._my_turn():
            await self._wait_for_others()
            yield await self._connection()

    @asynccontextmanager
    async def _my_turn(self) -> AsyncIterator[None]:
        async with self._turn:
            if self._ended:
                raise RuntimeError("the request has ended, and with it the lease of its connection")
            async with asyncio.timeout(None) as self._patience:
                yield

    async def _wait_for_others(self) -> None:
        if self._questions is None or self._given is not None or self._asking:
            return
        if self._questions.locked() and self._taken is not None:
            taken, self._taken = self._taken, None
            await self._pool.release(taken)
        try:
            async with asyncio.timeout(ACQUIRE_SECONDS):
                await self._questions.acquire()
        except TimeoutError:
            raise Unavailable(
                "as many questions as may be asked at once are being asked", code="TOO_MANY_QUESTIONS",
                hint="Send the request again in a few seconds, and ask long questions as jobs: startCount, startFreeze.",
            ) from None  # fmt: skip
        self._asking = True

    async def _connection(self) -> Connection:
        if self._given is not None:
            return self._given
        if self._taken is None:
            self._taken = await take(self._pool)
        return self._taken

    @property
    def given(self) -> Connection:
        """The connection of the transaction that was opened at the door. Mutations have one."""
        assert self._given is not None, "only mutations have a transaction"
        return self._given

    def end(self) -> None:
        """From now on `use` raises, also for who is at it: nobody waits for them.

        As an error, not as a cancellation, which a batch loader would not pass on to those who wait for its rows.
        """
        if not self._ended and self._turn.locked() and self._patience is not None:
            self._patience.reschedule(0)
        self._ended = True

    async def give_back(self) -> None:
        """End the lease and return what was taken, once nobody uses it."""
        self.end()
        if self._turn.locked():
            await asyncio.shield(self._return())  # also when the request is cancelled while it waits
        else:
            await self._return()

    async def _return(self) -> None:
        async with self._turn:
            taken, self._taken = self._taken, None
            try:
                if taken is not None:
                    await self._pool.release(taken)
            finally:
                if self._asking and self._questions is not None:
                    self._asking = False
                    self._questions.release()


def lease_of(runtime: Runtime) -> ConnectionLease:
    """A lease for a query. Half of the process's connections stay for what is no question."""
    questions = runtime.resources.get(QUESTIONS)
    if questions is None:
        questions = runtime.resources[QUESTIONS] = asyncio.Semaphore(max(1, runtime.pool.get_max_size() // 2))
    return ConnectionLease(runtime.pool, questions=questions)


@dataclass(slots=True, kw_only=True)
class RequestContext:
    """One request, or one event of a subscription."""

    runtime: Runtime
    actor: Actor
    request_id: str
    now: datetime
    lease: ConnectionLease
    forget_tokens: Callable[[], None]  # what the process remembers of tokens, after one was changed
    savepoints: bool = False  # each mutation in a savepoint of its own, because others or a stored answer share its transaction
    failed: bool = False  # a mutation was refused outside a savepoint: the transaction must not be committed
    after_commit: list[Callable[[], None]] = field(default_factory=list)  # small things of this process, such as forgetting
    plans: dict[Any, Any] = field(default_factory=dict)  # compiled selections, kept with the prepared document
    computing: asyncio.Lock = field(default_factory=asyncio.Lock)  # one long computation at a time: threads are few
    conditions: tuple[Any, ...] = ()  # values of the variables that steer @skip and @include
    connection_params: dict[str, Any] | None = None
    _loaders: dict[Any, DataLoader[Any, Any]] = field(default_factory=dict)

    @asynccontextmanager
    async def brief(self) -> AsyncIterator[Connection]:
        """A connection for the length of the block only: what a subscription uses, which may last for hours."""
        async with connection(self.runtime.pool) as conn:
            yield conn

    @property
    def conn(self) -> Connection:
        """For mutations, which run one after the other: the connection of their transaction."""
        return self.lease.given

    @property
    def channels(self) -> ChannelRegistry:
        """The channel plugins of this process."""
        registry: ChannelRegistry = self.runtime.resources[CHANNELS]
        return registry

    @property
    def watches(self) -> Any:
        """The rows that subscriptions watch (`api.graphql.live.Watches`)."""
        return self.runtime.resources[WATCHES]

    def published(self) -> None:
        """A data model was published in this transaction: its types are to be there as soon as it is committed."""
        present = self.runtime.resources.get(SCHEMA)
        if present is not None:
            self.after_commit.append(present.look)

    def counted(self, count: Callable[..., Awaitable[int]], **arguments: Any) -> Callable[[], Awaitable[int]]:
        """`count(conn, **arguments)` for later, if anybody asks."""

        async def run() -> int:
            async with self.lease.use() as conn:
                return await count(conn, **arguments)

        return run

    def loader(self, load: Callable[[RequestContext, list[Any]], Any]) -> DataLoader[Any, Any]:
        """The batch loader around `load(context, keys)`, one per request."""
        found = self._loaders.get(load)
        if found is None:

            async def load_all(keys: list[Any]) -> Any:
                return await load(self, keys)

            found = self._loaders[load] = DataLoader(load_fn=load_all)
        return found

    def fresh(self) -> RequestContext:
        """The same asker a moment later: own loaders, the present time."""
        return RequestContext(
            runtime=self.runtime,
            actor=self.actor,
            request_id=self.request_id,
            now=self.runtime.clock(),
            lease=lease_of(self.runtime),
            forget_tokens=self.forget_tokens,
            plans=self.plans,
            conditions=self.conditions,
        )


Info = StrawberryInfo[RequestContext, None]
