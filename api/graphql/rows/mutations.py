"""Writes of rows of datasets: parse, call one operation, return its records."""

from __future__ import annotations

from collections import Counter
from typing import Any

import strawberry

from api.context import Info
from api.graphql.mutations import mutation
from api.graphql.rows.types import (
    ChangeDatasetLinksInput,
    CreateDatasetRowInput,
    DatasetPairOutcome,
    DatasetRow,
    DatasetRowOutcome,
    RowKeyInput,
    RowStatus,
    SaveDatasetRowsInput,
    UpdateDatasetRowInput,
    UpsertDatasetRowInput,
    saved,
)
from api.graphql.scalars import json_object
from core.rows import deleting, pairs, writing
from core.rows.records import RowStatus as Status
from core.rows.records import SentRow


@strawberry.type
class RowsMutation:
    """Rows of datasets."""

    @mutation(row=DatasetRow, status=RowStatus)
    async def create_dataset_row(self, info: Info, input: CreateDatasetRowInput) -> Any:
        """A new row of a published dataset."""
        context, sent = info.context, SentRow(values=json_object(input.values, "values"))
        return saved(await writing.create_row(context.conn, context.actor, input.dataset, sent, now=context.now))

    @mutation(row=DatasetRow, status=RowStatus)
    async def update_dataset_row(self, info: Info, input: UpdateDatasetRowInput) -> Any:
        """Change fields and links of a row."""
        context = info.context
        return saved(await writing.update_row(context.conn, context.actor, input.dataset, input.sent(), now=context.now))

    @mutation(row=DatasetRow, status=RowStatus)
    async def upsert_dataset_row(self, info: Info, input: UpsertDatasetRowInput) -> Any:
        """Change the row that is there by a unique key, or create it."""
        context = info.context
        sent = SentRow(values=json_object(input.values, "values"), expected_updated_at=input.expected_updated_at)
        return saved(
            await writing.upsert_row(context.conn, context.actor, input.dataset, sent, now=context.now, key=input.key)
        )  # fmt: skip

    @mutation(row=DatasetRow)
    async def delete_dataset_row(self, info: Info, dataset: str, row: RowKeyInput) -> Any:
        """Delete a row, and what belongs to it by a link that says so."""
        context = info.context
        return (await deleting.delete_row(context.conn, context.actor, dataset, row.reference())).row

    @mutation(outcomes=list[DatasetRowOutcome], created=int, updated=int, unchanged=int, rejected=int)
    async def save_dataset_rows(self, info: Info, input: SaveDatasetRowsInput) -> Any:
        """Create, change or upsert a set of rows at once. Each is saved, or rejected with its reasons."""
        context = info.context
        sent = [one.sent(f"rows.{index}.values") for index, one in enumerate(input.rows)]
        outcomes = await writing.write_rows(
            context.conn, context.actor, input.dataset, sent, mode=input.mode, now=context.now, key=input.key
        )
        counts = Counter(one.status for one in outcomes)
        told = (Status.CREATED, Status.UPDATED, Status.UNCHANGED, Status.REJECTED)
        return {"outcomes": outcomes, **{status.value: counts[status] for status in told}}

    @mutation(outcomes=list[DatasetRowOutcome], deleted=int, rejected=int)
    async def delete_dataset_rows(self, info: Info, dataset: str, rows: list[RowKeyInput]) -> Any:
        """Delete a set of rows at once, up to 1,000. Each is deleted, or rejected with its reason."""
        context = info.context
        outcomes = await deleting.delete_rows(context.conn, context.actor, dataset, [one.reference() for one in rows])
        deleted = sum(one.status is Status.DELETED for one in outcomes)
        return {"outcomes": outcomes, "deleted": deleted, "rejected": len(outcomes) - deleted}

    @mutation(added=list[DatasetPairOutcome], removed=list[DatasetPairOutcome])
    async def change_dataset_links(self, info: Info, input: ChangeDatasetLinksInput) -> Any:
        """Add and remove pairs of a link between many and many."""
        context = info.context
        added, removed = await pairs.change_pairs(
            context.conn, context.actor, input.dataset, input.link, add=[one.pair() for one in input.add],
            remove=[one.pair() for one in input.remove],
        )  # fmt: skip
        return {"added": added, "removed": removed}
