"""What reports say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import IntEnum, StrEnum
from typing import Any

from channels.contract import FailureReason
from core.consent.records import Decision, EventKind
from core.content.records import TrackingMode
from core.delivery.records import DeliveryRun, LedgerCounts, LedgerState
from core.events.records import BusinessEvent
from core.profiles.records import Channel
from core.targeting.language import Expression
from core.tracking.records import ANY_LINK, TrackingCount


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonCount:
    """How many recipients, for one reason."""

    reason: FailureReason
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkReport:
    """The clicks on one link."""

    number: int
    url: str  # as its author wrote it
    label: str | None  # the author's, else what readers see of it
    category: str | None
    mode: TrackingMode
    total: int
    unique: int  # recipients


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What metrics are made of: counters of the ledger and of tracking."""

    ledger: LedgerCounts
    totals: Mapping[tuple[int, int], int] = field(default_factory=dict)  # (kind, link) → events
    uniques: Mapping[tuple[int, int], int] = field(default_factory=dict)  # (kind, link) → recipients

    def total(self, *kinds: int, link: int = ANY_LINK) -> int:
        """Events of some kinds."""
        return sum(self.totals.get((kind, link), 0) for kind in kinds)

    def unique(self, kind: int, link: int = ANY_LINK) -> int:
        """Recipients who did something at least once."""
        return self.uniques.get((kind, link), 0)

    def failed_for(self, *reasons: FailureReason) -> int:
        """Messages that failed after hand-over, for some reasons."""
        return sum(
            row.n
            for row in self.ledger.by_reason
            if row.state is LedgerState.FAILED and row.after_hand_over and row.reason in reasons
        )


def make_figures(ledger: LedgerCounts, tracking: Sequence[TrackingCount], *, include_machines: bool) -> Figures:
    """Counters → figures. With machines, a recipient whose clicks were all a machine's counts as one who clicked."""
    totals: dict[tuple[int, int], int] = {}
    uniques: dict[tuple[int, int], int] = {}
    for row in tracking:
        if include_machines or not row.machine:
            key = (row.kind, row.link)
            totals[key] = totals.get(key, 0) + row.total
            uniques[key] = uniques.get(key, 0) + row.uniques
    return Figures(ledger=ledger, totals=totals, uniques=uniques)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport:
    """One delivery, added up."""

    delivery_id: int
    include_machines: bool
    counts: LedgerCounts
    excluded: tuple[ReasonCount, ...]
    failed: tuple[ReasonCount, ...]
    withdrawn: tuple[ReasonCount, ...]
    traps: LedgerCounts  # test profiles that got the message too; nothing else here counts them
    links: tuple[LinkReport, ...]
    metrics: Mapping[str, int | float | None]  # by name; None: a share of nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of some of a delivery's people."""

    targeted: int = 0
    excluded: int = 0
    sent: int = 0  # accepted, and failed after hand-over
    accepted: int = 0
    failed: int = 0
    opened: int = 0  # people: who did anything at all
    clicked: int = 0  # people


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentReport(Outcome):
    """Of those of one segment code."""

    code: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueOutcome(Outcome):
    """Of those of one value of a field."""

    value: Any  # as the sending log keeps it
    cursor: tuple[int, str] = field(repr=False, compare=False)  # its place in the order


@dataclass(frozen=True, slots=True, kw_only=True)
class RestOutcome(Outcome):
    """Of those of several values together."""

    values: int = 0  # how many


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldReport:
    """What became of a delivery's people, by the value of a field."""

    values: tuple[ValueOutcome, ...]  # of a page, the largest first
    nothing: Outcome  # those without a value, erased people among them
    rest: RestOutcome  # the values behind the page


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryProgress:
    """How far a delivery is, right now."""

    delivery_id: int
    run: DeliveryRun
    counts: LedgerCounts
    prepared: float | None  # share of the preparation, while one runs or has run
    settled: float | None  # share of the recipients to send to whose outcome is known


class HistoryKind(IntEnum):
    """What an entry of a history is: a message, what was done with it (the codes of `TrackingKind`), what was said, or what
    another system told."""

    MESSAGE = 0
    CLICK = 1
    OPEN = 2
    UNSUBSCRIBE = 3
    MIRROR = 6
    SUBSCRIPTION = 100  # to a service: it began, ended, …
    DECISION = 101  # on a channel or a purpose
    BUSINESS_EVENT = 102


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """A message, something done, said or told of a person. `cursor` is its place in the order."""

    at: datetime  # of a message: when it was settled, or is due; of a decision: when it is said to have happened
    kind: HistoryKind
    profile_id: int  # that which it was about, maybe merged since
    delivery_id: int | None = None  # of messages and what was done with them
    occurrence: int | None = None
    state: LedgerState | None = None  # of a message
    reason: FailureReason | None = None  # of a message that was not sent
    address: str | None = None
    answer: str | None = None
    mirror_url: str | None = None  # of a message that was handed over and can be shown
    link: int | None = None  # of a click
    url: str | None = None
    machine: bool | None = None  # of what was done: a rule took it for a machine's doing
    service_id: int | None = None
    subscription: EventKind | None = None  # what became of it
    channel: Channel | None = None  # of a decision; or a purpose
    purpose_id: int | None = None
    decision: Decision | None = None
    event: BusinessEvent | None = None
    cursor: tuple[datetime, int, int, int] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonFigures:
    """What a person was sent and did."""

    sent: int  # accepted, and failed after hand-over
    delivered: int  # accepted by their providers
    failed: int  # before or after hand-over
    excluded: int  # kept back by preparations
    opens: int  # seen, and one for each message with which only something else was done
    clicks: int
    unsubscribes: int  # from messages
    opened_deliveries: int
    clicked_deliveries: int
    last_contacted_at: datetime | None  # when the last one that was sent was settled
    last_opened_at: datetime | None
    last_clicked_at: datetime | None
    events: int  # that other systems told
    last_event_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeWarning:
    """A delivery that has still to write to people who are about to be merged."""

    delivery_id: int
    name: str
    recipients: int

    code = "DELIVERY_UNDER_WAY"

    @property
    def message(self) -> str:
        """For a person."""
        return (
            f"the delivery {self.name!r} has still to write to {self.recipients} of them; "
            "whoever is merged is withdrawn if another of them gets it"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """What a delivery is to bring about: rows that are linked to people, in the days after it started."""

    link: str  # of profiles, to many rows: a team's dataset, or events of a type
    days: int
    where: Expression | None = None  # asked of each row
    time: str | None = None  # the field that says when it was, where it is not the rows' own
    value: str | None = None  # a field with a number, which is added up


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveProfiles:
    """Who was targeted in a month or in the eleven before it."""

    month: date  # its first day
    profiles: int
    anonymous: int  # devices, and whom events named without a profile

    @property
    def total(self) -> int:
        """All of them."""
        return self.profiles + self.anonymous


class Group(StrEnum):
    """The sides of a comparison."""

    TARGET = "target"  # whom nothing kept from the message before it was sent
    CONTROL_GROUP = "control_group"  # held back from this delivery
    GLOBAL_HOLDOUT = "global_holdout"  # held back from all


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupResult:
    """What one side did."""

    group: Group
    people: int
    converted: int  # who have such a row at least
    value: float | None  # of all of them; None: nothing is added up

    @property
    def rate(self) -> float | None:
        """The share that converted."""
        return self.converted / self.people if self.people else None

    @property
    def value_per_person(self) -> float | None:
        """Of all, converted or not."""
        return None if self.value is None or not self.people else self.value / self.people


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """How much more the target did than a baseline; None: there is nothing to divide by."""

    baseline: Group
    difference: float | None  # of shares: 0.02 is two points
    low: float | None  # the difference lies between these in 95 of 100 cases
    high: float | None
    relative: float | None  # of the baseline's share: 0.5 is half as much again
    p_value: float | None  # how likely chance alone makes as large a difference
    additional: float | None  # conversions that the delivery brought about


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A delivery's target beside those held back. Sides without anybody are left out."""

    delivery_id: int
    starts_at: datetime
    ends_at: datetime
    groups: tuple[GroupResult, ...]
    lifts: tuple[Lift, ...]
