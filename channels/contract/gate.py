"""The gate between a plugin and the ledger."""

from __future__ import annotations

from typing import Protocol

from channels.contract.outcomes import Outcome


class Gate(Protocol):
    """Records hand-over and outcome of the messages of one batch, in group commits."""

    async def hand_over(self, index: int) -> bool:
        """Await this before the byte that makes message `index` deliverable.

        True: the intent is stored, send the byte. False: do not send it (the lease was lost, or the delivery
        was paused or stopped); give the message up without settling it.
        """
        ...

    def settle(self, index: int, outcome: Outcome) -> None:
        """Tell the outcome of message `index` once its answer is read; no hand-over if refused before."""
        ...
