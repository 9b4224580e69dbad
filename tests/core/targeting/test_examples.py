"""What people ask for, chapter by chapter (3.12 to 3.32, and what users of others miss): the question, and whom it finds."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from channels.contract import FailureReason
from core.access import SYSTEM
from core.datamodel.records import FieldKind
from core.db import Connection
from core.events.records import EventField
from core.targeting import filters, lists
from core.targeting.audiences import count, create_audience, open_question
from core.targeting.catalogue import REACTION_KINDS, Kind
from core.targeting.json_form import to_json
from core.targeting.json_parse import parse_json
from core.targeting.parse import parse_text
from core.targeting.records import AudienceDraft, FilterDraft
from core.targeting.sql import compile_statement, population
from core.targeting.text_form import to_text
from tests.core.consent.made import a_purpose, a_service, join, leave
from tests.core.datamodel.model import dataset, field, link, point, publish_draft
from tests.core.events.told import event, save, tell

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)  # a Monday
PARIS = ZoneInfo("Europe/Paris")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


PEOPLE: list[dict[str, Any]] = [
    {
        "first_name": "Ann", "last_name": "Müller", "country": "FR", "city": "Paris", "latitude": Decimal("48.86"),
        "longitude": Decimal("2.35"), "birth_date": date(1990, 6, 1), "email": "ann@shop.example", "gender": 2,
        "time_zone": "Europe/Paris", "created_at": at("2026-05-31T23:30"), "updated_at": at("2026-05-31T23:30"),
    },
    {
        "first_name": "Bob", "last_name": "Smith", "country": "DE", "city": "Berlin", "latitude": Decimal("52.52"),
        "longitude": Decimal("13.40"), "birth_date": date(1985, 6, 3), "email": "bob@post.example", "gender": 1,
        "time_zone": "America/New_York", "created_at": at("2026-05-20"), "updated_at": at("2026-06-01T09:00"),
    },
    {"first_name": "Cyd", "created_at": at("2025-06-10"), "updated_at": at("2025-06-10")},
    {
        "first_name": "Dee", "last_name": "Muller", "country": "FR", "city": "Orléans", "latitude": Decimal("47.90"),
        "longitude": Decimal("1.90"), "birth_date": date(2010, 12, 24), "email": "dee+x@shop.example", "gender": 2,
        "time_zone": "nowhere", "created_at": at("2024-01-01"), "updated_at": at("2026-05-29"),
    },
    {
        "first_name": "Eve", "last_name": "100%", "country": "US", "city": "New York", "latitude": Decimal("40.71"),
        "longitude": Decimal("-74.0"), "birth_date": date(2000, 2, 29), "email": "eve@post.example", "gender": 1,
        "time_zone": "Asia/Tokyo", "created_at": at("2026-06-01T11:00"), "updated_at": at("2026-06-01T11:00"), "opt_out": True,
    },
]  # fmt: skip

EXAMPLES: dict[str, list[tuple[str, str]]] = {
    "3.12 nested groups with and, or, except": [
        ("country = 'FR' and (age >= 30 or email ends_with '@post.example')", "Ann"),
        ("country in ('FR', 'DE') and not gender = 'male'", "Ann Dee"),
        ("not (country = 'FR' or country = 'DE')", "Cyd Eve"),
        ("not (country = 'FR' and not (age < 18))", "Bob Cyd Dee Eve"),
    ],
    "3.13 texts and numbers": [
        ("last_name = 'muller'", "Ann Dee"),
        ("last_name = exactly('Müller')", "Ann"),
        ("last_name = accented('müller')", "Ann"),
        ("city = 'orleans'", "Dee"),
        ("latitude > 48 and latitude <= 52.52", "Ann Bob"),
        ("age between 18 and 40", "Ann Bob Eve"),
    ],
    "3.14 dates: exact, ranges, relative, precise, birthdays": [
        ("created_at = 2026-06-01", "Ann Eve"),
        ("birth_date between 1985-01-01 and 1990-12-31", "Ann Bob"),
        ("created_at >= start_of_week(now)", "Ann Eve"),
        ("created_at >= add_months(start_of_month(now), -1) and created_at < start_of_month(now)", "Bob"),
        ("to_date(created_at) = today - 1 day", ""),
        ("to_date(created_at) = today", "Ann Eve"),
        ("created_at >= now - 14 days", "Ann Bob Eve"),
        ("created_at > now - 2 hours", "Eve"),
        ("year(created_at) = year(today) - 1", "Cyd"),
        ("month(birth_date) = month(today) and day(birth_date) = day(today)", "Ann"),
        ("has_birthday(2)", "Bob"),
        ("birthday_within(7)", "Ann Bob"),
        ("month(birth_date) = month(today)", "Ann Bob"),
    ],
    "3.15 booleans and enumerations": [
        ("opt_out", "Eve"),
        ("not opt_out and gender in ('female', 'unknown')", "Ann Cyd Dee"),
    ],
    "3.16 a record of a link to one": [
        ("exists(received where delivery.name = 'spring')", "Ann Bob Dee"),
        ("exists(subscriptions where service.name = 'weekly')", "Ann Bob"),
    ],
    "3.17 rows of a link to many": [
        ("exists(purchases where amount > 100)", "Ann Bob"),
        ("not exists(purchases)", "Cyd Dee"),
        ("not exists(purchases where amount > 100)", "Cyd Dee Eve"),
    ],
    "3.18 audiences": [
        ("in_audience('french')", "Ann Dee"),
        ("in_audience('chosen') and not in_audience('french')", "Bob Eve"),
        ("in_audience('chosen') or in_audience('french')", "Ann Bob Dee Eve"),
        ("in_audience('grown')", "Ann"),
    ],
    "3.19 shortcuts of behaviour": [
        ("has_received('spring')", "Ann Bob Dee"),
        ("has_opened('spring')", "Ann Bob"),
        ("has_clicked('spring')", "Ann"),
        ("has_clicked_link('/sale')", "Ann"),
        ("has_clicked_label('the SALE')", "Ann"),
        ("has_clicked_label('les soldes') or exists(reactions where label is_null and kind = 'click')", ""),
        ("exists(clicks where category = 'shoes' and link = 1)", "Ann"),
        ("exists(opens where link is_null and label is_null)", "Ann Bob"),
        ("has_failed('mailbox_full')", "Eve"),
        ("subscribes_to('weekly')", "Ann"),
        ("not_contacted(5)", "Bob Cyd Dee Eve"),
        ("was_contacted(30)", "Ann Bob Dee"),
        ("has_email('ANN@shop.example')", "Ann"),
        ("has_text('mull')", "Ann Dee"),
    ],
    "3.22 comparison": [
        ("country = 'FR'", "Ann Dee"),
        ("country != 'FR'", "Bob Eve"),
        ("age > 30", "Ann Bob"),
        ("age <= 26 and age >= 15", "Dee Eve"),
        ("city in ('Paris', 'Berlin')", "Ann Bob"),
        ("email contains 'shop'", "Ann Dee"),
        ("not email contains 'shop'", "Bob Cyd Eve"),
        ("last_name contains '%'", "Eve"),
        ("city is_null", "Cyd"),
        ("not is_empty(city)", "Ann Bob Dee Eve"),
    ],
    "3.23 expressions": [
        ("concat(first_name, ' ', city) = 'Ann Paris'", "Ann"),
        ("if(country = 'FR', age, 0) > 18", "Ann"),
        ("case when age < 18 then 'young' when age < 30 then 'mid' else 'old' end = 'mid'", "Eve"),
        ("(year(birth_date) - 1900) % 10 = 0", "Ann Dee Eve"),
    ],
    "3.24 another resource": [
        ("exists(messages where state = 'failed' and reason = 'mailbox_full')", "Eve"),
        ("not exists(messages where delivery.name = 'spring')", "Cyd"),
        ("exists(event_signup where plan = 'pro')", "Bob"),
    ],
    "3.25 values given from outside": [("spent_more(100)", "Ann Bob"), ("spent_more(400)", "Bob"), ("spent_more()", "Ann Bob")],
    "3.26 dates": [
        ("add_days(birth_date, 2) = 1990-06-03", "Ann"),
        ("days_between(created_at, now) < 13", "Ann Bob Eve"),
        ("years_old(birth_date) = 36", "Ann"),
        ("week_day(created_at) = 1", "Ann Dee Eve"),
    ],
    "3.27 places": [
        ("distance_km(point(longitude, latitude), point(2.35, 48.86)) < 120", "Ann Dee"),
        ("within_km(point(longitude, latitude), point(2.35, 48.86), 30)", "Ann"),
        ("not within_km(point(longitude, latitude), point(2.35, 48.86), 30)", "Bob Cyd Dee Eve"),
    ],
    "3.28 numbers": [
        ("round(latitude) = 48", "Dee"),
        ("abs(longitude) > 20", "Eve"),
        ("greatest(age, 30) = 30", "Cyd Dee Eve"),
    ],
    "3.29 others": [
        ("coalesce(city, 'nowhere') = 'nowhere'", "Cyd"),
        ("decode(country, 'FR', 'tu', 'DE', 'du', 'you') = 'du'", "Bob"),
        ("email_domain(email) = 'shop.example'", "Ann Dee"),
    ],
    "3.30 texts": [
        ("matches(email, '\\+.+@')", "Dee"),
        ("matches(email, '^[ab].*@(shop|post)\\.')", "Ann Bob"),
        ("upper(left(last_name, 1)) = exactly('M')", "Ann Dee"),
        ("words(first_name, city) = 'Cyd'", "Cyd"),
        ("length(first_name) = 3", "Ann Bob Cyd Dee Eve"),
    ],
    "3.31 aggregates over links with conditions of their own": [
        ("count(purchases) >= 2", "Ann"),
        ("count(distinct purchases.shop) = 2", "Ann"),
        ("sum(purchases.amount where bought_at > now - 30 days) >= 100", "Ann"),
        ("min(purchases.amount) < 20", "Eve"),
        ("max(purchases.amount) > 100 and avg(purchases.amount) < 100", "Ann"),
        ("last(purchases.shop) = 'Lyon'", "Ann"),
        ("first(purchases.shop by amount) = 'Lyon'", "Ann"),
        ("sum(purchases.amount) = 0", "Cyd Dee"),
    ],
    "3.32 in order, the first so many": [
        ("top(2 by sum(purchases.amount))", "Ann Bob"),
        ("top(1 by sum(purchases.amount) where country = 'FR')", "Ann"),
        ("top(lowest 1 by age)", "Dee"),
        ("rank(by sum(purchases.amount) desc) = 1", "Bob"),
        ("rank(by sum(purchases.amount) desc) <= 2 and country = 'FR'", "Ann"),
        ("rank(by age desc, per country) = 1", "Ann Bob Eve"),
        ("rank(by age desc, per country) = 2 or rank(by age) = 1", "Dee"),
        ("exists(purchases where rank(by bought_at desc, per buyer) = 1 and shop = 'Lyon')", "Ann"),
        ("rank(by sum(purchases.amount)) is_null", "Cyd Dee"),
    ],
    "windows in the person's own zone, or in one that is given": [
        ("hour(in_zone(now, time_zone)) < 12", "Bob"),
        ("hour(in_zone(now, time_zone)) >= 20", "Eve"),
        ("to_date(in_zone(created_at, time_zone)) = to_date(in_zone(now, time_zone))", "Ann Eve"),
        ("in_zone(now, time_zone) is_null", "Cyd Dee"),
        ("start_of_day(created_at, 'America/New_York') = start_of_day(now, 'America/New_York')", "Eve"),
        ("hour(created_at, 'Asia/Tokyo') = 8", "Ann"),
    ],
    "anniversaries": [
        ("month(created_at) = month(today) and day(created_at) between 1 and 10", "Ann Cyd Eve"),
        ("years_between(created_at, now) >= 2", "Dee"),
    ],
    "a sample that stays": [
        ("sample(1)", "Ann Bob Cyd Dee Eve"),
        ("sample(0)", ""),
        ("sample(0.3, 'a') and not sample(0.6, 'a')", ""),
        ("random_share('a') >= 0 and random_share('a') < 1", "Ann Bob Cyd Dee Eve"),
    ],
    "received, opened, clicked, bought, not contacted within": [
        ("exists(received where at >= now - 5 days)", "Ann"),
        ("exists(opens where at >= now - 10 days and delivery.name = 'spring')", "Ann Bob"),
        ("exists(received where delivery.name = 'spring') and not exists(opens where delivery.name = 'spring')", "Dee"),
        ("exists(purchases where bought_at > now - 1 week)", "Ann Eve"),
        ("not exists(received where at > now - 30 days)", "Cyd Eve"),
    ],
    "sequences": [
        ("sequence(opens where delivery.name = 'spring' then purchases within 3 days)", "Ann"),
        ("sequence(opens then purchases where amount < 50 within 3 days)", ""),
        ("sequence(opens then purchases where amount > 100 then purchases where shop = 'Lyon' within 1 week)", "Ann"),
        ("not sequence(opens then purchases)", "Bob Cyd Dee Eve"),
    ],
    "subscriptions and consent": [
        ("exists(subscriptions where service.name = 'weekly' and state = 'active')", "Ann"),
        ("exists(subscriptions where state = 'unsubscribed')", "Bob"),
        ("exists(consents where purpose.name = 'profiling' and decision = 'granted')", "Dee"),
        ("not exists(consents where purpose.name = 'profiling' and decision != 'granted')", "Ann Cyd Dee Eve"),
    ],
    "changed since": [
        ("updated_at >= now - 4 hours", "Bob Eve"),
        ("updated_at > created_at", "Bob Dee"),
        ("updated_at >= now - 4 days and exists(consents where decision = 'granted')", "Dee"),
    ],
}  # fmt: skip


async def world(conn: Connection) -> None:
    """Five people, what they bought, were sent and did, and what they agreed to."""
    await dataset(conn, "purchase", field("shop"), field("amount", FieldKind.DECIMAL), field("bought_at", FieldKind.INSTANT))
    await point(conn, link("buyer", reverse_name="purchases"))
    await publish_draft(conn)
    ids: dict[str, int] = {}
    for one in PEOPLE:
        names = ", ".join([*one, "email_key"])
        marks = ", ".join(f"${n}" for n in range(1, len(one) + 2))
        sql = f"INSERT INTO profile ({names}) VALUES ({marks}) RETURNING id"
        ids[one["first_name"]] = await conn.fetchval(sql, *one.values(), one.get("email"))
    bought = [
        ("Ann", "Paris", "120", "2026-05-25T10:00"), ("Ann", "Lyon", "30", "2026-05-30T10:00"),
        ("Bob", "Berlin", "500", "2025-12-24T10:00"), ("Eve", "Paris", "15", "2026-06-01T09:00"),
    ]  # fmt: skip
    await conn.executemany(
        "INSERT INTO x_purchase (x_buyer_id, x_shop, x_amount, x_bought_at) VALUES ($1, $2, $3, $4)",
        [(ids[who], shop, Decimal(amount), at(when)) for who, shop, amount, when in bought],
    )
    await _sent(conn, ids)
    weekly, profiling = await a_service(conn), await a_purpose(conn)
    await join(conn, weekly, ids["Ann"], ids["Bob"], now=AT)
    await leave(conn, weekly, ids["Bob"], now=AT)
    await conn.executemany(
        "INSERT INTO purpose_consent (purpose_id, profile_id, decision, since) VALUES ($1, $2, $3, $4)",
        [(profiling, ids["Dee"], "granted", AT), (profiling, ids["Bob"], "refused", AT)],
    )
    await save(conn, "signup", EventField(name="plan", label="Plan", kind=FieldKind.TEXT, max_length=100))
    await tell(conn, event("1", ids["Bob"], {"plan": "pro"}, type="signup", occurred_at=at("2026-05-29")), now=AT)
    for name, question in (("french", "country = 'FR'"), ("grown", "in_audience('french') and age >= 18")):
        await create_audience(conn, SYSTEM, AudienceDraft(name=name, label=name, expression=parse_text(question)))
    await lists.create_list(
        conn, SYSTEM, name="chosen", label="c", whom=[ids["Bob"], ids["Eve"]], now=AT, zone=PARIS
    )  # fmt: skip
    least = filters.parameter_of(name="least", label="At least", kind=Kind.DECIMAL, default=parse_text("100"))
    asked = parse_text("sum(purchases.amount) >= parameter('least')")
    draft = FilterDraft(name="spent_more", label="Spent more", expression=asked, parameters=(least,))
    await filters.create_filter(conn, SYSTEM, draft)


async def _sent(conn: Connection, ids: dict[str, int]) -> None:
    await conn.execute(
        """
        INSERT INTO channel_account (name, label, channel, config, created_by) VALUES ('a', 'a', 'memory', '{}', 'x');
        INSERT INTO content (name, label, channel, parts, created_by) VALUES ('c', 'c', 'memory', '[]', 'x');
        INSERT INTO audience (name, label, expression, expression_text, created_by) VALUES ('every', 'e', 'true', 'true', 'x');
        INSERT INTO delivery (name, label, channel_account_id, audience_id, content_id, created_by)
        SELECT n, n, a.id, u.id, c.id, 'x'
          FROM channel_account a, content c, audience u, unnest(ARRAY['spring', 'summer']) AS n WHERE u.name = 'every';
        """
    )
    found = {row["name"]: row["id"] for row in await conn.fetch("SELECT id, name FROM delivery")}
    await conn.execute(f"CREATE TABLE ledger_here PARTITION OF ledger FOR VALUES FROM (1) TO ({max(found.values()) + 1})")
    none, full = 0, FailureReason.MAILBOX_FULL.value
    rows = [
        ("spring", "Ann", "2026-05-24T10:00", 4, none), ("spring", "Bob", "2026-05-24T10:00", 4, none),
        ("spring", "Dee", "2026-05-24T10:00", 4, none), ("spring", "Eve", "2026-05-24T10:00", 5, full),
        ("summer", "Ann", "2026-05-31T10:00", 4, none),
    ]  # fmt: skip
    await conn.executemany(
        """
        INSERT INTO ledger (delivery_id, recipient_id, due_at, settled_at, state, reason) VALUES ($1, $2, $3, $3, $4, $5)
        """,
        [(found[delivery], ids[who], at(when), state, reason) for delivery, who, when, state, reason in rows],
    )
    hits = [
        ("Ann", "2026-05-24T12:00", "open", None), ("Bob", "2026-05-24T13:00", "open", None),
        ("Ann", "2026-05-24T12:05", "click", "https://shop.example/sale"),
    ]  # fmt: skip
    await conn.executemany(
        """
        INSERT INTO tracking_event (position, at, delivery_id, recipient_id, kind, url, link)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        [
            (number, at(when), found["spring"], ids[who], REACTION_KINDS[kind], url, 1 if url else 0)
            for number, (who, when, kind, url) in enumerate(hits, 1)
        ],
    )

    # Two variants with the same link, each in its words: the first one's count.
    await conn.execute(
        """
        INSERT INTO program (delivery_id, variant, channel, config, content, fields, token_key_id, base_url, engine_version)
        SELECT $1, v, 'memory', '{}', '{}', '{}', 1, 'https://clarion.example', 1 FROM generate_series(0, 1) AS v
        """,
        found["spring"],
    )
    await conn.execute(
        """
        INSERT INTO tracked_link (program_id, link, url, label, category)
        SELECT id, 1, 'https://shop.example/sale', CASE variant WHEN 0 THEN 'The sale' ELSE 'Les soldes' END, 'shoes'
          FROM program
        """
    )


@pytest.mark.parametrize("chapter", EXAMPLES)
async def test_examples(conn: Connection, chapter: str) -> None:
    await world(conn)
    for question, expected in EXAMPLES[chapter]:
        asked = await open_question(conn, parse_text(question))
        statement = compile_statement(population(asked, at=AT, zone=PARIS))
        ids = [row[0] for row in await conn.fetch(statement.text, *statement.args)]
        found = await conn.fetch("SELECT first_name FROM profile WHERE id = ANY ($1) ORDER BY first_name", ids)
        assert " ".join(row["first_name"] for row in found) == expected, question
        assert await count(conn, asked, at=AT, zone=PARIS) == len(expected.split()), question
        assert parse_json(to_json(parse_text(question))) == parse_text(question)
        assert parse_text(to_text(parse_text(question))) == parse_text(question)


@pytest.mark.parametrize(
    ("entity", "question", "expected"),
    [
        ("purchase", "amount > 100", 2),
        ("purchase", "buyer.country = 'FR'", 2),
        ("purchase", "not exists(buyer)", 0),
        ("event_signup", "plan = 'pro' and occurred_at > now - 1 week", 1),
        ("message", "state = 'failed'", 1),
        ("reaction", "kind = 'click' and delivery.name = 'spring'", 1),
        ("reaction", "label = 'the sale' and profile.first_name = 'Ann'", 1),
        ("subscription", "state = 'active'", 1),
        ("delivery", "name = 'spring'", 1),
    ],
)
async def test_other_rows_than_people_are_asked_for(conn: Connection, entity: str, question: str, expected: int) -> None:
    await world(conn)
    asked = await open_question(conn, parse_text(question), entity)
    assert await count(conn, asked, at=AT, zone=PARIS) == expected


async def test_who_asks_for_no_label_reads_no_links(conn: Connection) -> None:
    await world(conn)
    for question, read in (("exists(clicks where url contains 'sale')", False), ("has_clicked_label('the sale')", True)):
        asked = await open_question(conn, parse_text(question))
        statement = compile_statement(population(asked, at=AT, zone=PARIS))
        plan = "\n".join(row[0] for row in await conn.fetch(f"EXPLAIN {statement.text}", *statement.args))
        assert ("tracked_link" in plan) is read, question
