"""Every metric of a delivery report: one entry each. Formulas of feature map 6.43 to 6.48."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from channels.contract import FailureReason as Reason
from core.reporting.records import Figures
from core.tracking.records import ANYTHING, TrackingKind

OTHER_CLICKS = (10, 11)  # click variants of the URL type codes (6.03): other channels' clicks
CLICKS = (TrackingKind.CLICK, *OTHER_CLICKS)

SOFT = (Reason.UNREACHABLE, Reason.MAILBOX_FULL, Reason.NOT_CONNECTED, Reason.NOT_DEFINED)
QUARANTINING = (Reason.USER_UNKNOWN, Reason.INVALID_DOMAIN, Reason.QUARANTINED_ADDRESS)

Value = int | float | None
Formula = Callable[[Figures], Value]


class Unit(StrEnum):
    """How a metric's value is read."""

    COUNT = "count"
    SHARE = "share"  # 0.25 is a quarter


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One line of a report."""

    name: str
    label: str
    unit: Unit
    formula: Formula


def _count(name: str, label: str, formula: Callable[[Figures], int]) -> Metric:
    return Metric(name=name, label=label, unit=Unit.COUNT, formula=formula)


def _share(name: str, label: str, part: Callable[[Figures], int], whole: Callable[[Figures], int]) -> Metric:
    def formula(figures: Figures) -> Value:
        denominator = whole(figures)
        return part(figures) / denominator if denominator else None

    return Metric(name=name, label=label, unit=Unit.SHARE, formula=formula)


def sent(figures: Figures) -> int:
    """Processed: delivered and bounced (6.43)."""
    return figures.ledger.sent


def delivered(figures: Figures) -> int:
    """What providers accepted (6.43)."""
    return figures.ledger.accepted


def bounces(figures: Figures) -> int:
    """Bounces and errors: handed over and refused (6.43)."""
    return figures.ledger.failed_after_hand_over


def soft_bounces(figures: Figures) -> int:
    """Bounces that say nothing final about the address."""
    return figures.failed_for(*SOFT)


def hard_bounces(figures: Figures) -> int:
    """All other bounces."""
    return bounces(figures) - soft_bounces(figures)


def quarantined(figures: Figures) -> int:
    """Bounces that put their address in quarantine."""
    return figures.failed_for(*QUARANTINING)


def rejected(figures: Figures) -> int:
    """Refused by the provider."""
    return figures.failed_for(Reason.REFUSED)


def denylisted(figures: Figures) -> int:
    """Refused because the address is on a denylist."""
    return figures.failed_for(Reason.DENYLISTED_ADDRESS)


def unique_opens(figures: Figures) -> int:
    """Recipients who did anything at all: who clicks has opened, pictures or not (6.46)."""
    return figures.unique(ANYTHING)


def opens(figures: Figures) -> int:
    """Opens seen, and one for each recipient whose open was not seen (6.46)."""
    return figures.total(TrackingKind.OPEN) + unique_opens(figures) - figures.unique(TrackingKind.OPEN)


def clicks(figures: Figures) -> int:
    """Clicks on any link (6.46)."""
    return figures.total(*CLICKS)


def unique_clicks(figures: Figures) -> int:
    """Recipients who clicked any link."""
    return figures.unique(TrackingKind.CLICK)


def unsubscribes(figures: Figures) -> int:
    """Unsubscriptions (6.46)."""
    return figures.total(TrackingKind.UNSUBSCRIBE)


def unique_unsubscribes(figures: Figures) -> int:
    """Recipients who unsubscribed."""
    return figures.unique(TrackingKind.UNSUBSCRIBE)


def mirror_views(figures: Figures) -> int:
    """Views of the mirror page (6.46)."""
    return figures.total(TrackingKind.MIRROR)


METRICS: tuple[Metric, ...] = (
    _count("targeted", "Targeted", lambda figures: figures.ledger.targeted),
    _count("excluded", "Excluded", lambda figures: figures.ledger.excluded),
    _count("pending", "Pending", lambda figures: figures.ledger.pending),
    _count("accepted", "Accepted", lambda figures: figures.ledger.accepted),
    _count("failed", "Failed", lambda figures: figures.ledger.failed),
    _count("unknown", "Unknown", lambda figures: figures.ledger.unknown),
    _count("withdrawn", "Withdrawn", lambda figures: figures.ledger.withdrawn),
    _count("expired", "Expired", lambda figures: figures.ledger.expired),
    _count("cancelled", "Cancelled", lambda figures: figures.ledger.cancelled),
    _count("sent", "Sent", sent),
    _count("delivered", "Delivered", delivered),
    _count("bounces", "Bounces and errors", bounces),
    _count("soft_bounces", "Soft bounces", soft_bounces),
    _count("hard_bounces", "Hard bounces", hard_bounces),
    _count("opens", "Opens", opens),
    _count("unique_opens", "Unique opens", unique_opens),
    _count("clicks", "Clicks", clicks),
    _count("unique_clicks", "Unique clicks", unique_clicks),
    _count("unsubscribes", "Unsubscriptions", unsubscribes),
    _count("unique_unsubscribes", "Unique unsubscriptions", unique_unsubscribes),
    _count("mirror_views", "Mirror page views", mirror_views),
    _share("delivered_rate", "Delivered rate", delivered, sent),
    _share("bounce_rate", "Bounce rate", bounces, sent),
    _share("hard_bounce_rate", "Hard bounce rate", hard_bounces, sent),
    _share("soft_bounce_rate", "Soft bounce rate", soft_bounces, sent),
    _share("quarantine_rate", "Quarantine rate", quarantined, sent),
    _share("rejected_rate", "Rejected rate", rejected, sent),
    _share("denylist_rate", "Denylist rate", denylisted, sent),
    _share("open_rate", "Open rate", opens, delivered),
    _share("unique_open_rate", "Unique open rate", unique_opens, delivered),
    _share("click_rate", "Click rate", clicks, delivered),
    _share("click_through_rate", "Click-through rate", unique_clicks, delivered),
    _share("unsubscribe_rate", "Unsubscription rate", unsubscribes, delivered),
    _share("mirror_rate", "Mirror page rate", mirror_views, delivered),
)


def compute(figures: Figures) -> dict[str, Value]:
    """Every metric by name."""
    return {metric.name: metric.formula(figures) for metric in METRICS}
