"""The file of an import's refused rows and remarks: line, column, code, reason and the row as it stood in the file."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from core import files as stored_files
from core.db import Connection, transaction
from core.files import FileKind
from core.profiles.formulas import escaped
from core.profiles.records import ImportRun
from core.profiles.store import imports as store
from core.runtime import Runtime

HEADER = ("line", "column", "code", "reason", "row")


async def write_rejects(runtime: Runtime, import_id: int) -> None:
    """Move the refused rows of an import that ended from the database to a file. Does nothing when that is done."""
    async with transaction(runtime.pool) as conn:
        run = await store.lock_run(conn, import_id)
        if run is None or run.finished_at is None or run.rejects_file_id is not None:
            return
        if not await store.has_rejects(conn, import_id):
            return
        upload = await stored_files.get_file(conn, run.file_id)
        name = f"{Path(upload.name).stem[:150]}-rejects.csv"
        location = runtime.files.new_location(name)
        size = await _write(conn, run, runtime.files.root / location)
        file = await stored_files.create_file(conn, FileKind.REJECTS, name, location, run.created_by)
        await stored_files.complete_file(conn, file.id, size)
        await store.set_rejects_file(conn, import_id, file.id)
        await store.delete_rejects(conn, import_id)


async def _write(conn: Connection, run: ImportRun, path: Path) -> int:
    with path.open("wb") as raw, io.TextIOWrapper(raw, encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        async for line, column, code, message, row_text in store.stream_rejects(conn, run.id):
            writer.writerow((line, escaped(column), code, escaped(message), escaped(row_text)))
        file.flush()
        return raw.tell()
