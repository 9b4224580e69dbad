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


SHORT = RetryRule(first=timedelta(hours=1), longest=timedelta(hours=4), deadline=NOW + timedelta(minutes=30))
OVER = NOW + timedelta(minutes=29, seconds=30)
FULL = Outcome(kind=OutcomeKind.TRANSIENT, reason=FailureReason.MAILBOX_FULL, code="452 4.2.2")


def test_a_retry_that_would_come_after_the_deadline_is_tried_once_more_before_it() -> None:
    verdict = judge(FULL, attempt=0, now=NOW, rule=SHORT)
    assert (verdict.state, verdict.due_at) == (LedgerState.PENDING, NOW + timedelta(minutes=29))


def test_what_never_worked_within_the_duration_expires_and_counts_as_a_soft_error_of_the_mailbox() -> None:
    verdict = judge(FULL, attempt=3, now=OVER, rule=SHORT)
    assert (verdict.state, verdict.reason) == (LedgerState.EXPIRED, FailureReason.EXPIRED)
    assert (verdict.address, verdict.address_reason) == (AddressVerdict.SOFT, FailureReason.MAILBOX_FULL)


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(kind=OutcomeKind.TRANSIENT, reason=FailureReason.NOT_CONNECTED, text="connection lost"),
        Outcome(kind=OutcomeKind.TRANSIENT, reason=FailureReason.REFUSED, code="450 4.7.1", text="greylisted"),
        Outcome(kind=OutcomeKind.RATE_LIMITED, reason=FailureReason.REFUSED, code="421 4.7.0", scope="domain"),
    ],
)
def test_troubles_of_ours_or_the_server_are_not_the_addresss_fault(outcome: Outcome) -> None:
    verdict = judge(outcome, attempt=3, now=OVER, rule=SHORT)
    assert (verdict.state, verdict.address) == (LedgerState.EXPIRED, AddressVerdict.NOTHING)


def test_a_provider_that_wants_us_to_wait_beyond_the_duration_is_not_asked_again() -> None:
    slow = Outcome(kind=OutcomeKind.RATE_LIMITED, retry_after=1e18, scope="account")
    assert judge(slow, attempt=0, now=NOW, rule=SHORT).state is LedgerState.EXPIRED


def test_doubt_at_the_end_of_the_duration_stays_doubt() -> None:
    resend = RetryRule(first=SHORT.first, longest=SHORT.longest, deadline=SHORT.deadline, resend_unknown=True)
    assert judge(Outcome(kind=OutcomeKind.UNKNOWN), attempt=0, now=OVER, rule=resend).state is LedgerState.UNKNOWN


def test_a_message_that_alone_offends_the_account_is_given_up_at_the_third_try() -> None:
    offends = Outcome(kind=OutcomeKind.ACCOUNT_ERROR, reason=FailureReason.REFUSED)
    states = [judge(offends, attempt=attempt, now=NOW, rule=RULE).state for attempt in range(3)]
    assert states == [LedgerState.PENDING, LedgerState.PENDING, LedgerState.FAILED]


def test_unknown_is_sent_again_only_where_the_delivery_asks_for_it() -> None:
    resend = RetryRule(first=RULE.first, longest=RULE.longest, deadline=RULE.deadline, resend_unknown=True)
    assert _judge(OutcomeKind.UNKNOWN, rule=resend)[0] is LedgerState.PENDING  # type: ignore[index]


def test_account_trouble_does_not_use_up_an_attempt() -> None:
    verdict = judge(Outcome(kind=OutcomeKind.PROVIDER_DOWN), attempt=3, now=NOW, rule=RULE)
    assert not verdict.counts_attempt
    assert verdict.due_at == NOW
