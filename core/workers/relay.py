"""Carries announcements to the broker after their commit, and runs the sweeps. Several relays may run at once.

Run as a process: `python -m core.workers.relay`.
"""

from __future__ import annotations

import asyncio
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime

import structlog
from dramatiq import Broker

from core.config import Settings, load_settings
from core.db import connect, transaction
from core.log import get_logger, set_up_logging
from core.metrics import ANNOUNCEMENTS, OUTBOX_AGE, OUTBOX_WAITING, SWEEP_SECONDS, SWEEPS
from core.outbox import CHANNEL, Announcement, take, waiting
from core.process import die_with_parent
from core.runtime import Runtime, database_url, open_runtime
from core.workers.broker import PASSES, PATIENCE, make_broker, message_for
from core.workers.wiring import REPEATED, SCHEDULE, SHARED, WIRING

log = get_logger(__name__)

BATCH = 200  # announcements carried per transaction
FEW_PASSES = 2  # of what the next sweep says again


class Relay:
    """Outbox → broker, woken by NOTIFY and by the clock."""

    def __init__(self, runtime: Runtime, broker: Broker):
        self._runtime = runtime
        self._broker = broker
        self._thread = ThreadPoolExecutor(1, "broker")  # the broker's client keeps a connection for each thread
        self._wake = asyncio.Event()
        self._last_run: dict[str, datetime] = {}

    async def run(self) -> None:
        """Until the runtime stops."""
        tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._carry())]
        tasks.append(asyncio.create_task(self._sweep()))
        await self._runtime.stopping.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(self._thread.shutdown)

    async def _listen(self) -> None:
        """Hold one connection that hears of new announcements; while it is gone the clock wakes the relay."""
        while True:
            try:
                conn = await connect(database_url(self._runtime.settings))
                gone = asyncio.Event()
                conn.add_termination_listener(lambda _, gone=gone: gone.set())
                await conn.add_listener(CHANNEL, lambda *_: self._wake.set())
                self._wake.set()
                try:
                    await gone.wait()
                finally:
                    await conn.close(timeout=1)
            except Exception as error:
                log.warning("the relay cannot listen", error=repr(error))
            await asyncio.sleep(0.5)

    async def _carry(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._runtime.settings.reconcile_seconds)
            self._wake.clear()
            try:
                while await self._carry_batch():
                    pass
            except Exception as error:  # database or broker are away: the rows are kept, and tried again
                log.warning("announcements wait", error=repr(error))
                await asyncio.sleep(0.5)

    async def _carry_batch(self) -> bool:
        """Carry one batch; its rows are gone only when the broker has all of its messages."""
        async with transaction(self._runtime.pool) as conn:
            found = await take(conn, BATCH, silence=2 * PATIENCE)
            if found:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._send, found)
        for one in found:
            ANNOUNCEMENTS.labels(one.topic if one.topic in WIRING else "unknown").inc()
        return len(found) == BATCH

    def _send(self, announcements: list[Announcement]) -> None:
        seen: set[str] = set()
        for one in announcements:
            if one.topic not in WIRING:  # of another version; the sweeps find what it was about
                log.error("nobody knows this topic", topic=one.topic, ids=one.ids)
            for job in WIRING.get(one.topic, ()):
                key = f"{job.name} {sorted(one.ids.items())}"
                if key in seen:  # the same look asked for twice
                    continue
                seen.add(key)
                passes = FEW_PASSES if one.topic in REPEATED else PASSES
                for _ in range(self._runtime.settings.worker_processes if job.name in SHARED else 1):
                    self._broker.enqueue(message_for(job, one.ids, passes=passes))

    async def _sweep(self) -> None:
        while True:
            for scheduled in SCHEDULE:
                now = self._runtime.clock()
                last = self._last_run.get(scheduled.name)
                if last is not None and scheduled.every is not None and now - last < scheduled.every:
                    continue
                outcome = "failed"
                try:
                    with SWEEP_SECONDS.labels(scheduled.name).time():
                        await scheduled.sweep(self._runtime)
                    self._last_run[scheduled.name] = now
                    outcome = "done"
                except Exception:
                    log.exception("sweep failed", sweep=scheduled.name)
                finally:
                    SWEEPS.labels(scheduled.name, outcome).inc()
            await self._look_at_outbox()
            await asyncio.sleep(self._runtime.settings.reconcile_seconds)

    async def _look_at_outbox(self) -> None:
        try:
            async with self._runtime.pool.acquire() as conn:
                number, seconds = await waiting(conn)
        except Exception as error:
            log.warning("the outbox cannot be counted", error=repr(error))
            return
        OUTBOX_WAITING.set(number)
        OUTBOX_AGE.set(seconds)


async def run(settings: Settings) -> None:
    """Run a relay until SIGINT or SIGTERM."""
    if settings.broker_url is None:
        raise SystemExit("CLARION_BROKER_URL is not set; start everything with `clarion up`, or set it.")
    broker = make_broker(settings.broker_url)
    for queue in {job.queue.value for jobs in WIRING.values() for job in jobs}:
        broker.declare_queue(queue)
    async with open_runtime(settings, "relay") as runtime:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, runtime.stopping.set)
        await Relay(runtime, broker).run()
    broker.close()


def main() -> None:
    """Entry of the process."""
    die_with_parent()
    settings = load_settings()
    set_up_logging(settings.log_level, settings.log_format, "relay")
    structlog.contextvars.clear_contextvars()
    asyncio.run(run(settings))


if __name__ == "__main__":
    main()
