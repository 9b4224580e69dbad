"""Groups of profiles that are alike by rules, each group once."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from core.access import SYSTEM
from core.db import Connection
from core.errors import Invalid
from core.profiles import duplicates, merging
from core.profiles.merge_records import MergePlan

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


async def add(conn: Connection, email: str | None = None, first: str | None = None, last: str | None = None,
              born: date | None = None, zip_code: str | None = None) -> int:  # fmt: skip
    """A profile."""
    found: int = await conn.fetchval(
        "INSERT INTO profile (email_key, first_name, last_name, birth_date, zip_code) VALUES ($1, $2, $3, $4, $5) RETURNING id",
        email, first, last, born, zip_code,
    )  # fmt: skip
    return found


async def groups(conn: Connection, *rules: list[str]) -> list[tuple[int, tuple[int, ...]]]:
    """Rule and members of every group, read page by page."""
    found: list[tuple[int, tuple[int, ...]]] = []
    after = None
    while True:
        page = await duplicates.list_duplicates(conn, rules, first=1, after=after)
        found += [(one.rule, one.ids) for one in page.rows]
        if not page.has_next:
            assert await duplicates.count_duplicates(conn, rules) == len(found)
            return found
        after = duplicates.cursor_of(page.rows[-1])


async def test_people_are_alike_by_every_key_of_a_rule(conn: Connection) -> None:
    born = date(1984, 12, 31)
    a = await add(conn, "a@mail.example", "Zoé", "Müller", born, "75 001")
    b = await add(conn, "a@mail.example", "Zoe", "MULLER", born, "75001")
    c = await add(conn, "c@mail.example", "Müller", "zoë", born)
    d = await add(conn, None, "Zoe", "Muller", date(1985, 1, 1), "75-001")
    e = await add(conn, "c@mail.example")
    for _ in range(2):
        await add(conn, None, "Kim")  # half a name, no email: alike in nothing

    assert await groups(conn, ["email"]) == [(0, (a, b)), (0, (c, e))]
    assert await groups(conn, ["name"]) == [(0, (a, b, c, d))]
    assert await groups(conn, ["name", "birth_date"]) == [(0, (a, b, c))]
    assert await groups(conn, ["name", "zip_code"]) == [(0, (a, b, d))]
    assert await groups(conn, ["email", "name", "birth_date", "zip_code"]) == [(0, (a, b))]


async def test_a_group_is_told_by_the_first_rule_that_finds_all_of_it(conn: Connection) -> None:
    a = await add(conn, "a@mail.example", "Ann", "Lee")
    b = await add(conn, "a@mail.example", "Ann", "Lee")
    c = await add(conn, "c@mail.example", "Bea", "Lo")
    d = await add(conn, "c@mail.example", "Bea", "Lo")
    e = await add(conn, None, "Bea", "Lo")

    assert await groups(conn, ["email"], ["name"]) == [(0, (a, b)), (0, (c, d)), (1, (c, d, e))]


async def test_whoever_is_merged_is_no_duplicate(conn: Connection) -> None:
    a, b = await add(conn, "a@mail.example"), await add(conn, "a@mail.example")
    await merging.merge_profiles(conn, SYSTEM, MergePlan(survivor_id=a, other_ids=(b,)), now=NOW)

    assert await groups(conn, ["email"]) == []


async def test_a_big_group_is_counted_and_named_in_part(conn: Connection) -> None:
    await conn.execute("INSERT INTO profile (email_key) SELECT 'info@mail.example' FROM generate_series(1, 250)")

    (group,) = (await duplicates.list_duplicates(conn, [["email"]], first=5)).rows

    assert (group.size, len(group.ids)) == (250, duplicates.MEMBERS)


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ([], "NO_RULE"),
        ([["email"], []], "NO_RULE"),
        ([["email"]] * 6, "TOO_MANY"),
        ([["email"] * 7], "TOO_MANY"),
        ([["emial"]], "UNKNOWN_KEY"),
        ([["1; DROP TABLE profile"]], "UNKNOWN_KEY"),
        ([["external_id"]], "UNKNOWN_KEY"),
    ],
)
async def test_a_rule_that_makes_no_sense_is_refused(conn: Connection, rules: list[list[str]], code: str) -> None:
    with pytest.raises(Invalid) as caught:
        await duplicates.list_duplicates(conn, rules, first=5)
    assert caught.value.code == code
