"""What imports, their templates and exports are given."""

from __future__ import annotations

from typing import Any

import strawberry

from api.graphql.mutations import once
from api.graphql.nodes import optional_id
from api.graphql.profiles.transfer_types import (
    KEYS,
    EmptyCells,
    ExportFormat,
    FileFormat,
    ImportMode,
    ImportTargetKind,
    LineEnd,
    MatchKey,
    OnError,
    OtherValues,
    TemplateStatus,
    TextCase,
    Titles,
    UnknownColumns,
)
from api.graphql.targeting.inputs import ExpressionInput
from core.profiles import export_options, import_options, run_records


@strawberry.input(description="A column of the file and the field it goes to; null leaves the column out.")
class ColumnMappingInput:
    """One column."""

    header: str
    field: str | None = None


@strawberry.input(description="A column of a file of fixed width.")
class FixedColumnInput:
    """A column by its characters."""

    name: str
    width: int = strawberry.field(description="In characters.")


@strawberry.input(description="How the bytes of a file become rows. gzip and zip files are unpacked in any case.")
class FileShapeInput:
    """Every option has a good default."""

    format: FileFormat | None = strawberry.field(  # type: ignore[valid-type]
        default=None, description="Found by the first bytes when left out."
    )
    encoding: str | None = strawberry.field(
        default=None, description="Such as latin-1 or windows-1252. Left out: by the byte order mark, else UTF-8."
    )
    quote: str | None = strawberry.field(default='"', description="Null: no cell is quoted.")
    escape: str | None = strawberry.field(default=None, description="What takes the next character as it is.")
    header: bool = strawberry.field(default=True, description="Without a header columns are called 1, 2, 3, …")
    skip_lines: int = strawberry.field(default=0, description="Lines before the header.")
    fixed_columns: list[FixedColumnInput] = strawberry.field(default_factory=list)
    entry: str | None = strawberry.field(default=None, description="Of a zip file; the first when left out.")
    sheet: str | None = strawberry.field(default=None, description="Of a workbook; the first when left out.")

    def record(self) -> import_options.FileShape:
        """As the operation takes it."""
        fixed = tuple(import_options.FixedColumn(name=one.name, width=one.width) for one in self.fixed_columns)
        return import_options.FileShape(**{**vars(self), "fixed_columns": fixed})


@strawberry.input(description="A cell and what it stands for.")
class CellValueInput:
    """One line of a table of values."""

    cell: str
    value: str


@strawberry.input(description="What is done to the cells of a column before its field reads them, in the order of these lines.")
class ColumnRuleInput:
    """One column."""

    column: str = strawberry.field(description="As the header calls it.")
    collapse_blanks: bool = strawberry.field(default=False, description="Blanks at the ends go in any case.")
    nulls: list[str] = strawberry.field(default_factory=list, description="Texts that stand for nothing.")
    case: TextCase = import_options.TextCase.KEEP  # type: ignore[valid-type]
    values: list[CellValueInput] | None = None
    other_values: OtherValues = import_options.OtherValues.KEEP  # type: ignore[valid-type]
    date_format: str | None = strawberry.field(default=None, description="DD/MM/YYYY, or as in strptime: %d/%m/%Y.")
    time_zone: str | None = strawberry.field(default=None, description="Of times without an offset; UTC when left out.")
    decimal_mark: str | None = None
    thousands_mark: str | None = None
    default: str | None = strawberry.field(default=None, description="Of an empty cell.")
    required: bool = strawberry.field(default=False, description="An empty cell refuses the row.")
    on_error: OnError = import_options.OnError.REFUSE_ROW  # type: ignore[valid-type]

    def record(self, path: str) -> import_options.ColumnRule:
        """As the operation takes it. Raises Invalid (REPEATED)."""
        values = None if self.values is None else once(((one.cell, one.value) for one in self.values), f"{path}.values")
        return import_options.ColumnRule(**{**vars(self), "nulls": tuple(self.nulls), "values": values})


@strawberry.input(description="A field that has the same cell in every row.")
class ConstantInput:
    """One constant."""

    field: str
    value: str


@strawberry.input(description="What an import writes into. What is not of its kind is left out.")
class ImportTargetInput:
    """A target."""

    kind: ImportTargetKind  # type: ignore[valid-type]
    dataset: str | None = strawberry.field(default=None, description="The name of a published dataset.")
    service_id: strawberry.ID | None = strawberry.field(
        default=None, description="Of subscriptions; left out: the column `service` names it."
    )
    origin: str = strawberry.field(default="", description="Of subscriptions whose row does not say.")
    confirmed: bool = strawberry.field(default=False, description="Subscriptions are active, also where a service asks.")
    address_kind: str | None = strawberry.field(
        default=None, description="Of quarantine, such as email; left out: the column `kind` says it."
    )
    audience_id: strawberry.ID | None = strawberry.field(default=None, description="A list; left out: one is made.")
    list_name: str | None = strawberry.field(
        default=None, description="Of a list that is made; left out: the file's, with the time."
    )
    replace: bool = strawberry.field(default=False, description="Of a list: who is not in the file is on it no longer.")

    def record(self) -> import_options.ImportTarget:
        """As the operation takes it."""
        ids = {
            "service_id": optional_id("Service", self.service_id, "options.target.serviceId"),
            "audience_id": optional_id("Audience", self.audience_id, "options.target.audienceId"),
        }
        return import_options.ImportTarget(**{**vars(self), **ids})


@strawberry.input(description="How a file is read.")
class ImportOptionsInput:
    """Every option has a good default."""

    delimiter: str | None = strawberry.field(default=None, description="Found in the header when left out.")
    mapping: list[ColumnMappingInput] | None = None
    empty: EmptyCells = run_records.EmptyCells.KEEP  # type: ignore[valid-type]
    unknown_columns: UnknownColumns = run_records.UnknownColumns.REFUSE  # type: ignore[valid-type]
    lift_opt_outs: bool = strawberry.field(
        default=False, description='Whether "false" in the file may take back what a person asked for.'
    )
    unescape_formulas: bool = True
    default_country: str | None = strawberry.field(
        default=None, description="Of phone numbers without an international prefix."
    )
    file: FileShapeInput | None = None
    columns: list[ColumnRuleInput] = strawberry.field(default_factory=list)
    constants: list[ConstantInput] = strawberry.field(default_factory=list)
    nulls: list[str] = strawberry.field(default_factory=list, description="Texts that stand for nothing in every column.")
    mode: ImportMode = import_options.ImportMode.INSERT_OR_UPDATE  # type: ignore[valid-type]
    more_keys: list[MatchKey] = strawberry.field(  # type: ignore[valid-type]
        default_factory=list, description="Tried in this order where the key before found nobody."
    )
    expected_columns: list[str] | None = strawberry.field(
        default=None, description="The file has these and no others, in whatever order; as a sample file has them."
    )
    dry_run: bool = strawberry.field(default=False, description="Count what would happen, and store nothing.")
    most_rejects: int | None = strawberry.field(
        default=None, description="Stop after the batch with which more rows than this are refused."
    )

    target: ImportTargetInput | None = strawberry.field(default=None, description="Profiles when left out.")

    def record(self) -> run_records.ImportOptions:
        """As the operation takes them. Raises Invalid (REPEATED)."""
        mapping: dict[str, Any] | None = None
        if self.mapping is not None:
            mapping = once(((column.header, column.field) for column in self.mapping), "options.mapping")
        return run_records.ImportOptions(
            delimiter=self.delimiter,
            mapping=mapping,
            empty=self.empty,
            unknown_columns=self.unknown_columns,
            lift_opt_outs=self.lift_opt_outs,
            unescape_formulas=self.unescape_formulas,
            default_country=self.default_country,
            file=self.file.record() if self.file is not None else import_options.FileShape(),
            columns=tuple(one.record(f"options.columns.{n}") for n, one in enumerate(self.columns)),
            constants=once(((one.field, one.value) for one in self.constants), "options.constants"),
            nulls=tuple(self.nulls),
            mode=self.mode,
            more_keys=tuple(self.more_keys),
            expected_columns=None if self.expected_columns is None else tuple(self.expected_columns),
            dry_run=self.dry_run,
            most_rejects=self.most_rejects,
            target=self.target.record() if self.target is not None else import_options.ImportTarget(),
        )


@strawberry.input(description="A file to come. Upload it to the address in the answer, then call startImport.")
class CreateImportInput:
    """Input of createImport."""

    file_name: str = "profiles.csv"
    match_key: MatchKey | None = strawberry.field(  # type: ignore[valid-type]
        default=None, description="Left out where keys or a template are given."
    )
    keys: list[str] | None = strawberry.field(default=None, description=KEYS)
    options: ImportOptionsInput | None = strawberry.field(default=None, description="Left out where a template is given.")
    template_id: strawberry.ID | None = None
    dry_run: bool = strawberry.field(default=False, description="As the option of this name, with a template too.")


@strawberry.input(description="How files of a kind are imported. With options.expectedColumns they are tried at once.")
class CreateImportTemplateInput:
    """Input of createImportTemplate."""

    name: str
    label: str
    description: str = ""
    match_key: MatchKey | None = None  # type: ignore[valid-type]
    keys: list[str] | None = strawberry.field(default=None, description=KEYS)
    options: ImportOptionsInput | None = None
    sample: str = strawberry.field(default="", description="A small text file that loads. It is tried at once.")


@strawberry.input(description="What is to change; fields left out stay.")
class UpdateImportTemplateInput:
    """Input of updateImportTemplate."""

    id: strawberry.ID
    expected_version: int | None = None
    name: strawberry.Maybe[str]
    label: strawberry.Maybe[str]
    description: strawberry.Maybe[str]
    match_key: strawberry.Maybe[MatchKey]  # type: ignore[valid-type]
    keys: list[str] | None = strawberry.field(default=None, description=f"{KEYS} With options only.")
    options: strawberry.Maybe[ImportOptionsInput]
    sample: strawberry.Maybe[str]
    status: strawberry.Maybe[TemplateStatus]  # type: ignore[valid-type]


@strawberry.input(description="How a file is written. What is not said of a format counts for CSV only.")
class ExportOptionsInput:
    """Every option has a good default."""

    format: ExportFormat = export_options.ExportFormat.CSV  # type: ignore[valid-type]
    titles: Titles = strawberry.field(  # type: ignore[valid-type]
        default=export_options.Titles.NAMES, description="Of all but JSON Lines and Parquet."
    )
    delimiter: str = ","
    quote: str = '"'
    quote_all: bool = False
    widths: list[int] = strawberry.field(
        default_factory=list, description="Of fixed width: the number of characters of each column, in their order."
    )
    cut: bool = strawberry.field(
        default=False, description="Cut what is longer than its column of fixed width. Else it fails the export."
    )
    encoding: str = strawberry.field(default="utf-8", description="Of CSV and fixed width.")
    line_end: LineEnd = strawberry.field(  # type: ignore[valid-type]
        default=export_options.LineEnd.LF, description="Of CSV and fixed width."
    )
    gzip: bool = strawberry.field(default=False, description="Of all but workbooks and Parquet.")
    zip: bool = strawberry.field(default=False, description="In place of gzip: an archive with the one file.")
    escape_formulas: bool = strawberry.field(default=True, description="A ' before what a spreadsheet would compute.")
    refuse_empty: bool = strawberry.field(default=False, description="Fail where there is nobody to write.")

    def record(self) -> export_options.ExportOptions:
        """As the operation takes them."""
        return export_options.ExportOptions(**vars(self) | {"widths": tuple(self.widths)})


@strawberry.input(description="A column that an expression computes.")
class ComputedColumnInput:
    """One column."""

    name: str
    expression: ExpressionInput = strawberry.field(description="About a row of the dimension: a value, or a condition.")


@strawberry.input(description="Which rows to export and which fields; all and every field when left out.")
class CreateExportInput:
    """Input of createExport."""

    file_name: str | None = strawberry.field(default=None, description="By the format when left out.")
    dimension: str = strawberry.field(
        default="profile", description="What a row is: profile, a dataset, message, or any other entity of questions."
    )
    columns: list[str] | None = strawberry.field(
        default=None, description="Fields in their order. A computed column stands where it is named here, else behind them."
    )
    computed: list[ComputedColumnInput] = strawberry.field(default_factory=list)
    audience_id: strawberry.ID | None = None
    expression: ExpressionInput | None = None
    time_zone: str | None = strawberry.field(
        default=None, description="Whose days the question and computed columns mean; UTC when left out."
    )
    options: ExportOptionsInput | None = None
