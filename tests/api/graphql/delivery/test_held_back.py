"""Traps, control groups, holdouts and their comparison over GraphQL, to the end of a delivery."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.api.gql import create_profile, fresh
from tests.api.graphql.conftest import House
from tests.api.graphql.mutation_cases import make

LEDGER = """query ($id: ID!) { delivery(id: $id) {
    counts { targeted excluded accepted } trapCounts { targeted accepted }
    traps { question insertion testProfiles { label email } }
    controlGroup { extraction share size sameFor by question audience { id } } ignoresHoldout
    report { traps { accepted } excluded { reason count } metrics { name value } }
    ledger(first: 20) { nodes { recipientKind recipientId isTest state reason profile { email } testProfile { label } } } } }"""
COMPARED = """query ($id: ID!, $conversion: ConversionInput!) { delivery(id: $id) { comparison(conversion: $conversion) {
    groups { group people converted rate value valuePerPerson }
    lifts { baseline difference low high relative pValue additional } } } }"""


async def _trap(house: House, **more: Any) -> str:
    sent = {"label": "Trap", "uses": ["TRAP", "PREVIEW"], "email": "trap@mail.example", **more}
    found: str = (await make(house, "createTestProfile", input=sent))["testProfile"]["id"]
    return found


async def _sent(house: House, delivery_id: str) -> Any:
    for move in ("prepareDelivery", "confirmDelivery"):
        await make(house, move, id=delivery_id)
        await house.work()
    return (await house.gql.ask(LEDGER, id=delivery_id))["delivery"]


async def test_a_trap_gets_the_message_and_a_control_group_does_not(house: House) -> None:
    # Given ten people, two of whom are to be held back, and a trap
    people = [await create_profile(house.gql, email=f"p{n}@mail.example", zipCode=f"{n}") for n in range(10)]
    trap = await _trap(house)
    delivery_id = await house.delivery()
    await make(
        house,
        "setDeliveryTraps",
        input={"id": delivery_id, "testProfileIds": [trap], "question": {"text": "city = 'X'"}, "insertion": "END"},
    )
    group = {"extraction": "FIRST", "by": {"text": "zip_code"}, "share": "20"}
    await make(house, "setDeliveryControlGroup", input={"id": delivery_id, "controlGroup": group})

    # When it is sent
    found = await _sent(house, delivery_id)

    # Then the ledger tells them apart
    assert found["counts"] == {"targeted": 10, "excluded": 2, "accepted": 8}
    assert found["trapCounts"] == {"targeted": 1, "accepted": 1}
    assert found["report"]["traps"] == {"accepted": 1}
    assert found["report"]["excluded"] == [{"reason": "CONTROL_GROUP", "count": 2}]
    assert {one["name"]: one["value"] for one in found["report"]["metrics"]}["delivered"] == 8
    rows = found["ledger"]["nodes"]
    assert [one["profile"]["email"] for one in rows if one["reason"] == "CONTROL_GROUP"] == [
        "p8@mail.example",
        "p9@mail.example",
    ]
    assert rows[-1] == {
        "recipientKind": "TRAP", "recipientId": trap, "isTest": True, "state": "ACCEPTED", "reason": "NOT_DEFINED",
        "profile": None, "testProfile": {"label": "Trap"},
    }  # fmt: skip
    assert [one["recipientId"] for one in rows[:-1]] == people
    assert not any(one["isTest"] for one in rows[:-1])
    assert found["traps"] == {
        "question": "city = 'X'", "insertion": "END", "testProfiles": [{"label": "Trap", "email": "trap@mail.example"}],
    }  # fmt: skip
    assert found["controlGroup"] == {
        "extraction": "FIRST", "share": "20.00", "size": None, "sameFor": "DELIVERY", "by": "zip_code", "question": None,
        "audience": None,
    }  # fmt: skip


async def test_what_the_target_did_stands_beside_what_those_held_back_did(house: House) -> None:
    # Given a type of event, a delivery to eight, two held back, and one who told of it before
    gql = house.gql
    fields = [{"name": "total", "label": "Total", "kind": "DECIMAL"}]
    await make(house, "saveEventType", input={"name": "order", "label": "Order", "fields": fields})
    for n in range(10):
        await create_profile(gql, email=f"p{n}@mail.example", externalId=f"p{n}", zipCode=f"{n}")

    async def orders(*rows: tuple[int, str], at: datetime) -> None:
        told = [
            {"type": "order", "profile": {"externalId": f"p{who}"}, "key": f"{who}-{total}", "occurredAt": at.isoformat(),
             "payload": {"total": total}}
            for who, total in rows
        ]  # fmt: skip
        assert (await make(house, "recordEvents", events=told))["stored"] == len(told)

    delivery_id = await house.delivery()
    conversion = {"link": "event_order", "days": 7, "value": "total"}
    assert await gql.code(COMPARED, id=delivery_id, conversion=conversion) == "NOT_STARTED"
    await orders((0, "1"), at=datetime.now(UTC) - timedelta(hours=1))
    group = {"extraction": "FIRST", "by": {"text": "zip_code"}, "size": 2}
    await make(house, "setDeliveryControlGroup", input={"id": delivery_id, "controlGroup": group})
    await _sent(house, delivery_id)

    # When some order
    await orders((1, "10"), (1, "20"), (2, "5"), (9, "7"), at=datetime.now(UTC))

    # Then either side is told with its share, and how much more the one did
    found = (await gql.ask(COMPARED, id=delivery_id, conversion=conversion))["delivery"]["comparison"]
    assert found["groups"] == [
        {"group": "TARGET", "people": 8, "converted": 2, "rate": 0.25, "value": 35.0, "valuePerPerson": 4.375},
        {"group": "CONTROL_GROUP", "people": 2, "converted": 1, "rate": 0.5, "value": 7.0, "valuePerPerson": 3.5},
    ]
    (lift,) = found["lifts"]
    assert (lift["baseline"], lift["difference"], lift["relative"], lift["additional"]) == ("CONTROL_GROUP", -0.25, -0.5, -2.0)
    assert lift["low"] < -0.25 < lift["high"]
    assert 0 < lift["pValue"] < 1

    # And a condition narrows it down
    large = {**conversion, "where": {"text": "total > 6"}}
    found = (await gql.ask(COMPARED, id=delivery_id, conversion=large))["delivery"]["comparison"]
    assert [(one["converted"], one["value"]) for one in found["groups"]] == [(1, 30.0), (1, 7.0)]
    for bad in (
        {"link": "nope"},
        {"days": 0},
        {"days": 366},
        {"time": "total"},
        {"value": "nope"},
        {"where": {"text": "x = 1"}},
    ):
        assert await gql.code(COMPARED, id=delivery_id, conversion={**conversion, **bad}) in (
            "BAD_CONVERSION", "UNKNOWN_FIELD",
        ), bad  # fmt: skip


async def test_a_preview_is_shown_as_a_test_profile_would_get_it(house: House) -> None:
    trap = await _trap(house, firstName="Tara", country="FR")
    read = "query ($input: PreviewInput!) { preview(input: $input) { text } }"
    parts = [{"name": "subject", "source": "Hi"}, {"name": "html", "source": "<p>Hello {{ profile.first_name }}</p>"}]
    sent = {"channel": "memory", "parts": [{"name": "text", "source": "Hello {{ profile.first_name }} {{ profile.country }}"}]}
    found = await house.gql.ask(read, input={**sent, "testProfileId": trap})
    assert found["preview"]["text"] == "Hello Tara FR"
    person = await create_profile(house.gql, email="p@mail.example")
    both = {**sent, "parts": parts, "testProfileId": trap, "profileId": person}
    assert await house.gql.code(read, input=both) == "BAD_PREVIEW"
    assert await house.gql.code(read, input=sent) == "BAD_PREVIEW"
    assert await house.gql.code(read, input={**sent, "testProfileId": person}) == "BAD_ID"
    await make(house, "deleteTestProfile", id=trap)
    assert await house.gql.code(read, input={**sent, "testProfileId": trap}) == "TEST_PROFILE_NOT_FOUND"


async def test_a_preview_shows_the_event_that_a_test_profile_keeps(house: House) -> None:
    # Given test profiles with an event and without, and content that reads it
    order = {"order_id": "A-7", "items": [{"sku": "tea"}, {"sku": "cake"}]}
    kept = await _trap(house, eventType="order", eventPayload=order)
    bare = await _trap(house, label="Bare")
    read = "query ($input: PreviewInput!) { preview(input: $input) { text warnings { code } } }"
    source = "{{ event.type }} {{ event.payload.order_id }}{% for one in event.payload.items %} {{ one.sku }}{% endfor %}"
    made = await make(house, "createContent", input={
        "name": fresh("order"), "label": "x", "channel": "memory", "parts": [{"name": "text", "source": source}],
    })  # fmt: skip
    content = {"contentId": made["content"]["id"]}

    # Then a preview for the one shows it, and for others nothing, with a warning
    found = (await house.gql.ask(read, input={**content, "testProfileId": kept}))["preview"]
    assert (found["text"], "EVENT_NOT_KNOWN" in [one["code"] for one in found["warnings"]]) == ("order A-7 tea cake", False)
    person = await create_profile(house.gql, email="p@mail.example")
    for other in ({"testProfileId": bare}, {"profileId": person}):
        found = (await house.gql.ask(read, input={**content, **other}))["preview"]
        assert (found["text"].strip(), "EVENT_NOT_KNOWN" in [one["code"] for one in found["warnings"]]) == ("", True)

    # And a name that the event lacks is refused
    wrong = {"channel": "memory", "parts": [{"name": "text", "source": "{{ event.payload.ordr_id }}"}]}
    assert await house.gql.code(read, input={**wrong, "testProfileId": kept}) == "UNKNOWN_VARIABLE"


async def test_test_profiles_are_found_and_changed(house: House) -> None:
    first = await _trap(house, label="Anna", teamFields=None)
    await _trap(house, label="Bert", uses=["PROOF"])
    read = """query ($use: TestProfileUse, $text: String) { testProfiles(use: $use, text: $text, first: 5) { totalCount
        nodes { id label uses email emailFormat teamFields builtIn version } } }"""
    found = (await house.gql.ask(read, use="TRAP"))["testProfiles"]
    assert found == {
        "totalCount": 1,
        "nodes": [
            {"id": first, "label": "Anna", "uses": ["TRAP", "PREVIEW"], "email": "trap@mail.example", "emailFormat": "UNKNOWN",
             "teamFields": {}, "builtIn": False, "version": 1},
        ],
    }  # fmt: skip
    changed = {"id": first, "expectedVersion": 1, "uses": ["PROOF"], "email": None, "firstName": "A"}
    await make(house, "updateTestProfile", input=changed)
    assert (await house.gql.ask(read, text="ann"))["testProfiles"]["nodes"][0]["version"] == 2
    one = "query ($id: ID!) { testProfile(id: $id) { email firstName uses } node(id: $id) { id } profiles { totalCount } }"
    assert await house.gql.ask(one, id=first) == {
        "testProfile": {"email": None, "firstName": "A", "uses": ["PROOF"]}, "node": {"id": first},
        "profiles": {"totalCount": 0},
    }  # fmt: skip


async def test_a_holdout_holds_people_out_until_it_ends(house: House) -> None:
    for n in range(12):
        await create_profile(house.gql, email=f"p{n}@mail.example")
    made = await make(house, "createHoldout", input={"label": "2026", "share": "50"})
    read = '{ holdouts(first: 5) { nodes { id label share current endsAt } } target(expression: {text: "held_out"}) { count } }'
    found = await house.gql.ask(read)
    held = int(found["target"]["count"])
    assert 0 < held < 12
    assert found["holdouts"]["nodes"] == [
        {"id": made["holdout"]["id"], "label": "2026", "share": "50.00", "current": True, "endsAt": None}
    ]
    told = await _sent(house, await house.delivery())
    assert told["counts"] == {"targeted": 12, "excluded": held, "accepted": 12 - held}
    assert told["report"]["excluded"] == [{"reason": "GLOBAL_HOLDOUT", "count": held}]
    service = await house.delivery()
    await make(house, "updateDelivery", input={"id": service, "ignoresHoldout": True})
    assert (await _sent(house, service))["counts"]["accepted"] == 12
