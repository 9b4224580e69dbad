"""GraphQL types of reports, read off their records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import strawberry

from api.context import Info
from api.graphql.connections import ForwardPage, Listing, decode_pair, encode_pair, requested_page
from api.graphql.content.types import TrackingMode
from api.graphql.leaf import field, leaf
from api.graphql.profiles.types import FailureReason
from api.graphql.scalars import JSON
from core.errors import Invalid
from core.paging import Page
from core.reporting import records
from core.reporting.metrics import METRICS
from core.reporting.metrics import Unit as UnitEnum
from core.reporting.sending_log import ValueCursor, report_field, report_segments

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


@strawberry.type(description="What became of some of a delivery's people.")
class PeopleOutcome:
    """Figures."""

    targeted: int
    excluded: int
    sent: int = strawberry.field(description="Accepted, and failed after hand-over.")
    accepted: int
    failed: int
    opened: int = strawberry.field(description="People who did anything at all with the message.")
    clicked: int = strawberry.field(description="People who clicked any link.")


@strawberry.type(description="What became of the people of one value of a field.")
class ValueOutcome(PeopleOutcome):
    """A value."""

    value: JSON = strawberry.field(description="As the sending log keeps it: enumerations by their names.")


@strawberry.type(description="What became of the people of several values together.")
class RestOutcome(PeopleOutcome):
    """The rest."""

    values: int = strawberry.field(description="How many there are.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _ByField(Listing):
    """The values of a page with those beside it."""

    report: records.FieldReport


@strawberry.type(description="What became of a delivery's people by the value of a field; the largest value first.")
class FieldReport(ForwardPage[ValueOutcome]):
    """A page of values."""

    nothing: PeopleOutcome = leaf(
        lambda listing: listing.report.nothing, description="Those without a value, and people who were erased."
    )
    rest: RestOutcome = leaf(lambda listing: listing.report.rest, description="The values behind this page, together.")


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
        async with info.context.lease.ask() as conn:
            return await report_segments(conn, found.delivery_id, include_machines=found.include_machines)

    @field(FieldReport)
    async def by_field(
        root: strawberry.Parent[Any], info: Info, field: str, first: int | None = None, after: str | None = None
    ) -> Any:
        """By the value of a field that the sending log keeps, as it was when the delivery was prepared. Like `segments` it
        reads the delivery's whole ledger."""
        found: records.DeliveryReport = root
        size, started = requested_page(info, first, None).first, None if after is None else _cursor(after)
        async with info.context.lease.ask() as conn:
            told = await report_field(
                conn, found.delivery_id, field, first=size, after=started, include_machines=found.include_machines
            )
        page = Page(rows=told.values, has_next=told.rest.values > 0)
        return _ByField(page, None, lambda one: encode_pair(str(one.cursor[0]), one.cursor[1]), started, report=told)


def _cursor(after: str) -> ValueCursor:
    number, value = decode_pair(after)
    if not (number.isascii() and number.isdigit() and len(number) < 20):
        raise Invalid("this is not a cursor", code="BAD_CURSOR", path="after", hint="Pass an `endCursor` as it came.")
    return int(number), value
