"""Reads of rows of datasets."""

from __future__ import annotations

from typing import Any

import strawberry

from api.context import Info
from api.graphql.connections import Listing, requested_page
from api.graphql.leaf import field
from api.graphql.rows.pages import listed
from api.graphql.rows.types import DatasetRow, DatasetRowConnection, RowKeyInput, RowOrderInput
from api.graphql.targeting.inputs import ExpressionInput
from api.graphql.targeting.types import zone_of
from core.rows import listing


async def rows_listing(
    info: Info,
    dataset: str,
    where: ExpressionInput | None,
    order_by: RowOrderInput | None,
    time_zone: str | None,
    first: int | None,
    after: str | None,
) -> Listing:
    """A page of rows of a dataset, with a count for whoever asks."""
    context, zone = info.context, zone_of(time_zone)
    size = requested_page(info, first, None).first
    order = listing.BY_ID if order_by is None else order_by.order()
    async with context.lease.ask() as conn:
        checked = None if where is None else await listing.open_question(conn, dataset, where.parsed())
        page = await listing.list_rows(
            conn, dataset, where=checked, order=order, first=size, after=after, at=context.now, zone=zone
        )  # fmt: skip
    counted = context.counted(listing.count_rows, dataset=dataset, where=checked, at=context.now, zone=zone)
    return listed(page, counted, after)


@strawberry.type
class RowsQuery:
    """Rows of datasets."""

    @field(DatasetRow | None)
    async def dataset_row(self, info: Info, dataset: str, row: RowKeyInput) -> Any:
        """A row of a published dataset; null when it is not there."""
        async with info.context.lease.use() as conn:
            return await listing.find_row(conn, dataset, row.reference())

    @field(DatasetRowConnection)
    async def dataset_rows(
        self,
        info: Info,
        dataset: str,
        where: ExpressionInput | None = None,
        order_by: RowOrderInput | None = None,
        time_zone: str | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> Listing:
        """Rows of a published dataset for which an expression holds, about their own fields and links; by default all, in the
        order of their creation."""
        return await rows_listing(info, dataset, where, order_by, time_zone, first, after)
