"""Files of people on their way in: asked for, uploaded, started, watched, cancelled. `import_runner` does the work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from core import files as stored_files
from core.access import Actor, Permission, require
from core.audit import record
from core.authored import not_found
from core.db import Connection
from core.errors import Conflict, IllegalMove, Invalid, NotFound
from core.files import FileKind, Files, Ticket
from core.outbox import announce
from core.paging import Page, PageRequest, cut
from core.profiles.import_checks import check_options
from core.profiles.import_rows import Reject
from core.profiles.import_target import FindDestination
from core.profiles.profile_target import find_profiles
from core.profiles.rejects_file import first_rejects
from core.profiles.run_records import ImportOptions, ImportRun, RunState
from core.profiles.store import imports as store

MOST_SHOWN = 100  # refused rows, without their file
OPEN = frozenset({RunState.WAITING, RunState.READY, RunState.RUNNING})


async def create_import(
    conn: Connection,
    actor: Actor,
    files: Files,
    *,
    file_name: str,
    match_key: str,
    options: ImportOptions | None = None,
    template_id: int | None = None,
    now: datetime,
    find: FindDestination = find_profiles,
) -> tuple[ImportRun, Ticket]:
    """An import that waits for its file, and the right to upload it once.

    `template_id`: where the options are from; `find`: what there is to import into.

    Raises Invalid (BAD_DELIMITER, BAD_COUNTRY, UNKNOWN_FIELD, DUPLICATE_FIELD and others of `import_checks`).
    """
    require(actor, Permission.IMPORT)
    options = options or ImportOptions()
    destination = await find(conn, options.target)
    if template_id is None:  # who made the template might
        require(actor, destination.permission)
    check_options(options, match_key, destination, today=now.date())
    location = files.new_location(file_name)
    file = await stored_files.create_file(conn, FileKind.UPLOAD, file_name, location, actor.name)
    run = await store.insert_run(conn, file.id, match_key, options, template_id, actor.name, now)
    ticket = await stored_files.issue_ticket(conn, file.id, "write", now)
    told: dict[str, Any] = {
        "match_key": {"from": None, "to": str(match_key)},
        "options": {"from": None, "to": told_options(options)},
    }
    if template_id is not None:
        told["template_id"] = {"from": None, "to": template_id}
    await record(conn, actor, "import.create", "import", run.id, told)
    return run, ticket


async def renew_upload(conn: Connection, actor: Actor, import_id: int, now: datetime) -> Ticket:
    """The right to upload the file, in place of those given before. Raises NotFound, IllegalMove once it is started."""
    require(actor, Permission.IMPORT)
    run = await _lock(conn, import_id)
    if run.state is not RunState.WAITING:
        raise _illegal(run, "takes no file any more")
    await stored_files.withdraw_tickets(conn, run.file_id, "write")
    await record(conn, actor, "import.renew_upload", "import", import_id)
    return await stored_files.issue_ticket(conn, run.file_id, "write", now)


async def start_import(conn: Connection, actor: Actor, import_id: int, now: datetime) -> ImportRun:
    """Read the uploaded file. Again: no change.

    Raises NotFound (also FILE_REMOVED), Conflict (FILE_NOT_UPLOADED), IllegalMove when it has ended.
    """
    require(actor, Permission.IMPORT)
    run = await _lock(conn, import_id)
    if run.state in (RunState.READY, RunState.RUNNING):
        return run
    if run.state is not RunState.WAITING:
        raise _illegal(run, "cannot be started")
    # First, so that the size is that of the last upload, and no other file comes under the one that is read.
    await stored_files.withdraw_tickets(conn, run.file_id, "write")
    file = await stored_files.get_file(conn, run.file_id)
    if file.size is None:
        raise Conflict(
            "the file has not been uploaded", code="FILE_NOT_UPLOADED", path="import_id",
            hint="PUT it to the upload address, or ask for a new one.",
        )  # fmt: skip
    await stored_files.hold_file(conn, file.id, "import_id")
    started = await store.make_ready(conn, import_id, file.size, now)
    await record(conn, actor, "import.start", "import", import_id, {"bytes": {"from": None, "to": file.size}})
    await announce(conn, "import.ready", import_id=import_id)
    return started


async def cancel_import(conn: Connection, actor: Actor, import_id: int, now: datetime) -> ImportRun:
    """Stop after the chunk that is being stored; what was stored stays. Again: no change. Raises NotFound, IllegalMove."""
    require(actor, Permission.IMPORT)
    run = await _lock(conn, import_id)
    if run.state is RunState.CANCELLED:
        return run
    if run.state not in OPEN:
        raise _illegal(run, "cannot be cancelled")
    cancelled = await store.end_run(conn, import_id, RunState.CANCELLED, now)
    await stored_files.let_go(conn, run.file_id, now)
    await record(conn, actor, "import.cancel", "import", import_id)
    await announce(conn, "import.ready", import_id=import_id)  # somebody writes the file of the refused rows
    return cancelled


async def get_import(conn: Connection, import_id: int) -> ImportRun:
    """Raises NotFound (IMPORT_NOT_FOUND)."""
    run = await store.find_run(conn, import_id)
    if run is None:
        raise not_found("import", import_id)
    return run


async def get_imports(conn: Connection, ids: Sequence[int]) -> dict[int, ImportRun]:
    """Those of the given imports that exist, by id."""
    return {run.id: run for run in await store.get_runs(conn, ids)} if ids else {}


async def list_imports(conn: Connection, page: PageRequest, template_id: int | None = None) -> Page[ImportRun]:
    """A page of all, or of those made from a template, in the order of ids."""
    return cut(await store.list_runs(conn, template_id, page.after, page.first + 1), page)


async def count_imports(conn: Connection, template_id: int | None = None) -> int:
    """How many there are, or were made from a template."""
    return await store.count_runs(conn, template_id)


async def list_rejects(conn: Connection, actor: Actor, files: Files, import_id: int, first: int) -> list[Reject]:
    """The first refused rows and remarks of an import, also while it runs.

    Raises NotFound (IMPORT_NOT_FOUND, FILE_REMOVED), Invalid (BAD_LIMIT).
    """
    require(actor, Permission.IMPORT)
    if not 1 <= first <= MOST_SHOWN:
        raise Invalid(f"1 to {MOST_SHOWN} rows can be shown", code="BAD_LIMIT", path="first", hint="The file has all of them.")
    return await first_rejects(conn, files, await get_import(conn, import_id), first)


async def issue_rejects_ticket(conn: Connection, actor: Actor, import_id: int, now: datetime) -> Ticket:
    """The right to download the refused rows once. Raises NotFound (IMPORT_NOT_FOUND, NO_REJECTS, FILE_REMOVED)."""
    require(actor, Permission.IMPORT)
    run = await get_import(conn, import_id)
    if run.rejects_file_id is None:
        raise NotFound("this import has no file of refused rows", code="NO_REJECTS", path="import_id")
    await record(conn, actor, "import.download_rejects", "import", import_id)
    return await stored_files.issue_ticket(conn, run.rejects_file_id, "read", now, "import_id")


async def _lock(conn: Connection, import_id: int) -> ImportRun:
    run = await store.lock_run(conn, import_id)
    if run is None:
        raise not_found("import", import_id)
    return run


def told_options(options: ImportOptions) -> dict[str, Any]:
    """Options as the audit keeps them: of cells that stand in them only where they stand."""
    told = asdict(options)
    told["constants"] = sorted(options.constants)
    told["columns"] = [rule.column for rule in options.columns]
    return told


def _illegal(run: ImportRun, what: str) -> IllegalMove:
    return IllegalMove(f"an import that is {run.state.value} {what}", path="import_id")
