"""The demo's people: the same file every time, with known mistakes."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from api.cli.demo.people import PEOPLE_PER_BAD_ROW, Person, Trait, make_people, write_file
from core.profiles.csv_reader import CsvFile
from core.profiles.import_columns import plan_columns
from core.profiles.import_rows import RowReader
from core.profiles.run_records import ImportOptions, MatchKey
from core.profiles.team_fields import OURS
from core.profiles.values import Reading


@pytest.fixture(scope="module")
def people() -> list[Person]:
    """Enough of them to have every kind and every mistake."""
    return make_people(4_000)


def test_the_same_size_makes_the_same_people(people: list[Person]) -> None:
    """A smaller file is the beginning of a larger one."""
    assert make_people(50) == people[:50]


def test_they_come_from_many_countries_with_the_names_of_theirs(people: list[Person]) -> None:
    """Accents, apostrophes, emoji, right-to-left and Asian names, and addresses that are not ASCII."""
    names = " ".join(f"{person.first_name} {person.last_name}" for person in people)
    assert len({person.country for person in people}) >= 10
    for wanted in ("é", "ß", "Ł", "O'Neill", "🌻", "محمد", "כהן", "山田", "Ελένη"):
        assert wanted in names
    assert any(person.email and not person.email.isascii() for person in people)
    assert all(person.address is None or person.address.isascii() for person in people)


def test_every_kind_of_person_is_there(people: list[Person]) -> None:
    """The first one is an ordinary one, whatever the size."""
    kinds = Counter(person.trait for person in people)
    assert set(kinds) == set(Trait)
    assert kinds[Trait.BOUNCES] == len(people) // 100  # far below the share that pauses a delivery
    assert people[0].trait is Trait.GOOD
    assert people[1].trait is Trait.GOOD


def test_who_shares_an_address_shares_it_with_the_one_before(people: list[Person]) -> None:
    """In another spelling, every other time."""
    pairs = [(people[person.number - 1].email, person.email) for person in people if person.trait is Trait.SHARES]
    assert all(str(first).lower() == str(second).lower() for first, second in pairs)
    assert {first == second for first, second in pairs} == {True, False}


def test_the_import_refuses_exactly_what_was_spoilt(people: list[Person], tmp_path: Path) -> None:
    """The reader of imports gives every bad row's line the code that the file's maker expects, and nothing else."""
    bad, size = write_file(tmp_path / "people.csv", people)
    assert len(bad) == len(people) // PEOPLE_PER_BAD_ROW
    assert size == (tmp_path / "people.csv").stat().st_size
    with CsvFile(tmp_path / "people.csv") as file:
        plan = plan_columns(file.header, MatchKey.EXTERNAL_ID, ImportOptions(), OURS)
        reader = RowReader(plan, Reading(region="US", today=date(2026, 11, 1)))
        good, refused, last = 0, [], False
        while not last:
            batch = reader.read(file.read(1_000))
            good += len(batch.lines)
            refused += [(reject.line, reject.code) for reject in batch.rejects]
            last = batch.last
    assert good == len(people)
    assert sorted(refused) == [(one.line, one.code) for one in bad]


def test_a_row_reads_back_as_the_person(people: list[Person], tmp_path: Path) -> None:
    """Cells with line breaks included."""
    write_file(tmp_path / "people.csv", people[1:40])  # the first person would bring a bad row
    with (tmp_path / "people.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["external_id"] for row in rows] == [person.external_id for person in people[1:40]]
    assert [row["address_line1"] for row in rows] == [person.address_line1 for person in people[1:40]]
    assert any("\n" in row["address_line1"] for row in rows)
