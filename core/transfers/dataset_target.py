"""Rows of a dataset as the target of an import."""

from __future__ import annotations

from datetime import datetime

from core.datamodel.present import present_model
from core.datamodel.records import AUDIT_KINDS, FieldKind
from core.db import Connection
from core.profiles.import_columns import Plan
from core.profiles.import_options import ImportTarget
from core.profiles.import_rows import Batch
from core.profiles.import_target import Destination, Stored
from core.profiles.profile_target import field_gone
from core.profiles.table_target import TableTarget
from core.transfers.datasets import Sheet, find_sheet
from core.transfers.linking import LinkedTarget, Linker
from core.transfers.store.row_chunks import Audited, RowChunks


class DatasetTarget(LinkedTarget):
    """Links are found first; what a file says of them may be part of a key."""

    def __init__(self, sheet: Sheet, plan: Plan, actor: str):
        linker = Linker(plan, sheet.ways, [sheet.fields.keys[key.name] for key in plan.keys])
        self.plan = linker.plan
        self._sheet = sheet
        self._actor = actor
        super().__init__(linker, self._table(sheet))

    async def store(self, conn: Connection, batch: Batch, now: datetime) -> Stored:
        """As a table's. Raises Conflict (FIELD_GONE), NotFound (DATASET_NOT_FOUND) where the data model is another by now."""
        await self._check_model(conn)
        return await super().store(conn, batch, now)

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
        self._sheet, self._inner = sheet, self._table(sheet)

    def _table(self, sheet: Sheet) -> TableTarget:
        audited = Audited(actor=self._actor, created=sheet.audited(AUDIT_KINDS), changed=sheet.audited({FieldKind.CHANGED_BY}))
        return TableTarget(self.plan, RowChunks(sheet.table, self.plan, audited), sheet.fields.noun)


async def find_dataset(conn: Connection, target: ImportTarget) -> Destination:
    """Raises NotFound (DATASET_NOT_FOUND)."""
    sheet = await find_sheet(conn, target.dataset or "", "options.target.dataset")
    return Destination(fields=sheet.fields, open=lambda runtime, run, plan: DatasetTarget(sheet, plan, run.created_by))
