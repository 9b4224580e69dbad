"""Rows of a dataset as the target of an import."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from core.datamodel.present import present_model
from core.db import Connection
from core.profiles.import_columns import Plan
from core.profiles.import_options import ImportTarget
from core.profiles.import_rows import Batch
from core.profiles.import_target import Destination, Stored
from core.profiles.profile_target import field_gone
from core.profiles.table_target import TableTarget
from core.transfers.datasets import Sheet, find_sheet
from core.transfers.linking import Linker
from core.transfers.store.row_chunks import RowChunks


class DatasetTarget(TableTarget):
    """Links are found first; what a file says of them may be part of a key."""

    def __init__(self, sheet: Sheet, plan: Plan):
        keys = [sheet.fields.keys[key.name] for key in plan.keys]
        self._linker = Linker(plan, sheet.ways, keys)
        self._sheet = sheet
        super().__init__(self._linker.plan, RowChunks(sheet.table, self._linker.plan), sheet.fields.noun)

    async def store(self, conn: Connection, batch: Batch, now: datetime) -> Stored:
        """As a table's. Raises Conflict (FIELD_GONE), NotFound (DATASET_NOT_FOUND) where the data model is another by now."""
        await self._check_model(conn)
        linked, refused, remarks = await self._linker.link(conn, batch)
        stored = await super().store(conn, linked, now) if linked.lines else Stored()
        written = replace(stored.written, ambiguous=stored.written.ambiguous + len({one.line for one in remarks}))
        return replace(stored, written=written, refused=[*refused, *stored.refused], remarks=[*remarks, *stored.remarks])

    async def _check_model(self, conn: Connection) -> None:
        """A field that is hidden still has its column; a key that is gone finds no single row."""
        if await present_model(conn) is self._sheet.model:
            return
        sheet = await find_sheet(conn, self._sheet.entity.name, "options.target.dataset")
        known = sheet.fields.all
        same = all(
            one.name in known and (known[one.name].type, known[one.name].column) == (one.type, one.column)
            for _, one in self.plan.fields
        )  # fmt: skip
        if not same or not all(key in sheet.fields.keys.values() for key in self.plan.keys):
            raise field_gone()
        self._sheet = sheet


async def find_dataset(conn: Connection, target: ImportTarget) -> Destination:
    """Raises NotFound (DATASET_NOT_FOUND)."""
    sheet = await find_sheet(conn, target.dataset or "", "options.target.dataset")
    return Destination(fields=sheet.fields, open=lambda runtime, run, plan: DatasetTarget(sheet, plan))
