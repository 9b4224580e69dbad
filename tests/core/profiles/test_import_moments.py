"""Days and times of files whose cells have types, in columns of instants and in others."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow
import pytest

from core.profiles.fields import Field, FieldType
from core.profiles.files.chunks import as_csv
from core.profiles.files.corrected import HEADER
from core.profiles.files.opening import open_people_file
from core.profiles.import_columns import plan_columns
from core.profiles.import_options import ColumnRule, FileShape
from core.profiles.import_rows import Batch, RowReader
from core.profiles.run_records import ImportOptions, MatchKey, UnknownColumns
from core.profiles.team_fields import OURS
from core.profiles.values import Reading
from tests.core.profiles.test_file_formats import as_parquet, as_workbook

READING = Reading(region="FR", today=date(2026, 3, 1))
SEEN = Field(name="seen", label="Seen", type=FieldType.INSTANT)
TITLES = ("external_id", "birth_date", "city", "seen")


def workbook(*times: Any) -> bytes:
    day = date(1984, 12, 31)
    return as_workbook([list(TITLES), *([f"C-{n}", day, day, time] for n, time in enumerate(times))])


def parquet(*times: Any) -> bytes:
    days = pyarrow.array([date(1984, 12, 31)] * len(times), pyarrow.date32())
    seen = pyarrow.array(list(times))
    names = [f"C-{n}" for n in range(len(times))]
    return as_parquet(dict(zip(TITLES, (names, days, days, seen), strict=True)))


def read(path: Path, data: bytes, **options: Any) -> Batch:
    """The batch of a file with a column of instants."""
    path.write_bytes(data)
    shape = FileShape(sheet="People" if data.startswith(b"PK") else None)
    chosen = ImportOptions(unknown_columns=UnknownColumns.IGNORE, file=shape, **options)
    file = open_people_file(path, chosen)
    try:
        plan = plan_columns(file.header, MatchKey.EXTERNAL_ID, chosen, OURS)
        plan = replace(plan, fields=(*plan.fields, (file.header.index("seen"), SEEN)))
        return RowReader(plan, READING).read(file.read(1000))
    finally:
        file.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a test writes its file."""
    return tmp_path / "people"


@pytest.mark.parametrize("write", [workbook, parquet])
def test_midnight_is_a_time_like_any(path: Path, write: Any) -> None:
    batch = read(path, write(datetime(2024, 7, 1), datetime(2024, 7, 1, 12, 30), None))

    assert [one.code for one in batch.rejects] == []
    assert batch.columns[-1] == [datetime(2024, 7, 1, tzinfo=UTC), datetime(2024, 7, 1, 12, 30, tzinfo=UTC), None]
    assert batch.columns[1:3] == [[date(1984, 12, 31)] * 3, ["1984-12-31"] * 3]  # days stay days, and texts


@pytest.mark.parametrize("write", [workbook, parquet])
def test_times_of_typed_cells_are_of_the_zone_of_their_column(path: Path, write: Any) -> None:
    data = write(datetime(2024, 7, 1), datetime(2024, 3, 31, 2, 30), datetime(2024, 10, 27, 2, 30))
    batch = read(path, data, columns=(ColumnRule(column="seen", time_zone="Europe/Paris"),))

    assert [(one.line, one.code) for one in batch.rejects] == [(3 if write is workbook else 2, "SKIPPED_TIME")]
    assert batch.columns[-1] == [datetime(2024, 6, 30, 22, tzinfo=UTC), datetime(2024, 10, 27, 0, 30, tzinfo=UTC)]


def test_times_with_an_offset_and_texts_stay_what_they_are(path: Path) -> None:
    rules = (ColumnRule(column="seen", time_zone="Europe/Paris"),)
    aware = parquet(datetime(2024, 7, 1, tzinfo=UTC))
    assert read(path, aware, columns=rules).columns[-1] == [datetime(2024, 7, 1, tzinfo=UTC)]
    assert read(path, workbook("2024-07-01T00:00:00Z"), columns=rules).columns[-1] == [datetime(2024, 7, 1, tzinfo=UTC)]
    for columns in ((), rules):
        assert [one.code for one in read(path, workbook("2024-07-01"), columns=columns).rejects] == ["BAD_DATE"]
        csv_file = as_csv(TITLES) + "\nC-0,,,2024-07-01\n"
        assert [one.code for one in read(path, csv_file.encode(), columns=columns).rejects] == ["BAD_DATE"]


def test_rules_know_the_texts_of_days(path: Path) -> None:
    data = workbook(datetime(1900, 3, 1), datetime(1950, 1, 1), datetime(2024, 7, 1))
    rules = (ColumnRule(column="seen", nulls=("1900-03-01",), values={"1950-01-01": "2000-01-01T00:00:00Z"}),)
    expected = [None, datetime(2000, 1, 1, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC)]
    assert read(path, data, columns=rules).columns[-1] == expected
    pattern = (ColumnRule(column="seen", date_format="YYYY-MM-DD", time_zone="Europe/Paris"),)
    assert read(path, workbook(datetime(2024, 7, 1)), columns=pattern).columns[-1] == [datetime(2024, 6, 30, 22, tzinfo=UTC)]


@pytest.mark.parametrize("zone", [None, "Europe/Paris"])
def test_refused_rows_come_back_with_their_times(path: Path, zone: str | None) -> None:
    rules = (ColumnRule(column="seen", time_zone=zone),)
    meant = datetime(2024, 7, 1, tzinfo=UTC) if zone is None else datetime(2024, 6, 30, 22, tzinfo=UTC)
    data = as_workbook([list(TITLES), ["C-0", "never", "", datetime(2024, 7, 1)]])
    (refused,) = read(path, data, columns=rules).rejects
    assert (refused.column, refused.code) == ("birth_date", "BAD_DATE")

    cells = [cell if title != "birth_date" else "" for title, cell in zip(TITLES, refused.cells, strict=True)]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([(*HEADER, *TITLES), (2, "", "", "", "", *cells)])
    assert read(path, path.read_bytes(), columns=rules).columns[-1] == [meant]


@pytest.mark.parametrize("write", [workbook, parquet])
def test_a_typed_day_needs_no_pattern(path: Path, write: Any) -> None:
    rules = (
        ColumnRule(column="birth_date", date_format="DD.MM.YYYY"),
        ColumnRule(column="seen", date_format="DD.MM.YYYY HH:MI", time_zone="Europe/Paris"),
    )
    batch = read(path, write(datetime(2024, 7, 1), datetime(2024, 3, 31, 2, 30), datetime(2024, 7, 1, 12, 30)), columns=rules)

    assert [one.code for one in batch.rejects] == ["SKIPPED_TIME"]
    assert batch.rejects[0].cells[1:] == ["31.12.1984", "1984-12-31", "31.03.2024 02:30"]  # so that it can be loaded again
    assert batch.columns[1] == [date(1984, 12, 31)] * 2
    assert batch.columns[-1] == [datetime(2024, 6, 30, 22, tzinfo=UTC), datetime(2024, 7, 1, 10, 30, tzinfo=UTC)]


def test_typed_days_and_texts_of_a_pattern_stand_in_one_column(path: Path) -> None:
    rules = (ColumnRule(column="birth_date", date_format="DD/MM/YYYY", values={"1900-01-01": ""}),)
    days = [date(1984, 12, 31), "31/12/1984", "1984-12-31", datetime(1984, 12, 31, 8), date(1900, 1, 1), None]
    data = as_workbook([list(TITLES), *([f"C-{n}", day, "", None] for n, day in enumerate(days))])
    batch = read(path, data, columns=rules)

    assert [(one.line, one.code) for one in batch.rejects] == [(4, "BAD_DATE"), (5, "BAD_DATE")]  # a text is one; 8 o'clock
    assert batch.columns[1] == [date(1984, 12, 31), date(1984, 12, 31), None, None]
