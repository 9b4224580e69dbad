"""Pages of rows in any order, questions about them, and their links."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.access import SYSTEM
from core.db import Connection
from core.errors import ClarionError, Invalid, LimitReached, NotFound
from core.ids import to_global_id
from core.rows import listing
from core.rows.linked import list_linked
from core.rows.pairs import change_pairs
from core.rows.records import Direction, Mode, Order, RowPage, SentPair
from core.rows.writing import write_rows
from core.targeting.errors import ExpressionError
from core.targeting.parse import parse_text
from tests.core.datamodel.model import NOW
from tests.core.rows.shop import person
from tests.core.rows.test_writing import make, sent

ZONE = ZoneInfo("UTC")
VALUES: dict[str, list[Any]] = {
    "code": ["a", "B", "é", "zz", "0"], "amount": [Decimal("1"), Decimal("1.5"), Decimal("-2"), Decimal("1e30")],
    "pieces": [1, 2, 2**62], "bought_at": [datetime(2026, 1, n, 5, 6, 7, 890, tzinfo=UTC) for n in (1, 2)],
    "day": [date(1, 1, 1), date(2026, 2, 3)], "paid": [True, False], "state": ["paid", "open"],
}  # fmt: skip


async def page(conn: Connection, order: Order = listing.BY_ID, **more: Any) -> RowPage:
    """Purchases."""
    if isinstance(more.get("where"), str):
        more["where"] = await listing.open_question(conn, "purchase", parse_text(more["where"]))
    return await listing.list_rows(conn, "purchase", order=order, at=NOW, zone=ZONE, **{"first": 100} | more)


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("field", ["id", "created_at", *VALUES])
async def test_pages_put_together_are_the_whole_in_the_order_of_postgres(
    shop: Connection, field: str, direction: Direction
) -> None:
    chosen, values = random.Random(f"{field} {direction}"), VALUES.get(field)
    rows = [{} if values is None or chosen.random() < 0.2 else {field: chosen.choice(values)} for _ in range(40)]
    if field == "code":  # one key
        rows = [{"code": f"{value}{n}"} if n % 4 else {} for n, value in enumerate(VALUES["code"] * 4)]
    await write_rows(shop, SYSTEM, "purchase", [sent(**one) for one in rows], mode=Mode.CREATE, now=NOW)
    column, turn = (field if values is None else f"x_{field}"), "DESC" if direction is Direction.DESCENDING else ""
    whole = [one["id"] for one in await shop.fetch(f"SELECT id FROM x_purchase ORDER BY {column} {turn}, id {turn}")]

    order, found, after = Order(field=field, direction=direction), [], None
    while True:
        one = await page(shop, order, first=7, after=after)
        found += [row.id for row in one.rows]
        if not one.has_next:
            break
        after = one.cursors[-1]

    assert found == whole


async def test_questions_filter_and_count(shop: Connection) -> None:
    ann = await person(shop, external_id="c-1", last_name="Doe")
    await make(shop, "product", sku="tea", price=3)
    for n in range(6):
        await make(
            shop, code=f"A{n}", amount=n, customer=to_global_id("Profile", ann) if n % 2 else None, product={"sku": "tea"}
        )

    where = "customer.last_name = 'doe' and amount > 1 and product.price = 3"
    found = await page(shop, Order(field="amount", direction=Direction.DESCENDING), where=where)
    checked = await listing.open_question(shop, "purchase", parse_text(where))

    assert [row.title for row in found.rows] == ["A5", "A3"]
    assert await listing.count_rows(shop, "purchase", checked, at=NOW, zone=ZONE) == 2
    assert await listing.count_rows(shop, "purchase", at=NOW, zone=ZONE) == 6
    second = await page(shop, Order(field="amount"), where=where, after=(await page(shop, Order(field="amount"))).cursors[3])
    assert [row.title for row in second.rows] == ["A5"]


@pytest.mark.parametrize("text", ["nothing = 1", "amount = 'x", "amount = 'abc'", "more = 1", "customer.nothing = 1"])
async def test_questions_that_cannot_be_say_where(shop: Connection, text: str) -> None:
    with pytest.raises(ExpressionError):
        await page(shop, where=text)


@pytest.mark.parametrize("field", ["more", "place", "ref", "customer", "nothing", "x_code; --", ""])
async def test_there_is_no_order_by_what_has_none(shop: Connection, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        await page(shop, Order(field=field))

    assert (refused.value.code, refused.value.path) == ("UNKNOWN_FIELD", "orderBy.field")


async def test_cursors_of_another_order_or_of_nothing_are_refused(shop: Connection) -> None:
    await make(shop, code="A1", amount=1, day="2026-01-01")
    cursors = {field: (await page(shop, Order(field=field))).cursors[0] for field in ("id", "amount", "day", "paid", "code")}
    for field in cursors:
        others = [
            *(text for name, text in cursors.items() if name != field),
            "",
            "x",
            "é",
            "W10",
            "eyJhIjoxfQ",
            cursors[field][:-3],
        ]
        for text in others:
            with pytest.raises(Invalid) as refused:
                await page(shop, Order(field=field), after=text)
            assert refused.value.code == "BAD_CURSOR"
        assert (await page(shop, Order(field=field), after=cursors[field])).rows == []


async def test_a_question_that_takes_too_long_is_ended(shop: Connection) -> None:
    with pytest.raises(LimitReached) as refused:
        await page(shop, patience=0.0)

    assert refused.value.code == "QUESTION_TOO_SLOW"


async def test_links_are_followed_both_ways_for_many_rows_at_once(shop: Connection) -> None:
    ann, bob = await person(shop, external_id="A1"), await person(shop)
    await make(shop, "product", sku="tea")
    rows = [
        await make(shop, code=f"A{n}", customer=to_global_id("Profile", ann if n < 4 else bob), pieces=n)
        for n in range(6)
    ]  # fmt: skip
    ids = [row.id for row in rows]
    await make(shop, "invoice", number="1", purchase={"code": "A0"})

    bought = await list_linked(shop, "profile", "purchases", [ann, bob, 0], first=3)
    more = await list_linked(shop, "profile", "purchases", [ann], first=3, after=bought[ann].ids[-1])
    invoice = await list_linked(shop, "purchase", "invoice", ids[:2], first=1)

    assert (bought[ann].ids, bought[ann].has_next) == (ids[:3], True)
    assert (more[ann].ids, more[ann].has_next) == (ids[3:4], False)
    assert (bought[bob].ids, bought[0].ids) == (ids[4:], [])
    assert [len(invoice[one].ids) for one in ids[:2]] == [1, 0]
    assert (await list_linked(shop, "purchase", "customer", ids, first=1))[ids[5]].ids == [bob]
    assert (await list_linked(shop, "purchase", "owner", ids, first=1))[ids[1]].ids == [ann]
    assert (await list_linked(shop, "profile", "owned", [ann], first=9))[ann].ids == [ids[1]]
    for entity, link in (("purchase", "nothing"), ("profile", "messages"), ("nothing", "x")):
        with pytest.raises(NotFound):
            await list_linked(shop, entity, link, ids, first=1)


async def test_merged_people_are_read_through(shop: Connection) -> None:
    ann = await person(shop)
    merged = await person(shop)
    await make(shop, "club", motto="Tea")
    club = await shop.fetchval("SELECT id FROM x_club")
    own, other = [await make(shop, customer=to_global_id("Profile", one), pieces=1) for one in (ann, merged)]
    await shop.execute("INSERT INTO x__club__members VALUES ($1, $2), ($1, $3)", club, ann, merged)
    await shop.execute("UPDATE profile SET merged_into = $1 WHERE id = $2", ann, merged)

    assert (await list_linked(shop, "profile", "purchases", [ann], first=9))[ann].ids == [own.id, other.id]
    assert (await list_linked(shop, "purchase", "customer", [other.id], first=1))[other.id].ids == [ann]
    assert (await list_linked(shop, "club", "members", [club], first=9))[club].ids == [ann]
    assert (await list_linked(shop, "profile", "clubs", [ann], first=9))[ann].ids == [club]


async def test_pairs_come_and_go_in_sets(shop: Connection) -> None:
    people = [await person(shop, external_id=f"c-{n}") for n in range(3)]
    await make(shop, "club", motto="Tea")
    club = (await listing.list_rows(shop, "club", first=1, at=NOW, zone=ZONE)).rows[0]
    club_id = to_global_id("DatasetRow", f"club:{club.id}")

    def pair(n: int) -> SentPair:
        return SentPair(row=club_id, target={"external_id": f"c-{n}"})

    added, _ = await change_pairs(shop, SYSTEM, "club", "members", add=[pair(0), pair(1), pair(0), pair(9)])
    back = [SentPair(row=to_global_id("Profile", people[2]), target=club_id)]
    again, removed = await change_pairs(shop, SYSTEM, "club", "members", add=[pair(1)], remove=[pair(0), pair(2)])
    other, _ = await change_pairs(shop, SYSTEM, "profile", "clubs", add=back)

    assert [one.changed for one in added] == [True, True, True, False]
    assert [(one.code, one.path) for one in added[3].problems] == [("PROFILE_NOT_FOUND", "add.3.target")]
    assert [one.changed for one in again + removed + other] == [False, True, False, True]
    found = await list_linked(shop, "club", "members", [club.id], first=9)
    assert found[club.id].ids == people[1:]
    told = await shop.fetch("SELECT object_id, changes FROM audit_entry WHERE action = 'dataset_row.link' ORDER BY id")
    assert [(one["changes"]["added"], one["changes"]["removed"]) for one in told] == [(2, 0), (0, 1), (1, 0)]


@pytest.mark.parametrize(("entity", "link"), [("club", "member"), ("purchase", "customer"), ("nothing", "members")])
async def test_pairs_are_those_of_links_between_many_and_many(shop: Connection, entity: str, link: str) -> None:
    with pytest.raises(ClarionError) as refused:
        await change_pairs(shop, SYSTEM, entity, link)

    assert refused.value.code in ("LINK_NOT_FOUND", "DATASET_NOT_FOUND")
