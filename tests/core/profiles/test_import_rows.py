"""Rows become typed values, or a reason; the short way for clean chunks says what the long one says."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.profiles.addresses import EmailAddress
from core.profiles.csv_reader import CsvFile
from core.profiles.errors import BadValue
from core.profiles.fields import SETTABLE
from core.profiles.import_columns import plan_columns
from core.profiles.import_repeats import Rows, Settled, settle
from core.profiles.import_rows import Batch, RowReader
from core.profiles.run_records import EmptyCells, ImportOptions, MatchKey
from core.profiles.team_fields import OURS
from core.profiles.values import Reading, clean
from tests.core.profiles.house import write

READING = Reading(region="FR", today=date(2026, 3, 1))


def read(path: Path, rows: list[list[str]], *, key: MatchKey = MatchKey.EXTERNAL_ID, **options: Any) -> Batch:
    """The batch of a small file."""
    chosen = ImportOptions(**options)
    with CsvFile(write(path / "rows.csv", rows), ",") as file:
        return RowReader(plan_columns(file.header, key, chosen, OURS), READING).read(file.read(1000))


def settled(
    path: Path, rows: list[list[str]], *, taken: Collection[int] = (), key: MatchKey = MatchKey.EXTERNAL_ID, **options: Any
) -> Settled:
    """What becomes of the rows of a small file that dispute something; `taken`: lines with values of other profiles."""
    plan = plan_columns(rows[0], key, ImportOptions(**options), OURS)
    return settle(plan, read(path, rows, key=key, **options).disputed, taken)


def records(batch: Batch | Rows) -> list[tuple[Any, ...]]:
    """The values row by row."""
    return list(zip(*batch.columns, strict=True))


def test_cells_become_values(tmp_path: Path) -> None:
    batch = read(
        tmp_path,
        [
            ["external_id", "email", "gender", "birth_date", "mobile_phone", "country", "latitude", "opt_out", "city"],
            [" C-1 ", "Ann@Mail.example", "f", "1984-12-31", "0151 23456789", "de", "-1.5", "yes", " Köln "],
            ["C-2", "", "", "", "", "", "", "", ""],
        ],
    )

    assert batch.lines == [2, 3]
    assert records(batch) == [
        (
            "C-1", "Ann@Mail.example", "ann@mail.example", "mail.example", 2, date(1984, 12, 31), "+4915123456789", "DE",
            -1.5, True, "Köln",
        ),
        ("C-2", None, None, None, None, None, None, None, None, None, None),
    ]  # fmt: skip


def test_each_bad_row_has_its_line_column_and_reason(tmp_path: Path) -> None:
    batch = read(
        tmp_path,
        [
            ["Customer id", "E-Mail", "Birth date", "Country", "City"],
            ["C-1", "nobody", "1984-12-31", "FR", "Paris"],
            ["C-2", "", "1984-02-30", "FR", "Paris"],
            ["", "ann@mail.example", "", "FR", "Paris"],
            ["C-4", "", "", "Atlantis", "Paris"],
            ["C-5", "", "", "", "x" * 101],
            ["C-6", "nobody", "nonsense", "", ""],
            ["C-7", "", "", "FR", "Paris"],
        ],
    )

    assert [(one.line, one.column, one.code) for one in batch.rejects] == [
        (2, "E-Mail", "BAD_EMAIL"),
        (3, "Birth date", "BAD_DATE"),
        (4, "external_id", "NO_KEY"),
        (5, "Country", "BAD_VALUE"),
        (6, "City", "TOO_LONG"),
        (7, "E-Mail", "BAD_EMAIL"),
    ]
    assert batch.rejects[1].row_text == "C-2,,1984-02-30,FR,Paris"
    assert batch.rejects[1].message == "Birth date '1984-02-30' is not a day of the calendar"
    assert batch.lines == [8]


def test_rows_with_one_key_are_applied_one_after_the_other(tmp_path: Path) -> None:
    rows = [
        ["external_id", "first_name", "city", "opt_out"],
        ["A", "Ann", "Paris", "true"],
        ["B", "Bob", "", ""],
        ["A", "", "Lyon", "false"],
        ["A", "Anna", "", ""],
    ]

    kept = settled(tmp_path, rows)
    cleared = settled(tmp_path, rows, empty=EmptyCells.CLEAR)
    lifted = settled(tmp_path, rows, lift_opt_outs=True)

    assert (kept.rows.lines, kept.repeated) == ([5], 2)
    assert records(kept.rows) == [("A", "Anna", "Lyon", True)]
    assert records(cleared.rows) == [("A", "Anna", None, True)]
    assert records(lifted.rows) == [("A", "Anna", "Lyon", False)]


def test_emails_are_one_key_in_any_spelling(tmp_path: Path) -> None:
    rows = [["email", "city"], ["Ann@mail.example", "Paris"], ["ann@MAIL.example", ""]]

    found = settled(tmp_path, rows, key=MatchKey.EMAIL)

    assert found.repeated == 1
    assert records(found.rows) == [("ann@MAIL.example", "ann@mail.example", "mail.example", "Paris")]


def test_a_unique_value_stays_with_the_key_that_has_it_first(tmp_path: Path) -> None:
    rows = [
        ["email", "external_id", "crypted_id"],
        ["a@mail.example", "A", "ka"],
        ["b@mail.example", "A", "kb"],  # Ann's
        ["c@mail.example", "C", "kb"],  # free, for the row above is refused
        ["a@mail.example", "A", "ka2"],  # her own
        ["d@mail.example", "D", "kd"],  # undisputed
        ["e@mail.example", "E", "ka2"],  # Ann's
        ["f@mail.example", "T", ""],
        ["g@mail.example", "T", ""],  # free, for the row above is refused
    ]

    found = settled(tmp_path, rows, taken=[8], key=MatchKey.EMAIL)

    assert found.refused == {3: ("external_id",), 7: ("crypted_id",)}
    assert sorted(found.rows.lines) == [4, 5, 9]
    assert sorted(record[0] for record in records(found.rows)) == ["a@mail.example", "c@mail.example", "g@mail.example"]
    assert found.repeated == 1


def test_nothing_in_common_is_nothing_disputed(tmp_path: Path) -> None:
    rows = [["external_id", "crypted_id", "city"], ["A", "", "Paris"], ["B", "", "Paris"], ["C", "A", "Paris"]]

    assert read(tmp_path, rows).disputed.lines == []


def test_what_an_export_escaped_is_taken_off_unless_told_otherwise(tmp_path: Path) -> None:
    rows = [["external_id", "city", "phone"], ["'=1+1", "''@x", "'+33612345678"], ["'s Gravenhage", "'", "'x"]]
    taken = read(tmp_path, rows)
    left = read(tmp_path, rows, unescape_formulas=False)

    assert records(taken)[0] == ("=1+1", "'@x", "+33612345678")
    assert records(left)[0][0] == "'=1+1"
    assert [one.line for one in taken.rejects] == [3]


def test_no_rows_are_no_batch(tmp_path: Path) -> None:
    batch = read(tmp_path, [["external_id", "email", "phone", "country", "birth_date"]])

    assert (list(batch.lines), batch.rejects, batch.disputed.lines, batch.last) == ([], [], [], True)


CELLS = {
    "first_name": st.text(max_size=8) | st.sampled_from([" Ann ", "e\u0301", "a\x00", "x" * 101]),
    "email": st.sampled_from(["", "A@b.example", " a@b.example", "é@bücher.example", "nobody"]) | st.emails(),
    "gender": st.sampled_from(["", "f", "M", "3", " 1 "]),
    "birth_date": st.sampled_from(["", "1984-12-31", "1984-02-30", " 1984-12-31"]),
    "phone": st.sampled_from(["", "+33612345678", "06 12 34 56 78", "12", " ", "+33 (0)6 12 34 56 78"]),
    "country": st.sampled_from(["", "fr", "DE ", "XX"]),
    "latitude": st.sampled_from(["", "1.5", "91", "x"]),
    "opt_out": st.sampled_from(["", "yes", "0", "maybe"]),
    "language": st.sampled_from(["", "fr_fr", "!"]),
    "thumbnail_url": st.sampled_from(["", "https://a.example/x", "ftp://x"]),
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(st.lists(st.fixed_dictionaries(CELLS), min_size=1, max_size=12))
def test_reading_by_column_says_what_reading_cell_by_cell_says(tmp_path: Path, people: list[dict[str, str]]) -> None:
    storable = [person for person in people if all(_writable(cell) for cell in person.values())]
    rows = [["external_id", *CELLS], *([f"C-{n}", *(person[name] for name in CELLS)] for n, person in enumerate(storable))]

    batch = read(tmp_path, rows, unescape_formulas=False)

    expected: list[tuple[Any, ...]] = []
    refused: list[tuple[Any, ...]] = []
    for n, person in enumerate(storable):
        values = _expected(person)
        (expected if values is not None else refused).append((f"C-{n}", *(values or ())))
    assert records(batch) == expected
    assert len(batch.rejects) == len(refused)


def _writable(cell: str) -> bool:
    try:
        cell.encode()
    except UnicodeEncodeError:
        return False
    return True


def _expected(person: dict[str, str]) -> tuple[Any, ...] | None:
    country = person["country"].strip().upper()
    reading = Reading(region=country if country in ("FR", "DE") else "FR", today=READING.today)
    values: list[Any] = []
    try:
        for name in CELLS:
            value = clean(SETTABLE[name], person[name], reading)
            if name == "email":
                values += value or (None, None, None)
                assert value is None or isinstance(value, EmailAddress)
            else:
                values.append(value)
    except BadValue:
        return None
    return tuple(values)


@pytest.mark.parametrize("count", [1, 2, 999])
def test_the_text_of_a_row_is_found_by_its_line(tmp_path: Path, count: int) -> None:
    rows = [["external_id", "city"], *([f"C-{n}", f"a\nb {n}" if n % 5 == 0 else "x"] for n in range(count))]

    batch = read(tmp_path, rows)

    for (key, _), line in zip(records(batch), batch.lines, strict=True):
        assert batch.text(line).startswith(f"{key},")
