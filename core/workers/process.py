"""A worker process: one event loop, one pool, a few threads that only wait for coroutines of that loop.

Run as a process: `python -m core.workers.process`.
"""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import structlog
import uvloop
from dramatiq import Broker, Worker
from dramatiq.asyncio import EventLoopThread, async_to_sync, set_event_loop_thread
from dramatiq.middleware import Middleware, MiddlewareError

from core.config import Settings, load_settings
from core.delivery.engine import open_engine
from core.jobs import Job, Next
from core.log import get_logger, set_up_logging
from core.metrics import JOB_SECONDS, JOBS
from core.process import die_with_parent
from core.profiles.exports import SELECTION_RESOURCE
from core.runtime import Runtime, open_runtime
from core.workers import wiring
from core.workers.broker import PASSES, bind, make_broker, message_for
from core.workers.selection import select_people
from render_ext import retain_memory

log = get_logger(__name__)

RETAINED_BYTES = 64 << 20  # of freed batches, kept for the next one: page faults cost more than rendering
GARBAGE_THRESHOLDS = (20_000, 20, 50)  # a batch makes thousands of objects, no cycle among them, that were searched each time
# Milliseconds, at least, for which a wake-up that is passed on waits. Who fetched last asks the broker again sooner than the
# idle do, until it has found nothing for a while: what came back at once would go round between the same processes.
FIRST_PASS_DELAY = 50
LONGEST_PASS_DELAY = 200
STOP_SECONDS = 4.5  # for jobs to come to a safe point; the master loses patience a little later


class House(Middleware):
    """Opens the loop, the pool and the rooms before the first message, and closes them after the last."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self._stack = AsyncExitStack()
        self._broker: Broker | None = None
        self._thread: EventLoopThread | None = None
        self.runtime: Runtime | None = None

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Consumers run right after this: everything must be open by then."""
        self._broker = broker
        self._thread = EventLoopThread(log)
        self._thread.loop.close()
        self._thread.loop = uvloop.new_event_loop()
        self._thread.daemon = True
        self._thread.start(timeout=5.0)
        set_event_loop_thread(self._thread)
        try:
            self.runtime = self._thread.run_coroutine(self._open())
        except Exception as error:  # anything else than this class would be logged and forgotten
            raise MiddlewareError(f"the worker cannot start: {error}") from error

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        """Tell running jobs to come to a safe point; Dramatiq itself only waits for them."""
        if self._thread is not None and self.runtime is not None:
            self._thread.loop.call_soon_threadsafe(self.runtime.stopping.set)

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        """Close what was opened, in reverse."""
        if self._thread is not None:
            self._thread.run_coroutine(self._stack.aclose())
            set_event_loop_thread(None)

    async def _open(self) -> Runtime:
        runtime = await self._stack.enter_async_context(open_runtime(self._settings, "worker"))
        runtime.resources[SELECTION_RESOURCE] = select_people
        engine = open_engine(runtime)
        self._stack.push_async_callback(engine.close)
        return runtime

    def actor_for(self, job: Job) -> Callable[..., Any]:
        """What a worker thread calls: the job on the process's loop, with ids bound to its log lines."""

        async def run(**ids: Any) -> Next | None:
            assert self.runtime is not None
            with structlog.contextvars.bound_contextvars(job=job.name, **ids), JOB_SECONDS.labels(job.name).time():
                outcome = "failed"
                try:
                    wanted = await job(self.runtime, **ids)
                    outcome = "done"
                    return wanted
                finally:
                    JOBS.labels(job.name, outcome).inc()

        do = async_to_sync(run)

        def run_or_pass_on(*, passes: int = PASSES, **ids: Any) -> None:
            """One process may have fetched the wake-ups of all: what it cannot use goes back to the broker."""
            if do(**ids) is Next.PASS_ON and passes and self._broker is not None:
                self._broker.enqueue(message_for(job, ids, passes=passes - 1), delay=pass_delay(PASSES - passes))

        return run_or_pass_on


def pass_delay(passed: int) -> int:
    """Milliseconds for which a wake-up waits that was passed on so often before: twice as long each time, up to a bound."""
    return int(min(FIRST_PASS_DELAY * 2 ** min(passed, 10), LONGEST_PASS_DELAY))


def main() -> None:
    """Entry of the process: runs until SIGINT or SIGTERM."""
    die_with_parent()
    settings = load_settings()
    set_up_logging(settings.log_level, settings.log_format, "worker")
    if settings.broker_url is None:
        raise SystemExit("CLARION_BROKER_URL is not set; start everything with `clarion up`, or set it.")
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    retain_memory(RETAINED_BYTES)
    house = House(settings)
    gc.freeze()  # what is there now stays
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    broker = make_broker(settings.broker_url, house)
    bind(broker, house.actor_for)
    worker = Worker(broker, worker_threads=settings.worker_threads, worker_timeout=200)
    worker.start()
    log.info("worker started", topics=len(wiring.WIRING))
    ended.wait()
    worker.stop(timeout=int(STOP_SECONDS * 1000))
    broker.close()


if __name__ == "__main__":
    main()
