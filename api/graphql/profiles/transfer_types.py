"""GraphQL types of imports and exports."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry

from api.graphql.leaf import leaf
from api.graphql.nodes import Node, global_id, record_of
from api.graphql.scalars import JSON, Long
from api.graphql.targeting.types import ExpressionInput
from core.ids import to_global_id
from core.profiles import records

RunState = strawberry.enum(records.RunState, name="RunState", description="The life of an import or export.")
MatchKey = strawberry.enum(records.MatchKey, name="MatchKey", description="How a row of a file finds its profile.")
EmptyCells = strawberry.enum(
    records.EmptyCells, name="EmptyCells", description="What an empty cell says about a profile that exists."
)
UnknownColumns = strawberry.enum(
    records.UnknownColumns, name="UnknownColumns", description="What to do with a column that is no field."
)


@strawberry.type(description="Why a run failed.")
class RunError:
    """A named error with a place and advice."""

    code: str
    message: str
    path: str | None
    hint: str | None


@strawberry.type(description="One file of people on its way in.")
class Import(Node):
    """An import."""

    is_type_of = record_of(records.ImportRun)

    id: strawberry.ID = global_id("Import")
    state: RunState  # type: ignore[valid-type]
    match_key: MatchKey  # type: ignore[valid-type]
    bytes_total: Long
    bytes_read: Long
    lines_read: Long
    rows: Long = strawberry.field(description="Rows so far; each is counted once below.")
    inserted: Long
    updated: Long
    unchanged: Long
    rejected: Long
    repeated: Long = strawberry.field(description="A later row has the same key, and won.")
    ambiguous: Long = strawberry.field(description="Of the updated and unchanged: several profiles had the email.")
    has_rejects: bool = leaf(
        lambda run: run.rejects_file_id is not None,
        description="Whether there is a file of refused rows. createRejectsDownload gives it while it is kept.",
    )
    error: RunError | None
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@strawberry.type(description="Profiles on their way out.")
class Export(Node):
    """An export."""

    is_type_of = record_of(records.ExportRun)

    id: strawberry.ID = global_id("Export")
    state: RunState  # type: ignore[valid-type]
    audience_id: strawberry.ID | None = leaf(
        lambda run: None if run.audience_id is None else to_global_id("Audience", run.audience_id)
    )
    expression: JSON | None
    columns: list[str]
    rows_total: Long | None
    rows_written: Long
    error: RunError | None
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@strawberry.input(description="A column of the file and the field it goes to; null leaves the column out.")
class ColumnMappingInput:
    """One column."""

    header: str
    field: str | None = None


@strawberry.input(description="How a file is read.")
class ImportOptionsInput:
    """Every option has a good default."""

    delimiter: str | None = strawberry.field(default=None, description="Found in the header when left out.")
    mapping: list[ColumnMappingInput] | None = None
    empty: EmptyCells = records.EmptyCells.KEEP  # type: ignore[valid-type]
    unknown_columns: UnknownColumns = records.UnknownColumns.REFUSE  # type: ignore[valid-type]
    lift_opt_outs: bool = strawberry.field(
        default=False, description='Whether "false" in the file may take back what a person asked for.'
    )
    unescape_formulas: bool = True
    default_country: str | None = strawberry.field(
        default=None, description="Of phone numbers without an international prefix."
    )

    def record(self) -> records.ImportOptions:
        """As the operation takes them."""
        mapping: dict[str, Any] | None = None
        if self.mapping is not None:
            mapping = {column.header: column.field for column in self.mapping}
        return records.ImportOptions(
            delimiter=self.delimiter,
            mapping=mapping,
            empty=self.empty,
            unknown_columns=self.unknown_columns,
            lift_opt_outs=self.lift_opt_outs,
            unescape_formulas=self.unescape_formulas,
            default_country=self.default_country,
        )


@strawberry.input(description="A file to come. Upload it to the address in the answer, then call startImport.")
class CreateImportInput:
    """Input of createImport."""

    file_name: str = "profiles.csv"
    match_key: MatchKey  # type: ignore[valid-type]
    options: ImportOptionsInput | None = None


@strawberry.input(description="Whom to export and which fields; everybody and every field when left out.")
class CreateExportInput:
    """Input of createExport."""

    file_name: str = "profiles.csv"
    columns: list[str] | None = None
    audience_id: strawberry.ID | None = None
    expression: ExpressionInput | None = None
