"""Files of people on their way out: asked for, watched, cancelled, downloaded. `export_runner` does the work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from core import files as stored_files
from core.access import Actor, Permission, require
from core.audit import record
from core.authored import not_found
from core.db import Connection
from core.errors import Conflict, IllegalMove, Invalid
from core.files import FileKind, Files, Ticket
from core.outbox import announce
from core.paging import Page, PageRequest, cut
from core.profiles.export_options import ExportOptions, check_export_options
from core.profiles.fields import Field
from core.profiles.run_records import ExportContent, ExportRun, RunState
from core.profiles.store import exports as store
from core.profiles.team_fields import present_fields

SELECTION_RESOURCE = "profiles.selection"


@dataclass(frozen=True, slots=True)
class Selection:
    """A SELECT with a column `id` that says whom an export holds, with its bound values."""

    text: str
    args: Sequence[Any]


# How an export with an audience or an expression finds its people: a later room knows, and whoever opens the runtime puts
# its function into `runtime.resources[SELECTION_RESOURCE]`.
Select = Callable[[Connection, ExportRun, datetime], Awaitable[Selection]]


async def create_export(
    conn: Connection,
    actor: Actor,
    files: Files,
    *,
    file_name: str | None = None,
    columns: Sequence[str] | None = None,
    audience_id: int | None = None,
    expression: Any = None,
    options: ExportOptions | None = None,
    now: datetime,
) -> ExportRun:
    """Begin to write all profiles, an audience's or an expression's; `columns` None: all fields; `options` None: as CSV.

    Raises Invalid (UNKNOWN_FIELD, DUPLICATE_FIELD, NO_COLUMNS, TWO_SELECTIONS, and as `check_export_options` does).
    """
    fields = (await present_fields(conn)).all
    chosen = _check_columns(tuple(fields) if columns is None else tuple(columns), fields)
    content = ExportContent(columns=chosen, audience_id=audience_id, expression=expression)
    return await begin_export(conn, actor, files, content, file_name=file_name, options=options, now=now)


async def begin_export(
    conn: Connection,
    actor: Actor,
    files: Files,
    content: ExportContent,
    *,
    file_name: str | None = None,
    options: ExportOptions | None = None,
    now: datetime,
) -> ExportRun:
    """Begin to write what is known to be there. Raises Invalid (TWO_SELECTIONS, and as `check_export_options` does)."""
    require(actor, Permission.EXPORT)
    options = options or ExportOptions()
    check_export_options(options, len(content.columns))
    file_name = file_name or f"{content.dimension}s{options.suffix}"
    if content.audience_id is not None and content.expression is not None:
        raise Invalid("give an audience or an expression, not both", code="TWO_SELECTIONS", path="expression")
    location = files.new_location(file_name)
    file = await stored_files.create_file(conn, FileKind.EXPORT, file_name, location, actor.name)
    run = await store.insert_run(conn, file.id, content, options, actor.name, now)
    told = {  # a question or an expression may quote a person: the run has them, and forgets them
        "dimension": {"from": None, "to": content.dimension}, "columns": {"from": None, "to": list(content.columns)},
        "computed": {"from": None, "to": sorted(content.computed)}, "audience_id": {"from": None, "to": content.audience_id},
        "format": {"from": None, "to": options.format.value}, "time_zone": {"from": None, "to": content.time_zone},
    }  # fmt: skip
    await record(conn, actor, "export.create", "export", run.id, told)
    await announce(conn, "export.ready", export_id=run.id)
    return run


async def cancel_export(conn: Connection, actor: Actor, export_id: int, now: datetime) -> ExportRun:
    """Stop it; nothing can be downloaded. Again: no change. Raises NotFound, IllegalMove when it has ended."""
    require(actor, Permission.EXPORT)
    run = await store.lock_run(conn, export_id)
    if run is None:
        raise not_found("export", export_id)
    if run.state is RunState.CANCELLED:
        return run
    if run.state not in (RunState.READY, RunState.RUNNING):
        raise IllegalMove(f"an export that is {run.state.value} cannot be cancelled", path="export_id")
    cancelled = await store.end_run(conn, export_id, RunState.CANCELLED, now)
    await stored_files.let_go(conn, run.file_id, now)
    await record(conn, actor, "export.cancel", "export", export_id)
    return cancelled


async def get_export(conn: Connection, export_id: int) -> ExportRun:
    """Raises NotFound (EXPORT_NOT_FOUND)."""
    run = await store.find_run(conn, export_id)
    if run is None:
        raise not_found("export", export_id)
    return run


async def get_exports(conn: Connection, ids: Sequence[int]) -> dict[int, ExportRun]:
    """Those of the given exports that exist, by id."""
    return {run.id: run for run in await store.get_runs(conn, ids)} if ids else {}


async def list_exports(conn: Connection, page: PageRequest) -> Page[ExportRun]:
    """A page in the order of ids."""
    return cut(await store.list_runs(conn, page.after, page.first + 1), page)


async def count_exports(conn: Connection) -> int:
    """How many there are."""
    return await store.count_runs(conn)


async def issue_download_ticket(conn: Connection, actor: Actor, export_id: int, now: datetime) -> Ticket:
    """The right to download the file once; audited. Raises NotFound (also FILE_REMOVED), Conflict (EXPORT_NOT_FINISHED)."""
    require(actor, Permission.EXPORT)
    run = await get_export(conn, export_id)
    if run.state is not RunState.FINISHED:
        raise Conflict(
            f"the export is {run.state.value}", code="EXPORT_NOT_FINISHED", path="export_id", hint="Wait until it is finished.",
        )  # fmt: skip
    await record(conn, actor, "export.download", "export", export_id)
    return await stored_files.issue_ticket(conn, run.file_id, "read", now, "export_id")


def _check_columns(columns: tuple[str, ...], fields: Mapping[str, Field]) -> tuple[str, ...]:
    if not columns:
        raise Invalid("an export needs a column", code="NO_COLUMNS", path="columns")
    for position, name in enumerate(columns):
        path = f"columns.{position}"
        if name not in fields:
            near = get_close_matches(name, fields, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Fields: {', '.join(fields)}."
            raise Invalid(f"a profile has no field {name[:80]!r}", code="UNKNOWN_FIELD", path=path, hint=hint)
        if name in columns[:position]:
            raise Invalid(f"the field {name!r} is named twice", code="DUPLICATE_FIELD", path=path)
    return columns
