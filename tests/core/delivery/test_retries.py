"""What follows from each class of outcome."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from channels.contract import FailureReason, Outcome, OutcomeKind
from core.delivery.records import LedgerState
from core.delivery.retries import AccountVerdict, AddressVerdict, RetryRule, judge

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULE = RetryRule(first=timedelta(minutes=1), longest=timedelta(hours=4), deadline=NOW + timedelta(days=3, hours=12))


def _judge(kind: OutcomeKind, *, attempt: int = 0, rule: RetryRule = RULE, **more: object) -> object:
    outcome = Outcome(kind=kind, **more)  # type: ignore[arg-type]
    verdict = judge(outcome, attempt=attempt, now=NOW, rule=rule)
    return (verdict.state, verdict.address, verdict.account)


@pytest.mark.parametrize(
    ("kind", "state", "address", "account"),
    [
        (OutcomeKind.ACCEPTED, LedgerState.ACCEPTED, AddressVerdict.GOOD, AccountVerdict.NOTHING),
        (OutcomeKind.INVALID_ADDRESS, LedgerState.FAILED, AddressVerdict.HARD, AccountVerdict.NOTHING),
        (OutcomeKind.SUPPRESSED, LedgerState.FAILED, AddressVerdict.NOTHING, AccountVerdict.NOTHING),
        (OutcomeKind.CONTENT_REJECTED, LedgerState.FAILED, AddressVerdict.NOTHING, AccountVerdict.NOTHING),
        (OutcomeKind.TOO_LARGE, LedgerState.FAILED, AddressVerdict.NOTHING, AccountVerdict.NOTHING),
        (OutcomeKind.TRANSIENT, LedgerState.PENDING, AddressVerdict.NOTHING, AccountVerdict.NOTHING),
        (OutcomeKind.RATE_LIMITED, LedgerState.PENDING, AddressVerdict.NOTHING, AccountVerdict.NOTHING),
        (OutcomeKind.ACCOUNT_ERROR, LedgerState.PENDING, AddressVerdict.NOTHING, AccountVerdict.BROKEN),
        (OutcomeKind.PROVIDER_DOWN, LedgerState.PENDING, AddressVerdict.NOTHING, AccountVerdict.DOWN),
        (OutcomeKind.UNKNOWN, LedgerState.UNKNOWN, AddressVerdict.NOTHING, AccountVerdict.NOTHING),
    ],
)
def test_each_class_has_its_consequence(
    kind: OutcomeKind, state: LedgerState, address: AddressVerdict, account: AccountVerdict
) -> None:
    assert _judge(kind) == (state, address, account)


def test_delays_grow_up_to_the_longest_and_obey_the_provider() -> None:
    delays = [RULE.delay(attempt, None) for attempt in range(12)]
    assert delays[:4] == [timedelta(minutes=minutes) for minutes in (1, 2, 4, 8)]
    assert delays[-1] == timedelta(hours=4)
    assert RULE.delay(0, 600) == timedelta(minutes=10)
    assert RULE.delay(500, None) == timedelta(hours=4)


def test_a_retry_that_would_come_after_the_deadline_is_a_failure_that_counts_as_a_soft_error() -> None:
    short = RetryRule(first=timedelta(hours=1), longest=timedelta(hours=4), deadline=NOW + timedelta(minutes=30))
    verdict = judge(Outcome(kind=OutcomeKind.TRANSIENT, reason=FailureReason.MAILBOX_FULL), attempt=0, now=NOW, rule=short)
    assert verdict.state is LedgerState.FAILED
    assert verdict.reason is FailureReason.MAILBOX_FULL
    assert verdict.address is AddressVerdict.SOFT


def test_unknown_is_sent_again_only_where_the_delivery_asks_for_it() -> None:
    resend = RetryRule(first=RULE.first, longest=RULE.longest, deadline=RULE.deadline, resend_unknown=True)
    assert _judge(OutcomeKind.UNKNOWN, rule=resend)[0] is LedgerState.PENDING  # type: ignore[index]


def test_account_trouble_does_not_use_up_an_attempt() -> None:
    verdict = judge(Outcome(kind=OutcomeKind.PROVIDER_DOWN), attempt=3, now=NOW, rule=RULE)
    assert not verdict.counts_attempt
    assert verdict.due_at == NOW
