"""One call of `send`: a batch, its gate, and what of it is still open."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from msgspec.structs import replace

from channels.contract import Gate, Outcome, OutgoingMessage
from render_ext import DkimSigner


class Parcel:
    """One message on its way through the pool."""

    __slots__ = ("closed", "handed_over", "index", "message", "run", "signed", "tries")

    def __init__(self, run: Run, index: int, message: OutgoingMessage) -> None:
        self.run = run
        self.index = index
        self.message = message
        self.closed = False  # settled or given up
        self.handed_over = False
        self.signed = False
        self.tries = 0  # connections that ended under it before the server said anything about it

    def sign(self, signer: DkimSigner) -> None:
        """Put DKIM signatures before the message, unless it has them. Raises ValueError for what is no message."""
        if not self.signed:
            self.message = replace(self.message, body=signer.sign(self.message.body))
            self.signed = True

    def settle(self, outcome: Outcome) -> None:
        """Tell the platform what became of it."""
        self.closed = True
        run = self.run
        if not run.over:
            run.gate.settle(self.index, outcome)
            run.close_one()

    def give_up(self) -> None:
        """It was not delivered, or its fate is not known, and the platform keeps it."""
        if not self.closed:
            self.closed = True
            self.run.close_one()


class Run:
    """The messages of one `send`; ends when each is settled or given up."""

    __slots__ = ("_error", "_next", "_open", "_returned", "batch", "done", "gate", "over", "stopped", "wary")

    def __init__(self, batch: Sequence[OutgoingMessage], gate: Gate) -> None:
        self.batch = batch
        self.gate = gate
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.wary = False  # the gate has held a message back: it is asked before more is sent in vain
        self.stopped = False  # no message of it may be handed over any more
        self.over = False  # `send` has returned: nobody listens
        self._error: Exception | None = None
        self._next = 0
        self._open = len(batch)
        self._returned: deque[Parcel] = deque()

    @property
    def waiting(self) -> int:
        """Messages that no connection has taken yet."""
        return 0 if self.stopped else len(self.batch) - self._next + len(self._returned)

    def take(self) -> Parcel | None:
        """The next message, or None when none is left."""
        if self.stopped:
            return None
        if self._returned:
            return self._returned.popleft()
        index = self._next
        if index == len(self.batch):
            return None
        self._next = index + 1
        return Parcel(self, index, self.batch[index])

    def put_back(self, parcel: Parcel) -> None:
        """Another connection shall take it."""
        if self.stopped:
            parcel.give_up()
        else:
            self._returned.append(parcel)

    def settle_waiting(self, outcome: Outcome) -> None:
        """Settle all that no connection has taken."""
        while (parcel := self.take()) is not None:
            parcel.settle(outcome)

    def stop(self, error: Exception | None = None) -> None:
        """Hand over nothing more; `send` ends, with `error`, once what is on its way is settled."""
        waiting = self.waiting
        self.stopped = True
        self._error = self._error or error
        self._open -= waiting
        self._finish_if_empty()

    def break_off(self, error: Exception) -> None:
        """Let `send` raise at once."""
        self.stopped = True
        if not self.done.done():
            self.done.set_exception(error)

    def close_one(self) -> None:
        """One message is settled or given up."""
        self._open -= 1
        self._finish_if_empty()

    def _finish_if_empty(self) -> None:
        if self._open > 0 or self.done.done():
            return
        if self._error is not None:
            self.done.set_exception(self._error)
        else:
            self.done.set_result(None)
