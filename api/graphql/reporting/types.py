"""GraphQL types of reports, read off their records."""

from __future__ import annotations

from typing import Any

import strawberry

from api.context import Info
from api.graphql.content.types import TrackingMode
from api.graphql.leaf import field, leaf
from api.graphql.profiles.types import FailureReason
from core.reporting import records
from core.reporting.metrics import METRICS
from core.reporting.metrics import Unit as UnitEnum
from core.reporting.segments import report_segments

Unit = strawberry.enum(UnitEnum, name="Unit", description="How a value is read: a SHARE of 0.25 is a quarter.")


@strawberry.type(description="The equation: targeted is the sum of all the columns from excluded to cancelled.")
class LedgerCounts:
    """How many recipients are in which state."""

    targeted: int
    excluded: int
    pending: int
    accepted: int
    failed: int
    unknown: int
    withdrawn: int
    expired: int
    cancelled: int
    sent: int = strawberry.field(description="Accepted, and failed after hand-over: what rates are shares of.")


@strawberry.type
class ReasonCount:
    """How many recipients, for one reason."""

    reason: FailureReason  # type: ignore[valid-type]
    count: int


@strawberry.type(description="The clicks on one link.")
class LinkReport:
    """A link of the content."""

    number: int
    url: str = strawberry.field(description="As its author wrote it.")
    label: str | None = strawberry.field(description="The author's, else what readers see of it.")
    category: str | None
    mode: TrackingMode = strawberry.field(description="TRACKED or OPT_OUT.")  # type: ignore[valid-type]
    total: int
    unique: int = strawberry.field(description="Recipients who clicked it.")


@strawberry.type(description="One figure of a report.")
class MetricValue:
    """A metric and its value; null for a share of nothing."""

    name: str = leaf(lambda pair: pair[0].name)
    label: str = leaf(lambda pair: pair[0].label)
    unit: Unit = leaf(lambda pair: pair[0].unit)  # type: ignore[valid-type]
    value: float | None = leaf(lambda pair: pair[1])


@strawberry.type(description="What became of the people of one segment code.")
class SegmentReport:
    """A segment of the delivery."""

    code: str | None = strawberry.field(description="Null: those without one, and people who were erased.")
    targeted: int
    excluded: int
    sent: int = strawberry.field(description="Accepted, and failed after hand-over.")
    accepted: int
    failed: int
    opened: int = strawberry.field(description="People who did anything at all with the message.")
    clicked: int = strawberry.field(description="People who clicked any link.")


@strawberry.type(description="One delivery, added up.")
class DeliveryReport:
    """A report."""

    include_machines: bool
    counts: LedgerCounts
    excluded: list[ReasonCount]
    failed: list[ReasonCount]
    withdrawn: list[ReasonCount]
    traps: LedgerCounts = strawberry.field(description="Test profiles that got it too: nothing else here counts them.")
    links: list[LinkReport]
    metrics: list[MetricValue] = leaf(
        lambda report: [(metric, report.metrics[metric.name]) for metric in METRICS],
        description="Every metric; opens and clicks of machines are left out unless they were asked for.",
    )

    @field(list[SegmentReport])
    async def segments(root: strawberry.Parent[Any], info: Info) -> Any:
        """By the segment code of the sending log, the largest 500. Unlike the rest this reads the delivery's whole ledger."""
        found: records.DeliveryReport = root
        async with info.context.lease.use() as conn:
            return await report_segments(conn, found.delivery_id, include_machines=found.include_machines)
