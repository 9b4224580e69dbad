"""Audiences of files: asked for, uploaded, loaded, reconciled with profiles. `loading` and `reconciling` do the work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from core import files as stored_files
from core.access import Actor, Permission, require
from core.audit import record
from core.authored import name_taken
from core.db import Connection
from core.errors import Conflict, Invalid
from core.files import FileKind, Files, Ticket
from core.paging import Page, PageRequest, cut
from core.profiles.files.shape_checks import check_shape, is_separator
from core.targeting import file_store, run_store, store
from core.targeting.audience_runs import QUESTION_MINUTES, add_run
from core.targeting.audiences import check_words, lock_audience, of_list
from core.targeting.file_rows import check_file_columns
from core.targeting.records import (
    Audience,
    AudienceDraft,
    AudienceFile,
    AudienceKind,
    AudienceRow,
    AudienceRun,
    FileOptions,
    RowKey,
    RowOutcome,
    Task,
)
from core.targeting.row_keys import check_region, check_row_keys

_WORK = (Task.LOAD, Task.RECONCILE)


async def create_file_audience(
    conn: Connection, actor: Actor, files: Files, *, name: str, label: str, file_name: str, options: FileOptions, now: datetime,
    description: str = "", expires_at: datetime | None = None,
) -> tuple[Audience, Ticket]:  # fmt: skip
    """An audience that waits for its file, and the right to upload it once.

    Raises Invalid (BAD_NAME, BAD_LABEL, BAD_DELIMITER, BAD_COLUMN and others of files), Conflict (NAME_TAKEN).
    """
    require(actor, Permission.IMPORT)
    draft = AudienceDraft(
        name=name, label=label, expression=of_list(name), description=description, expires_at=expires_at
    )  # fmt: skip
    check_words(draft)
    _check_options(options)
    audience = await store.insert_audience(conn, draft, AudienceKind.FILE, [], [], actor.name)
    if audience is None:
        raise name_taken("audience", name)
    file = await stored_files.create_file(conn, FileKind.UPLOAD, file_name, files.new_location(file_name), actor.name)
    await file_store.insert_file(conn, audience.id, file.id, options)
    ticket = await stored_files.issue_ticket(conn, file.id, "write", now)
    await record(conn, actor, "audience.create", "audience", audience.id, {"name": {"to": name}})
    return audience, ticket


async def renew_upload(conn: Connection, actor: Actor, audience_id: int, now: datetime) -> Ticket:
    """The right to upload the file, in place of those given before. Raises as `load_file`."""
    _, file = await _open(conn, actor, audience_id)
    await _check_not_loaded(conn, file)
    await stored_files.withdraw_tickets(conn, file.file_id, "write")
    await record(conn, actor, "audience.renew_upload", "audience", audience_id)
    return await stored_files.issue_ticket(conn, file.file_id, "write", now)


async def load_file(
    conn: Connection, actor: Actor, audience_id: int, now: datetime, *, keys: Sequence[RowKey] = (), region: str | None = None
) -> AudienceRun:
    """Read the uploaded file, and then reconcile its rows by the keys, if there are any. `region`: as of `reconcile`.

    Raises NotFound (AUDIENCE_NOT_FOUND, FILE_REMOVED), Invalid (NOT_A_FILE, BAD_KEY, BAD_COUNTRY), Conflict
    (FILE_NOT_UPLOADED, AUDIENCE_LOADED, AUDIENCE_BUSY).
    """
    _, file = await _open(conn, actor, audience_id)
    await _check_not_loaded(conn, file)
    if keys:
        await check_row_keys(conn, keys, None)
    check_region(region)
    await stored_files.withdraw_tickets(conn, file.file_id, "write")
    stored = await stored_files.get_file(conn, file.file_id)
    if stored.size is None:
        raise Conflict(
            "the file has not been uploaded", code="FILE_NOT_UPLOADED", path="id",
            hint="PUT it to the upload address, or ask for a new one.",
        )  # fmt: skip
    await stored_files.hold_file(conn, stored.id, "id")
    await record(conn, actor, "audience.load", "audience", audience_id, {"bytes": {"from": None, "to": stored.size}})
    return await add_run(
        conn, actor, Task.LOAD, _request(keys, region), audience_id=audience_id, file_id=stored.id, minutes=QUESTION_MINUTES,
        now=now,
    )  # fmt: skip


async def reconcile(
    conn: Connection, actor: Actor, audience_id: int, keys: Sequence[RowKey], now: datetime, *, region: str | None = None
) -> AudienceRun:
    """Find whom the rows are about, by the first of the keys that finds one profile alone. Once more: all anew.

    `region`: of phone numbers without a prefix; None: the installation's. Raises NotFound, Invalid (NOT_A_FILE, BAD_KEY,
    BAD_COUNTRY), Conflict (AUDIENCE_NOT_LOADED, AUDIENCE_BUSY).
    """
    _, file = await _open(conn, actor, audience_id)
    if file.loaded_at is None:
        raise Conflict(
            "the rows of the file have not been read", code="AUDIENCE_NOT_LOADED", path="id", hint="Upload and load it first.",
        )  # fmt: skip
    await _check_idle(conn, audience_id)
    columns = (await store.list_columns(conn, [audience_id]))[audience_id]
    await check_row_keys(conn, keys, [one.name for one in columns])
    check_region(region)
    told = {"keys": {"to": [" and ".join(f"{part.field} = {part.column}" for part in one.parts) for one in keys]}}
    await record(conn, actor, "audience.reconcile", "audience", audience_id, told)
    return await add_run(
        conn, actor, Task.RECONCILE, _request(keys, region), audience_id=audience_id, minutes=QUESTION_MINUTES, now=now
    )


async def find_audience_files(conn: Connection, audience_ids: Sequence[int]) -> Mapping[int, AudienceFile]:
    """The files of those audiences that have one, by audience."""
    return {one.audience_id: one for one in await file_store.find_files(conn, audience_ids)}


async def list_rows(
    conn: Connection, actor: Actor, audience_id: int, outcome: RowOutcome | None, page: PageRequest
) -> Page[AudienceRow]:
    """The rows of a file, or those of one outcome, in its order."""
    require(actor, Permission.READ)
    return cut(await file_store.list_rows(conn, audience_id, outcome, after=page.after, limit=page.first + 1), page)


async def count_rows(conn: Connection, audience_id: int) -> Mapping[RowOutcome, int]:
    """How many rows there are of each outcome."""
    return await file_store.count_rows(conn, audience_id)


def _request(keys: Sequence[RowKey], region: str | None) -> dict[str, Any]:
    return {"keys": [asdict(one) for one in keys], "region": region}


async def _open(conn: Connection, actor: Actor, audience_id: int) -> tuple[Audience, AudienceFile]:
    require(actor, Permission.IMPORT)
    audience = await lock_audience(conn, audience_id)
    found = await file_store.find_files(conn, [audience_id])
    if not found:
        raise Invalid(
            f"the audience {audience.name!r} has no file", code="NOT_A_FILE", path="id", hint="Create an audience of a file.",
        )  # fmt: skip
    return audience, found[0]


async def _check_not_loaded(conn: Connection, file: AudienceFile) -> None:
    await _check_idle(conn, file.audience_id)
    if file.loaded_at is not None:
        raise Conflict(
            "the file of this audience was read already", code="AUDIENCE_LOADED", path="id",
            hint="Create another audience for another file.",
        )  # fmt: skip


async def _check_idle(conn: Connection, audience_id: int) -> None:
    running = await run_store.find_open_run(conn, audience_id, _WORK)
    if running is not None:
        raise Conflict(
            "this audience is being worked on", code="AUDIENCE_BUSY", path="id", hint="Wait for the run, or cancel it.",
        )  # fmt: skip


def _check_options(options: FileOptions) -> None:
    if options.delimiter is not None and not is_separator(options.delimiter):
        raise Invalid(
            f"{options.delimiter[:20]!r} cannot separate cells", code="BAD_DELIMITER", path="options.delimiter",
            hint="Use one character, such as ',' ';' '|', a tab or a blank; leave it out to have it found.",
        )  # fmt: skip
    check_shape(options.file, options.delimiter)
    check_file_columns(options.columns, "options.columns")
