"""The cases of business events; see `mutation_cases`."""

from __future__ import annotations

from typing import Any

from tests.api.graphql.conftest import House
from tests.api.graphql.mutation_cases import EMAIL, PERSON, Case, case, make

PURCHASE: dict[str, Any] = {
    "name": "purchase",
    "label": "Purchase",
    "fields": [
        {"name": "amount", "label": "Amount", "kind": "DECIMAL", "required": True},
        {"name": "shipped_to", "label": "Shipped to", "kind": "TEXT", "maxLength": 100, "personal": True},
    ],
}


@case
async def save_event_type(house: House) -> Case:
    """A new one."""
    return Case({"input": PURCHASE}, ["event_type.create"], {"input": {**PURCHASE, "name": "Bad name"}})


@case
async def remove_event_type(house: House) -> Case:
    """With its events."""
    await make(house, "saveEventType", input=PURCHASE)
    sent = {"name": "purchase", "confirm": "purchase"}
    return Case(sent, ["event_type.remove"], {**sent, "confirm": "purchas"})


@case
async def record_events(house: House) -> Case:
    """With everything that is personal."""
    await make(house, "saveEventType", input=PURCHASE)
    await make(house, "createProfile", input=PERSON)
    event = {
        "type": "purchase", "profile": {"email": EMAIL}, "occurredAt": "2020-01-01T00:00:00Z", "key": PERSON["externalId"],
        "payload": {"amount": "1", "shipped_to": PERSON["city"]},
    }  # fmt: skip
    return Case({"events": [event]}, ["event.record"], {"events": [{**event, "profile": {"id": "x"}}]})
