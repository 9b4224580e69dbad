"""GraphQL types of comparisons between a delivery's target and those held back."""

from __future__ import annotations

from datetime import datetime

import strawberry

from api.graphql.leaf import leaf
from api.graphql.targeting.inputs import ExpressionInput, parsed
from core.reporting import records

ComparisonGroup = strawberry.enum(
    records.Group,
    name="ComparisonGroup",
    description="TARGET: whom nothing kept from the message before it was sent, whatever became of it.",
)


@strawberry.input(description="What a delivery is to bring about: rows linked to people, in the days after it started.")
class ConversionInput:
    """What counts."""

    link: str = strawberry.field(description="The name of a link of profiles to many rows: a dataset's, or of business events.")
    days: int = strawberry.field(description="1 to 365, from the start of the delivery.")
    where: ExpressionInput | None = strawberry.field(default=None, description="Asked of each row.")
    time: str | None = strawberry.field(default=None, description="The rows' field that says when, where it is not known.")
    value: str | None = strawberry.field(default=None, description="The rows' field with a number to be added up.")

    def conversion(self) -> records.Conversion:
        """Raises ExpressionError."""
        return records.Conversion(link=self.link, days=self.days, where=parsed(self.where), time=self.time, value=self.value)


@strawberry.type(description="What one side of a comparison did.")
class GroupResult:
    """A side."""

    group: ComparisonGroup  # type: ignore[valid-type]
    people: int
    converted: int = strawberry.field(description="Who have such a row at least.")
    rate: float | None
    value: float | None = strawberry.field(description="Of all of them together.")
    value_per_person: float | None


@strawberry.type(description="How much more the target did than a baseline; null where there is nothing to divide by.")
class Lift:
    """A difference and how sure it is."""

    baseline: ComparisonGroup  # type: ignore[valid-type]
    difference: float | None = strawberry.field(description="Of shares: 0.02 is two points.")
    low: float | None = strawberry.field(description="In 95 of 100 cases the difference is larger than this …")
    high: float | None = strawberry.field(description="… and smaller than this.")
    relative: float | None = strawberry.field(description="Of the baseline's share: 0.5 is half as much again.")
    p_value: float | None = strawberry.field(description="How likely chance alone makes as large a difference.")
    additional: float | None = strawberry.field(description="Conversions that the delivery brought about.")


@strawberry.type(description="A delivery's target beside those who were held back from it. Sides without anybody are left out.")
class Comparison:
    """A comparison."""

    starts_at: datetime
    ends_at: datetime
    groups: list[GroupResult] = leaf(lambda comparison: list(comparison.groups))
    lifts: list[Lift] = leaf(lambda comparison: list(comparison.lifts))
