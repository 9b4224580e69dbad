"""Every table and column of the database is declared: what an erasure does to it, or that it says nothing about a person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import pytest

from core.db import Connection
from core.personal import Goes, Kept, of_profile
from core.privacy.perimeter import TABLES

COLUMNS = """
SELECT c.relname AS name, a.attname AS column
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'f', 'm') AND NOT c.relispartition
 ORDER BY c.relname, a.attnum
"""


def complaints(found: dict[str, set[str]], declared: Iterable[Kept]) -> list[str]:
    """What to add to which file, so that all of the database is declared; and what is declared and is not there."""
    known: dict[str, set[str]] = defaultdict(set)
    for kept in declared:
        known[kept.table] |= kept.columns
    told = []
    for table, columns in sorted(found.items()):
        missing = " ".join(sorted(columns - known[table]))
        if table not in known or not known[table]:
            told.append(
                f"table {table} is not declared. Add to TABLES in the `personal.py` of its room:\n"
                f'    Kept(table="{table}", rows=of_profile(), goes=Goes.ROWS, personal="…", other="{missing}")\n'
                f'  or, where no row of it is about a person:  Kept(table="{table}", other="{missing}")\n'
                "  core/personal.py says what each word means."
            )
        elif missing:
            told.append(
                f"columns of {table} are not declared: {missing}. Name them in its Kept(...) in the `personal.py` of its room:"
                " as `personal` (goes with the person), `texts` (may quote a person), `authored` (written by the team)"
                " or `other` (says nothing about a person)."
            )
    for table, columns in sorted(known.items()):
        gone = " ".join(sorted(columns - found.get(table, set())))
        if gone:
            told.append(f"{table} has no columns {gone}: take them out of its Kept(...).")
    return told


async def test_every_table_and_column_is_declared(conn: Connection) -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for row in await conn.fetch(COLUMNS):
        found[row["name"]].add(row["column"])
    told = complaints(found, TABLES)
    assert not told, "\n\n" + "\n\n".join(told)


def test_what_is_forgotten_is_told_with_what_to_add() -> None:
    declared = [Kept(table="known", other="id gone")]
    one, two, three = complaints({"known": {"id", "secret"}, "new": {"id", "email"}}, declared)
    assert "columns of known are not declared: secret" in one
    assert 'Kept(table="new", rows=of_profile(), goes=Goes.ROWS, personal="…", other="email id")' in two
    assert "known has no columns gone" in three


@pytest.mark.parametrize("kept", TABLES, ids=lambda kept: kept.table)
def test_what_is_found_by_a_person_is_erased_or_holds_nothing_personal(kept: Kept) -> None:
    if kept.goes in (Goes.ROWS, Goes.VALUES):
        assert kept.rows is not None
    if kept.personal:
        assert kept.goes is not Goes.NOTHING
    if kept.goes is Goes.VALUES:
        assert kept.personal
    assert set(kept.given.split()) <= kept.columns


async def test_what_names_a_profile_is_found_by_it(conn: Connection) -> None:
    """A column called profile_id that no declaration looks at would be a person's row that stays."""
    known = {kept.table: kept for kept in TABLES}
    looked_at_otherwise = {"event_forgetting"}  # a number that is there for a moment
    for row in await conn.fetch(COLUMNS):
        if row["column"] == "profile_id" and row["name"] not in looked_at_otherwise:
            assert known[row["name"]].rows is not None, f"{row['name']}: rows=of_profile()"
    assert of_profile() is not None
