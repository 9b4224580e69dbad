"""JSON in payloads: stored as it was told, known again, asked about, and refused where it cannot be kept."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from api.http.event_lines import read_lines
from core.access import SYSTEM
from core.datamodel.records import FieldKind
from core.db import Connection
from core.events.history import list_events
from core.events.recording import record_events
from core.events.records import EventField, OutcomeStatus, SentEvent
from core.targeting.audiences import count, open_question
from core.targeting.parse import parse_text
from tests.core.events.told import AMOUNT, NOW, add_profile, person, save

BASKET = EventField(name="basket", label="Basket", kind=FieldKind.JSON)
ITEMS = {"total": 120.5, "items": [{"sku": "a", "gift": None}, {"sku": "b", "gift": True}], "note": None}


def event(key: str, **payload: Any) -> SentEvent:
    return SentEvent(type="order", profile=person("ann"), occurred_at=NOW, key=key, payload={"amount": 1, **payload})


async def test_they_come_back_as_they_were_told_beside_those_without(conn: Connection) -> None:
    await save(conn, "order", AMOUNT, BASKET)
    ann = await add_profile(conn)
    sent = [event("1", basket=ITEMS), event("2"), event("3", basket="a text"), event("4", basket=[]), event("5", basket=False)]
    assert [one.status for one in await record_events(conn, SYSTEM, sent, NOW)] == [OutcomeStatus.STORED] * 5
    again = [event("1", basket=dict(reversed(ITEMS.items()))), event("3", basket="another")]
    statuses = [one.status for one in await record_events(conn, SYSTEM, again, NOW)]
    assert statuses == [OutcomeStatus.REPEATED, OutcomeStatus.REJECTED]
    found = (await list_events(conn, [ann], limit=10))[ann].rows
    assert {one.key: one.payload.get("basket", "nothing") for one in found} == {
        "1": ITEMS, "2": "nothing", "3": "a text", "4": [], "5": False,
    }  # fmt: skip


async def test_numbers_of_a_body_stay_exact(conn: Connection) -> None:
    await save(conn, "order", AMOUNT, BASKET)
    await add_profile(conn)
    line = {"type": "order", "profile": {"externalId": "ann"}, "occurredAt": NOW.isoformat(), "key": "1"}
    text = json.dumps({**line, "payload": {"amount": 1, "basket": {"price": "?"}}}).replace('"?"', "12345678901234567890.10")
    (sent,) = read_lines([text.encode()])
    assert isinstance(sent, SentEvent)
    (done,) = await record_events(conn, SYSTEM, [sent], NOW)
    assert done.status is OutcomeStatus.STORED
    assert await conn.fetchval("SELECT x_basket::text FROM e_order") == '{"price": 12345678901234567890.10}'


async def test_expressions_read_them(conn: Connection) -> None:
    await save(conn, "order", AMOUNT, BASKET)
    await add_profile(conn)
    await add_profile(conn, "bob")
    await record_events(conn, SYSTEM, [event("1", basket=ITEMS)], NOW)
    for asked, expected in (
        ("exists(event_order where json_number(basket, 'total') > 100)", 1),
        ("exists(event_order where json_text(basket, 'items.1.sku') = 'b')", 1),
        ("exists(event_order where json_text(basket, 'items.0.gift') = 'b')", 0),
    ):
        question = await open_question(conn, parse_text(asked))
        assert await count(conn, question, at=NOW, zone=ZoneInfo("UTC")) == expected, asked


@pytest.mark.parametrize(
    ("basket", "code"),
    [
        ({"a": math.nan}, "BAD_VALUE"), ({"a": Decimal("1e-99999")}, "BAD_VALUE"), ({"a": Decimal("NaN")}, "BAD_VALUE"),
        (json.loads("[" * 51 + "1" + "]" * 51), "BAD_VALUE"), ("x" * 100_000, "TOO_LONG"), (["\x00"], "BAD_TEXT"),
    ],
)  # fmt: skip
async def test_what_cannot_be_kept_costs_its_event_alone(conn: Connection, basket: Any, code: str) -> None:
    await save(conn, "order", AMOUNT, BASKET)
    await add_profile(conn)
    done = await record_events(conn, SYSTEM, [event("1", basket=basket), event("2", basket={})], NOW)
    assert [one.status for one in done] == [OutcomeStatus.REJECTED, OutcomeStatus.STORED]
    error = done[0].error
    assert error is not None
    assert (error.code, error.path) == (code, "payload.basket")
