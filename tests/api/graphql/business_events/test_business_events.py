"""Types of events, telling events, and reading what people did."""

from __future__ import annotations

from typing import Any

from tests.api.gql import Gql, create_profile, fresh

SAVE = """mutation ($input: SaveEventTypeInput!) { saveEventType(input: $input) {
  eventType { name version unknownFields fields { name kind maxLength required choices { name } } }
  userErrors { code message path hint } } }"""
RECORD = """mutation ($events: [RecordEventInput!]!) { recordEvents(events: $events) {
  stored repeated rejected outcomes { index status code message path hint } userErrors { code path } } }"""
REMOVE = """mutation ($name: String!, $confirm: String!) { removeEventType(name: $name, confirm: $confirm) {
  removed { name } userErrors { code path hint } } }"""
EVENTS = """query ($id: ID!, $types: [String!], $first: Int, $after: String) {
  profile(id: $id) { events(types: $types, first: $first, after: $after) {
    nodes { type occurredAt receivedAt key payload profileId } pageInfo { hasNextPage endCursor } } } }"""


def type_name() -> str:
    return fresh("visit").replace("-", "_")


async def save(gql: Gql, **more: Any) -> str:
    """A type with fields of several kinds; its name."""
    name = type_name()
    fields = [
        {"name": "amount", "label": "Amount", "kind": "DECIMAL", "required": True},
        {"name": "page", "label": "Page", "kind": "TEXT"},
        {"name": "until", "label": "Until", "kind": "INSTANT"},
        {"name": "pieces", "label": "Pieces", "kind": "INTEGER"},
    ]
    await gql.do(SAVE, input={"name": name, "label": "Visit", "fields": fields, **more})
    return name


def told(name: str, profile: Any, key: str, **more: Any) -> dict[str, Any]:
    return {
        "type": name, "profile": profile, "occurredAt": "2026-03-01T09:00:00+01:00", "key": key, "payload": {"amount": "1.50"},
    } | more  # fmt: skip


async def test_a_type_is_saved_changed_and_removed(gql: Gql) -> None:
    name = await save(gql)
    found = (await gql.ask("query ($name: String!) { eventType(name: $name) { version fields { name } } }", name=name))[
        "eventType"
    ]
    assert (found["version"], [one["name"] for one in found["fields"]]) == (1, ["amount", "page", "until", "pieces"])
    assert name in [one["name"] for one in (await gql.ask("{ eventTypes { name } }"))["eventTypes"]]
    # When it is changed by somebody who has read it
    sent = {"name": name, "label": "Visit", "fields": [{"name": "amount", "label": "Sum", "kind": "DECIMAL"}]}
    made = await gql.do(SAVE, input={**sent, "expectedVersion": 1})
    assert made["eventType"]["version"] == 2
    # Then who has read the old one is refused
    (error,) = await gql.refused(SAVE, input={**sent, "label": "Y", "expectedVersion": 1})
    assert (error["code"], error["path"]) == ("VERSION_CHANGED", "expectedVersion")
    # And it goes when that is confirmed
    assert (await gql.refused(REMOVE, name=name, confirm="x"))[0]["code"] == "NOT_CONFIRMED"
    assert (await gql.do(REMOVE, name=name, confirm=name))["removed"]["name"] == name
    assert (await gql.ask("query ($name: String!) { eventType(name: $name) { version } }", name=name))["eventType"] is None


async def test_problems_of_a_field_have_their_place(gql: Gql) -> None:
    fields = [{"name": "amount", "label": "A", "kind": "DECIMAL"}, {"name": "place", "label": "W", "kind": "POINT"}]
    (error,) = await gql.refused(SAVE, input={"name": type_name(), "label": "V", "fields": fields})
    assert (error["code"], error["path"]) == ("BAD_KIND", "fields.1.kind")


async def test_events_are_told_and_read(gql: Gql) -> None:
    name, other = await save(gql), await save(gql)
    external_id, email = fresh("crm"), f"{fresh('p')}@shop.example"
    profile_id = await create_profile(gql, externalId=external_id, email=email)
    payload = {"amount": "1.50", "page": "/a", "until": "2026-03-02T00:00:00Z", "pieces": 3}
    sent = [
        told(name, {"externalId": external_id}, "a", payload=payload),
        told(name, {"email": email.upper()}, "b", occurredAt="2026-03-01T10:00:00Z"),
        told(other, {"id": profile_id}, "a", occurredAt="2026-03-01T09:00:00Z"),
        told(name, {"externalId": "nobody"}, "c"),
        told(name, {"externalId": external_id}, "d", payload={"amount": "much"}),
    ]
    made = await gql.do(RECORD, events=sent)
    assert (made["stored"], made["repeated"], made["rejected"]) == (3, 0, 2)
    assert [(one["index"], one["status"], one["code"], one["path"]) for one in made["outcomes"]] == [
        (0, "STORED", None, None), (1, "STORED", None, None), (2, "STORED", None, None),
        (3, "REJECTED", "PROFILE_NOT_FOUND", "externalId"), (4, "REJECTED", "BAD_VALUE", "payload.amount"),
    ]  # fmt: skip
    again = await gql.do(RECORD, events=sent)
    assert (again["stored"], again["repeated"], again["rejected"]) == (0, 3, 2)
    # When they are read page by page
    first = (await gql.ask(EVENTS, id=profile_id, first=2))["profile"]["events"]
    assert [(one["type"], one["key"]) for one in first["nodes"]] == [(name, "b"), (other, "a")]
    assert first["pageInfo"]["hasNextPage"] is True
    rest = (await gql.ask(EVENTS, id=profile_id, first=2, after=first["pageInfo"]["endCursor"]))["profile"]["events"]
    # Then the last one is as it was told
    assert rest["pageInfo"]["hasNextPage"] is False
    (oldest,) = rest["nodes"]
    assert oldest.pop("receivedAt")
    assert oldest == {
        "type": name, "occurredAt": "2026-03-01T08:00:00Z", "key": "a", "profileId": profile_id,
        "payload": {**payload, "until": "2026-03-02T00:00:00.000000Z"},
    }  # fmt: skip
    # And those of one type can be asked for alone
    history = "query ($id: ID!) { profileHistory(profileId: $id, first: 9) { nodes { kind mirrorUrl event { type key } } } }"
    entries = (await gql.ask(history, id=profile_id))["profileHistory"]["nodes"]
    assert [(one["kind"], one["mirrorUrl"], one["event"]["key"]) for one in entries] == [
        ("BUSINESS_EVENT", None, "b"), ("BUSINESS_EVENT", None, "a"), ("BUSINESS_EVENT", None, "a"),
    ]  # fmt: skip
    alone = (await gql.ask(EVENTS, id=profile_id, types=[other]))["profile"]["events"]
    assert [one["type"] for one in alone["nodes"]] == [other]


async def test_what_cannot_be_asked(gql: Gql) -> None:
    profile_id = await create_profile(gql, externalId=fresh("crm"))
    assert await gql.code(EVENTS, id=profile_id, types=["nothing"]) == "EVENT_TYPE_NOT_FOUND"
    for cursor in ("x", "WyIxIiwieCJd", "WyI5OTk5OTk5OTk5OTk5OTk5OTk5OTk5IiwiMSJd"):
        assert await gql.code(EVENTS, id=profile_id, after=cursor) == "BAD_CURSOR"


async def test_a_profile_is_named_in_one_way(gql: Gql) -> None:
    name = await save(gql)
    both = told(name, {"externalId": "a", "email": "a@b.example"}, "a")
    assert (await gql.errors(RECORD, events=[both]))[0]["extensions"]["code"] == "BAD_REQUEST"
    (error,) = await gql.refused(RECORD, events=[told(name, {"externalId": "a"}, "a"), told(name, {"id": "x"}, "b")])
    assert (error["code"], error["path"]) == ("BAD_ID", "events.1.profile.id")
