"""Fields that a team has published are asked about like ours, from the moment they are there."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.access import SYSTEM
from core.datamodel.drafts import remove_dataset, remove_field, save_dataset
from core.datamodel.links import remove_link, save_link
from core.datamodel.present import present_model
from core.datamodel.records import Choice, FieldKind, Link, LinkKind
from core.datamodel.wanted import wanted
from core.db import Connection, Pool, transaction
from core.errors import Conflict
from core.targeting.audiences import count, create_audience, open_audience, open_question
from core.targeting.catalogue import Kind
from core.targeting.check import check
from core.targeting.enrichment import ComputedColumn
from core.targeting.errors import ExpressionError
from core.targeting.examine import examine
from core.targeting.filters import create_filter
from core.targeting.lists import create_list
from core.targeting.parse import parse_text
from core.targeting.published import present_catalogue
from core.targeting.records import AudienceDraft, FilterDraft, Parameter
from tests.core.datamodel.model import NOW, field, publish_draft, publish_fields, save

AT, ZONE = datetime(2026, 6, 1, tzinfo=UTC), ZoneInfo("UTC")
LEVELS = (Choice(name="gold", label="Gold"), Choice(name="silver", label="Silver"))
FIELDS = (
    field("nickname"),
    field("points", FieldKind.INTEGER),
    field("spent", FieldKind.DECIMAL),
    field("vip", FieldKind.BOOLEAN),
    field("joined", FieldKind.DATE),
    field("seen", FieldKind.INSTANT),
    field("tier", FieldKind.ENUMERATION, choices=LEVELS),
    field("wished", FieldKind.ENUMERATION, choices=LEVELS),
    field("extra", FieldKind.JSON),
    field("home", FieldKind.POINT),
    field("card", FieldKind.AUTOMATIC_ID),
)
CARD = "5a0e7c1e-2f4b-4d3c-9b1a-0c2d4e6f8a1b"
PEOPLE: list[tuple[Any, ...]] = [
    ("Zoë", 5, Decimal("9.99"), True, date(2026, 5, 31), datetime(2026, 5, 31, 23, tzinfo=UTC), "gold", "gold"),
    ("bob", -1, Decimal(0), False, date(2020, 2, 29), datetime(2026, 6, 1, 1, tzinfo=UTC), "silver", "gold"),
    (None,) * 8,
]


async def insert_people(conn: Connection) -> None:
    await conn.executemany(
        """
        INSERT INTO profile (x_nickname, x_points, x_spent, x_vip, x_joined, x_seen, x_tier, x_wished)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        PEOPLE,
    )
    await conn.execute("UPDATE profile SET x_card = $1 WHERE x_nickname = 'bob'", CARD)
    await conn.execute("UPDATE profile SET x_card = NULL WHERE x_nickname IS NULL")


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("nickname = 'ZOË'", 1),
        ("nickname starts_with 'B'", 1),
        ("nickname in ('bob', 'zoë', 'x')", 2),
        ("not nickname = 'bob'", 2),
        ("nickname is null", 1),
        ("points > 0", 1),
        ("not points > 0", 2),
        ("points between -1 and 5", 2),
        ("spent = 9.99", 1),
        ("spent < points", 0),
        ("spent > points", 2),
        ("vip", 1),
        ("not vip", 2),
        ("joined = today - 1 days", 1),
        ("month(joined) = 2", 1),
        ("seen >= now - 2 hours", 2),
        ("seen < today", 1),
        ("tier = 'gold'", 1),
        ("tier != 'gold'", 1),
        ("not tier = 'gold'", 2),
        ("tier in ('gold', 'silver')", 2),
        ("not tier in ('gold')", 2),
        ("tier = wished", 1),
        ("tier is null and gender = 'unknown'", 1),
        ("gender in ('unknown', 'male') and points = 5", 1),
        (f"card = '{CARD}'", 1),
        (f"'{CARD.upper()}' = card", 1),
        (f"card != '{CARD}'", 1),
        (f"not card = '{CARD}'", 2),
        (f"card in ('{CARD}', '00000000-2f4b-4d3c-9b1a-0c2d4e6f8a1b')", 1),
        ("card is_null", 1),
        ("card = opt_in_id", 0),
        ("opt_in_id = opt_in_id", 3),
        ("length(card) = 36", 2),
        (f"upper(card) = exactly('{CARD.upper()}')", 1),
    ],
)
async def test_each_kind_is_asked_about(conn: Connection, question: str, found: int) -> None:
    await publish_fields(conn, *FIELDS)
    await insert_people(conn)

    checked = check(parse_text(question), await present_catalogue(conn))

    assert await count(conn, checked, at=AT, zone=ZONE) == found


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("tier = 'golden'", "BAD_VALUE"),
        ("tier = gender", "WRONG_TYPE"),
        ("points = 'five'", "WRONG_TYPE"),
        ("pionts = 5", "UNKNOWN_FIELD"),
        ("x_points = 5", "UNKNOWN_FIELD"),
        ("extra = 'x'", "WRONG_TYPE"),
        ("home = home", "WRONG_TYPE"),
        ("card = 'x'", "BAD_VALUE"),
        ("card = ''", "BAD_VALUE"),
        ("card = '{5a0e7c1e-2f4b-4d3c-9b1a-0c2d4e6f8a1b}'", "BAD_VALUE"),
        ("card in ('5a0e7c1e2f4b4d3c9b1a0c2d4e6f8a1b')", "BAD_VALUE"),
        ("'x'' or true --' = card", "BAD_VALUE"),
        ("card > '5a0e7c1e-2f4b-4d3c-9b1a-0c2d4e6f8a1b'", "WRONG_TYPE"),
        ("card contains '5a'", "WRONG_TYPE"),
        ("card = nickname", "WRONG_TYPE"),
        ("card = 5", "WRONG_TYPE"),
        ("card", "WRONG_TYPE"),
    ],
)
async def test_what_is_wrong_about_them_is_told(conn: Connection, question: str, told: str) -> None:
    await publish_fields(conn, *FIELDS)
    with pytest.raises(ExpressionError) as refused:
        check(parse_text(question), await present_catalogue(conn))
    assert refused.value.code == told


async def test_an_audience_keeps_its_field_from_being_hidden(conn: Connection) -> None:
    await publish_fields(conn, *FIELDS)
    expression = parse_text("country = 'FR' and (points > 5 or not tier = 'gold')")
    audience = await create_audience(conn, SYSTEM, AudienceDraft(name="best", label="Best", expression=expression))
    await remove_field(conn, SYSTEM, "profile", "points", now=NOW)
    await remove_field(conn, SYSTEM, "profile", "nickname", now=NOW)

    with pytest.raises(Conflict) as refused:
        await publish_draft(conn)

    assert refused.value.code == "FIELD_IN_USE"
    assert refused.value.message == "what would be hidden or lose values is used by the audience 'best' (points)"
    assert (await open_audience(conn, audience)).reads == {"country", "points", "tier"}
    await conn.execute("DELETE FROM audience")
    await publish_draft(conn)
    with pytest.raises(ExpressionError):
        check(expression, await present_catalogue(conn))


async def test_an_audience_keeps_the_values_that_it_may_name(conn: Connection) -> None:
    await publish_fields(conn, *FIELDS)
    asked = parse_text("tier = 'gold'")
    await create_audience(conn, SYSTEM, AudienceDraft(name="best", label="Best", expression=asked))

    with pytest.raises(Conflict) as refused:
        await publish_fields(conn, field("tier", FieldKind.ENUMERATION, choices=LEVELS[1:]))

    assert (refused.value.code, "'best' (tier)" in refused.value.message) == ("FIELD_IN_USE", True)
    await publish_fields(conn, field("tier", FieldKind.ENUMERATION, choices=(*LEVELS, Choice(name="iron", label="Iron"))))


async def test_an_audience_that_is_being_saved_is_waited_for(pool: Pool) -> None:
    async with transaction(pool) as conn:
        await publish_fields(conn, field("points", FieldKind.INTEGER))
        await remove_field(conn, SYSTEM, "profile", "points", now=NOW)
    async with transaction(pool) as author:
        draft = AudienceDraft(name="best", label="Best", expression=parse_text("points > 1"))
        await create_audience(author, SYSTEM, draft)

        async def publish() -> None:
            async with transaction(pool) as conn:
                await publish_draft(conn)

        publishing = asyncio.create_task(publish())
        done, _ = await asyncio.wait([publishing], timeout=0.2)
        assert not done
    with pytest.raises(Conflict) as refused:
        await publishing
    assert refused.value.code == "FIELD_IN_USE"


async def test_what_is_published_is_there_for_others_at_once_and_not_before(pool: Pool) -> None:
    async with transaction(pool) as author, transaction(pool) as other:
        await publish_fields(author, field("points", FieldKind.INTEGER))
        assert "points" in (await present_catalogue(author)).entities["profile"].fields
        assert "points" not in (await present_catalogue(other)).entities["profile"].fields
    async with transaction(pool) as other:
        assert "points" in (await present_catalogue(other)).entities["profile"].fields


async def test_a_publication_that_was_rolled_back_is_forgotten(pool: Pool) -> None:
    for name in ("points", "other"):
        async with pool.acquire() as conn:
            attempt = conn.transaction()
            await attempt.start()
            await publish_fields(conn, field(name, FieldKind.INTEGER))
            assert name in (await present_catalogue(conn)).entities["profile"].fields
            await attempt.rollback()
            assert name not in (await present_catalogue(conn)).entities["profile"].fields


async def shop(conn: Connection) -> None:
    """Purchases of people, as a team publishes them."""
    await save_dataset(conn, SYSTEM, name="purchase", label="Purchase", now=NOW)
    await save(conn, field("amount", FieldKind.DECIMAL), "purchase")
    buyer = Link(
        name="buyer",
        label="Buyer",
        target="profile",
        kind=LinkKind.MANY_TO_ONE,
        reverse_name="purchases",
        reverse_label="Bought",
    )
    await save_link(conn, SYSTEM, "purchase", buyer, now=NOW)
    await publish_draft(conn)


async def test_a_published_dataset_is_asked_about_through_its_link(conn: Connection) -> None:
    await shop(conn)
    person = await conn.fetchval("INSERT INTO profile DEFAULT VALUES RETURNING id")
    await conn.execute("INSERT INTO x_purchase (x_amount, x_buyer_id) VALUES (5, $1), (7, $1), (9, NULL)", person)
    rich = await create_audience(
        conn, SYSTEM, AudienceDraft(name="rich", label="Rich", expression=parse_text("sum(purchases.amount) = 12"))
    )

    assert await count(conn, await open_audience(conn, rich), at=AT, zone=ZONE) == 1


@pytest.mark.parametrize(
    "question", ["exists(purchases)", "count(purchases) = 0", "max(purchases.amount) > 3", "exists(purchases where amount > 3)"]
)
@pytest.mark.parametrize("what", ["field", "link", "dataset"])
async def test_what_is_asked_through_a_link_is_not_hidden(conn: Connection, question: str, what: str) -> None:
    await shop(conn)
    await create_audience(conn, SYSTEM, AudienceDraft(name="some", label="Some", expression=parse_text(question)))
    match what:
        case "field":
            await remove_field(conn, SYSTEM, "purchase", "amount", now=NOW)
        case "link":
            await remove_link(conn, SYSTEM, "purchase", "buyer", now=NOW)
        case _:
            await remove_dataset(conn, SYSTEM, "purchase", now=NOW)

    if what == "field" and "amount" not in question:
        assert (await publish_draft(conn)).version == 2
        return
    with pytest.raises(Conflict, match="'some'") as caught:
        await publish_draft(conn)
    assert caught.value.code == "FIELD_IN_USE"


async def test_an_automatic_id_is_found_by_its_index(conn: Connection) -> None:
    await publish_fields(conn, field("card", FieldKind.AUTOMATIC_ID))
    await conn.execute("INSERT INTO profile (first_name) SELECT 'n' FROM generate_series(1, 20000)")
    (made,) = [one for one in wanted(await present_model(conn)) if "x_card" in one.sql]
    await conn.execute(made.sql.replace(" CONCURRENTLY", ""))
    await conn.execute("ANALYZE profile")
    other = "00000000-2f4b-4d3c-9b1a-0c2d4e6f8a1b"
    for question in (f"card = '{CARD}'", f"card in ('{CARD}', '{other}')", f"opt_in_id = '{CARD}'"):
        found = await examine(conn, check(parse_text(question), await present_catalogue(conn)), at=AT, zone=ZONE)
        assert (found.scans, found.advice) == ((), ()), question


async def test_an_automatic_id_is_kept_as_a_column_and_asked_for_by_a_filter(conn: Connection) -> None:
    await publish_fields(conn, *FIELDS)
    await insert_people(conn)
    column = ComputedColumn(name="card", label="Card", expression=parse_text("card"))
    await create_list(conn, SYSTEM, name="all", label="All", whom=parse_text("true"), now=AT, zone=ZONE, columns=[column])
    draft = FilterDraft(
        name="has_card", label="x", expression=parse_text("card = parameter('card')"),
        parameters=(Parameter(name="card", label="Card", kind=Kind.TEXT),),
    )  # fmt: skip
    await create_filter(conn, SYSTEM, draft)
    for question in (f"has_card('{CARD}')", f"audience_column('all', 'card') = '{CARD}'"):
        asked = await open_question(conn, parse_text(question))
        assert await count(conn, asked, at=AT, zone=ZONE) == 1, question
    with pytest.raises(ExpressionError) as refused:
        await open_question(conn, parse_text("has_card('none')"))
    assert refused.value.code == "BAD_VALUE"
