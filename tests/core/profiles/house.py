"""Imports and exports for the tests of this room, as the doors would make them."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from core import files as stored_files
from core.access import SYSTEM
from core.db import Connection, transaction
from core.profiles import export_runner, exports, import_runner, imports
from core.profiles.export_options import ExportFormat, ExportOptions
from core.profiles.run_records import ExportRun, ImportOptions, ImportRun, MatchKey
from core.runtime import Runtime


class Times:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime):
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> datetime:
        """Let time pass."""
        self.now += timedelta(**by)
        return self.now


async def ready_import(
    runtime: Runtime,
    data: bytes | str,
    *,
    key: MatchKey = MatchKey.EXTERNAL_ID,
    name: str = "people.csv",
    options: ImportOptions | None = None,
) -> int:
    """An import with its file, started but not worked on yet."""
    async with transaction(runtime.pool) as conn:
        run, ticket = await imports.create_import(
            conn, SYSTEM, runtime.files, file_name=name, match_key=key, options=options, now=runtime.clock()
        )
        file = await stored_files.redeem_ticket(conn, ticket.secret, "write", runtime.clock())
        content = data.encode() if isinstance(data, str) else data
        runtime.files.path(file).write_bytes(content)
        await stored_files.complete_file(conn, file.id, len(content), runtime.clock())
        await imports.start_import(conn, SYSTEM, run.id, runtime.clock())
    return run.id


async def import_people(
    runtime: Runtime,
    data: bytes | str,
    *,
    key: MatchKey = MatchKey.EXTERNAL_ID,
    name: str = "people.csv",
    options: ImportOptions | None = None,
) -> ImportRun:
    """Import a file to its end."""
    import_id = await ready_import(runtime, data, key=key, name=name, options=options)
    await import_runner.run_import(runtime, import_id=import_id)
    return await get_import(runtime, import_id)


async def get_import(runtime: Runtime, import_id: int) -> ImportRun:
    """The run as it is now."""
    async with runtime.pool.acquire() as conn:
        return await imports.get_import(conn, import_id)


def options_of(form: ExportFormat, columns: int) -> ExportOptions:
    """The options of a format that serve so many columns of up to 500 characters."""
    return ExportOptions(format=form, widths=(500,) * columns if form is ExportFormat.FIXED_WIDTH else ())


async def export_people(
    runtime: Runtime,
    *,
    columns: Sequence[str] | None = None,
    audience_id: int | None = None,
    expression: Any = None,
    options: ExportOptions | None = None,
) -> ExportRun:
    """Export to the end."""
    async with transaction(runtime.pool) as conn:
        run = await exports.create_export(
            conn, SYSTEM, runtime.files, columns=columns, audience_id=audience_id, expression=expression,
            options=options, now=runtime.clock(),
        )  # fmt: skip
    await export_runner.run_export(runtime, export_id=run.id)
    async with runtime.pool.acquire() as conn:
        return await exports.get_export(conn, run.id)


async def read_file(runtime: Runtime, file_id: int | None) -> str:
    """What a stored file holds, as text."""
    return (await read_bytes(runtime, file_id)).decode()


async def read_bytes(runtime: Runtime, file_id: int | None) -> bytes:
    """What a stored file holds."""
    assert file_id is not None
    async with runtime.pool.acquire() as conn:
        file = await stored_files.get_file(conn, file_id)
    data = runtime.files.path(file).read_bytes()
    assert file.size == len(data)
    return data


async def read_rejects(runtime: Runtime, run: ImportRun) -> list[dict[str, str]]:
    """The refused rows and remarks of an import."""
    return list(csv.DictReader((await read_file(runtime, run.rejects_file_id)).splitlines(keepends=True)))


async def people(runtime: Runtime, *columns: str) -> list[tuple[Any, ...]]:
    """These columns of all profiles, in the order of ids."""
    async with runtime.pool.acquire() as conn:
        return [tuple(row) for row in await conn.fetch(f"SELECT {', '.join(columns)} FROM profile ORDER BY id")]


def counts(run: ImportRun) -> Mapping[str, int]:
    """The counters that are not zero."""
    names = ("inserted", "updated", "unchanged", "rejected", "repeated", "ambiguous")
    return {name: getattr(run, name) for name in names if getattr(run, name)}


def write(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    """A CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


async def cut_connections(runtime: Runtime, keep: Connection) -> None:
    """What a restart of the server does: every connection but this one ends, and the pool opens others."""
    await keep.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await runtime.pool.expire_connections()
