"""What follows from an outcome: the next ledger state, when to try again, what it says about the address. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from channels.contract import FailureReason, Outcome, OutcomeKind
from core.delivery.records import LedgerState


class AddressVerdict(StrEnum):
    """What an outcome says about the address itself."""

    NOTHING = "nothing"
    GOOD = "good"
    SOFT = "soft"  # counts as a soft error
    HARD = "hard"  # quarantine at once


class AccountVerdict(StrEnum):
    """What an outcome says about the channel account."""

    NOTHING = "nothing"
    SLOW_DOWN = "slow_down"  # claim nothing more for a while
    DOWN = "down"  # the breaker opens
    BROKEN = "broken"  # a person must mend it


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRule:
    """Growing delays inside the delivery's duration."""

    first: timedelta
    longest: timedelta
    deadline: datetime
    resend_unknown: bool = False

    def delay(self, attempt: int, asked: float | None) -> timedelta:
        """Before attempt number `attempt` + 1; `asked` is what the provider wants, in seconds."""
        doubled: int = 2 ** min(attempt, 30)
        wanted = min(self.first * doubled, self.longest)
        return max(wanted, timedelta(seconds=asked)) if asked is not None else wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Where a ledger row goes, and what else follows."""

    state: LedgerState
    reason: FailureReason
    due_at: datetime | None = None  # of PENDING
    counts_attempt: bool = False
    address: AddressVerdict = AddressVerdict.NOTHING
    account: AccountVerdict = AccountVerdict.NOTHING


_REFUSED = {
    OutcomeKind.INVALID_ADDRESS: AddressVerdict.HARD,
    OutcomeKind.SUPPRESSED: AddressVerdict.NOTHING,
    OutcomeKind.CONTENT_REJECTED: AddressVerdict.NOTHING,
    OutcomeKind.TOO_LARGE: AddressVerdict.NOTHING,
}
_ACCOUNT = {
    OutcomeKind.ACCOUNT_ERROR: AccountVerdict.BROKEN,
    OutcomeKind.PROVIDER_DOWN: AccountVerdict.DOWN,
}


def judge(outcome: Outcome, *, attempt: int, now: datetime, rule: RetryRule) -> Verdict:
    """The table of what follows from each class of outcome."""
    kind = outcome.kind
    if kind is OutcomeKind.ACCEPTED:
        return Verdict(state=LedgerState.ACCEPTED, reason=FailureReason.NOT_DEFINED, address=AddressVerdict.GOOD)
    if kind in _REFUSED:
        return Verdict(state=LedgerState.FAILED, reason=outcome.reason, address=_REFUSED[kind])
    if kind in _ACCOUNT:
        return Verdict(state=LedgerState.PENDING, reason=outcome.reason, due_at=now, account=_ACCOUNT[kind])
    if kind is OutcomeKind.UNKNOWN and not rule.resend_unknown:
        return Verdict(state=LedgerState.UNKNOWN, reason=outcome.reason)
    return _again(outcome, attempt, now, rule)


def _again(outcome: Outcome, attempt: int, now: datetime, rule: RetryRule) -> Verdict:
    limited = outcome.kind is OutcomeKind.RATE_LIMITED
    due = now + rule.delay(attempt, outcome.retry_after)
    account = AccountVerdict.SLOW_DOWN if limited and outcome.scope == "account" else AccountVerdict.NOTHING
    soft = AddressVerdict.SOFT if outcome.kind is OutcomeKind.TRANSIENT else AddressVerdict.NOTHING
    if due >= rule.deadline:
        return Verdict(state=LedgerState.FAILED, reason=outcome.reason, address=soft, account=account)
    return Verdict(
        state=LedgerState.PENDING, reason=outcome.reason, due_at=due, counts_attempt=True, account=account
    )  # fmt: skip
