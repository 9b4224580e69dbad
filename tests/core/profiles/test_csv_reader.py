"""Files as they come: every delimiter, ending and mistake, in chunks that depend on the offset alone."""

from __future__ import annotations

import csv
import io
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import Invalid
from core.profiles import csv_lines
from core.profiles.csv_reader import CsvFile
from core.profiles.files.chunks import Chunk


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a test writes its file."""
    return tmp_path / "people.csv"


def read_all(path: Path, lines: int = 1000, delimiter: str | None = None) -> tuple[list[str], list[Chunk]]:
    """The header and every chunk."""
    chunks: list[Chunk] = []
    with CsvFile(path, delimiter) as file:
        while not chunks or not chunks[-1].last:
            chunks.append(file.read(lines))
        return file.header, chunks


def rows_of(path: Path, lines: int = 1000) -> list[list[str]]:
    """Every row."""
    return [row for chunk in read_all(path, lines)[1] for row in chunk.rows]


@pytest.mark.parametrize(
    "data",
    [
        b"a,b\n1,2\n3,4\n",
        b"a,b\n1,2\n3,4",
        b"a,b\r\n1,2\r\n3,4\r\n",
        b"a,b\r1,2\r3,4\r",
        b"\xef\xbb\xbfa,b\n1,2\n3,4\n",
        b"a;b\n1;2\n3;4\n",
        b"a\tb\n1\t2\n3\t4\n",
        b"a|b\n1|2\n3|4\n",
        b'"a","b"\n"1","2"\n"3","4"\n',
        b"a,b\n\n1,2\n\r\n3,4\n\n",
    ],
)
def test_spellings_of_the_same_table(path: Path, data: bytes) -> None:
    path.write_bytes(data)

    header, chunks = read_all(path)

    assert header == ["a", "b"]
    assert [row for chunk in chunks for row in chunk.rows] == [["1", "2"], ["3", "4"]]
    assert not [bad for chunk in chunks for bad in chunk.bad]
    assert chunks[-1].end == len(data)


def test_a_delimiter_in_quotes_is_not_counted(path: Path) -> None:
    path.write_text('"a,b,c,d";e\n1;2\n')

    assert read_all(path)[0] == ["a,b,c,d", "e"]


def test_a_cell_may_hold_anything_in_quotes(path: Path) -> None:
    path.write_text('a,b\n"one\ntwo\r\nthree","say ""hi"", ok"\nx,y\n', newline="")

    _, (chunk,) = read_all(path)

    assert chunk.rows == [["one\ntwo\r\nthree", 'say "hi", ok'], ["x", "y"]]
    assert chunk.lines == [2, 5]
    assert chunk.text(2) == '"one\ntwo\r\nthree","say ""hi"", ok"'
    assert chunk.text(5) == "x,y"
    assert not chunk.plain


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "EMPTY_FILE"),
        (b"\xef\xbb\xbf", "EMPTY_FILE"),
        ("a,b\n1,2\n".encode("utf-16"), "NOT_TEXT"),
        (b"PK\x03\x04rest of a workbook", "NOT_TEXT"),
        (b"\x1f\x8b\x08compressed", "NOT_TEXT"),
        ("prénom,b\n1,2\n".encode("latin-1"), "NOT_UTF8"),
        (b'"a,b\n1,2\n', "BAD_HEADER"),
        (b'"a"x,b\n1,2\n', "BAD_HEADER"),
        (b"a" * (csv_lines.LONGEST_LINE + 10) + b"\n1\n", "BAD_HEADER"),
    ],
)
def test_a_file_that_is_no_table_is_refused(path: Path, data: bytes, code: str) -> None:
    path.write_bytes(data)

    with pytest.raises(Invalid) as caught:
        CsvFile(path)

    assert caught.value.code == code


def test_a_header_alone_has_no_rows(path: Path) -> None:
    path.write_bytes(b"a,b\n")

    header, (chunk,) = read_all(path)

    assert (header, chunk.rows, chunk.bad, chunk.last) == (["a", "b"], [], [], True)


def test_rows_of_the_wrong_width_are_set_aside(path: Path) -> None:
    path.write_bytes(b"a,b\n1\n1,2\n1,2,3\n")

    _, (chunk,) = read_all(path)

    assert chunk.rows == [["1", "2"]]
    assert chunk.lines == [3]
    assert [(bad.line, bad.code, bad.message, bad.text) for bad in chunk.bad] == [
        (2, "WRONG_WIDTH", "has 1 cell, the header 2", "1"),
        (4, "WRONG_WIDTH", "has 3 cells, the header 2", "1,2,3"),
    ]


def test_a_broken_quote_costs_one_line(path: Path) -> None:
    path.write_bytes(b'a,b\n1,2\n"x"y,2\n3,4\n5,"never closed\n6,7\n8,9\n')

    for lines in (1, 2, 3, 100):
        _, chunks = read_all(path, lines)
        rows = [row for chunk in chunks for row in chunk.rows]
        bad = [(one.line, one.code, one.text) for chunk in chunks for one in chunk.bad]

        assert rows == [["1", "2"], ["3", "4"], ["6", "7"], ["8", "9"]]
        assert bad == [(3, "BROKEN_QUOTES", '"x"y,2'), (5, "BROKEN_QUOTES", '5,"never closed')]


def test_a_cell_without_end_costs_one_line_however_long_the_file(path: Path) -> None:
    path.write_bytes(b'a,b\n1,"open\n' + b"x,y\n" * 200_000)

    _, chunks = read_all(path, 20_000)

    assert sum(len(chunk.rows) for chunk in chunks) == 200_000
    assert [bad.line for chunk in chunks for bad in chunk.bad] == [2]


def test_a_line_of_ten_megabytes_is_let_go_while_it_comes_in(path: Path) -> None:
    path.write_bytes(b"a,b\n1,2\n" + b"x" * 10_000_000 + b",y\n3,4\n" + b"z" * 3_000_000)

    _, chunks = read_all(path)
    bad = [one for chunk in chunks for one in chunk.bad]

    assert [row for chunk in chunks for row in chunk.rows] == [["1", "2"], ["3", "4"]]
    assert [(one.line, one.code) for one in bad] == [(3, "TOO_LONG"), (5, "TOO_LONG")]
    assert all(len(one.text) <= csv_lines.KEPT_OF_LONG_LINE for one in bad)
    assert chunks[-1].end == path.stat().st_size


def test_a_cell_of_ten_megabytes_over_many_lines_is_not_gathered(path: Path) -> None:
    path.write_bytes(b'a,b\n1,"' + b"x" * 99 + (b"\n" + b"x" * 99) * 100_000 + b'"\n3,4\n')

    _, chunks = read_all(path, 5000)

    assert [row for chunk in chunks for row in chunk.rows] == [["3", "4"]]
    assert next(bad for chunk in chunks for bad in chunk.bad).code == "BROKEN_QUOTES"
    assert max(len(chunk.bad) for chunk in chunks) <= 5001


def test_bytes_that_are_not_utf8_spoil_only_their_row(path: Path) -> None:
    path.write_bytes("a,b\né,ok\n".encode() + b"\xe9\xff,2\n" + "ü,3\n".encode())

    _, (chunk,) = read_all(path)

    assert chunk.rows[0] == ["é", "ok"]
    assert chunk.rows[2] == ["ü", "3"]
    assert not chunk.plain
    with pytest.raises(UnicodeEncodeError):
        chunk.rows[1][0].encode()


@pytest.mark.parametrize(
    ("cell", "plain"),
    [
        ("x", True), ("é", True), ("名", True), ("👨‍👩‍👧", True), ("e\u0301", False), ("a\x00", False), ("a\tb", False),
        ("\x7f", False), ("\x85", False), ("\u2028", False),
    ],
)  # fmt: skip
def test_a_chunk_knows_whether_its_cells_need_cleaning(path: Path, cell: str, plain: bool) -> None:
    path.write_text(f"a,b\n{cell},2\n", encoding="utf-8")

    assert read_all(path)[1][0].plain is plain


def test_reading_goes_on_where_a_chunk_ended(path: Path) -> None:
    rows = "".join(f'{n},"multi\nline {n}"\n' if n % 7 == 0 else f"{n},x\n" for n in range(500))
    path.write_text("a,b\n" + rows)
    _, chunks = read_all(path, 13)

    for before, chunk in pairwise(chunks):
        with CsvFile(path) as file:
            file.skip_to(before.end, before.end_line)
            again = file.read(13)
        assert (again.rows, again.lines, again.end, again.end_line, again.last) == (
            chunk.rows, chunk.lines, chunk.end, chunk.end_line, chunk.last,
        )  # fmt: skip


def test_chunks_of_fat_lines_stay_small(path: Path) -> None:
    line = b"1," + b"x" * 100_000 + b"\n"
    path.write_bytes(b"a,b\n" + line * 300)

    _, chunks = read_all(path, 20_000)

    assert sum(len(chunk.rows) for chunk in chunks) == 300
    starts = [4, *(chunk.end for chunk in chunks)]
    assert max(stop - start for start, stop in pairwise(starts)) <= csv_lines.LARGEST_CHUNK


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.lists(CELL, min_size=3, max_size=3).filter(any), max_size=30),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n"]),
    st.integers(1, 40),
)
def test_what_the_csv_module_writes_is_read_back(
    tmp_path: Path, rows: list[list[str]], delimiter: str, ending: str, lines: int
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=ending, quoting=csv.QUOTE_ALL)
    writer.writerows([["a", "b", "c"], *rows])
    path = tmp_path / "round.csv"
    path.write_bytes(text.getvalue().encode())

    header, chunks = read_all(path, lines)

    assert header == ["a", "b", "c"]
    assert [row for chunk in chunks for row in chunk.rows] == rows
    assert not [bad for chunk in chunks for bad in chunk.bad]
    assert chunks[-1].end == path.stat().st_size


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=300), st.integers(1, 10))
def test_no_bytes_break_the_reader_and_no_line_is_lost(tmp_path: Path, data: bytes, lines: int) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(b"a,b\n" + data)

    _, chunks = read_all(path, lines)

    assert chunks[-1].end == path.stat().st_size
    told = sorted([*(line for chunk in chunks for line in chunk.lines), *(bad.line for chunk in chunks for bad in chunk.bad)])
    assert len(set(told)) == len(told)
    physical = (b"a,b\n" + data).splitlines()
    covered = chunks[-1].end_line
    assert covered == len(physical)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.sampled_from([b"x" * 5, b"x" * 8, b"x" * 16, b"1,2", b"\n", b"\r", b"\r\n", b'"', b"\xff"]), max_size=25),
    st.integers(4, 16),
    st.integers(8, 24),
)
def test_no_long_line_is_lost_wherever_blocks_end(tmp_path: Path, pieces: list[bytes], block: int, longest: int) -> None:
    path = tmp_path / "long.csv"
    path.write_bytes(b"a,b\n" + b"".join(pieces))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_lines, "BLOCK", block)
        patch.setattr(csv_lines, "LONGEST_LINE", longest)
        _, chunks = read_all(path, 3)

    assert chunks[-1].end == path.stat().st_size
    assert chunks[-1].end_line == len(path.read_bytes().splitlines())


@pytest.mark.parametrize("blocks", [1, 2, 3, 4])
def test_a_last_line_that_is_too_long_is_told(path: Path, blocks: int) -> None:
    path.write_bytes(b"a,b\n" + b"x" * (blocks * csv_lines.BLOCK))

    _, chunks = read_all(path)

    assert [(bad.line, bad.code) for chunk in chunks for bad in chunk.bad] == [(2, "TOO_LONG")]
    assert chunks[-1].end == path.stat().st_size


LARGE = b"x" * 200_000
OVER_LINES = b"\r\n".join([b"x" * 99] * 2000)


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (LARGE + b",2", "TOO_LONG"),
        (b'"' + LARGE + b'",2', "TOO_LONG"),
        (b'1,"' + LARGE + b'"', "TOO_LONG"),
        (b'"say ""hi""","' + LARGE + b'""' + LARGE + b'"', "TOO_LONG"),
        (b'5 feet 10","' + LARGE + b'"', "TOO_LONG"),
        (LARGE + b'"' + LARGE + b",2", "TOO_LONG"),
        (b'"' + LARGE + b",2", "BROKEN_QUOTES"),
        (b'"' + LARGE + b'"x,2', "BROKEN_QUOTES"),
        (b'"' + LARGE + b'"",2', "BROKEN_QUOTES"),
    ],
)
@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b""])
def test_a_cell_beyond_what_is_read_is_told_by_its_cause(path: Path, record: bytes, code: str, ending: bytes) -> None:
    path.write_bytes(b"a,b\n1,2\n" + record + ending + (b"3,4\n" if ending else b""))

    _, (chunk,) = read_all(path)

    assert [(bad.line, bad.code, bad.text) for bad in chunk.bad] == [(3, code, record.decode())]
    assert ("has a cell of more than 131072 characters" in chunk.bad[0].message) is (code == "TOO_LONG")
    assert chunk.rows == [["1", "2"], *([["3", "4"]] if ending else [])]


@pytest.mark.parametrize("before", [0, csv_lines.BLOCK - 150_000, csv_lines.BLOCK - 10_000])
@pytest.mark.parametrize("lines", [1000, 5000])
def test_a_large_cell_over_many_lines_is_told_with_all_of_them(path: Path, before: int, lines: int) -> None:
    record = b'1,"' + OVER_LINES + b'"'
    path.write_bytes(b"a,b\n" + b"3,4\n" * (before // 4) + record + b"\r\n5,6\r\n")

    _, chunks = read_all(path, lines)

    assert [(bad.line, bad.code, bad.text) for chunk in chunks for bad in chunk.bad] == [
        (2 + before // 4, "TOO_LONG", record.decode())
    ]
    assert [row for chunk in chunks for row in chunk.rows] == [*([["3", "4"]] * (before // 4)), ["5", "6"]]
