"""Business events, subscriptions and consents are asked about like other linked rows."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from core.access import SYSTEM
from core.datamodel.uses import refuse
from core.db import Connection
from core.errors import Conflict
from core.events.event_types import remove_event_type
from core.profiles.merge_records import MergePlan
from core.profiles.merging import merge_profiles
from core.targeting.audiences import count, create_audience, open_question
from core.targeting.errors import ExpressionError
from core.targeting.parse import parse_text
from core.targeting.records import AudienceDraft
from core.targeting.uses import find_questions_without_events
from tests.core.consent.made import a_service, join
from tests.core.events.told import AMOUNT, FIELDS, NOW, add_profile, event, save, tell

ZONE = ZoneInfo("UTC")


async def found(conn: Connection, question: str) -> int:
    return await count(conn, await open_question(conn, parse_text(question)), at=NOW, zone=ZONE)


async def test_events_of_a_type_are_linked_to_whom_they_are_about(conn: Connection) -> None:
    with pytest.raises(ExpressionError, match="no link 'event_purchase'"):
        await found(conn, "exists(event_purchase)")
    await save(conn, "purchase", *FIELDS)
    ann, bea = await add_profile(conn), await add_profile(conn, "bea")
    day = timedelta(days=1)
    await tell(
        conn,
        event("1", ann, {"amount": "5", "way": "shop"}, occurred_at=NOW - 9 * day),
        event("2", ann, {"amount": "7.5", "way": "web", "gift": True}, occurred_at=NOW - 2 * day),
        event("3", bea, {"amount": "100"}, occurred_at=NOW - 3 * day),
    )

    for question, expected in [
        ("exists(event_purchase)", 2),
        ("exists(event_purchase where occurred_at >= now - 2 days)", 1),
        ("sum(event_purchase.amount) = 12.5", 1),
        ("exists(event_purchase where way = 'web' and gift)", 1),
        ("last(event_purchase.way) = 'web'", 1),
        ("count(event_purchase where key in ('1', '3')) = 1", 2),
        ("sequence(event_purchase where amount < 6 then event_purchase where amount > 6 within 8 days)", 1),
        ("exists(event_purchase where profile.external_id = 'bea')", 1),
        ("not exists(event_purchase)", 0),
    ]:
        assert await found(conn, question) == expected, question


async def test_what_audiences_ask_about_events_stays(conn: Connection) -> None:
    await save(conn, "purchase", *FIELDS)
    await create_audience(
        conn, SYSTEM,
        AudienceDraft(name="some", label="Some", expression=parse_text("exists(event_purchase where product = 'x')")),
    )  # fmt: skip

    await save(conn, "purchase", *FIELDS[:2])
    refuse(await find_questions_without_events(conn, "purchase"))
    await save(conn, "purchase", AMOUNT)
    with pytest.raises(Conflict, match=r"'some' \(event_purchase.product\)"):
        refuse(await find_questions_without_events(conn, "purchase"))
    await remove_event_type(conn, SYSTEM, "purchase", confirm="purchase")
    with pytest.raises(Conflict, match="'some'"):
        refuse(await find_questions_without_events(conn, "purchase"))


async def test_subscribers_of_a_service_are_found(conn: Connection) -> None:
    ann, bea = await add_profile(conn), await add_profile(conn, "bea")
    weekly, daily = await a_service(conn), await a_service(conn, "daily")
    await join(conn, weekly, ann, bea)
    await join(conn, daily, bea)

    assert await found(conn, "exists(subscriptions where service.name = 'weekly' and state = 'active')") == 2
    assert await found(conn, "not exists(subscriptions where service.name = 'daily')") == 1
    assert await found(conn, "count(subscriptions where state = 'active') = 2") == 1


async def test_events_of_a_merged_profile_are_its_survivors(conn: Connection) -> None:
    await save(conn)
    ann, bea = await add_profile(conn), await add_profile(conn, "bea")
    await tell(conn, event("1", ann, {"amount": "5"}), event("2", bea, {"amount": "7"}))
    assert await found(conn, "sum(event_purchase.amount) = 12") == 0

    await merge_profiles(conn, SYSTEM, MergePlan(survivor_id=bea, other_ids=(ann,)), now=NOW)

    assert await found(conn, "sum(event_purchase.amount) = 12") == 1
    assert await found(conn, "exists(event_purchase)") == 1
