"""Work on audiences that takes its time: asked for, watched, cancelled. `run_worker` does it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from core import files as stored_files
from core.access import Actor, Permission, require
from core.audit import record
from core.authored import check_label, check_name, name_taken, not_found
from core.db import Connection
from core.errors import Conflict, IllegalMove, Invalid
from core.files import FileKind, Files, Ticket
from core.outbox import announce
from core.paging import Page, PageRequest, cut
from core.profiles.run_records import RunState
from core.targeting import run_store, store
from core.targeting.audiences import get_audience, open_audience, open_question
from core.targeting.checked import CheckedExpression
from core.targeting.cost import check_cost
from core.targeting.enrichment import ComputedColumn, enriched, open_columns
from core.targeting.json_form import to_json
from core.targeting.language import Expression
from core.targeting.records import AudienceKind, AudienceRun, RowOutcome, Task
from core.targeting.run_requests import asked_columns, asked_segments
from core.targeting.segments import Segmentation, check_codes_exclude, codes_of, split_up

QUESTION_MINUTES = 60  # that a question may take, unless more are asked for
MOST_MINUTES = 360
OPEN = frozenset({RunState.READY, RunState.RUNNING})


async def start_count(
    conn: Connection, actor: Actor, whom: Expression | int, *, zone: ZoneInfo, now: datetime, minutes: int = QUESTION_MINUTES
) -> AudienceRun:
    """Count whom a question finds, or an audience by its number, which then keeps the count.

    Raises ExpressionError, NotFound, Invalid (BAD_MINUTES), LimitReached (QUESTION_TOO_COSTLY).
    """
    require(actor, Permission.READ)
    checked = await _open(conn, whom)
    await check_cost(conn, checked, at=now, zone=zone)
    request = {} if isinstance(whom, int) else {"expression": to_json(whom)}
    audience_id = whom if isinstance(whom, int) else None
    return await add_run(conn, actor, Task.COUNT, request, audience_id=audience_id, zone=zone, minutes=minutes, now=now)


async def start_freeze(
    conn: Connection, actor: Actor, whom: Expression | int, *, name: str, label: str, zone: ZoneInfo, now: datetime,
    columns: Sequence[ComputedColumn] = (), expires_at: datetime | None = None, minutes: int = QUESTION_MINUTES,
) -> AudienceRun:  # fmt: skip
    """Make a list of whom a question or an audience finds, with columns. Raises as `start_count` and `create_list`."""
    require(actor, Permission.EDIT)
    checked = await _open(conn, whom)
    check_name(name)
    check_label(label)
    found, data = enriched(checked, await open_columns(conn, columns), at=now, zone=zone)
    await _check_free(conn, [name])
    await check_cost(conn, checked, None if data is None else found.add_columns(data), at=now, zone=zone)
    request = {
        "name": name, "label": label, "expires_at": expires_at.isoformat() if expires_at else None,
        "columns": asked_columns(columns), "expression": to_json(whom if isinstance(whom, Expression) else checked.expression),
    }  # fmt: skip
    return await add_run(conn, actor, Task.FREEZE, request, zone=zone, minutes=minutes, now=now)


async def start_segmentation(
    conn: Connection, actor: Actor, whole: Expression, into: Segmentation, *, zone: ZoneInfo, now: datetime,
    prefix: str | None = None, name: str | None = None, label: str | None = None, minutes: int = QUESTION_MINUTES,
) -> AudienceRun:  # fmt: skip
    """Count the segments of a population, or with a prefix put each on a list, or with a name all on one.

    Raises as `start_count`, `list_segments` and `list_together`, Invalid (ONE_LIST_OR_MANY).
    """
    require(actor, Permission.EDIT)
    checked = await open_question(conn, whole)
    split = await split_up(conn, whole, into, at=now, zone=zone)
    wanted = _lists_wanted(into, prefix, name, label)
    for one in wanted:
        check_name(one, "prefix" if name is None else "name")
    await _check_free(conn, wanted)
    await check_cost(conn, checked, split, at=now, zone=zone)
    request = {
        "expression": to_json(whole), "into": asked_segments(into), "prefix": prefix, "name": name, "label": label or name,
    }  # fmt: skip
    return await add_run(conn, actor, Task.SEGMENT, request, zone=zone, minutes=minutes, now=now)


def _lists_wanted(into: Segmentation, prefix: str | None, name: str | None, label: str | None) -> list[str]:
    """The names of the lists that are to be made."""
    if name is None:
        return [] if prefix is None else [f"{prefix}{code}" for code in codes_of(into)]
    if prefix is not None:
        raise Invalid(
            "a prefix is for a list of each segment, and a name for one of all", code="ONE_LIST_OR_MANY", path="prefix",
            hint="Give one of them.",
        )  # fmt: skip
    check_codes_exclude(into)
    check_label(label or name)
    return [name]


async def start_export(
    conn: Connection, actor: Actor, files: Files, audience_id: int, *, outcome: RowOutcome | None, now: datetime
) -> AudienceRun:
    """Write the rows of a file, or those of one outcome, or the members of a list with their columns, as CSV.

    Raises NotFound, Invalid (NO_ROWS) for a question, whose members an export of profiles holds.
    """
    require(actor, Permission.EXPORT)
    audience = await get_audience(conn, audience_id)
    if audience.kind is AudienceKind.QUERY or (outcome is not None and audience.kind is not AudienceKind.FILE):
        raise Invalid(
            f"the audience {audience.name!r} has no such rows", code="NO_ROWS", path="outcome" if outcome else "id",
            hint="Export its profiles instead.",
        )  # fmt: skip
    name = f"{audience.name}.csv"
    file = await stored_files.create_file(conn, FileKind.EXPORT, name, files.new_location(name), actor.name)
    told = {"outcome": {"from": None, "to": outcome.value}} if outcome else {}
    await record(conn, actor, "audience.export", "audience", audience_id, told)
    request = {"outcome": outcome.value if outcome else None}
    return await add_run(
        conn, actor, Task.EXPORT, request, audience_id=audience_id, file_id=file.id, minutes=QUESTION_MINUTES, now=now
    )


async def issue_download(conn: Connection, actor: Actor, run_id: int, now: datetime) -> Ticket:
    """The right to download the file of an export once; audited. Raises NotFound, Conflict (EXPORT_NOT_FINISHED)."""
    require(actor, Permission.EXPORT)
    run = await get_run(conn, run_id)
    if run.task is not Task.EXPORT or run.file_id is None:
        raise Invalid("this run writes no file", code="NO_FILE", path="id", hint="Ask for an export of the audience.")
    if run.state is not RunState.FINISHED:
        raise Conflict(
            f"the export is {run.state.value}", code="EXPORT_NOT_FINISHED", path="id", hint="Wait until it is finished."
        )
    await record(conn, actor, "audience.download", "audience", run.audience_id or 0)
    return await stored_files.issue_ticket(conn, run.file_id, "read", now, "id")


async def cancel_run(conn: Connection, actor: Actor, run_id: int, now: datetime) -> AudienceRun:
    """End it; what it asks the database is ended within seconds. Again: no change. Raises NotFound, IllegalMove.

    Rows that were loaded and members that were found stay, but the audience is not loaded, or not reconciled.
    """
    require(actor, Permission.EDIT)
    run = await run_store.lock_run(conn, run_id)
    if run is None:
        raise not_found("audience run", run_id)
    if run.state is RunState.CANCELLED:
        return run
    if run.state not in OPEN:
        raise IllegalMove(f"a run that is {run.state.value} cannot be cancelled", path="id")
    if run.file_id is not None:
        await stored_files.let_go(conn, run.file_id, now)
    await record(conn, actor, "audience_run.cancel", "audience_run", run_id)
    return await run_store.end_run(conn, run_id, RunState.CANCELLED, now)


async def get_run(conn: Connection, run_id: int) -> AudienceRun:
    """Raises NotFound (AUDIENCE_RUN_NOT_FOUND)."""
    found = await run_store.find_runs(conn, [run_id])
    if not found:
        raise not_found("audience run", run_id)
    return found[0]


async def find_runs(conn: Connection, ids: Sequence[int]) -> list[AudienceRun]:
    """Those of the ids that exist."""
    return await run_store.find_runs(conn, ids)


async def list_runs(conn: Connection, audience_id: int | None, page: PageRequest) -> Page[AudienceRun]:
    """Of one audience or all, in the order of ids."""
    return cut(await run_store.list_runs(conn, audience_id, after=page.after, limit=page.first + 1), page)


async def count_runs(conn: Connection, audience_id: int | None) -> int:
    """How many there are, of one audience or all."""
    return await run_store.count_runs(conn, audience_id)


async def add_run(
    conn: Connection, actor: Actor, task: Task, request: Any, *, minutes: int, now: datetime, audience_id: int | None = None,
    file_id: int | None = None, zone: ZoneInfo | None = None,
) -> AudienceRun:  # fmt: skip
    """Have a worker do it. Raises Invalid (BAD_MINUTES)."""
    if not 1 <= minutes <= MOST_MINUTES:
        raise Invalid(f"a question may take 1 to {MOST_MINUTES} minutes", code="BAD_MINUTES", path="minutes")
    run = await run_store.insert_run(
        conn, task, audience_id=audience_id, file_id=file_id, request=request, time_zone=zone.key if zone else "UTC",
        seconds=minutes * 60, created_by=actor.name, now=now,
    )  # fmt: skip
    await record(conn, actor, f"audience_run.{task.value}", "audience_run", run.id)
    await announce(conn, "audience_run.ready", run_id=run.id)
    return run


async def _open(conn: Connection, whom: Expression | int) -> CheckedExpression:
    if isinstance(whom, int):
        return await open_audience(conn, await get_audience(conn, whom))
    return await open_question(conn, whom)


async def _check_free(conn: Connection, names: Sequence[str]) -> None:
    """Raises Conflict (NAME_TAKEN) before the work is done rather than after it."""
    taken = await store.find_named(conn, [(name, None) for name in names])
    for name, _ in taken:
        raise name_taken("audience", name)
