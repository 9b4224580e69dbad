"""The connections of one account in one process, and the messages that wait for them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

from channels.contract import FailureReason, Gate, Outcome, OutcomeKind, OutgoingMessage
from channels.email.config import SmtpConfig
from channels.email.dial import DialFailed, Session
from channels.email.lane import Lane
from channels.email.run import Parcel, Run

RECONNECT_DELAYS = (0.2, 1.0)  # seconds before the second and third attempt; then the server counts as down
GRACE = 4.0  # seconds that messages on their way get when `send` is cancelled or the sender closed

_DOWN = Outcome(
    kind=OutcomeKind.PROVIDER_DOWN,
    reason=FailureReason.UNREACHABLE,
    text="every connection ended before a message was answered",
)


class SmtpSender:
    """Sends batches over up to `connections` connections, shared fairly between the batches under way."""

    def __init__(self, config: SmtpConfig, dial: Callable[[], Awaitable[Session]], *, connections: int) -> None:
        self._config = config
        self._dial = dial
        self._limit = connections
        self._active: set[Run] = set()
        self._runs: deque[Run] = deque()  # those of them with messages to take, oldest first
        self._turn = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._dialling: set[asyncio.Task[None]] = set()
        self._lanes: set[Lane] = set()
        self._idle: deque[asyncio.Future[bool]] = deque()
        self._failures = 0  # connections in a row that were refused, or ended before a message was answered
        self._blocked = False  # a pause before the next attempt is running
        self._closing = False
        self._watch: asyncio.TimerHandle | None = None

    # the contract

    async def send(self, batch: Sequence[OutgoingMessage], gate: Gate) -> None:
        """See `channels.contract.Sender`."""
        if not batch or self._closing:
            return
        run = Run(batch, gate)
        self._active.add(run)
        self._runs.append(run)
        self._fill()
        try:
            await asyncio.shield(run.done)
        except asyncio.CancelledError:
            await self._abandon(run)
            raise
        finally:
            run.over = True
            self._active.discard(run)

    async def _abandon(self, run: Run) -> None:
        run.stop()
        await asyncio.wait([run.done], timeout=GRACE)
        if run.done.done():
            run.done.exception()  # nobody will ask for it
        for lane in self._lanes:
            if lane.carries(run):
                lane.stream.abort()

    async def close(self) -> None:
        """See `channels.contract.Sender`."""
        self._closing = True
        for run in list(self._active):
            run.stop()
        while self._idle:
            self._rouse(False)
        for task in self._dialling:
            task.cancel()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=GRACE)
            for lane in self._lanes:
                lane.stream.abort()
            if late:
                _, stuck = await asyncio.wait(late, timeout=GRACE / 8)  # for them to settle what they carry
                for task in stuck:
                    task.cancel()
                await asyncio.wait(late)
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    # for lanes

    def take(self) -> Parcel | None:
        """The next message. Every other turn is the oldest batch's, the rest go round.

        So nobody waits for the whole of another's batch, and those of one delivery do not run dry all at once: while one is
        let go of and the next is claimed and rendered, another has messages left.
        """
        runs = self._runs
        while runs:
            self._turn += 1
            place = 0 if self._turn % 2 else self._turn // 2 % len(runs)
            parcel = runs[place].take()
            if parcel is not None:
                return parcel
            del runs[place]
        return None

    def put_back(self, parcel: Parcel) -> None:
        """Let another connection send it, before the others of its batch."""
        parcel.run.put_back(parcel)
        if parcel.run not in self._runs:
            self._runs.appendleft(parcel.run)

    async def more(self) -> bool:
        """Wait until a message is there to take; False when none came for long."""
        if self._closing:
            return False
        loop = asyncio.get_running_loop()
        roused: asyncio.Future[bool] = loop.create_future()
        self._idle.append(roused)
        timer = loop.call_later(self._config.idle_timeout, self._dismiss, roused)
        try:
            return await roused
        finally:
            timer.cancel()

    def answered(self) -> None:
        """The server works."""
        self._failures = 0

    # connections

    def _fill(self) -> None:
        """A connection for each waiting message, up to the limit; only one until the first stands."""
        waiting = sum(run.waiting for run in self._runs)
        while waiting and self._idle:
            waiting -= self._rouse(True)
        if self._closing or self._blocked:
            return
        most = self._limit if self._lanes and not self._failures else 1
        for _ in range(min(waiting - len(self._dialling), most - len(self._tasks))):
            task = asyncio.get_running_loop().create_task(self._run_lane(), name="smtp connection")
            self._tasks.add(task)
            self._dialling.add(task)
            task.add_done_callback(self._lane_ended)

    def _rouse(self, work: bool) -> int:
        roused = self._idle.popleft()
        if roused.done():
            return 0
        roused.set_result(work)
        return 1

    def _dismiss(self, roused: asyncio.Future[bool]) -> None:
        if not roused.done():
            roused.set_result(False)

    async def _run_lane(self) -> None:
        try:
            session = await self._dial()
        except DialFailed as failure:
            self._failed(failure.outcome)
            return
        config = self._config
        lane = Lane(session, self, reply_timeout=config.reply_timeout, final_timeout=config.final_timeout)
        self._lanes.add(lane)
        self._watch_deadlines()
        try:
            self._fill()
            self._dialling.discard(cast("asyncio.Task[None]", asyncio.current_task()))
            await lane.work()
            useless = lane.stream.ended and not lane.useful
            await lane.stream.quit(min(GRACE / 2, config.reply_timeout))
        finally:
            lane.stream.abort()
            self._lanes.discard(lane)
        if useless and not self._closing:
            self._failed(_DOWN)

    def _lane_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._dialling.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):  # a fault of ours: whoever waits must hear of it
            for run in list(self._active):
                run.break_off(error)
        self._fill()

    def _failed(self, outcome: Outcome) -> None:
        """A connection could not be made or was of no use: try again later, or call the server down."""
        if self._lanes:  # others work: the server may allow no more at once
            self._pause(RECONNECT_DELAYS[-1])
        elif outcome.kind is OutcomeKind.ACCOUNT_ERROR or self._failures >= len(RECONNECT_DELAYS):
            self._failures = 0
            for run in list(self._runs):
                run.settle_waiting(outcome)
            self._runs.clear()
        else:
            self._pause(RECONNECT_DELAYS[self._failures])
            self._failures += 1

    def _pause(self, seconds: float) -> None:
        if not self._blocked:
            self._blocked = True
            asyncio.get_running_loop().call_later(seconds, self._resume)

    def _resume(self) -> None:
        self._blocked = False
        self._fill()

    def _watch_deadlines(self) -> None:
        """Look at all streams at once, now and then: cheaper than a timer for every step of every message."""
        if self._watch is None:
            config = self._config
            every = min(1.0, min(config.reply_timeout, config.final_timeout) / 4)
            self._watch = asyncio.get_running_loop().call_later(every, self._check_deadlines)

    def _check_deadlines(self) -> None:
        self._watch = None
        now = asyncio.get_running_loop().time()
        for lane in self._lanes:
            if lane.stream.deadline < now:
                lane.stream.expire()
        if self._lanes:
            self._watch_deadlines()
