"""Pages of people in any order, and questions about them."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.access import SYSTEM
from core.db import Connection
from core.errors import Invalid, LimitReached
from core.profiles.merge_records import MergePlan
from core.profiles.merging import merge_profiles
from core.rows import listing
from core.rows.profile_pages import list_people
from core.rows.records import Direction, Order, ProfilePage
from core.targeting.audiences import open_question
from core.targeting.errors import ExpressionError
from core.targeting.parse import parse_text
from tests.core.datamodel.model import NOW
from tests.core.rows.shop import person

ZONE = ZoneInfo("UTC")
VALUES: dict[str, list[Any]] = {
    "last_name": ["a", "B", "é", "zz", "0"], "email": ["a@x.example", "b@x.example"], "latitude": [1.1, -2.5, 1e-7, 80.0],
    "birth_date": [date(1950, 1, 1), date(2001, 2, 3)], "opt_out_email": [True, False],
    "updated_at": [datetime(2026, 1, n, 5, 6, 7, 890, tzinfo=UTC) for n in (1, 2)],
    "card": ["x", "y"],
}  # fmt: skip
MANDATORY = {"opt_out_email", "updated_at"}


async def page(conn: Connection, order: Order = listing.BY_ID, where: str | None = None, **more: Any) -> ProfilePage:
    """People."""
    asked = None if where is None else await open_question(conn, parse_text(where))
    return await list_people(conn, where=asked, order=order, at=NOW, zone=ZONE, **{"first": 100} | more)


@pytest.mark.parametrize("where", [None, "gender = 'unknown'"])
@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("field", ["id", *VALUES])
async def test_pages_put_together_are_the_whole_in_the_order_of_postgres(
    shop: Connection, field: str, direction: Direction, where: str | None
) -> None:
    chosen = random.Random(f"{field} {direction}")
    column = {"email": "email_key", "card": "x_card"}.get(field, field)
    await shop.execute("DROP INDEX IF EXISTS x_card")
    for number in range(40):
        known = field in VALUES and (field in MANDATORY or chosen.random() < 0.8)
        value = f"{chosen.choice('xyz')}{number}" if field == "card" else chosen.choice(VALUES[field]) if known else None
        await person(shop, **({column: value} if known else {}))
    word = "DESC" if direction is Direction.DESCENDING else "ASC"
    expected = [
        row["id"] for row in await shop.fetch(f"SELECT id FROM profile ORDER BY {column} {word}, id {word}")
    ]  # fmt: skip

    found: list[int] = []
    after: str | None = None
    while True:
        one = await page(shop, Order(field=field, direction=direction), where, first=7, after=after)
        found += [row.id for row in one.rows]
        if not one.has_next:
            break
        after = one.cursors[-1]
    assert found == expected


async def test_a_question_chooses_who_is_there_and_who_is_merged_never_is(shop: Connection) -> None:
    ann, bob, cyd = [await person(shop, last_name=name) for name in ("Ann", "Bob", "Cyd")]
    await shop.execute("INSERT INTO x_purchase (x_customer_id, x_amount) VALUES ($1, 5), ($2, 50)", bob, cyd)
    by_name = Order(field="last_name", direction=Direction.DESCENDING)
    assert [one.id for one in (await page(shop, by_name, "exists(purchases)")).rows] == [cyd, bob]
    assert [one.id for one in (await page(shop, where="sum(purchases.amount) > 5")).rows] == [cyd]
    assert [one.id for one in (await page(shop, where="top(2 by sum(purchases.amount))")).rows] == [bob, cyd]

    await merge_profiles(shop, SYSTEM, MergePlan(survivor_id=ann, other_ids=(cyd,)), now=NOW)
    assert [one.id for one in (await page(shop, by_name)).rows] == [bob, ann]
    assert [one.id for one in (await page(shop, by_name, "id > 0")).rows] == [bob, ann]
    assert [one.id for one in (await page(shop, where="sum(purchases.amount) > 5")).rows] == [ann]


@pytest.mark.parametrize("field", ["", "gender", "age", "held_out", "last_nam", "x_card", "opt_in_id"])
async def test_orders_that_there_are_not_are_told(shop: Connection, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        await page(shop, Order(field=field))
    assert (refused.value.code, refused.value.path) == ("UNKNOWN_FIELD", "orderBy.field")


async def test_a_cursor_is_of_one_order(shop: Connection) -> None:
    await person(shop, latitude=1.5)
    by_place = Order(field="latitude")
    (cursor,) = (await page(shop, by_place)).cursors
    assert (await page(shop, by_place, after=cursor)).rows == []
    for order in (listing.BY_ID, Order(field="longitude"), Order(field="latitude", direction=Direction.DESCENDING)):
        with pytest.raises(Invalid) as refused:
            await page(shop, order, after=cursor)
        assert refused.value.code == "BAD_CURSOR"


async def test_what_takes_too_long_is_given_up(shop: Connection) -> None:
    with pytest.raises(LimitReached) as refused:
        await page(shop, patience=0.000001)
    assert refused.value.code == "QUESTION_TOO_SLOW"


async def test_mistakes_in_a_question_are_told(shop: Connection) -> None:
    with pytest.raises(ExpressionError):
        await page(shop, where="lastname = 'x'")
