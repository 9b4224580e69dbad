"""GraphQL types of imports and exports."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

import strawberry

from api.graphql.leaf import leaf
from api.graphql.nodes import Node, aligned, global_id, link, record_of
from api.graphql.scalars import JSON, Long
from core.ids import to_global_id
from core.profiles import export_options, import_options, import_template_records, import_templates, run_records

KEYS = (
    "In place of matchKey and moreKeys: how rows find what they are about, in order. Those of MatchKey in small letters, "
    "unique keys of the data model by their names, `id`, an automatic id; of quarantine `address`."
)


RunState = strawberry.enum(run_records.RunState, name="RunState", description="The life of an import or export.")


MatchKey = strawberry.enum(run_records.MatchKey, name="MatchKey", description="How a row of a file finds its profile.")


EmptyCells = strawberry.enum(
    run_records.EmptyCells, name="EmptyCells", description="What an empty cell says about a profile that exists."
)


UnknownColumns = strawberry.enum(
    run_records.UnknownColumns, name="UnknownColumns", description="What to do with a column that is no field."
)


FileFormat = strawberry.enum(import_options.FileFormat, name="FileFormat", description="What a file is, once unpacked.")


TextCase = strawberry.enum(import_options.TextCase, name="TextCase", description="What becomes of capitals.")


OtherValues = strawberry.enum(
    import_options.OtherValues, name="OtherValues", description="What becomes of a cell that a table of values does not have."
)


OnError = strawberry.enum(import_options.OnError, name="OnError", description="What a cell costs that its field does not take.")


ExportFormat = strawberry.enum(export_options.ExportFormat, name="ExportFormat", description="What the file of an export is.")


Titles = strawberry.enum(export_options.Titles, name="Titles", description="What stands in the first line of an export.")


LineEnd = strawberry.enum(export_options.LineEnd, name="LineEnd", description="What ends a line.")


ImportMode = strawberry.enum(import_options.ImportMode, name="ImportMode", description="What is done with a row.")


ImportTargetKind = strawberry.enum(
    import_options.TargetKind, name="ImportTargetKind", description="What an import writes into."
)


@strawberry.type(description="Why a run failed.")
class RunError:
    """A named error with a place and advice."""

    code: str
    message: str
    path: str | None
    hint: str | None


TemplateStatus = strawberry.enum(
    import_template_records.TemplateStatus,
    name="TemplateStatus",
    description="Whether new imports can be made from a template.",
)


async def load_templates(context: Any, ids: list[int]) -> list[Any]:
    """Templates of imports by id."""
    async with context.lease.use() as conn:
        return aligned(ids, await import_templates.find_templates(conn, ids))


def _match_key(found: Any) -> run_records.MatchKey | None:
    known = found.match_key in set(run_records.MatchKey) and found.options.target.kind is not import_options.TargetKind.DATASET
    return run_records.MatchKey(found.match_key) if known else None


def _keys(found: Any) -> list[str]:
    return [str(key) for key in (found.match_key, *found.options.more_keys)]


def _id_of(kind: str, key: int | None) -> str | None:
    return None if key is None else to_global_id(kind, key)


@strawberry.type(description="What an import writes into.")
class ImportTarget:
    """A target."""

    kind: ImportTargetKind  # type: ignore[valid-type]
    dataset: str | None
    service_id: strawberry.ID | None = leaf(lambda target: _id_of("Service", target.service_id))
    origin: str
    confirmed: bool
    address_kind: str | None
    audience_id: strawberry.ID | None = leaf(
        lambda target: _id_of("Audience", target.audience_id), description="The list; one that is made has an id when it is."
    )
    list_name: str | None
    replace: bool


@strawberry.type(description="How files of one kind are imported.")
class ImportTemplate(Node):
    """A template of imports."""

    is_type_of = record_of(import_template_records.ImportTemplate)

    id: strawberry.ID = global_id("ImportTemplate")
    name: str
    label: str
    description: str
    match_key: MatchKey | None = leaf(_match_key, description="Null where it is none of these.")  # type: ignore[valid-type]
    keys: list[str] = leaf(_keys, description="By which rows find what they are about, in order.")
    options: JSON = leaf(
        lambda template: asdict(template.options),
        description="As they are kept: what ImportOptionsInput names, in small letters.",
    )
    sample: str = strawberry.field(description="A small file that loads; empty where there is none.")
    status: TemplateStatus  # type: ignore[valid-type]
    version: int
    created_by: str
    created_at: datetime
    updated_at: datetime


@strawberry.type(description="One file on its way in.")
class Import(Node):
    """An import."""

    is_type_of = record_of(run_records.ImportRun)

    id: strawberry.ID = global_id("Import")
    state: RunState  # type: ignore[valid-type]
    target: ImportTarget = leaf(lambda run: run.options.target)
    match_key: MatchKey | None = leaf(_match_key, description="Null where it is none of these.")  # type: ignore[valid-type]
    keys: list[str] = leaf(_keys, description="By which rows find what they are about, in order.")
    bytes_total: Long
    bytes_read: Long
    lines_read: Long
    rows: Long = strawberry.field(description="Rows so far; each is counted once below.")
    inserted: Long
    updated: Long
    unchanged: Long
    deleted: Long
    skipped: Long = strawberry.field(
        description="The mode does nothing with them: whom it should add is there, or whom it should change is not."
    )
    rejected: Long
    repeated: Long = strawberry.field(description="A later row has the same key, and won.")
    ambiguous: Long = strawberry.field(description="Of the updated and unchanged: several profiles had the email.")
    template: ImportTemplate | None = link(load_templates, lambda run: run.template_id)
    mode: ImportMode = leaf(lambda run: run.options.mode)  # type: ignore[valid-type]
    dry_run: bool = leaf(lambda run: run.options.dry_run, description="The counts are what would happen; nothing of it did.")
    header: list[str] | None = strawberry.field(description="What the columns of the file are called, once it was read.")
    has_rejects: bool = leaf(
        lambda run: run.rejects_file_id is not None,
        description="Whether there is a file of refused rows. createRejectsDownload gives it while it is kept.",
    )
    error: RunError | None
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@strawberry.type(description="A row that was refused, or a remark on one that was not.")
class ImportReject:
    """As in the file of refused rows."""

    line: Long = strawberry.field(description="From 1, the header included.")
    column: str
    code: str
    reason: str = leaf(lambda reject: reject.message)
    row: str = leaf(lambda reject: reject.row_text, description="As it stands in the file, its first 10,000 characters.")


@strawberry.type(description="A row that cannot be read.")
class UnreadableRow:
    """Of a preview."""

    line: Long
    code: str
    message: str
    text: str


@strawberry.type(description="The first rows of an uploaded file, as they stand in it.")
class ImportPreview:
    """A preview."""

    header: list[str]
    fields: list[str | None] = strawberry.field(description="The field of each column; null for one that is left out.")
    rows: list[list[str]]
    unreadable: list[UnreadableRow] = leaf(lambda preview: preview.bad)


@strawberry.type(description="Rows on their way out.")
class Export(Node):
    """An export."""

    is_type_of = record_of(run_records.ExportRun)

    id: strawberry.ID = global_id("Export")
    state: RunState  # type: ignore[valid-type]
    audience_id: strawberry.ID | None = leaf(
        lambda run: None if run.audience_id is None else to_global_id("Audience", run.audience_id)
    )
    expression: JSON | None
    time_zone: str = strawberry.field(description="Whose days the question and computed columns mean.")
    dimension: str = strawberry.field(description="What a row is: profile, a dataset, message, …")
    columns: list[str]
    computed: JSON = strawberry.field(description="The expressions of columns that are no fields, by their names.")
    format: ExportFormat = leaf(lambda run: run.options.format)  # type: ignore[valid-type]
    rows_total: Long | None
    rows_written: Long
    error: RunError | None
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
