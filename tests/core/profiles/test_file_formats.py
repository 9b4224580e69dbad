"""The same people in every format, and files that are made to do harm."""

from __future__ import annotations

import csv
import gc
import gzip
import io
import json
import struct
import zipfile
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
import xlsxwriter

from core.errors import Invalid
from core.profiles.csv_reader import CsvFile
from core.profiles.files import archives, row_files, streams, workbook_file
from core.profiles.files.chunks import Chunk
from core.profiles.files.opening import open_people_file
from core.profiles.import_options import FileFormat, FileShape, FixedColumn
from core.profiles.run_records import ImportOptions, UnknownColumns

HEADER = ["email", "first_name", "city"]
ROWS = [["ann@mail.example", "Ann", "Zürich"], ["bob@mail.example", "Bob", ""], ["cy@mail.example", 'Cy "C", Jr.', "Łódź"]]


def as_csv(rows: Sequence[Sequence[str]], mark: str = ",", **options: Any) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=mark, quoting=csv.QUOTE_ALL, **options).writerows(rows)
    return out.getvalue()


def as_json_lines(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    return "".join(json.dumps(dict(zip(header, row, strict=True))) + "\n" for row in rows).encode()


def as_zip(*entries: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return out.getvalue()


def as_workbook(rows: Sequence[Sequence[Any]], sheet: str = "People") -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "default_date_format": "yyyy-mm-dd"}) as book:
        book.add_worksheet("Notes").write(0, 0, "nothing")
        page = book.add_worksheet(sheet)
        for number, row in enumerate(rows):
            for column, cell in enumerate(row):
                page.write(number, column, cell)
    return out.getvalue()


def as_parquet(columns: dict[str, Any], **options: Any) -> bytes:
    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), out, **options)
    return out.getvalue()


def fixed(rows: Sequence[Sequence[str]]) -> bytes:
    return "".join("".join(cell.ljust(20) for cell in row) + "\r\n" for row in rows).encode()


PEOPLE = as_csv([HEADER, *ROWS]).encode()
FIXED = tuple(FixedColumn(name=name, width=20) for name in HEADER)
FORMATS: dict[str, tuple[bytes, ImportOptions]] = {
    "csv": (PEOPLE, ImportOptions()),
    "semicolons in latin-2": (
        as_csv([HEADER, *ROWS], ";").encode("iso8859-2"), ImportOptions(file=FileShape(encoding="iso8859-2")),
    ),
    "utf-16": (as_csv([HEADER, *ROWS]).encode("utf-16"), ImportOptions()),
    "utf-32": (as_csv([HEADER, *ROWS]).encode("utf-32"), ImportOptions()),
    "a separator of control": (
        as_csv([HEADER, *ROWS], "\x01").encode(), ImportOptions(delimiter="\x01"),
    ),
    "a separator beyond ascii": (as_csv([HEADER, *ROWS], "¦").encode(), ImportOptions(delimiter="¦")),
    "blanks": (as_csv([HEADER, *ROWS], " ").encode(), ImportOptions(delimiter=" ")),
    "quotes between cells": (
        as_csv([HEADER, *ROWS], '"', quotechar="'").encode(), ImportOptions(delimiter='"', file=FileShape(quote="'")),
    ),
    "apostrophes": (as_csv([HEADER, *ROWS], quotechar="'").encode(), ImportOptions(file=FileShape(quote="'"))),
    "escapes": (
        as_csv([HEADER, *ROWS], escapechar="\\", doublequote=False).encode(), ImportOptions(file=FileShape(escape="\\")),
    ),
    "lines before": (b"People\nof today\n" + PEOPLE, ImportOptions(file=FileShape(skip_lines=2))),
    "gzip": (gzip.compress(PEOPLE), ImportOptions()),
    "gzip in pieces": (gzip.compress(PEOPLE[:40]) + gzip.compress(PEOPLE[40:]), ImportOptions()),
    "gzip of utf-16": (gzip.compress(as_csv([HEADER, *ROWS]).encode("utf-16")), ImportOptions()),
    "zip": (as_zip(("folder/", b""), ("__MACOSX/x.csv", b"no"), ("folder/people.csv", PEOPLE)), ImportOptions()),
    "a named entry": (as_zip(("a.csv", b"x,y\n"), ("b.csv", PEOPLE)), ImportOptions(file=FileShape(entry="b.csv"))),
    "json lines": (as_json_lines(HEADER, ROWS), ImportOptions()),
    "zipped json lines": (
        as_zip(("x", as_json_lines(HEADER, ROWS))), ImportOptions(file=FileShape(format=FileFormat.JSON_LINES)),
    ),
    "fixed width": (fixed(ROWS), ImportOptions(file=FileShape(fixed_columns=FIXED, header=False))),
    "fixed width with titles": (
        fixed([["Mail", "First", "City"], *ROWS]),
        ImportOptions(file=FileShape(fixed_columns=FIXED, format=FileFormat.FIXED_WIDTH)),
    ),
    "workbook": (as_workbook([HEADER, *ROWS]), ImportOptions(file=FileShape(sheet="People"))),
    "parquet": (as_parquet(dict(zip(HEADER, map(list, zip(*ROWS, strict=True)), strict=True))), ImportOptions()),
}  # fmt: skip


def read_all(path: Path, options: ImportOptions, lines: int = 1000) -> tuple[list[str], list[Chunk]]:
    """The header and every chunk."""
    file = open_people_file(path, options)
    chunks: list[Chunk] = []
    try:
        while not chunks or not chunks[-1].last:
            chunks.append(file.read(lines))
        return list(file.header), chunks
    finally:
        file.close()


def rows_of(chunks: Sequence[Chunk]) -> list[list[str]]:
    """Every row."""
    return [row for chunk in chunks for row in chunk.rows]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a test writes its file."""
    return tmp_path / "people"


def test_a_blank_or_a_quote_between_cells_where_nothing_is_quoted(path: Path) -> None:
    for mark, cells in ((" ", ['"a', "", "b"]), ('"', ["a b", "", "'"])):
        path.write_text("email first_name city\n".replace(" ", mark) + mark.join(cells) + "\n", encoding="utf-8")
        header, chunks = read_all(path, ImportOptions(delimiter=mark, file=FileShape(quote=None)))
        assert (header, rows_of(chunks)) == (HEADER, [cells])


@pytest.mark.parametrize(("data", "options"), FORMATS.values(), ids=FORMATS)
def test_the_same_people_in_every_format(path: Path, data: bytes, options: ImportOptions) -> None:
    path.write_bytes(data)

    header, chunks = read_all(path, options)

    assert header == HEADER
    assert rows_of(chunks) == ROWS
    assert not any(chunk.bad for chunk in chunks)


@pytest.mark.parametrize(("data", "options"), FORMATS.values(), ids=FORMATS)
def test_whoever_goes_on_behind_a_chunk_reads_the_rest(path: Path, data: bytes, options: ImportOptions) -> None:
    path.write_bytes(data)
    whole = read_all(path, options, 1)[1]

    for number, before in enumerate(whole[:-1]):
        file = open_people_file(path, options)
        file.read(2)  # somewhere else
        file.skip_to(before.end, before.end_line)
        rest = [file.read(1) for _ in whole[number + 1 :]]
        file.close()
        assert rows_of(rest) == rows_of(whole[number + 1 :])
        assert [chunk.lines for chunk in rest] == [chunk.lines for chunk in whole[number + 1 :]]
        assert rest[-1].last


def test_without_a_header_columns_are_called_by_their_number(path: Path) -> None:
    path.write_bytes(as_csv(ROWS).encode())

    header, chunks = read_all(path, ImportOptions(file=FileShape(header=False)))

    assert header == ["1", "2", "3"]
    assert rows_of(chunks) == ROWS
    assert chunks[0].lines == [1, 2, 3]


def test_rows_know_their_lines(path: Path) -> None:
    path.write_bytes(as_workbook([["a", "b"], [1, 2], [], [3, 4]]))
    assert [chunk.lines for chunk in read_all(path, ImportOptions(file=FileShape(sheet="People")))[1]] == [[2, 4]]

    path.write_bytes(b'{"a": 1}\n\n{"a": 2}\n')
    assert [chunk.lines for chunk in read_all(path, ImportOptions())[1]] == [[1, 3]]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{", "BROKEN_JSON"),
        (b"[1]", "BROKEN_JSON"),
        (b'{"a": NaN}', "BROKEN_JSON"),
        (b"[" * 100_000, "BROKEN_JSON"),
        (b'{"a": "' + b"x" * 200_000 + b'"}', "TOO_LONG"),
        (b'{"a": "' + b"x" * 10_000_000 + b'"}', "TOO_LONG"),
        (b'{"b": 1}', "UNKNOWN_KEY"),
    ],
)
def test_a_bad_line_costs_itself(path: Path, line: bytes, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.profiles.files.line_files.LINES_FOR_NAMES", 1)
    path.write_bytes(b'{"a": 1}\n' + line + b'\n{"a": 9007199254740993}\n')

    header, chunks = read_all(path, ImportOptions())

    assert header == ["a"]
    assert rows_of(chunks) == [["1"], ["9007199254740993"]]
    assert [(bad.line, bad.code) for chunk in chunks for bad in chunk.bad] == [(2, code)]


def test_other_keys_can_be_ignored(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.profiles.files.line_files.LINES_FOR_NAMES", 1)
    path.write_bytes(b'{"a": 1}\n{"b": 2, "a": null}\n{"a": [1, {"x": true}]}\n')

    _, chunks = read_all(path, ImportOptions(unknown_columns=UnknownColumns.IGNORE))

    assert rows_of(chunks) == [["1"], [""], ['[1, {"x": true}]']]


def test_a_line_of_fixed_width_is_not_wider(path: Path) -> None:
    path.write_bytes(b"ab  cd\nabc\nab  cdXX\nab  cd   \n")
    columns = (FixedColumn(name="x", width=4), FixedColumn(name="y", width=2))

    _, chunks = read_all(path, ImportOptions(file=FileShape(fixed_columns=columns, header=False)))

    assert rows_of(chunks) == [["ab", "cd"], ["abc", ""], ["ab", "cd"]]
    assert [(bad.line, bad.code) for bad in chunks[0].bad] == [(3, "WRONG_WIDTH")]


def test_values_of_workbooks_and_parquet_become_cells(path: Path) -> None:
    path.write_bytes(
        as_workbook([["a", "b", "c", "d"], [1, 1.5, True, date(2020, 2, 29)], ["=x", None, datetime(2020, 1, 2, 3, 4), 2.0]])
    )
    _, chunks = read_all(path, ImportOptions(file=FileShape(sheet="People")))
    assert rows_of(chunks)[0] == ["1", "1.5", "true", "2020-02-29"]

    table = {
        "whole": pyarrow.array([1, None], pyarrow.int64()),
        "huge": pyarrow.array([2**64 - 1, 0], pyarrow.uint64()),
        "exact": pyarrow.array([None, 12345678901234567890], pyarrow.decimal128(30, 4)),
        "day": pyarrow.array([date(1, 1, 1), None], pyarrow.date32()),
        "nano": pyarrow.array([1, 1_500_000_000_000_000_000], pyarrow.timestamp("ns", "UTC")),
        "bytes": pyarrow.array([b"\xff", b"ok"]),
        "list": pyarrow.array([[1, None], []], pyarrow.list_(pyarrow.int8())),
        "map": pyarrow.array([{"k": 1.5}, None], pyarrow.struct([("k", pyarrow.float32())])),
        "word": pyarrow.array(["x", "y"]).dictionary_encode(),
        "nothing": pyarrow.nulls(2),
    }
    path.write_bytes(as_parquet(table))
    header, chunks = read_all(path, ImportOptions())
    assert header == list(table)
    assert rows_of(chunks) == [
        ["1", "18446744073709551615", "", "0001-01-01", "1970-01-01T00:00:00+00:00", "\udcff", "[1, null]", '{"k": 1.5}',
         "x", ""],
        ["", "0", "12345678901234567890.0000", "", "2017-07-14T02:40:00+00:00", "ok", "[]", "", "y", ""],
    ]  # fmt: skip


def test_days_out_of_the_calendar_in_parquet_are_marked_wherever_they_stand(path: Path) -> None:
    huge = pyarrow.array([0, 2**62], pyarrow.timestamp("us"))
    path.write_bytes(as_parquet({
        "time": huge, "lasting": pyarrow.array([1, 2**62], pyarrow.duration("s")),
        "list": pyarrow.ListArray.from_arrays([0, 1, 2], huge), "map": pyarrow.StructArray.from_arrays([huge], ["k"]),
    }))  # fmt: skip
    first, second = rows_of(read_all(path, ImportOptions())[1])
    assert first == ["1970-01-01", "0:00:01", '["1970-01-01"]', '{"k": "1970-01-01"}']
    assert all(cell.startswith("\0") for cell in second)  # NUL: no field takes it


def test_formulas_are_read_as_what_they_came_to(path: Path) -> None:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        page = book.add_worksheet()
        page.write_row(0, 0, ["sum", "text", "fault"])
        page.write_formula(1, 0, "=1+1", None, 2)
        page.write_formula(1, 1, '=HYPERLINK("http://evil.example")', None, "shown")
        page.write_formula(1, 2, "=1/0", None, "#DIV/0!")
    path.write_bytes(out.getvalue())

    assert rows_of(read_all(path, ImportOptions())[1]) == [["2", "shown", "\0#DIV/0!"]]  # NUL: no field takes it


def refused(path: Path, data: bytes, options: ImportOptions | None = None) -> str:
    """The code with which a file is refused."""
    path.write_bytes(data)
    with pytest.raises(Invalid) as caught:
        read_all(path, options or ImportOptions())
    return caught.value.code


def test_bombs_are_stopped(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "RATIO_FROM", 1 << 20)
    bomb = b"a,b\n" + b"1,2\n" * 1_000_000

    assert refused(path, gzip.compress(bomb)) == "UNPACKS_TOO_FAR"
    assert refused(path, as_zip(("x.csv", bomb))) == "UNPACKS_TOO_FAR"
    monkeypatch.setattr(streams, "LARGEST_RATIO", 10_000)
    monkeypatch.setattr(streams, "LARGEST_UNPACKED", 1 << 21)
    assert refused(path, gzip.compress(bomb)) == "UNPACKS_TOO_FAR"


def test_a_bomb_in_a_workbook_is_stopped_before_it_is_unpacked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook_file, "LARGEST_TEXTS", 1000)
    assert refused(path, as_workbook([["email"], *([f"person{n}@mail.example"] for n in range(100))])) == "UNPACKS_TOO_FAR"


def test_parts_of_a_workbook_grow_no_further_than_packed_files(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "RATIO_FROM", 1 << 20)
    source = zipfile.ZipFile(io.BytesIO(as_workbook([["a"], ["b"]])))
    for grown in ("xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"):
        entries = [(name, source.read(name) + b" " * (name == grown) * (2 << 20)) for name in source.namelist()]
        assert refused(path, as_zip(*entries)) == "UNPACKS_TOO_FAR"

    path.write_bytes(as_workbook([["a", "b", "c"], *([1, 1, True] for _ in range(20_000))]))
    with zipfile.ZipFile(path) as archive:
        assert max(part.file_size for part in archive.infolist()) > streams.RATIO_FROM
    assert len(rows_of(read_all(path, ImportOptions(file=FileShape(sheet="People")))[1])) == 20_000


def test_laughs_are_not_laughed(path: Path) -> None:
    laughs = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><worksheet>&b;</worksheet>'
    source = zipfile.ZipFile(io.BytesIO(as_workbook([["a"], ["b"]])))
    for hurt in ("xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/workbook.xml"):
        entries = [(name, laughs if name == hurt else source.read(name)) for name in source.namelist()]
        assert refused(path, as_zip(*entries)) == "BROKEN_WORKBOOK"
        entries = [
            (name, laughs.decode().encode("utf-16") if name == hurt else source.read(name)) for name in source.namelist()
        ]
        assert refused(path, as_zip(*entries)) == "BROKEN_WORKBOOK"


def test_damaged_archives_say_so(path: Path) -> None:
    packed = gzip.compress(PEOPLE * 100)
    assert refused(path, packed[:-20]) == "BROKEN_ARCHIVE"  # truncated
    assert refused(path, packed[:-6] + bytes(6)) == "BROKEN_ARCHIVE"  # another checksum
    archive = as_zip(("x.csv", PEOPLE * 100))
    assert refused(path, archive[: len(archive) // 2]) == "BROKEN_ARCHIVE"
    at = archive.index(b"x.csv") + 20
    assert refused(path, archive[:at] + bytes(20) + archive[at + 20 :]) == "BROKEN_ARCHIVE"


def test_an_archive_that_points_elsewhere_says_so_and_is_let_go_of(path: Path) -> None:
    gc.collect()
    for data, code in ((as_zip(("x.csv", PEOPLE)), "BROKEN_ARCHIVE"), (as_workbook([["a"], ["b"]]), "BROKEN_WORKBOOK")):
        for shift in (1000, 7):  # where entries are said to begin: before the file, and somewhere in it
            moved = bytearray(data)
            end = moved.rindex(b"PK\x05\x06")
            struct.pack_into("<L", moved, end + 16, struct.unpack_from("<L", moved, end + 16)[0] + shift)
            assert refused(path, bytes(moved)) == code
    gc.collect()  # a file that is still open would be told of


@pytest.mark.parametrize("part", ["xl/workbook.xml", "xl/worksheets/sheet1.xml"])
def test_a_damaged_workbook_says_so_whatever_is_wrong_in_it(path: Path, part: str) -> None:
    book = as_workbook([["email"], *([f"person{n}@mail.example"] for n in range(300))])
    entry = zipfile.ZipFile(io.BytesIO(book)).getinfo(part)
    start = entry.header_offset + 30 + len(part)  # where its packed bytes begin
    for damage in (b"\xff" * 4, bytes(4)):
        for at in range(start, start + entry.compress_size, 40):
            assert refused(path, book[:at] + damage + book[at + 4 :]) == "BROKEN_WORKBOOK"


def test_what_is_packed_twice_is_refused(path: Path) -> None:
    assert refused(path, gzip.compress(gzip.compress(PEOPLE))) == "PACKED_TWICE"
    assert refused(path, as_zip(("x.zip", as_zip(("x.csv", PEOPLE))))) == "PACKED_TWICE"
    assert refused(path, gzip.compress(as_parquet({"a": [1]}))) == "PACKED_TWICE"


def test_entries_of_archives(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert refused(path, as_zip()) == "NO_ENTRY"
    assert refused(path, as_zip(("a.csv", PEOPLE)), ImportOptions(file=FileShape(entry="b.csv"))) == "NO_ENTRY"
    locked = bytearray(as_zip(("a.csv", PEOPLE)))
    at = locked.index(b"PK\x01\x02")
    struct.pack_into("<H", locked, at + 8, 1)
    assert refused(path, bytes(locked)) == "ENCRYPTED_ARCHIVE"
    # A name is no path: nothing is ever written
    path.write_bytes(as_zip(("../../../escaped.csv", PEOPLE), ("/tmp/escaped.csv", PEOPLE)))
    before = sorted(tmp_path.parent.rglob("*"))
    assert rows_of(read_all(path, ImportOptions())[1]) == ROWS
    assert sorted(tmp_path.parent.rglob("*")) == before
    # A list of files that would fill the memory
    monkeypatch.setattr(archives, "LARGEST_DIRECTORY", 100)
    assert refused(path, as_zip(*((f"{n}.csv", b"") for n in range(10)))) == "TOO_MANY_ENTRIES"


@pytest.mark.parametrize(
    ("data", "wanted", "code"),
    [
        (b"a,b\n", FileFormat.WORKBOOK, "OTHER_FORMAT"),
        (b"a,b\n", FileFormat.PARQUET, "OTHER_FORMAT"),
        (b"a,b\n", FileFormat.JSON_LINES, "NOT_JSON_LINES"),
        (as_workbook([["a"]]), FileFormat.DELIMITED, "OTHER_FORMAT"),
        (as_parquet({"a": [1]}), FileFormat.WORKBOOK, "OTHER_FORMAT"),
        (as_parquet({"a": [1]})[:-10], None, "BROKEN_PARQUET"),
        (b"PAR1" + b"\xff" * 50 + b"\xff\xff\xff\x7fPAR1", None, "BROKEN_PARQUET"),
        (as_zip(("xl/workbook.xml", b"<workbook/>"), ("[Content_Types].xml", b"<x/>")), None, "BROKEN_WORKBOOK"),
        (as_zip(("xl/workbook.xml", b"not xml")), None, "BROKEN_WORKBOOK"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", None, "OLD_WORKBOOK"),
        (b"\xff\xfe", None, "EMPTY_FILE"),
        (b"", FileFormat.JSON_LINES, "EMPTY_FILE"),
        (as_workbook([]), None, "EMPTY_FILE"),
    ],
)  # fmt: skip
def test_files_that_are_something_else(path: Path, data: bytes, wanted: FileFormat | None, code: str) -> None:
    shape = FileShape(format=wanted, sheet="People" if code == "EMPTY_FILE" and data[:2] == b"PK" else None)
    assert refused(path, data, ImportOptions(file=shape)) == code


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ('<row><c><v>1</v></c><c t="b"><v>1</v></c></row>', [["1", "true"]]),
        (
            '<row r="9"><c r="B9" t="inlineStr"><is><r><t>a_x000D_</t></r><r><t>b</t></r><rPh><t>c</t></rPh></is></c></row>',
            [["", "a\rb"]],
        ),
        ('<row r="3"><c r="A3"><f>1+1</f></c></row>', []),
        ('<row r="3"><c r="A3"><f>1+1</f><v>2</v></c></row>', [["2", ""]]),
        ('<row r="3"/><row r="3"><c><v>1</v></c></row>', None),
        ('<row r="1048577"><c r="ZZZZ1"><v>1</v></c></row>', None),
        ('<row r="2"><c r="B2"><v>1</v></c><c r="A2"><v>1</v></c></row>', None),
        ('<row r="2"><c t="s"><v>99</v></c></row>', None),
        ('<row r="2"><c><v>one</v></c></row>', None),
        ('<row r="two"><c><v>1</v></c></row>', None),
        ("<row r='2'><c><v>&a;</v></c></row>", None),
        ("<row>", None),
    ],
)
def test_sheets_that_other_programs_write(path: Path, rows: str, found: list[list[str]] | None) -> None:
    source = zipfile.ZipFile(io.BytesIO(as_workbook([["a", "b"]])))
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    titles = '<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c><c t="str"><v>b</v></c></row>'
    sheet = f'<worksheet xmlns="{space}"><sheetData>{titles}{rows}</sheetData></worksheet>'.encode()
    path.write_bytes(
        as_zip(*((name, sheet if name.endswith("sheet2.xml") else source.read(name)) for name in source.namelist()))
    )
    options = ImportOptions(file=FileShape(sheet="People"))

    if found is None:
        assert refused(path, path.read_bytes(), options) == "BROKEN_WORKBOOK"
    else:
        assert rows_of(read_all(path, options)[1]) == found


def test_a_sheet_has_a_name(path: Path) -> None:
    assert refused(path, as_workbook([["a"]]), ImportOptions(file=FileShape(sheet="Poeple"))) == "NO_SHEET"


@pytest.mark.parametrize(
    ("encoding", "bad"), [("ascii", b"\xe9"), ("utf-16-le", b"\x00\xd8"), ("shift_jis", b"\x81"), ("cp1252", b"\x81")]
)
def test_bytes_that_are_no_text_stay_in_their_row(path: Path, encoding: str, bad: bytes) -> None:
    path.write_bytes("a,b\n1,2\n3,".encode(encoding) + bad + "\n5,6\n".encode(encoding))

    _, chunks = read_all(path, ImportOptions(file=FileShape(encoding=encoding)))

    first, second, *_ = rows_of(chunks)
    assert first == ["1", "2"]
    assert second[0] == "3"
    assert "\udcff" in second[1] or "\udce9" in second[1]  # no field takes it
    assert not chunks[0].plain


def test_a_chunk_of_large_cells_is_cut(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_files, "LARGEST_CHUNK", 100)
    path.write_bytes(as_parquet({"a": ["x" * 60] * 5}))

    assert [len(chunk.rows) for chunk in read_all(path, ImportOptions())[1]] == [2, 2, 1]


def test_a_cell_that_is_too_large_costs_its_row(path: Path) -> None:
    path.write_bytes(as_parquet({"a": ["x", "y" * 10_000_000, "z"]}))
    _, chunks = read_all(path, ImportOptions())
    assert rows_of(chunks) == [["x"], ["z"]]
    assert [(bad.line, bad.code, len(bad.text)) for chunk in chunks for bad in chunk.bad] == [(2, "TOO_LONG", 1000)]


@pytest.mark.parametrize(
    ("make", "rows", "bad"),
    [
        (lambda path: CsvFile(path, quote=None), [['"1', '2"']], []),
        (lambda path: CsvFile(path, escape="\\"), [], [2]),
    ],
)
def test_quotes_of_other_kinds(path: Path, make: Callable[[Path], CsvFile], rows: list[list[str]], bad: list[int]) -> None:
    path.write_bytes(b'a,b\n"1,2"\n')
    with make(path) as file:
        chunk = file.read(10)
    assert chunk.rows == rows
    assert [one.line for one in chunk.bad] == bad
