"""What a delivery computes of its recipients, over GraphQL."""

from __future__ import annotations

from typing import Any

from tests.api.gql import create_profile
from tests.api.graphql.conftest import House
from tests.api.graphql.mutation_cases import make

LOG = """query ($id: ID!) { delivery(id: $id) { sendingLog { segmentCode fields }
    ledger(first: 20) { nodes { segmentCode logged profile { city } } }
    report { segments { code targeted excluded sent accepted failed opened clicked } } } }"""


async def test_the_sending_log_tells_code_and_fields_of_each(house: House) -> None:
    # Given people of two towns, and a log that keeps the town
    for number, city in enumerate(("Paris", "Paris", "Rome")):
        await create_profile(house.gql, email=f"p{number}@mail.example", city=city)
    delivery_id = await house.delivery()
    sent: dict[str, Any] = {"id": delivery_id, "segmentCode": {"text": "if(city = 'Paris', 'home')"}, "fields": ["city"]}
    await make(house, "setDeliverySendingLog", input=sent)

    # When it is sent
    for move in ("prepareDelivery", "confirmDelivery"):
        await make(house, move, id=delivery_id)
        await house.work()

    # Then rows and report say so
    found = (await house.gql.ask(LOG, id=delivery_id))["delivery"]
    assert found["sendingLog"] == {"segmentCode": "if(city = 'Paris', 'home')", "fields": ["city"]}
    assert [(one["segmentCode"], one["logged"]) for one in found["ledger"]["nodes"]] == [
        ("home", {"city": "Paris"}), ("home", {"city": "Paris"}), (None, {"city": "Rome"}),
    ]  # fmt: skip
    nothing = {"excluded": 0, "failed": 0, "opened": 0, "clicked": 0}
    assert found["report"]["segments"] == [
        {"code": "home", "targeted": 2, "sent": 2, "accepted": 2, **nothing},
        {"code": None, "targeted": 1, "sent": 1, "accepted": 1, **nothing},
    ]


BY_FIELD = """query ($id: ID!, $field: String!, $after: String) { delivery(id: $id) { report {
    byField(field: $field, first: 1, after: $after) { nodes { value targeted accepted } pageInfo { hasNextPage endCursor }
        nothing { targeted } rest { values targeted excluded sent accepted failed opened clicked } } } } }"""


async def test_the_report_goes_by_a_field_of_the_log_page_by_page(house: House) -> None:
    # Given people of three towns, and of none
    for number, city in enumerate(("Rome", "Paris", "Paris", "Oslo", None)):
        await create_profile(house.gql, email=f"p{number}@mail.example", city=city)
    delivery_id = await house.delivery()
    await make(house, "setDeliverySendingLog", input={"id": delivery_id, "fields": ["city"]})
    await make(house, "prepareDelivery", id=delivery_id)
    await house.work()

    # When pages of one value are read
    pages, after = list[Any](), None
    while not pages or pages[-1]["pageInfo"]["hasNextPage"]:
        found = await house.gql.ask(BY_FIELD, id=delivery_id, field="city", after=after)
        pages.append(found["delivery"]["report"]["byField"])
        after = pages[-1]["pageInfo"]["endCursor"]

    # Then they tell values by their size, those without one, and the rest
    assert [page["nodes"] for page in pages] == [
        [{"value": "Paris", "targeted": 2, "accepted": 0}], [{"value": "Oslo", "targeted": 1, "accepted": 0}],
        [{"value": "Rome", "targeted": 1, "accepted": 0}],
    ]  # fmt: skip
    assert [page["nothing"]["targeted"] for page in pages] == [1, 1, 1]
    assert [(page["rest"]["values"], page["rest"]["targeted"]) for page in pages] == [(2, 2), (1, 1), (0, 0)]

    # And what is no field of the log, and no cursor, is refused by name
    assert await house.gql.code(BY_FIELD, id=delivery_id, field="country") == "UNKNOWN_FIELD"
    for bad in ("?", "WyJ4IiwieCJd"):
        assert await house.gql.code(BY_FIELD, id=delivery_id, field="city", after=bad) == "BAD_CURSOR"


DUE = """query ($id: ID!) { delivery(id: $id) { sendDates { expression timeZone ofRecipient }
    due(by: DAY, timeZone: "Asia/Tokyo") { at people } ledger(first: 20) { nodes { state dueAt } } } }"""


async def test_send_dates_are_told_beforehand(house: House) -> None:
    for number in range(3):
        await create_profile(house.gql, email=f"p{number}@mail.example", city="Paris" if number else "Rome")
    delivery_id = await house.delivery()
    await make(house, "updateDelivery", input={"id": delivery_id, "contactAt": "2031-05-01T12:00:00Z"})
    text = "if(city = 'Rome', now + 1 day)"
    sent: dict[str, Any] = {"id": delivery_id, "sendDates": {"expression": {"text": text}, "timeZone": "Europe/Paris"}}
    await make(house, "setDeliverySendDates", input=sent)
    await make(house, "prepareDelivery", id=delivery_id)
    await house.work()

    found = (await house.gql.ask(DUE, id=delivery_id))["delivery"]
    assert found["sendDates"] == {"expression": text, "timeZone": "Europe/Paris", "ofRecipient": False}
    assert found["due"] == [
        {"at": "2031-04-30T15:00:00Z", "people": 2}, {"at": "2031-05-01T15:00:00Z", "people": 1},
    ]  # fmt: skip
    assert [one["dueAt"] for one in found["ledger"]["nodes"]] == ["2031-05-02T12:00:00Z"] + ["2031-05-01T12:00:00Z"] * 2

    sent["sendDates"] = None
    await make(house, "setDeliverySendDates", input=sent)
    assert (await house.gql.ask(DUE, id=delivery_id))["delivery"]["sendDates"] is None
