"""Fields that the team has published, in messages: every kind, frozen when the delivery is prepared."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from channels.contract import OutgoingMessage
from core.access import SYSTEM
from core.channel_registry import ChannelRegistry
from core.content import contents
from core.content.errors import ContentInvalid
from core.content.readable import present_readable
from core.content.records import DynamicContent, DynamicVariant
from core.datamodel.drafts import remove_field
from core.datamodel.hidden import drop_hidden
from core.datamodel.records import Choice, FieldKind
from core.db import Connection, set_up_connection
from core.delivery import lifecycle, prepare, reading
from core.delivery.engine import Engine, open_engine
from core.delivery.programs import Programs, row_of
from core.delivery.recipient_values import fetch_values
from core.delivery.records import DeliveryState
from core.errors import Invalid, Stale
from core.planning.campaigns import create_campaign, update_campaign
from core.planning.records import CampaignDraft
from core.public_urls import PublicUrls
from core.runtime import Runtime
from core.targeting.audiences import open_question, sample
from core.targeting.parse import parse_text
from tests.core.datamodel.model import NOW, dataset, field, link, point, publish_draft, publish_fields, save
from tests.core.delivery.people import add_people, add_person, confirmed, new_delivery, prepared

UTC_ZONE = ZoneInfo("UTC")
TIERS = (Choice(name="gold", label="Gold card"), Choice(name="silver", label="Silver card"))
FIELDS = (
    field("motto"),
    field("points", FieldKind.INTEGER),
    field("spent", FieldKind.DECIMAL),
    field("vip", FieldKind.BOOLEAN),
    field("renewal", FieldKind.DATE),
    field("seen", FieldKind.INSTANT),
    field("tier", FieldKind.ENUMERATION, choices=TIERS),
    field("prefs", FieldKind.JSON),
    field("home", FieldKind.POINT),
    field("card", FieldKind.AUTOMATIC_ID),
)
EVERY_KIND = (
    "{{ profile.motto }}|{{ profile.points | plus: 1 }}|{{ profile.spent }}|{{ profile.spent | times: 2 }}|"
    "{% if profile.vip %}vip{% else %}no vip{% endif %}|"
    "{{ profile.renewal | date: '%d.%m.%Y' }}|{{ profile.seen | date: '%H:%M' }}|"
    "{{ profile.tier }}|{{ profile.prefs.colours[0] }} {{ profile.prefs.size }}|"
    "{{ profile.home.longitude }} {{ profile.home.latitude }}"
)
FULL: dict[str, Any] = {
    "x_motto": "<b>\"&'</b>",
    "x_points": 2**62,
    "x_spent": Decimal("1234567890123456789.10"),
    "x_vip": True,
    "x_renewal": date(2026, 12, 31),
    "x_seen": datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
    "x_tier": "gold",
    "x_prefs": {"colours": ["red", "blue"], "size": 2.5},
}


async def rendered(runtime: Runtime, db: Connection, delivery_id: int, profile_id: int) -> str:
    """A message as a process of its own makes it, of nothing but what is stored."""
    row = await reading.find_row(db, delivery_id, profile_id)
    assert row is not None
    assert row.program_id is not None
    programs = Programs(ChannelRegistry.load(), PublicUrls(runtime.settings, runtime.keyring))
    loaded = await programs.get(db, row.program_id)
    recipient = row_of(loaded, row)
    assert recipient is not None
    (message,) = loaded.program.render([recipient])
    return message.body.decode() if isinstance(message, OutgoingMessage) else message.message


def texts(text: str, **more: Any) -> dict[str, Any]:
    """Content that says a text."""
    return {"parts": {"subject": "News", "html": f"<p>{text}</p>", "text": text}, **more}


async def test_every_kind_is_frozen_and_rendered_again_as_it_was(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await publish_fields(db, *FIELDS)
    full = await add_person(db, "a@mail.example", **FULL)
    await db.execute("UPDATE profile SET x_home = point(13.4, 52.5) WHERE id = $1", full)
    empty = await add_person(db, "b@mail.example")
    delivery_id = await new_delivery(runtime, db, **texts(EVERY_KIND))

    await prepared(engine, runtime, db, delivery_id)

    before = {one: await rendered(runtime, db, delivery_id, one) for one in (full, empty)}
    values = "4611686018427387905|1234567890123456789.10|2469135780246913578.20|vip|31.12.2026|03:04|gold|red 2.5|13.4 52.5"
    assert f"<b>\\\"&'</b>|{values}" in before[full]  # the channel's messages are JSON
    assert f"&lt;b&gt;&quot;&amp;&#39;&lt;/b&gt;|{values}" in before[full]
    assert "|1||0|no vip||||  | " not in before[full]
    assert "|1||0|no vip||||" in before[empty]

    # When all of it is changed, and a field goes that no content reads
    await db.execute(
        "UPDATE profile SET x_motto = 'other', x_points = 0, x_spent = 0, x_prefs = NULL, x_home = NULL, x_tier = 'silver'"
    )
    await publish_fields(db, field("late", FieldKind.DECIMAL))
    assert {one: await rendered(runtime, db, delivery_id, one) for one in (full, empty)} == before


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("x_spent", "'NaN'", "[]"),
        ("x_spent", "'Infinity'", "[]"),
        ("x_spent", "-0.000000000000000000010", "-0.000000000000000000010"),
        ("x_spent", "1e100", "1" + "0" * 100),
        ("x_renewal", "'infinity'", "infinity"),
        ("x_renewal", "'0044-03-15 BC'", "0044-03-15 BC"),
        ("x_seen", "'-infinity'", "-infinity"),
        ("x_prefs", "'null'", "[]"),
        ("x_prefs", "'1e400'", "1" + "0" * 400),
        ("x_prefs", "'1e5000'", "[]"),
        ("x_prefs", "'{\"a\": 1}'", '{\\"a\\"=>1}'),
        ("x_prefs", "'[1, [2, null]]'", "[12]"),
        ("x_prefs", "repeat('[', 3000)::text || repeat(']', 3000)", "the limit nesting=100 was reached"),
        ("x_prefs", "'\"{{ profile.email }}</p>\"'", "{{ profile.email }}</p>"),
        ("x_home", "point('NaN', 'Infinity')", '[{\\"latitude\\"=>\\"Infinity\\", \\"longitude\\"=>\\"NaN\\"}]'),
        ("x_motto", "'{% raw %}'", "{% raw %}"),
        ("x_points", "-9223372036854775808", "-9223372036854775808"),
    ],
)
async def test_values_that_only_sql_can_write_spoil_no_message(
    engine: Engine, runtime: Runtime, db: Connection, column: str, value: str, said: str
) -> None:
    await publish_fields(db, *FIELDS)
    name = column.removeprefix("x_")
    odd = await add_person(db, "a@mail.example")
    kind = {"x_prefs": "::jsonb", "x_spent": "::numeric", "x_renewal": "::date", "x_seen": "::timestamptz"}.get(column, "")
    await db.execute(f"UPDATE profile SET {column} = ({value}){kind}")
    delivery_id = await new_delivery(runtime, db, **texts(f"[{{{{ profile.{name} }}}}]"))

    await prepared(engine, runtime, db, delivery_id)

    assert said in await rendered(runtime, db, delivery_id, odd)


async def test_a_preview_carries_what_a_row_does(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await publish_fields(db, *FIELDS)
    full = await add_person(db, "a@mail.example", **FULL)
    await db.execute("UPDATE profile SET x_home = point(13.4, 52.5)")
    delivery_id = await new_delivery(runtime, db, **texts(EVERY_KIND))
    await prepared(engine, runtime, db, delivery_id)
    row = await reading.find_row(db, delivery_id, full)
    assert row is not None
    assert row.values is not None
    again = await fetch_values(db, full, list(row.values), {}, runtime.clock(), await present_readable(db))
    assert again == row.values


async def test_links_to_one_row_are_read_as_they_lead(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await dataset(db, "region", field("title"))
    await dataset(db, "store", field("city"), field("rent", FieldKind.DECIMAL))
    await point(db, link("region", "region"), "store")
    await point(db, link("favourite_store", "store"), "profile")
    await point(db, link("referrer", "profile"), "profile")
    await publish_draft(db)
    await db.execute("INSERT INTO x_region (x_title) VALUES ('South')")
    await db.execute("INSERT INTO x_store (x_city, x_rent, x_region_id) VALUES ('Ulm', 12.50, 1)")
    first = await add_person(db, "a@mail.example", first_name="Ann", gender=1, x_favourite_store_id=1)
    second = await add_person(db, "b@mail.example", x_referrer_id=first)
    said = (
        "{{ profile.favourite_store.city }}|{{ profile.favourite_store.rent }}|{{ profile.favourite_store.region.title }}|"
        "{{ profile.referrer.first_name }}|{{ profile.referrer.gender }}|{{ profile.referrer.favourite_store.city }}"
    )
    delivery_id = await new_delivery(runtime, db, audience="favourite_store.city = 'Ulm' or email is not null", **texts(said))

    await prepared(engine, runtime, db, delivery_id)

    assert "<p>Ulm|12.50|South|||</p>" in await rendered(runtime, db, delivery_id, first)
    assert "<p>|||Ann|male|Ulm</p>" in await rendered(runtime, db, delivery_id, second)


async def test_what_is_wrong_is_told_with_what_is_published(runtime: Runtime, db: Connection) -> None:
    await dataset(db, "purchase", field("amount", FieldKind.DECIMAL))
    await point(db, link())
    for one in FIELDS:
        await save(db, one)
    await publish_draft(db)

    async def told(text: str) -> list[tuple[str, str | None]]:
        with pytest.raises(ContentInvalid) as caught:
            await new_delivery(runtime, db, **texts(text))
        return [(one.message, one.hint) for one in caught.value.problems][:1]

    assert await told("{{ profile.point }}") == [("there is no profile field 'point'", "Did you mean 'profile.points'?")]
    assert await told("{{ points }}") == [("there is no 'points'", "Did you mean 'profile.points'?")]
    assert await told("{{ profile.of_customer.amount }}") == [
        (
            "'profile.of_customer' leads to many rows",
            "A template reads fields of the profile, and of rows of which there is one.",
        )
    ]
    assert (await told("{{ profile.tier.label }}"))[0][0] == "'profile.tier' is one value and has no 'label'"
    assert await told("{{ profile.home.height }}") == [
        ("'profile.home' has no 'height'", "A place has profile.home.longitude and profile.home.latitude.")
    ]
    assert await told("{{ campaign.budget }}") == [
        ("there is no 'campaign.budget'", "There are campaign.label, campaign.starts_on, campaign.ends_on.")
    ]
    assert (await told("{% assign campaign = 1 %}"))[0][0] == "the name 'campaign' belongs to Clarion"


async def test_dynamic_content_asks_about_published_fields(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await publish_fields(db, *FIELDS)
    gold = await add_person(db, "a@mail.example", x_tier="gold")
    other = await add_person(db, "b@mail.example")
    variant = DynamicVariant(label="Gold", condition="tier = 'gold'", html="golden {{ profile.points }}")
    hero = DynamicContent(name="hero", variants=(variant,), html="plain")
    delivery_id = await new_delivery(runtime, db, **texts('{% dynamic "hero" %}', dynamic=(hero,)))

    await prepared(engine, runtime, db, delivery_id)

    assert "golden" in await rendered(runtime, db, delivery_id, gold)
    assert "plain" in await rendered(runtime, db, delivery_id, other)
    wrong = DynamicVariant(label="Bronze", condition="tier = 'bronze'", html="x")
    content_id = await db.fetchval("SELECT max(id) FROM content")
    changes = {"dynamic": (DynamicContent(name="hero", variants=(wrong,)),)}
    with pytest.raises(Invalid) as caught:
        await contents.update_content(db, SYSTEM, ChannelRegistry.load(), content_id, changes)
    assert (caught.value.code, caught.value.path) == ("BAD_VALUE", "dynamic.hero.variants.0.condition:1:8")


async def test_a_delivery_and_its_campaign_are_read_as_they_were_when_it_was_prepared(
    engine: Engine, runtime: Runtime, db: Connection
) -> None:
    for entity in ("campaign", "delivery"):
        await save(db, field("budget", FieldKind.DECIMAL), entity)
        await save(db, field("theme"), entity)
    await save(db, field("spot", FieldKind.POINT), "delivery")
    await publish_draft(db)
    person = await add_person(db, "a@mail.example")
    said = (
        "{{ delivery.theme }}|{{ delivery.budget | plus: 1 }}|{{ delivery.spot.latitude }}|{{ delivery.label }}|"
        "{{ campaign.theme | default: 'no campaign' }}|{{ campaign.budget }}|{{ campaign.label }}|{{ campaign.starts_on }}"
    )
    delivery_id = await new_delivery(runtime, db, **texts(said))
    now = runtime.clock()
    await lifecycle.update(db, SYSTEM, delivery_id, {}, {"theme": "<spring>", "budget": "10.50"}, now=now)
    await prepared(engine, runtime, db, delivery_id)
    assert "&lt;spring&gt;|11.50||spring|no campaign|||</p>" in await rendered(runtime, db, delivery_id, person)

    # When it joins a campaign, it is prepared again
    draft = CampaignDraft(name="c", label="Campaign", starts_on=date(2026, 3, 1))
    campaign = await create_campaign(db, SYSTEM, draft, {"theme": "late", "budget": 1})
    await lifecycle.update(db, SYSTEM, delivery_id, {"campaign_id": campaign.id}, now=now)
    await prepared(engine, runtime, db, delivery_id)
    before = await rendered(runtime, db, delivery_id, person)
    assert "|late|1|Campaign|2026-03-01</p>" in before

    # When either changes then, what was prepared is not sent
    await update_campaign(db, SYSTEM, campaign.id, {}, {"theme": "later"})
    with pytest.raises(Stale) as caught:
        await confirmed(db, runtime, delivery_id)
    assert caught.value.message == "the campaign changed since the delivery was prepared"
    assert await rendered(runtime, db, delivery_id, person) == before
    await prepared(engine, runtime, db, delivery_id)
    await lifecycle.update(db, SYSTEM, delivery_id, {}, {"theme": "other"}, now=now)
    assert (await lifecycle.get_run(db, delivery_id)).state is DeliveryState.EDITION


async def test_a_campaign_that_no_message_reads_may_change(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await add_person(db, "a@mail.example")
    delivery_id = await new_delivery(runtime, db)
    campaign = await create_campaign(db, SYSTEM, CampaignDraft(name="c", label="C"))
    await lifecycle.update(db, SYSTEM, delivery_id, {"campaign_id": campaign.id}, now=runtime.clock())
    await prepared(engine, runtime, db, delivery_id)
    await update_campaign(db, SYSTEM, campaign.id, {"label": "D"})
    await confirmed(db, runtime, delivery_id)


async def test_questions_reach_what_deliveries_and_campaigns_have(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await save(db, field("budget", FieldKind.DECIMAL), "delivery")
    await save(db, field("theme"), "campaign")
    await publish_draft(db)
    campaign = await create_campaign(db, SYSTEM, CampaignDraft(name="c", label="C"), {"theme": "spring"})
    for name, budget in (("cheap", 1), ("dear", 10)):
        await add_person(db, f"{name}@mail.example", first_name=name)
        delivery_id = await new_delivery(runtime, db, name=name, audience=f"first_name = '{name}'")
        changes = {"campaign_id": campaign.id} if name == "cheap" else {}
        await lifecycle.update(db, SYSTEM, delivery_id, changes, {"budget": budget}, now=runtime.clock())
        await prepared(engine, runtime, db, delivery_id)

    async def who(question: str) -> list[str]:
        found = await sample(db, await open_question(db, parse_text(question)), size=9, at=runtime.clock(), zone=UTC_ZONE)
        rows = await db.fetch("SELECT first_name FROM profile WHERE id = ANY ($1) ORDER BY 1", found)
        return [row["first_name"] for row in rows]

    assert await who("exists(messages where delivery.budget > 5)") == ["dear"]
    assert await who("exists(messages where delivery.campaign.theme = 'Spring')") == ["cheap"]


async def test_a_field_that_is_dropped_in_the_middle_ends_the_preparation_with_its_reason(
    engine: Engine, runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "RANGE", 10)
    await publish_fields(db, *FIELDS)
    await add_people(db, 30)
    delivery_id = await new_delivery(runtime, db, **texts("{{ profile.motto }}"))
    write_range = engine.preparation._write_range

    async def drop_after_the_first(plan: prepare.Plan, low: int, high: int) -> bool:
        if low == 10:
            content_id = await db.fetchval("SELECT max(id) FROM content")
            await contents.update_content(db, SYSTEM, ChannelRegistry.load(), content_id, texts("nothing"))
            await remove_field(db, SYSTEM, "profile", "motto", now=NOW)
            await publish_draft(db)
            await drop_hidden(db, SYSTEM, "profile", "motto", confirm="profile.motto")
        return await write_range(plan, low, high)

    monkeypatch.setattr(engine.preparation, "_write_range", drop_after_the_first)
    async with db.transaction():
        await lifecycle.prepare(db, SYSTEM, delivery_id, runtime.clock())
    await engine.preparation.run(delivery_id)

    run = await lifecycle.get_run(db, delivery_id)
    assert (run.state, run.error and run.error["code"]) == (DeliveryState.PREPARATION_ERROR, "FIELD_GONE")
    monkeypatch.undo()
    assert (await prepared(engine, runtime, db, delivery_id)).pending == 30


async def test_a_compiled_program_outlives_publications(engine: Engine, runtime: Runtime, db: Connection) -> None:
    await publish_fields(db, field("motto"))
    person = await add_person(db, "a@mail.example", x_motto="carpe diem")
    delivery_id = await new_delivery(runtime, db, **texts("{{ profile.motto }}"))
    await prepared(engine, runtime, db, delivery_id)
    row = await reading.find_row(db, delivery_id, person)
    assert row is not None
    assert row.program_id is not None
    before = await engine.programs.get(db, row.program_id)
    await publish_fields(db, field("late"), field("motto", max_length=300))
    assert await engine.programs.get(db, row.program_id) is before
    await confirmed(db, runtime, delivery_id)  # nor does it make what was prepared stale
    assert "carpe diem" in await rendered(runtime, db, delivery_id, person)


async def test_a_preparation_takes_as_many_statements_for_many_people_as_for_one(
    runtime: Runtime, db: Connection, database_url: str
) -> None:
    await dataset(db, "store", field("city"))
    await point(db, link("shop", "store"), "profile")
    for one in FIELDS:
        await save(db, one)
    await publish_draft(db)
    noted: list[str] = []

    async def note(conn: asyncpg.Connection) -> None:
        await set_up_connection(conn)
        conn.add_query_logger(lambda record: noted.append(record.query))

    async def statements(name: str) -> list[str]:
        delivery_id = await new_delivery(runtime, db, name=name, **texts(EVERY_KIND + "{{ profile.shop.city }}"))
        noted.clear()
        async with asyncpg.create_pool(database_url, min_size=1, max_size=2, init=note) as pool:
            noting = open_engine(replace(runtime, pool=pool))
            await prepared(noting, runtime, db, delivery_id)
            await noting.close()
        return [query for query in noted if not query.startswith(("BEGIN", "COMMIT"))]

    await add_person(db, "a@mail.example")
    await statements("first")  # which makes the ledger's partition
    alone = await statements("alone")
    await add_people(db, 3_000)
    many = await statements("many")
    assert many == alone
    assert sum("INSERT INTO ledger" in query for query in alone) == 1
