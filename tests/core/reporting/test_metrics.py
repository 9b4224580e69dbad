"""Formulas of feature map 6.43 to 6.48, on figures made by hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from channels.contract import FailureReason as Reason
from core.delivery.reading import add_up
from core.delivery.records import CountRow
from core.delivery.records import LedgerState as State
from core.reporting.metrics import METRICS, Unit, compute
from core.reporting.records import Figures, make_figures
from core.tracking.records import ANYTHING, TrackingCount, TrackingKind


def row(state: State, n: int, reason: Reason = Reason.NOT_DEFINED, after: bool = False) -> CountRow:
    """One counter of the ledger."""
    return CountRow(state=state, reason=reason, after_hand_over=after, n=n)


def seen(kind: int, total: int, uniques: int, *, link: int = 0, machine: bool = False) -> TrackingCount:
    """One counter of tracking."""
    return TrackingCount(kind=kind, link=link, machine=machine, total=total, uniques=uniques)


LEDGER = add_up([
    row(State.EXCLUDED, 30, Reason.DENYLISTED_ADDRESS), row(State.EXCLUDED, 5, Reason.DUPLICATE),
    row(State.PENDING, 7), row(State.ACCEPTED, 800),
    row(State.FAILED, 100, Reason.USER_UNKNOWN, after=True), row(State.FAILED, 60, Reason.MAILBOX_FULL, after=True),
    row(State.FAILED, 40, Reason.REFUSED, after=True), row(State.FAILED, 9, Reason.RENDERING_FAILED),
    row(State.UNKNOWN, 3, after=True), row(State.WITHDRAWN, 2), row(State.EXPIRED, 1), row(State.CANCELLED, 4),
])  # fmt: skip
TRACKING = [
    seen(TrackingKind.OPEN, 300, 200), seen(TrackingKind.OPEN, 50, 20, machine=True),
    seen(TrackingKind.CLICK, 90, 60), seen(TrackingKind.CLICK, 90, 60, link=1),
    seen(TrackingKind.CLICK, 10, 4, machine=True), seen(TrackingKind.UNSUBSCRIBE, 9, 8),
    seen(TrackingKind.MIRROR, 12, 10), seen(ANYTHING, 0, 240), seen(ANYTHING, 0, 22, machine=True),
]  # fmt: skip

EXPECTED = {
    "targeted": 1061, "excluded": 35, "pending": 7, "accepted": 800, "failed": 209, "unknown": 3, "withdrawn": 2,
    "expired": 1, "cancelled": 4,
    "sent": 1000,  # accepted and failed after hand-over; what could not be rendered was not sent
    "delivered": 800, "bounces": 200, "soft_bounces": 60, "hard_bounces": 140,
    "opens": 300 + 240 - 200,  # 6.46: opens(2) + unique(1,2,3,6,10,11) − unique(2)
    "unique_opens": 240, "clicks": 90, "unique_clicks": 60, "unsubscribes": 9, "unique_unsubscribes": 8, "mirror_views": 12,
    "delivered_rate": 0.8, "bounce_rate": 0.2, "hard_bounce_rate": 0.14, "soft_bounce_rate": 0.06,
    "quarantine_rate": 0.1, "rejected_rate": 0.04, "denylist_rate": 0.0,
    "open_rate": 340 / 800, "unique_open_rate": 240 / 800, "click_rate": 90 / 800, "click_through_rate": 60 / 800,
    "unsubscribe_rate": 9 / 800, "mirror_rate": 12 / 800,
}  # fmt: skip


def test_every_metric_has_its_formula() -> None:
    assert compute(make_figures(LEDGER, TRACKING, include_machines=False)) == pytest.approx(EXPECTED)


def test_with_machines_their_hits_come_on_top() -> None:
    found = compute(make_figures(LEDGER, TRACKING, include_machines=True))
    changed = {name: value for name, value in found.items() if value != EXPECTED[name]}
    assert changed == pytest.approx({
        "opens": 350 + 262 - 220, "unique_opens": 262, "clicks": 100, "unique_clicks": 64,
        "open_rate": 392 / 800, "unique_open_rate": 262 / 800, "click_rate": 100 / 800, "click_through_rate": 64 / 800,
    })  # fmt: skip


def test_a_share_of_nothing_is_nothing() -> None:
    found = compute(Figures(ledger=add_up([])))
    assert {metric.name: found[metric.name] for metric in METRICS} == {
        metric.name: 0 if metric.unit is Unit.COUNT else None for metric in METRICS
    }


def test_names_are_unique_and_plain() -> None:
    names = [metric.name for metric in METRICS]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z][a-z_]*", name) for name in names)


def test_every_metric_is_explained() -> None:
    text = (Path(__file__).parents[3] / "docs" / "tracking.md").read_text()
    assert [metric.name for metric in METRICS if f"`{metric.name}`" not in text] == []
