"""What follows from an outcome: the next ledger state, when to try again, what it says about the address. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

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


LAST_TRY = timedelta(minutes=1)  # before the end of the duration, at most
MOST_ASKED_SECONDS = 7 * 86_400.0  # that a provider may ask us to wait
ACCOUNT_TRIES = 3  # of one message that is refused for the account's sake, each after somebody resumed the account
# What a provider says of the mailbox. Its own troubles, and ours with it, are not the address's fault.
MAILBOX_TROUBLE = (FailureReason.MAILBOX_FULL, FailureReason.UNREACHABLE)


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
        return max(wanted, timedelta(seconds=min(asked, MOST_ASKED_SECONDS))) if asked is not None else wanted

    def next_try(self, attempt: int, asked: float | None, now: datetime) -> datetime | None:
        """When to try again: one last time shortly before the duration ends. None: not within it."""
        due = now + self.delay(attempt, asked)
        last = self.deadline - min(self.first, LAST_TRY)
        if due <= last:
            return due
        return last if now < last and asked is None else None


class Verdict(Struct, frozen=True, kw_only=True, gc=False):
    """Where a ledger row goes, and what else follows."""

    state: LedgerState
    reason: FailureReason
    due_at: datetime | None = None  # of PENDING
    counts_attempt: bool = False
    address: AddressVerdict = AddressVerdict.NOTHING
    address_reason: FailureReason | None = None  # what is the matter with the address, where it is not `reason`
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
    if kind is OutcomeKind.ACCOUNT_ERROR and attempt + 1 >= ACCOUNT_TRIES:
        # Perhaps it is only this recipient for whom the account is not good enough: it must not stop the others for ever.
        return Verdict(state=LedgerState.FAILED, reason=outcome.reason, account=_ACCOUNT[kind])
    if kind in _ACCOUNT:
        counts = kind is OutcomeKind.ACCOUNT_ERROR
        return Verdict(
            state=LedgerState.PENDING, reason=outcome.reason, due_at=now, counts_attempt=counts, account=_ACCOUNT[kind]
        )
    if kind is OutcomeKind.UNKNOWN and not rule.resend_unknown:
        return Verdict(state=LedgerState.UNKNOWN, reason=outcome.reason)
    return _again(outcome, attempt, now, rule)


def _again(outcome: Outcome, attempt: int, now: datetime, rule: RetryRule) -> Verdict:
    limited = outcome.kind is OutcomeKind.RATE_LIMITED
    account = AccountVerdict.SLOW_DOWN if limited and outcome.scope == "account" else AccountVerdict.NOTHING
    due = rule.next_try(attempt, outcome.retry_after, now)
    if due is not None:
        return Verdict(state=LedgerState.PENDING, reason=outcome.reason, due_at=due, counts_attempt=True, account=account)
    if outcome.kind is OutcomeKind.UNKNOWN:
        return Verdict(state=LedgerState.UNKNOWN, reason=outcome.reason)
    soft = outcome.kind is OutcomeKind.TRANSIENT and outcome.code is not None and outcome.reason in MAILBOX_TROUBLE
    return Verdict(
        state=LedgerState.EXPIRED,
        reason=FailureReason.EXPIRED,
        address=AddressVerdict.SOFT if soft else AddressVerdict.NOTHING,
        address_reason=outcome.reason,
        account=account,
    )
