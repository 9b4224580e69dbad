"""Group commits: what the connections of a process want to store about one delivery, in as few transactions as fit.

A commit takes all that waits, so that its size follows the load: alone a message waits for one commit, together twenty
messages wait for the same one. Outcomes go before intents of the same commit, so that a connection that settles one
message and hands over the next is never in doubt about two.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime

from core.clock import Clock
from core.db import Connection, Pool
from core.delivery.retries import AddressVerdict
from core.delivery.store import moves
from core.delivery.store.moves import Intent, Settlement
from core.log import get_logger
from core.profiles import quarantine

log = get_logger(__name__)

_BLAMED = (AddressVerdict.HARD, AddressVerdict.SOFT)
GATHER_SECONDS = 0.001  # waited for company: halves the commits under load, and costs a single message a millisecond
RETRY_SECONDS = 0.25  # between tries while the database is away


class LedgerWriter:
    """The one writer of a process for one running delivery."""

    def __init__(self, pool: Pool, delivery_id: int, address_kind: str, slot: int, clock: Clock):
        self._pool = pool
        self._delivery_id = delivery_id
        self._address_kind = address_kind
        self._slot = slot
        self._clock = clock
        self._intents: list[tuple[Intent, asyncio.Future[bool]]] = []
        self._settlements: list[tuple[Settlement, str]] = []
        self._wake = asyncio.Event()
        self._told = 0  # what was to be stored, ever
        self._stored = 0  # how much of it is
        self._progress = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self._conn: Connection | None = None

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run(), name=f"ledger-writer-{self._delivery_id}")

    async def close(self) -> None:
        """Write what waits, then end."""
        await self.flush()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._release()

    def hand_over(self, intent: Intent) -> asyncio.Future[bool]:
        """True once the intent is stored; False when the row is not this lease's any more."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._intents.append((intent, future))
        self._poke()
        return future

    def settle(self, settlement: Settlement, address_key: str) -> None:
        """Store an outcome with the next commit."""
        self._settlements.append((settlement, address_key))
        self._poke()

    async def flush(self) -> None:
        """Wait until everything told so far is stored."""
        told = self._told
        async with self._progress:
            await self._progress.wait_for(lambda: self._stored >= told)

    def _poke(self) -> None:
        self._told += 1
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self._wake.clear()
            intents, self._intents = self._intents, []
            settlements, self._settlements = self._settlements, []
            if intents or settlements:
                await self._commit_surely(intents, settlements)
                async with self._progress:
                    self._stored += len(intents) + len(settlements)
                    self._progress.notify_all()

    async def _commit_surely(
        self, intents: list[tuple[Intent, asyncio.Future[bool]]], settlements: list[tuple[Settlement, str]]
    ) -> None:
        """Try until the database takes it. Both may be stored twice without harm: the lease fences them.

        Whatever goes wrong here is tried again: were this task to end, every connection would wait for it for ever.
        """
        while True:
            try:
                granted = await self._commit(await self._connection(), [one for one, _ in intents], settlements)
            except Exception as error:
                log.warning("ledger commit failed; trying again", delivery_id=self._delivery_id, error=repr(error))
                await self._release()
                await asyncio.sleep(RETRY_SECONDS)
                continue
            for intent, future in intents:
                if not future.done():
                    future.set_result(intent.key in granted)
            return

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

    async def _commit(
        self, conn: Connection, intents: list[Intent], settlements: list[tuple[Settlement, str]]
    ) -> set[moves.Key]:
        now = self._clock()
        bad = [pair for pair in settlements if pair[0].verdict.address in _BLAMED]
        if not bad:
            stored = await moves.commit(conn, self._delivery_id, self._slot, intents, [one for one, _ in settlements], now)
            return stored.granted
        async with conn.transaction():
            stored = await moves.commit(conn, self._delivery_id, self._slot, intents, [one for one, _ in settlements], now)
            await self._blame_addresses(conn, [pair for pair in bad if pair[0].key in stored.settled], now)
            return stored.granted

    async def _blame_addresses(self, conn: Connection, bad: Sequence[tuple[Settlement, str]], now: datetime) -> None:
        for verdict, store in (
            (AddressVerdict.HARD, quarantine.record_hard),
            (AddressVerdict.SOFT, quarantine.record_soft),
        ):
            found = [(one, address) for one, address in bad if one.verdict.address is verdict]
            if found:
                await store(
                    conn,
                    self._address_kind,
                    [
                        quarantine.AddressError(
                            address_key=address,
                            reason=one.verdict.address_reason or one.verdict.reason,
                            text=one.answer or "",
                        )
                        for one, address in found
                    ],
                    delivery_id=self._delivery_id,
                    now=now,
                )
