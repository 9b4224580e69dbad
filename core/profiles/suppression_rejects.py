"""The file of refused rows of an import of suppression entries, which comes back like one of profiles, and opening either."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Sequence
from pathlib import Path

from core import files as stored_files
from core.db import Connection
from core.errors import Invalid
from core.files import FileKind
from core.profiles.csv_reader import CsvFile
from core.profiles.files.chunks import Chunk, as_csv
from core.profiles.files.corrected import HEADER, LOOKED_AT, CorrectedFile, find_corrected
from core.profiles.files.streams import PlainStream
from core.profiles.formulas import escaped
from core.profiles.rejects_file import NAME
from core.profiles.store import suppression_runs as store
from core.profiles.suppression_records import SuppressionImport
from core.runtime import Runtime

EntriesFile = CsvFile | CorrectedFile


def open_entries(path: Path, run: SuppressionImport) -> EntriesFile:
    """The uploaded file, from its start. Raises Invalid for a file or header that cannot be read."""
    try:
        with path.open("rb") as file:
            corrected = find_corrected(file.read(LOOKED_AT))
        return CsvFile(path, run.options.delimiter) if corrected is None else CorrectedFile(PlainStream(path), corrected)
    except FileNotFoundError:
        raise Invalid("the uploaded file is gone", code="FILE_LOST", hint="Create the import again.") from None


def text_of(file: EntriesFile, line: int, row: Sequence[str], chunk: Chunk) -> str:
    """A row as it stands in the file; of refused rows that came back, as it stood in the first."""
    if isinstance(file, CsvFile) and line in chunk.lines:
        return chunk.text(line)
    return as_csv(row, file.delimiter)


async def attach_rejects(conn: Connection, runtime: Runtime, run: SuppressionImport, location: str, part: Path) -> None:
    """Write the refused rows and make their file the import's, as the last thing in its transaction."""
    if not await store.has_rejects(conn, run.id):
        return
    upload = await stored_files.get_file(conn, run.file_id)
    titles, delimiter = await asyncio.to_thread(_columns, runtime.files.path(upload), run)
    with part.open("wb") as raw, io.TextIOWrapper(raw, encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow((*HEADER, *map(escaped, titles)))
        async for line, column, code, message, text in store.stream_rejects(conn, run.id):
            cells = _cells(text, delimiter, len(titles)) if column else None  # a row that could not be read blames no column
            told = (line, escaped(column), code, escaped(message), escaped(text))
            writer.writerow((*told, *map(escaped, cells or [""] * len(titles))))
        out.flush()
        size = raw.tell()
    name = f"{Path(upload.name).stem[:150]}-{NAME}"
    file = await stored_files.create_file(conn, FileKind.REJECTS, name, location, run.created_by)
    await stored_files.complete_file(conn, file.id, size, runtime.clock())
    await store.move_rejects(conn, run.id, file.id)
    await asyncio.to_thread(part.replace, runtime.files.path(file))


def _columns(path: Path, run: SuppressionImport) -> tuple[list[str], str]:
    """What the columns of a file are called, without a header by their number, and what separates them; none of one that
    cannot be opened any more."""
    try:
        file = open_entries(path, run)
    except Invalid:
        return [], ","
    file.close()
    if run.options.header or isinstance(file, CorrectedFile):
        return file.header, file.delimiter
    return [str(number) for number in range(1, len(file.header) + 1)], file.delimiter


def _cells(text: str, delimiter: str, width: int) -> list[str] | None:
    """A row divided as its file was; None where it is not what it was, as what was erased in it."""
    try:
        (row,) = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    except (csv.Error, ValueError):
        return None
    return row if len(row) == width else None
