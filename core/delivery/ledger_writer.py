"""Group commits: what the connections of a process do with the messages of one delivery, stored in as few statements as fit.

What must not be forgotten goes to the journal: a commit takes all that waits, so that its size follows the load; alone a
message waits for one commit, together twenty messages wait for the same one. Outcomes and intents of one commit are stored
together, so that a connection that settles one message and hands over the next is never in doubt about two. What people look
at, the ledger's rows and counters, follows a moment later, in sets.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from channels.contract import FailureReason
from core.clock import Clock
from core.db import Connection, Pool
from core.delivery import settling
from core.delivery.records import LedgerState
from core.delivery.retries import Verdict
from core.delivery.store import journal
from core.delivery.store.journal import Entry
from core.delivery.store.moves import Intent, Key, Settlement
from core.log import get_logger

log = get_logger(__name__)
_T = TypeVar("_T")

GATHER_SECONDS = 0.001  # waited for company: halves the commits under load, and costs a single message a millisecond
LAG_SECONDS = 0.5  # for which rows and counters may say less than the journal
RETRY_SECONDS = 0.25  # between tries while the database is away


class LedgerWriter:
    """The one writer of a process for one running delivery."""

    def __init__(self, pool: Pool, delivery_id: int, address_kind: str, slot: int, clock: Clock):
        self._pool = pool
        self._delivery_id = delivery_id
        self._address_kind = address_kind
        self._slot = slot
        self._clock = clock
        self._intents: list[tuple[Intent, asyncio.Future[bool]]] = []  # not in the journal yet
        self._settlements: list[Settlement] = []  # not in the journal yet
        self._open: dict[Key, Intent] = {}  # in the journal, without an outcome, and their rows do not say so yet
        self._outcomes: list[Settlement] = []  # whose rows do not say so yet
        self._wake = asyncio.Event()
        self._behind = asyncio.Event()  # rows say less than we know
        self._hurry = asyncio.Event()  # somebody waits for the rows
        self._asked = 0  # looks at the rows, ever
        self._answered = 0  # how many of them found all that was told before
        self._progress = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []
        self._conn: Connection | None = None
        self._closed = False

    def start(self) -> None:
        """Begin to write."""
        self._tasks = [
            asyncio.create_task(self._keep_journal(), name=f"ledger-journal-{self._delivery_id}"),
            asyncio.create_task(self._keep_rows(), name=f"ledger-rows-{self._delivery_id}"),
        ]

    async def close(self) -> None:
        """Write what waits, then end; who still waits to hand over is told no, also when this is cancelled."""
        try:
            await self.flush()
        finally:
            self._closed = True
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            intents, self._intents = self._intents, []
            self._answer(intents, set())
            await self._release()

    def hand_over(self, intent: Intent) -> asyncio.Future[bool]:
        """True once the intent is stored; False when the lease or the writer has ended, or the delivery does not run.

        Who cancels it must not hand the message over: should its intent have been stored, it is taken back.
        """
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if self._closed:
            future.set_result(False)
        else:
            self._intents.append((intent, future))
            self._wake.set()
        return future

    def take_back(self, intent: Intent) -> None:
        """A message whose intent was stored did not leave, and will not: it is not in doubt, but due."""
        verdict = Verdict(state=LedgerState.PENDING, reason=FailureReason.NOT_DEFINED, due_at=self._clock())
        self.settle(Settlement(intent.key, intent.lease_id, verdict, False, None, None, ""))

    def settle(self, settlement: Settlement) -> None:
        """Store an outcome with the next commit."""
        self._open.pop(settlement.key, None)
        self._settlements.append(settlement)
        self._outcomes.append(settlement)
        self._wake.set()
        self._behind.set()

    async def flush(self) -> None:
        """Wait until the rows say all that was told so far."""
        self._asked += 1
        asked = self._asked
        self._hurry.set()
        self._behind.set()
        async with self._progress:
            await self._progress.wait_for(lambda: self._answered >= asked)

    # the journal

    async def _keep_journal(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._wake.clear()
            intents, self._intents = self._intents, []
            settlements, self._settlements = self._settlements, []
            granted: set[int] = set()
            try:
                granted = await self._surely(lambda: self._append(intents, settlements))  # noqa: B023 (awaited at once)
            finally:  # also when this ends: a connection that is not answered would wait for ever
                self._answer(intents, granted)

    def _answer(self, intents: list[tuple[Intent, asyncio.Future[bool]]], granted: set[int]) -> None:
        for intent, future in intents:
            if intent.lease_id in granted:
                self._open[intent.key] = intent
                self._behind.set()
                if future.cancelled():
                    self.take_back(intent)
            if not future.done():
                future.set_result(intent.lease_id in granted)

    async def _append(self, intents: list[tuple[Intent, asyncio.Future[bool]]], settlements: list[Settlement]) -> set[int]:
        entries: dict[int, Entry] = {}
        for intent, _ in intents:
            entries.setdefault(intent.lease_id, Entry([], [])).intents.append(intent)
        for settlement in settlements:
            entries.setdefault(settlement.lease_id, Entry([], [])).settlements.append(settlement)
        try:
            return await journal.append(await self._connection(), self._delivery_id, entries)
        except Exception:
            await self._release()
            raise

    async def _connection(self) -> Connection:
        """One connection for the life of the writer: taking it from the pool each time would cost a round trip more.

        Its statement is planned once: planning it costs more than running it.
        """
        if self._conn is None:
            self._conn = await self._pool.acquire()
            await self._conn.execute("SET plan_cache_mode = force_generic_plan")
            await self._conn.execute("SET synchronous_commit = on")
        return self._conn

    async def _release(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            with contextlib.suppress(Exception):
                await self._pool.release(conn)

    # the rows

    async def _keep_rows(self) -> None:
        while True:
            await self._behind.wait()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), LAG_SECONDS)
            self._behind.clear()
            self._hurry.clear()
            asked = self._asked
            handed_over, self._open = list(self._open.values()), {}
            outcomes, self._outcomes = self._outcomes, []
            if handed_over or outcomes:
                await self._surely(lambda: self._write(handed_over, outcomes))  # noqa: B023 (awaited at once)
            async with self._progress:
                self._answered = asked
                self._progress.notify_all()

    async def _write(self, handed_over: list[Intent], outcomes: list[Settlement]) -> None:
        async with self._pool.acquire() as conn, conn.transaction():
            await conn.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            await settling.write(
                conn, self._delivery_id, self._address_kind, self._slot, handed_over, outcomes, self._clock()
            )  # fmt: skip

    async def _surely(self, write: Callable[[], Awaitable[_T]]) -> _T:
        """Try until the database takes it. It may be stored twice without harm.

        Whatever goes wrong here is tried again: were a task to end, every connection would wait for it for ever.
        """
        while True:
            try:
                return await write()
            except Exception as error:
                log.warning("ledger not written; trying again", delivery_id=self._delivery_id, error=repr(error))
                await asyncio.sleep(RETRY_SECONDS)
