"""Opens the file of an import: what it is, is said by the import or found by its first bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from core.errors import Invalid
from core.profiles.csv_reader import CsvFile
from core.profiles.files.archives import choose_entry, open_archive, unpack_entry
from core.profiles.files.chunks import PeopleFile
from core.profiles.files.corrected import LOOKED_AT, CorrectedFile, find_corrected
from core.profiles.files.line_files import FixedWidthFile, JsonLinesFile
from core.profiles.files.parquet_file import ParquetFile
from core.profiles.files.streams import DecodedStream, PackedStream, PlainStream, Stream, TextStream, unpack_gzip
from core.profiles.files.workbook_file import WorkbookFile
from core.profiles.formulas import unescaped
from core.profiles.import_options import FileFormat
from core.profiles.run_records import ImportOptions, UnknownColumns

_BY_MARK = {b"\xff\xfe\x00\x00": "utf-32", b"\x00\x00\xfe\xff": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_GZIP, _ZIP, _PARQUET, _OLD_OFFICE = b"\x1f\x8b", (b"PK\x03\x04", b"PK\x05\x06"), b"PAR1", b"\xd0\xcf\x11\xe0"
_UNPACKED = frozenset({"utf-8", "utf-8-sig", "utf8", "ascii", "us-ascii"})  # what needs no decoding before it is read


def open_people_file(path: Path, options: ImportOptions) -> PeopleFile:
    """Raises Invalid (FILE_LOST, and by what is wrong with it)."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except FileNotFoundError:
        raise Invalid("the uploaded file is gone", code="FILE_LOST", hint="Create the import again.") from None
    if start.startswith(_OLD_OFFICE):
        raise Invalid(
            "the file is an old or encrypted workbook", code="OLD_WORKBOOK", path="file",
            hint="Save it as .xlsx without a password, or as CSV.",
        )  # fmt: skip
    if start.startswith(_PARQUET):
        _expect(options, FileFormat.PARQUET)
        return ParquetFile(path)
    if start.startswith(_ZIP):
        archive = open_archive(path)
        if "xl/workbook.xml" in archive.NameToInfo and options.file.entry is None:
            archive.close()
            _expect(options, FileFormat.WORKBOOK)
            return WorkbookFile(path, options.file)
        with archive:
            entry = choose_entry(archive, options.file.entry)
        return _open_stream(PackedStream(path, unpack_entry(entry)), options)
    if start.startswith(_GZIP):
        return _open_stream(PackedStream(path, unpack_gzip), options)
    return _open_stream(PlainStream(path), options)


def open_people_text(text: str, options: ImportOptions) -> PeopleFile:
    """A file that is given as its text. Raises as `open_people_file`."""
    return _open_stream(TextStream(text), replace(options, file=replace(options.file, encoding=None)))


def _expect(options: ImportOptions, found: FileFormat) -> None:
    wanted = options.file.format
    if wanted is not None and wanted is not found:
        raise _other(wanted, found.value.replace("_", " "))


def _other(wanted: FileFormat, what: str) -> Invalid:
    return Invalid(
        f"the file is {what}, not {wanted.value.replace('_', ' ')}", code="OTHER_FORMAT", path="file",
        hint="Leave the format out to have it found.",
    )  # fmt: skip


def _open_stream(source: Stream, options: ImportOptions) -> PeopleFile:
    """Of what is unpacked, and so read from its start to its end."""
    try:
        start = source.read(LOOKED_AT)
        source.seek(0)
        delimiter = find_corrected(start)
        if delimiter is not None:
            return CorrectedFile(source, delimiter)
        _check_packed_once(start)
        encoding = options.file.encoding or next((name for mark, name in _BY_MARK.items() if start.startswith(mark)), None)
        if encoding is not None and encoding.lower().replace("_", "-") not in _UNPACKED:
            source = DecodedStream(source, encoding)
            start = source.read(LOOKED_AT)
            source.seek(0)
        return _open_text(source, start, options)
    except BaseException:
        source.close()
        raise


def _check_packed_once(start: bytes) -> None:
    if start.startswith((_GZIP, *_ZIP, _PARQUET)):
        raise Invalid(
            "what is packed in the file is packed itself", code="PACKED_TWICE", path="file",
            hint="Upload workbooks, Parquet files and archives as they are.",
        )  # fmt: skip


def _open_text(source: Stream, start: bytes, options: ImportOptions) -> PeopleFile:
    shape = options.file
    found = shape.format
    if found in (FileFormat.WORKBOOK, FileFormat.PARQUET):
        raise _other(found, "text")
    if found is None and shape.fixed_columns:
        found = FileFormat.FIXED_WIDTH
    elif found is None and start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        found = FileFormat.JSON_LINES
    if found is FileFormat.FIXED_WIDTH:
        return FixedWidthFile(source, shape.fixed_columns, header=shape.header, skip_lines=shape.skip_lines)
    if found is FileFormat.JSON_LINES:
        ignore = options.unknown_columns is UnknownColumns.IGNORE
        return JsonLinesFile(source, skip_lines=shape.skip_lines, ignore_others=ignore)
    file = CsvFile(
        source, options.delimiter, quote=shape.quote, escape=shape.escape, header=shape.header, skip_lines=shape.skip_lines
    )
    if options.unescape_formulas:
        file.header = list(map(unescaped, file.header))
    return file
