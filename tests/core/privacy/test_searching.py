"""Whether files of every format that people upload name somebody: a file is kept only if it does not."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont

from core.personal import Person
from core.privacy import searching
from core.privacy.searching import CHUNK, NotSearchable, Search
from core.profiles.files import streams

ANN = Person(words=("Ann.Marker@mail.example", "+33698765432", "A-1000", "Müllerstraße 12"), names=(("Zoë", "O'Neil & Söhne"),))


def plain(text: str) -> bytes:
    return text.encode()


def packed(text: str) -> bytes:
    return gzip.compress(text.encode())


def zipped(text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("nobody.csv", "email\nbob@mail.example\n")
        archive.writestr("folder/people.csv", text)
    return buffer.getvalue()


def workbook(text: str) -> bytes:
    book = openpyxl.Workbook()
    book.create_sheet("Second").append(["something", *text.split(",")])
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def spotted(text: str) -> bytes:
    """A workbook with bold letters within its texts."""
    book = openpyxl.Workbook()
    bold = InlineFont(b=True)
    for cell in text.split(","):
        runs = [cell[:3], TextBlock(bold, cell[3:6]), TextBlock(bold, cell[6:])]
        book.worksheets[0].append([CellRichText(*(one for one in runs if str(one)))])
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def parquet(text: str) -> bytes:
    columns = {f"c{n}": ["", None, cell] for n, cell in enumerate(text.split(","))}
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({**columns, "n": [1, 2, 3]}), buffer)
    return buffer.getvalue()


def lists(text: str) -> bytes:
    """Parquet with what columns nest."""
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"nested": [[{"said": one} for one in text.split(",")]]}), buffer)
    return buffer.getvalue()


def wide(text: str) -> bytes:
    return text.encode("utf-16")


FORMATS = (plain, packed, zipped, workbook, spotted, parquet, lists, wide)


@pytest.mark.parametrize("made", FORMATS, ids=lambda one: one.__name__)
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x,ANN.marker@MAIL.example,y", True),
        ("x,06 98-76.54 32,y", True),
        ("x,0033698765432,y", True),
        ("x,a-1000,y", True),
        ("x,MÜLLERSTRASSE 12,y", True),  # capitals of ß are two letters
        ("x,müllerstraße 12,y", True),
        ("o'neil & söhne,Zoë", True),
        ("ZOË,somebody", False),
        ("x,ann.markers@mail.example,06 98 76 54 33", False),
        ("nobody", False),
    ],
)
def test_files_are_searched_whatever_their_format(tmp_path: Path, made: Callable[[str], bytes], text: str, found: bool) -> None:
    path = tmp_path / "file"
    path.write_bytes(made(text))
    assert Search([Person(words=("nobody-else",)), ANN]).finds(path) is found


@pytest.mark.parametrize("made", [plain, packed, zipped], ids=lambda one: one.__name__)
@pytest.mark.parametrize("before", [CHUNK - 3, 2 * CHUNK - 10, 3 * CHUNK])
def test_what_stands_across_two_portions_is_found(tmp_path: Path, made: Callable[[str], bytes], before: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(made("x" * before + ANN.words[0]))
    assert Search([ANN]).finds(path)
    path.write_bytes(made("x" * before + "ann.marker@another.example"))
    assert not Search([ANN]).finds(path)


def test_names_of_files_in_an_archive_count(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ann.marker@mail.example.txt", "nothing")
    assert Search([ANN]).finds(path)


@pytest.mark.parametrize(
    "data",
    [
        packed("nobody" * 1000)[:-9],  # broken off
        zipped("nobody")[:-30],
        parquet("nobody")[:-30],
        b"PAR1 no Parquet",
        b"\x1f\x8b no gzip",
        gzip.compress(packed("nobody")),  # packed twice
        gzip.compress(zipped("nobody")),
    ],
)
def test_what_cannot_be_read_through_is_not_searchable(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(NotSearchable):
        Search([ANN]).finds(path)


def bomb_of_rows(text: str) -> bytes:
    """Parquet of some values, each many times."""
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"c": [f"{text}{n}" for n in range(5000)] * 200}), buffer, compression="gzip")
    return buffer.getvalue()


@pytest.mark.parametrize("made", [packed, zipped, bomb_of_rows], ids=lambda one: one.__name__)
def test_what_unpacks_further_than_an_import_lets_it_is_not_unpacked_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: Callable[[str], bytes]
) -> None:
    monkeypatch.setattr(streams, "RATIO_FROM", 2 * CHUNK)
    searched: list[int] = []
    monkeypatch.setattr(Search, "_in", lambda _, chunk, seen: searched.append(len(chunk)))
    path = tmp_path / "file"
    path.write_bytes(made("x" * 100 if made is bomb_of_rows else "1,2\n" * (2 * CHUNK)))

    with pytest.raises(NotSearchable, match="unpacks"):
        Search([ANN]).finds(path)
    assert sum(searched) <= max(3 * CHUNK, 200 * path.stat().st_size)


def test_what_unpacks_as_far_as_an_import_lets_it_is_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "RATIO_FROM", CHUNK)
    path = tmp_path / "file"
    path.write_bytes(packed("".join(f"{n * 7919 % 100_003},1,1,1,1,1,1\n" for n in range(200_000))))
    assert not Search([ANN]).finds(path)


def test_days_out_of_the_calendar_do_not_end_the_search(tmp_path: Path) -> None:
    path = tmp_path / "file"
    days = pyarrow.array([0, 2**30], pyarrow.date32())
    for name in ("nobody", ANN.words[0]):
        pyarrow.parquet.write_table(pyarrow.table({"day": days, "name": ["x", name]}), path)
        assert Search([ANN]).finds(path) is (name != "nobody")


def test_values_that_repeat_in_parquet_are_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[int] = []
    monkeypatch.setattr(Search, "_in", lambda _, chunk, seen: searched.append(len(chunk)))
    path = tmp_path / "file"
    pyarrow.parquet.write_table(pyarrow.table({"c": ["the same value"] * 20 * searching.CELLS}), path)
    assert not Search([ANN]).finds(path)
    assert sum(searched) == 20 * len("the same value")


@pytest.mark.parametrize(
    "piece",
    ["</t></r><r><rPr ", "</t></r><r ", "</t></r><r><rPr>", "</t></r><r><rPr><b>", "</t></r><r><t ", "</t>   </r>   <r>  "],
)
@pytest.mark.timeout(30)
def test_a_sheet_of_beginnings_alone_takes_no_longer(piece: str) -> None:
    chunk = (piece * (CHUNK // len(piece))).encode()
    assert searching._without_markup(chunk) == chunk


def test_a_file_that_is_gone_names_nobody(tmp_path: Path) -> None:
    assert not Search([ANN]).finds(tmp_path / "gone")
