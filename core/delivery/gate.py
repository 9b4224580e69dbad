"""The gate of one batch: the contract's `Gate` on top of the ledger writer."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

from channels.contract import Outcome, OutcomeKind
from core.clock import Clock
from core.delivery.ledger_writer import LedgerWriter
from core.delivery.pace import Pace
from core.delivery.records import ClaimedRow
from core.delivery.retries import AccountVerdict, AddressVerdict, RetryRule, judge
from core.delivery.store.moves import Intent, Key, Settlement

ANSWER_LENGTH = 300  # characters kept of what the provider said


class BatchGate:
    """Hands over and settles the messages of one claimed batch; index is the place in the batch."""

    def __init__(
        self,
        writer: LedgerWriter,
        rows: Sequence[ClaimedRow],
        lease_id: int,
        rule: RetryRule,
        clock: Clock,
        *,
        redacted: Callable[[str], str] = str,
        pace: Pace | None = None,
        units: Sequence[int] = (),
    ):
        """`redacted` takes the account's secrets out of a text; `units` says what each message counts for, with a `pace`."""
        self._writer = writer
        self._rows = rows
        self._lease_id = lease_id
        self._rule = rule
        self._clock = clock
        self._redacted = redacted
        self._pace = pace
        self._units = units
        self._handed_over: set[int] = set()
        self._answered: set[int] = set()
        self._closed = False
        self.lost = asyncio.Event()  # a row was not this lease's any more, or the account is in trouble: take nothing more
        self.settled = 0
        self.outcomes: Counter[OutcomeKind] = Counter()
        self.accepted: list[str] = []  # address keys
        self.invalid = 0
        self.refused = 0
        self.account = AccountVerdict.NOTHING
        self.account_text = ""

    def close_for_new(self) -> None:
        """Answer no to whatever is not handed over yet; what is in flight may still be settled."""
        self._closed = True

    async def hand_over(self, index: int) -> bool:
        """See `channels.contract.Gate`."""
        if self._pace is not None and not self._closed:
            await self._pace.take(self._units[index])
        if self._closed or index in self._answered:
            return False
        intent = Intent(_key(self._rows[index]), self._lease_id)
        asked = self._writer.hand_over(intent)
        try:
            granted = await asked
        except asyncio.CancelledError:
            self._answered.add(index)
            if not asked.cancelled() and asked.result():  # granted in the same moment
                self._writer.take_back(intent)
            raise
        if granted:
            self._handed_over.add(index)
        else:
            self.lost.set()
        return granted

    def settle(self, index: int, outcome: Outcome) -> None:
        """See `channels.contract.Gate`."""
        row = self._rows[index]
        verdict = judge(outcome, attempt=row.attempt, now=self._clock(), rule=self._rule)
        self.settled += 1
        self._answered.add(index)
        self.outcomes[outcome.kind] += 1
        self.invalid += verdict.address is AddressVerdict.HARD
        self.refused += outcome.kind is OutcomeKind.CONTENT_REJECTED and outcome.code is not None
        if verdict.account is not AccountVerdict.NOTHING:
            self.account, self.account_text = verdict.account, self._told(outcome.text)
            self._closed = True
            self.lost.set()
        accepted = outcome.kind is OutcomeKind.ACCEPTED
        if accepted:
            self.accepted.append(row.address_key)
        self._writer.settle(
            Settlement(
                _key(row),
                self._lease_id,
                verdict,
                # What the provider itself refused counts as sent and bounced, also where it did so before the last byte.
                index in self._handed_over or outcome.code is not None,
                storable(outcome.provider_id) if outcome.provider_id else None,
                None if accepted else self._told(f"{outcome.code or ''} {outcome.text}".strip()),
                row.address_key,
            )
        )

    def _told(self, text: str) -> str:
        return storable(self._redacted(text))


def _key(row: ClaimedRow) -> Key:
    return (row.recipient_kind, row.recipient_id, row.occurrence)


def storable(text: str) -> str:
    """Foreign words as the database takes them: not too long, without NUL and halves of characters."""
    return text[:ANSWER_LENGTH].replace("\0", "").encode("utf-8", "replace").decode()
