"""Files of suppression entries: asked for, uploaded, started, watched, cancelled, downloaded. The runners do the work."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core import files as stored_files
from core.access import Actor, Permission, require
from core.audit import record
from core.authored import not_found
from core.db import Connection
from core.errors import Conflict, IllegalMove, Invalid, NotFound
from core.files import FileKind, Files, Ticket
from core.outbox import announce
from core.paging import Page, PageRequest, cut
from core.profiles.imports import OPEN
from core.profiles.phones import is_region
from core.profiles.run_records import RunState
from core.profiles.store import suppression as lists
from core.profiles.store import suppression_runs as store
from core.profiles.store.runs import RunTable
from core.profiles.suppression_entries import check_words
from core.profiles.suppression_records import SuppressionAction, SuppressionExport, SuppressionImport, SuppressionOptions

IMPORT, EXPORT = "suppression_import", "suppression_export"


async def create_import(
    conn: Connection,
    actor: Actor,
    files: Files,
    list_id: int,
    *,
    file_name: str,
    action: SuppressionAction = SuppressionAction.ADD,
    options: SuppressionOptions | None = None,
    now: datetime,
) -> tuple[SuppressionImport, Ticket]:
    """An import that waits for its file, and the right to upload it once.

    Raises NotFound (SUPPRESSION_LIST_NOT_FOUND), Invalid (BAD_DELIMITER, BAD_COUNTRY, BAD_TEXT).
    """
    require(actor, Permission.ADMINISTER)
    options = options or SuppressionOptions()
    _check_options(options)
    if await lists.hold_list(conn, list_id) is None:
        raise not_found("suppression list", list_id)
    file = await stored_files.create_file(conn, FileKind.UPLOAD, file_name, files.new_location(file_name), actor.name)
    run = await store.insert_import(conn, list_id, file.id, action, options, actor.name, now)
    ticket = await stored_files.issue_ticket(conn, file.id, "write", now)
    told = {"list_id": {"from": None, "to": list_id}, "action": {"from": None, "to": action.value}}
    await record(conn, actor, f"{IMPORT}.create", IMPORT, run.id, told)
    return run, ticket


async def renew_upload(conn: Connection, actor: Actor, import_id: int, now: datetime) -> Ticket:
    """The right to upload the file, in place of those given before. Raises NotFound, IllegalMove once it is started."""
    require(actor, Permission.ADMINISTER)
    run = await _lock_import(conn, import_id)
    if run.state is not RunState.WAITING:
        raise IllegalMove(f"an import that is {run.state.value} takes no file any more", path="import_id")
    await stored_files.withdraw_tickets(conn, run.file_id, "write")
    await record(conn, actor, f"{IMPORT}.renew_upload", IMPORT, import_id)
    return await stored_files.issue_ticket(conn, run.file_id, "write", now)


async def start_import(conn: Connection, actor: Actor, import_id: int, now: datetime) -> SuppressionImport:
    """Read the uploaded file. Again: no change.

    Raises NotFound (also FILE_REMOVED), Conflict (FILE_NOT_UPLOADED), IllegalMove when it has ended.
    """
    require(actor, Permission.ADMINISTER)
    run = await _lock_import(conn, import_id)
    if run.state in (RunState.READY, RunState.RUNNING):
        return run
    if run.state is not RunState.WAITING:
        raise IllegalMove(f"an import that is {run.state.value} cannot be started", path="import_id")
    await stored_files.withdraw_tickets(conn, run.file_id, "write")
    file = await stored_files.get_file(conn, run.file_id)
    if file.size is None:
        raise Conflict(
            "the file has not been uploaded", code="FILE_NOT_UPLOADED", path="import_id",
            hint="PUT it to the upload address, or ask for a new one.",
        )  # fmt: skip
    await stored_files.hold_file(conn, file.id, "import_id")
    started = await store.make_ready(conn, import_id, file.size, now)
    await record(conn, actor, f"{IMPORT}.start", IMPORT, import_id, {"bytes": {"from": None, "to": file.size}})
    await announce(conn, "suppression_import.ready", import_id=import_id)
    return started


async def cancel_import(conn: Connection, actor: Actor, import_id: int, now: datetime) -> SuppressionImport:
    """Stop after the chunk that is being stored; what was stored stays. Again: no change. Raises NotFound, IllegalMove."""
    require(actor, Permission.ADMINISTER)
    run = await _lock_import(conn, import_id)
    if run.state is RunState.CANCELLED:
        return run
    if run.state not in OPEN:
        raise IllegalMove(f"an import that is {run.state.value} cannot be cancelled", path="import_id")
    await store.end_run(conn, RunTable.SUPPRESSION_IMPORT, import_id, RunState.CANCELLED, now)
    await stored_files.let_go(conn, run.file_id, now)
    await record(conn, actor, f"{IMPORT}.cancel", IMPORT, import_id)
    await announce(conn, "suppression_import.ready", import_id=import_id)  # somebody writes the file of the refused rows
    return await get_import(conn, import_id)


async def issue_rejects_ticket(conn: Connection, actor: Actor, import_id: int, now: datetime) -> Ticket:
    """The right to download the refused rows once. Raises NotFound (…_NOT_FOUND, NO_REJECTS, FILE_REMOVED)."""
    require(actor, Permission.ADMINISTER)
    run = await get_import(conn, import_id)
    if run.rejects_file_id is None:
        raise NotFound("this import has no file of refused rows", code="NO_REJECTS", path="import_id")
    await record(conn, actor, f"{IMPORT}.download_rejects", IMPORT, import_id)
    return await stored_files.issue_ticket(conn, run.rejects_file_id, "read", now, "import_id")


async def create_export(
    conn: Connection, actor: Actor, files: Files, list_id: int, *, file_name: str, now: datetime
) -> SuppressionExport:
    """Begin to write the entries of a list as CSV. Raises NotFound (SUPPRESSION_LIST_NOT_FOUND)."""
    require(actor, Permission.EXPORT)
    if await lists.hold_list(conn, list_id) is None:
        raise not_found("suppression list", list_id)
    file = await stored_files.create_file(conn, FileKind.EXPORT, file_name, files.new_location(file_name), actor.name)
    run = await store.insert_export(conn, list_id, file.id, actor.name, now)
    await record(conn, actor, f"{EXPORT}.create", EXPORT, run.id, {"list_id": {"from": None, "to": list_id}})
    await announce(conn, "suppression_export.ready", export_id=run.id)
    return run


async def cancel_export(conn: Connection, actor: Actor, export_id: int, now: datetime) -> SuppressionExport:
    """Stop it; nothing can be downloaded. Again: no change. Raises NotFound, IllegalMove when it has ended."""
    require(actor, Permission.EXPORT)
    run = await store.lock_export(conn, export_id)
    if run is None:
        raise not_found("suppression export", export_id)
    if run.state is RunState.CANCELLED:
        return run
    if run.state not in OPEN:
        raise IllegalMove(f"an export that is {run.state.value} cannot be cancelled", path="export_id")
    await store.end_run(conn, RunTable.SUPPRESSION_EXPORT, export_id, RunState.CANCELLED, now)
    await stored_files.let_go(conn, run.file_id, now)
    await record(conn, actor, f"{EXPORT}.cancel", EXPORT, export_id)
    return await get_export(conn, export_id)


async def issue_download_ticket(conn: Connection, actor: Actor, export_id: int, now: datetime) -> Ticket:
    """The right to download the file once; audited. Raises NotFound (also FILE_REMOVED), Conflict (EXPORT_NOT_FINISHED)."""
    require(actor, Permission.EXPORT)
    run = await get_export(conn, export_id)
    if run.state is not RunState.FINISHED:
        raise Conflict(
            f"the export is {run.state.value}", code="EXPORT_NOT_FINISHED", path="export_id", hint="Wait until it is finished.",
        )  # fmt: skip
    await record(conn, actor, f"{EXPORT}.download", EXPORT, export_id)
    return await stored_files.issue_ticket(conn, run.file_id, "read", now, "export_id")


async def get_import(conn: Connection, import_id: int) -> SuppressionImport:
    """Raises NotFound (SUPPRESSION_IMPORT_NOT_FOUND)."""
    found = await store.get_imports(conn, [import_id])
    if not found:
        raise not_found("suppression import", import_id)
    return found[0]


async def get_export(conn: Connection, export_id: int) -> SuppressionExport:
    """Raises NotFound (SUPPRESSION_EXPORT_NOT_FOUND)."""
    found = await store.get_exports(conn, [export_id])
    if not found:
        raise not_found("suppression export", export_id)
    return found[0]


async def find_imports(conn: Connection, ids: Sequence[int]) -> list[SuppressionImport]:
    """Those of the ids that exist."""
    return await store.get_imports(conn, ids)


async def find_exports(conn: Connection, ids: Sequence[int]) -> list[SuppressionExport]:
    """Those of the ids that exist."""
    return await store.get_exports(conn, ids)


async def list_imports(conn: Connection, list_id: int | None, page: PageRequest) -> Page[SuppressionImport]:
    """A page in the order of ids, of one list or of all."""
    return cut(await store.list_imports(conn, list_id, page.after, page.first + 1), page)


async def list_exports(conn: Connection, list_id: int | None, page: PageRequest) -> Page[SuppressionExport]:
    """A page in the order of ids, of one list or of all."""
    return cut(await store.list_exports(conn, list_id, page.after, page.first + 1), page)


async def count_imports(conn: Connection, list_id: int | None) -> int:
    """How many there are, of one list or of all."""
    return await store.count_runs(conn, RunTable.SUPPRESSION_IMPORT, list_id)


async def count_exports(conn: Connection, list_id: int | None) -> int:
    """How many there are, of one list or of all."""
    return await store.count_runs(conn, RunTable.SUPPRESSION_EXPORT, list_id)


async def _lock_import(conn: Connection, import_id: int) -> SuppressionImport:
    run = await store.lock_import(conn, import_id)
    if run is None:
        raise not_found("suppression import", import_id)
    return run


def _check_options(options: SuppressionOptions) -> None:
    delimiter = options.delimiter
    if delimiter is not None and (
        len(delimiter) != 1 or not delimiter.isascii() or delimiter.isalnum() or delimiter in '"\r\n\0'
    ):
        raise Invalid(
            f"{delimiter[:20]!r} cannot separate cells", code="BAD_DELIMITER", path="options.delimiter",
            hint="Use one character, such as ',' ';' '|' or a tab; leave it out to have it found.",
        )  # fmt: skip
    if options.default_country is not None and not is_region(options.default_country):
        raise Invalid(
            f"{options.default_country[:20]!r} is not a country with phone numbers", code="BAD_COUNTRY",
            path="options.default_country", hint="Use the two letters of ISO 3166-1, such as FR.",
        )  # fmt: skip
    check_words(options.origin, "options.origin")
