"""GraphQL types of segmentation."""

from __future__ import annotations

from decimal import Decimal

import strawberry

from api.graphql.leaf import leaf
from api.graphql.scalars import Long
from api.graphql.targeting.inputs import ExpressionInput
from core.targeting.language import Expression
from core.targeting.segments import Segment, Segmentation


@strawberry.input(description="A rule and a limit. Without a rule everybody meets it; without a limit all get in.")
class SegmentInput:
    """One of a segmentation."""

    code: str = strawberry.field(description="The text by which the segment is known.")
    label: str = ""
    where: ExpressionInput | None = None
    share: Decimal | None = strawberry.field(default=None, description="Per cent of the population, or of each group.")
    size: int | None = strawberry.field(default=None, description="People, of all or of each group.")
    by: ExpressionInput | None = strawberry.field(
        default=None, description="Those with the highest get in; without it they are drawn by lot."
    )
    lowest: bool = False
    per: ExpressionInput | None = strawberry.field(
        default=None, description="What the members of a group have in common; then the limit is that of each group."
    )

    def record(self) -> Segment:
        """Raises ExpressionError."""
        return Segment(
            code=self.code, label=self.label, where=_parsed(self.where), share=self.share, size=self.size,
            by=_parsed(self.by), lowest=self.lowest, per=_parsed(self.per),
        )  # fmt: skip


def _parsed(given: ExpressionInput | None) -> Expression | None:
    return None if given is None else given.parsed()


@strawberry.input(description="Segments in their order: a member is in the first that takes it, unless they may overlap.")
class SegmentationInput:
    """How a population is cut up."""

    segments: list[SegmentInput]
    overlap: bool = False
    complement: str | None = strawberry.field(default=None, description="The code of who is in no segment.")
    seed: int = strawberry.field(default=0, description="Another one draws other people.")

    def record(self) -> Segmentation:
        """Raises ExpressionError."""
        return Segmentation(
            segments=tuple(one.record() for one in self.segments), overlap=self.overlap, complement=self.complement,
            seed=self.seed,
        )  # fmt: skip


@strawberry.type(description="How many are in a segment.")
class SegmentCount:
    """Of a segmentation, in its order."""

    code: str
    label: str
    count: Long = leaf(lambda segment: Long(segment.count))
