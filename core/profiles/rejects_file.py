"""The file of an import's refused rows and remarks: line, column, code, reason, the row as it stood in the file, and its cells.

Corrected, it can be imported as the file was (`files/corrected.py`).
"""

from __future__ import annotations

import asyncio
import csv
import io
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TextIO

from core import files as stored_files
from core.db import Connection, transaction
from core.files import FileKind, Files
from core.profiles.files.corrected import HEADER
from core.profiles.formulas import escaped, unescaped
from core.profiles.import_rows import Reject
from core.profiles.run_records import ImportRun
from core.profiles.store import imports as store
from core.runtime import Runtime

NAME = "rejects.csv"  # behind the name of the import's file
LONGEST_SHOWN = 10_000  # characters of a text; the file has all of it
_CELL = re.compile(r'(?:^|,)("[^"]*(?:""[^"]*)*"|[^,"]*)')


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenRejects:
    """A file on disk that no row names yet."""

    name: str
    location: str
    part: Path  # where it is until it is attached
    size: int


@asynccontextmanager
async def write_rejects(runtime: Runtime, run: ImportRun) -> AsyncIterator[WrittenRejects | None]:
    """Write the refused rows of an import, before it ends: who sees its end can have them. None: there are none.

    A file that is not attached within is removed.
    """
    location = runtime.files.new_location(NAME)
    async with runtime.files.part(location) as part:
        async with transaction(runtime.pool) as conn:
            written = await _write_all(conn, run, location, part)
        yield written


async def attach_rejects(conn: Connection, runtime: Runtime, run: ImportRun, written: WrittenRejects | None) -> None:
    """Make a written file the import's, as the last thing in the transaction that ends it; the rows have done their duty."""
    if written is None:
        return
    file = await stored_files.create_file(conn, FileKind.REJECTS, written.name, written.location, run.created_by)
    await stored_files.complete_file(conn, file.id, written.size, runtime.clock())
    await store.set_rejects_file(conn, run.id, file.id)
    await store.delete_rejects(conn, run.id)
    await asyncio.to_thread(written.part.replace, runtime.files.path(file))


async def write_late_rejects(runtime: Runtime, import_id: int) -> None:
    """The same for an import that ended without: it was cancelled, or its worker went away. Does nothing when that is done."""
    location = runtime.files.new_location(NAME)
    async with runtime.files.part(location) as part, transaction(runtime.pool) as conn:
        run = await store.lock_run(conn, import_id)
        if run is not None and run.finished_at is not None and run.rejects_file_id is None:
            await attach_rejects(conn, runtime, run, await _write_all(conn, run, location, part))


async def first_rejects(conn: Connection, files: Files, run: ImportRun, limit: int) -> list[Reject]:
    """The first refused rows and remarks, long texts cut: of an import that runs, or from its file.

    Raises NotFound (FILE_REMOVED).
    """
    if run.rejects_file_id is None:
        found = await store.list_rejects(conn, run.id, limit)
    else:
        file = await stored_files.get_file(conn, run.rejects_file_id)
        stored_files.check_kept(file, "import_id")
        found = await asyncio.to_thread(_read, files.path(file), limit)
    return [replace(one, message=_shown(one.message), row_text=_shown(one.row_text)) for one in found]


def _shown(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _read(path: Path, limit: int) -> list[Reject]:
    found: list[Reject] = []
    with path.open(encoding="utf-8", newline="") as file:
        for record in islice(_records(file), 1, limit + 1):
            line, column, code, message, text, *cells = map(_bare, _CELL.findall(record))
            found.append(
                Reject(
                    line=int(line), column=unescaped(column), code=code, message=unescaped(message),
                    row_text=unescaped(text), cells=list(map(unescaped, cells)),
                )
            )  # fmt: skip
    return found


def _records(file: TextIO) -> Iterator[str]:
    """Rows as `_write` made them, however long: the csv module reads no cell of more than 131,072 characters."""
    lines: list[str] = []
    quotes = 0
    for line in file:
        lines.append(line)
        quotes += line.count('"')
        if quotes % 2 == 0:  # outside of any cell, for those within are doubled
            yield "".join(lines).removesuffix("\r\n")
            lines, quotes = [], 0


def _bare(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if cell.startswith('"') else cell


async def _write_all(conn: Connection, run: ImportRun, location: str, part: Path) -> WrittenRejects | None:
    if not await store.has_rejects(conn, run.id):
        return None
    run = await store.find_run(conn, run.id) or run  # its header is known since its file was opened
    upload = await stored_files.get_file(conn, run.file_id)
    name = f"{Path(upload.name).stem[:150]}-{NAME}"
    return WrittenRejects(name=name, location=location, part=part, size=await _write(conn, run, part))


async def _write(conn: Connection, run: ImportRun, path: Path) -> int:
    with path.open("wb") as raw, io.TextIOWrapper(raw, encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow((*HEADER, *map(escaped, run.header or ())))
        blank = ("",) * len(run.header or ())
        async for line, column, code, message, row_text, cells in store.stream_rejects(conn, run.id):
            told = (line, escaped(column), code, escaped(message), escaped(row_text))
            writer.writerow((*told, *map(escaped, cells or blank)))
        file.flush()
        return raw.tell()
