"""Audiences of files for the tests of this room, as the doors would make them."""

from __future__ import annotations

import csv
from typing import Any

from core import files as stored_files
from core.access import SYSTEM
from core.db import transaction
from core.paging import PageRequest
from core.runtime import Runtime
from core.targeting import audience_files, audience_runs, jobs, lists
from core.targeting.records import AudienceRun, FileOptions, RowKey, RowOutcome

BY_EMAIL = (RowKey(field="email", column="email"),)


async def uploaded(
    runtime: Runtime, data: bytes | str, *, name: str = "file", options: FileOptions | None = None, file_name: str = "rows.csv"
) -> int:
    """An audience whose file is there, but not read."""
    content = data.encode() if isinstance(data, str) else data
    async with transaction(runtime.pool) as conn:
        audience, ticket = await audience_files.create_file_audience(
            conn, SYSTEM, runtime.files, name=name, label=name, file_name=file_name, options=options or FileOptions(),
            now=runtime.clock(),
        )  # fmt: skip
        file = await stored_files.redeem_ticket(conn, ticket.secret, "write", runtime.clock())
        runtime.files.path(file).write_bytes(content)
        await stored_files.complete_file(conn, file.id, len(content), runtime.clock())
    return audience.id


async def loading(runtime: Runtime, audience_id: int, keys: tuple[RowKey, ...] = ()) -> int:
    """A run that reads the file."""
    async with transaction(runtime.pool) as conn:
        run = await audience_files.load_file(conn, SYSTEM, audience_id, runtime.clock(), keys=keys)
    return run.id


async def loaded(runtime: Runtime, data: bytes | str, **how: Any) -> tuple[int, AudienceRun]:
    """An audience whose file was read."""
    audience_id = await uploaded(runtime, data, **how)
    return audience_id, await worked(runtime, await loading(runtime, audience_id))


async def reconciled(runtime: Runtime, audience_id: int, *keys: RowKey, region: str | None = None) -> AudienceRun:
    """Its rows are reconciled by the keys."""
    async with transaction(runtime.pool) as conn:
        run = await audience_files.reconcile(
            conn, SYSTEM, audience_id, keys or BY_EMAIL, runtime.clock(), region=region
        )  # fmt: skip
    return await worked(runtime, run.id)


async def worked(runtime: Runtime, run_id: int) -> AudienceRun:
    """The run after a worker had it."""
    await jobs.run(runtime, run_id=run_id)
    return await seen(runtime, run_id)


async def seen(runtime: Runtime, run_id: int) -> AudienceRun:
    """The run as it is now."""
    async with runtime.pool.acquire() as conn:
        return await audience_runs.get_run(conn, run_id)


async def rows(runtime: Runtime, audience_id: int, outcome: RowOutcome | None = None) -> list[tuple[int, RowOutcome, Any]]:
    """Lines, what became of them, and their cells."""
    async with runtime.pool.acquire() as conn:
        page = await audience_files.list_rows(conn, SYSTEM, audience_id, outcome, PageRequest(first=1000))
    return [(one.line, one.outcome, dict(one.data)) for one in page.rows]


async def members(runtime: Runtime, audience_id: int) -> dict[int, Any]:
    """What each member brings along."""
    async with runtime.pool.acquire() as conn:
        page = await lists.list_members(conn, audience_id, PageRequest(first=1000))
    return {one.profile_id: dict(one.data) for one in page.rows}


async def exported(runtime: Runtime, audience_id: int, outcome: RowOutcome | None = None) -> list[dict[str, str]]:
    """The rows of an export."""
    async with transaction(runtime.pool) as conn:
        run = await audience_runs.start_export(
            conn, SYSTEM, runtime.files, audience_id, outcome=outcome, now=runtime.clock()
        )  # fmt: skip
    done = await worked(runtime, run.id)
    assert done.file_id is not None
    async with runtime.pool.acquire() as conn:
        file = await stored_files.get_file(conn, done.file_id)
    return list(csv.DictReader(runtime.files.path(file).read_text().splitlines()))
