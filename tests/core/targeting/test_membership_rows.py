"""Linked rows of whom is asked about: fetched once for many questions, and of whom time alone can change what they come to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from core.access import SYSTEM
from core.datamodel.records import FieldKind
from core.db import Connection
from core.profiles.merge_records import MergePlan
from core.profiles.merging import merge_profiles
from tests.core.datamodel.model import dataset, field, link, point, publish_draft
from tests.core.targeting.kept import AT, counted, keep, members, settle
from tests.core.targeting.test_lists import people
from tests.core.targeting.test_membership_asked import asked, due

FETCHED = '"theirs_0" AS MATERIALIZED'
MANY = (
    "exists(purchases where amount > 10)",
    "count(purchases where amount > 1) >= 2",
    "country = 'FR' and not exists(purchases)",
    "sum(purchases.amount where bought_at >= now - 3 days) > 15",
)
IN_ANOTHER_WAY = (
    "country = 'DE' or exists(purchases where amount > 10)",  # for each by itself
    "exists(purchases where amount > 10) and exists(gifts)",  # another column says whose they are
    "exists(purchases where amount > buyer.latitude)",  # about the one, too
    "exists(purchases where exists(buyer.gifts where amount > 10))",
    "exists(purchases where buyer.country = 'FR')",
)


async def shop(conn: Connection, *amounts: tuple[int, int, int]) -> list[int]:
    """Three people: who bought for how much, and how many days ago."""
    await dataset(conn, "purchase", field("amount", FieldKind.INTEGER), field("bought_at", FieldKind.INSTANT))
    await point(conn, link("buyer", reverse_name="purchases"))
    await point(conn, link("receiver", reverse_name="gifts"))
    await publish_draft(conn)
    ids = await people(conn, "FR", "DE", "FR")
    await conn.execute("UPDATE profile SET latitude = 5")
    for whose, amount, days in amounts:
        await buy(conn, ids, whose, amount, days)
    return ids


async def buy(conn: Connection, ids: Sequence[int], whose: int, amount: int, days: int = 0) -> None:
    """The next one of the people is given it."""
    await conn.execute(
        "INSERT INTO x_purchase (x_amount, x_bought_at, x_buyer_id, x_receiver_id) VALUES ($1, $2, $3, $4)",
        amount, AT - timedelta(days=days), ids[whose], ids[(whose + 1) % 3],
    )  # fmt: skip


async def right(conn: Connection, keys: Sequence[int]) -> list[set[int]]:
    """The members of each, which are those that a count finds."""
    found = [await members(conn, key) for key in keys]
    assert found == [await counted(conn, key) for key in keys]
    return found


async def test_rows_that_many_questions_read_are_fetched_once(conn: Connection) -> None:
    ids = await shop(conn, (0, 20, 0), (0, 5, 0), (1, 3, 0), (1, 20, 9))
    keys = [await keep(conn, f"k{number}", question) for number, question in enumerate(MANY)]
    await settle(conn)
    one, two, three = ids
    assert await right(conn, keys) == [{one, two}, {one, two}, {three}, {one}]

    (statement,) = await asked(conn, buy(conn, ids, 2, 30))
    assert statement.count(FETCHED) == 1
    assert await right(conn, keys) == [{one, two, three}, {one, two}, set(), {one, three}]

    await asked(conn, merge_profiles(conn, SYSTEM, MergePlan(survivor_id=three, other_ids=(two,)), now=AT))
    found = await asked(conn, buy(conn, ids, 1, 2))  # of who is merged, and counts as the other's
    assert any(FETCHED in one for one in found)
    assert await right(conn, keys) == [{one, three}, {one, three}, set(), {one, three}]


@pytest.mark.parametrize("question", IN_ANOTHER_WAY)
async def test_who_reads_them_in_another_way_reads_the_table(conn: Connection, question: str) -> None:
    ids = await shop(conn, (0, 20, 0), (1, 3, 0), (1, 20, 9))
    same = [await keep(conn, f"s{number}", one) for number, one in enumerate(MANY)]
    keys = [await keep(conn, f"k{number}", f"{question} and first_name is_null") for number in range(4)]
    await settle(conn)
    (statement,) = await asked(conn, buy(conn, ids, 2, 30))
    assert statement.count('"x_purchase" AS (') == len(MANY) + 1, (
        "those of the other questions, of whom one is asked for dues, too"
    )
    await right(conn, [*same, *keys])


async def test_few_questions_read_the_table(conn: Connection) -> None:
    ids = await shop(conn)
    await keep(conn, "few", MANY[0])
    await settle(conn)
    (statement,) = await asked(conn, buy(conn, ids, 2, 30))
    assert FETCHED not in statement


async def test_whose_sum_reaches_a_number_no_more_is_not_due(conn: Connection) -> None:
    one, two, three = ids = await shop(conn, (0, 10, 1), (0, 10, 2), (1, 5, 1), (2, -8, 2), (2, 12, 1))
    over = await keep(conn, "over", "sum(purchases.amount where bought_at >= now - 3 days) > 11")
    under = await keep(conn, "under", "sum(purchases.amount where bought_at >= now - 3 days) <= 11")
    twice = await keep(conn, "twice", "count(purchases where bought_at >= now - 3 days) >= 2")
    between = await keep(conn, "between", "count(purchases where bought_at >= now - 3 days) between 1 and 2")
    older = await keep(conn, "older", "count(purchases where bought_at < now - 3 days) >= 2")
    either = await keep(
        conn, "either", "sum(purchases.amount where bought_at >= now - 3 days) > amount_of()".replace("amount_of()", "latitude")
    )
    await settle(conn)

    # Who has something that is taken off may come to more; whoever has less never does
    first = timedelta(days=1)
    assert await due(conn, over) == {one: first, three: first} == await due(conn, under)
    assert await due(conn, twice) == {one: first, three: first}
    assert await due(conn, between) == {one: first, two: 2 * first, three: first}
    # Rows that come into the time, and what is no number
    assert await due(conn, older) == {one: first, two: 2 * first, three: first} == await due(conn, either)
    assert await members(conn, over) == {one}

    await buy(conn, ids, 1, 7)
    await settle(conn)
    assert await due(conn, over) == {one: first, two: 2 * first, three: first}
    keys = (over, under, twice, between, older, either)
    for hours in range(20, 100, 8):
        later = AT + timedelta(hours=hours)
        await settle(conn, later)
        assert [await members(conn, key) for key in keys] == [await counted(conn, key, later) for key in keys]
    assert await due(conn, over) == {}


HIT = """
INSERT INTO tracking_event (position, at, delivery_id, recipient_id, link, kind, machine_rule)
VALUES ((SELECT coalesce(max(position), 0) + 1 FROM tracking_event), $2, 1, $1, 0, $3, 0)
"""


@pytest.mark.parametrize("turned", [False, True])
async def test_what_one_question_reads_all_of_and_another_a_part_of(conn: Connection, turned: bool) -> None:
    ids = await people(conn, "FR", "DE", "FR")
    questions = ["exists(opens)", "exists(reactions where kind in ('open', 'click'))"]
    keys = [await keep(conn, f"k{number}", one) for number, one in enumerate(questions[::-1] if turned else questions)]
    await settle(conn)
    for whose, kind in ((0, 1), (1, 2)):
        await conn.execute(HIT, ids[whose], AT, kind)
        await settle(conn)
        await right(conn, keys)
    assert sorted(map(len, await right(conn, keys))) == [1, 2]
