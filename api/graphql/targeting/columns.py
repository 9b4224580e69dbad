"""GraphQL types of the columns that members bring along."""

from __future__ import annotations

from typing import Any

import strawberry

from api.context import RequestContext
from api.graphql.targeting.inputs import ExpressionInput, ValueKind
from core.targeting import audience_files, external_segments, store
from core.targeting.enrichment import ComputedColumn


@strawberry.type(description="A column that the members of a list or a file bring along.")
class MemberColumn:
    """Read in questions as audience_column('audience', 'column')."""

    name: str
    label: str
    kind: ValueKind  # type: ignore[valid-type]
    personal: bool = strawberry.field(description="Whether its values go when a person is erased.")


@strawberry.input(description="A column and the expression of its values, computed for each member now.")
class MemberColumnInput:
    """One column."""

    name: str
    label: str
    expression: ExpressionInput
    personal: bool = True


def columns_of(given: list[MemberColumnInput] | None) -> list[ComputedColumn]:
    """As the operation takes them. Raises ExpressionError."""
    return [
        ComputedColumn(name=one.name, label=one.label, expression=one.expression.parsed(), personal=one.personal)
        for one in given or []
    ]


async def load_columns(context: RequestContext, ids: list[int]) -> list[Any]:
    """The columns of audiences, by their ids."""
    async with context.lease.use() as conn:
        found = await store.list_columns(conn, ids)
    return [found[one] for one in ids]


async def load_files(context: RequestContext, ids: list[int]) -> list[Any]:
    """The files of audiences, by their ids."""
    async with context.lease.use() as conn:
        found = await audience_files.find_audience_files(conn, ids)
    return [found.get(one) for one in ids]


async def load_segments(context: RequestContext, ids: list[int]) -> list[Any]:
    """What outside systems fill, by the ids of audiences."""
    async with context.lease.use() as conn:
        found = await external_segments.find_segments(conn, ids)
    return [found.get(one) for one in ids]
