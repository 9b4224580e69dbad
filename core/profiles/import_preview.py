"""The first rows of an uploaded file as an import would read them, before it is started."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core import files as stored_files
from core.access import Actor, Permission, require
from core.db import Connection
from core.errors import Conflict, Invalid
from core.files import Files
from core.profiles.files.chunks import BadLine
from core.profiles.files.opening import open_people_file
from core.profiles.import_columns import plan_columns
from core.profiles.import_target import FindDestination
from core.profiles.imports import get_import
from core.profiles.profile_target import find_profiles
from core.profiles.run_records import ImportRun
from core.profiles.store.imports import storable
from core.profiles.team_fields import Fields

MOST_ROWS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """Cells as they stand in the file; `fields` has the field of each column, or None for one that is left out."""

    header: tuple[str, ...]
    fields: tuple[str | None, ...]
    rows: tuple[tuple[str, ...], ...]
    bad: tuple[BadLine, ...]  # that cannot be read


async def preview_import(
    conn: Connection, actor: Actor, files: Files, import_id: int, rows: int = 30, find: FindDestination = find_profiles
) -> Preview:
    """Raises NotFound, Conflict (FILE_NOT_UPLOADED), Invalid (BAD_LIMIT, and as the import would fail at its header)."""
    require(actor, Permission.IMPORT)
    if not 1 <= rows <= MOST_ROWS:
        raise Invalid(f"1 to {MOST_ROWS} rows can be shown", code="BAD_LIMIT", path="rows")
    run = await get_import(conn, import_id)
    file = await stored_files.get_file(conn, run.file_id)
    stored_files.check_kept(file, "import_id")
    if file.size is None:
        raise Conflict("the file has not been uploaded", code="FILE_NOT_UPLOADED", path="import_id", hint="Upload it first.")
    destination = await find(conn, run.options.target)
    return await asyncio.to_thread(_read, files.path(file), run, destination.fields, rows)


def _read(path: Path, run: ImportRun, fields: Fields, rows: int) -> Preview:
    file = open_people_file(path, run.options)
    try:
        plan = plan_columns(file.header, run.match_key, run.options, fields)
        chunk = file.read(rows)
        found: Mapping[int, str] = {index: one.name for index, one in plan.fields}
        return Preview(
            header=tuple(map(storable, file.header)),
            fields=tuple(found.get(index) for index in range(len(file.header))),
            rows=tuple(tuple(map(storable, row)) for row in chunk.rows),
            bad=tuple(BadLine(bad.line, bad.code, bad.message, storable(bad.text[:1000])) for bad in chunk.bad),
        )
    finally:
        file.close()
