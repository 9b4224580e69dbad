"""Tracking events through GraphQL: read page by page, and live from a cursor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from core.access import Role
from core.ids import from_global_id
from core.tracking.process import tracking_of
from core.tracking.records import Hit, TrackingKind
from tests.api.conftest import make_token, serving
from tests.api.gql import Gql, create_profile
from tests.api.graphql.conftest import House
from tests.api.sockets import Talk, talk

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
READ = """
query ($after: String, $first: Int, $delivery: ID, $kinds: [TrackingKind!], $machines: Boolean! = false) {
  trackingEvents(after: $after, first: $first, deliveryId: $delivery, kinds: $kinds, machines: $machines) {
    cursor events { cursor kind profileId deliveryId machine link } } }"""
RULES = "{ machineRules { id kind pattern seconds least description enabled } }"
CREATE_RULE = """
mutation ($input: CreateMachineRuleInput!) { createMachineRule(input: $input) {
  machineRule { id kind pattern seconds least description enabled } userErrors { code message path } } }"""
UPDATE_RULE = """
mutation ($input: UpdateMachineRuleInput!) { updateMachineRule(input: $input) {
  machineRule { id kind pattern seconds least description enabled } userErrors { code message path } } }"""
LIVE = """
subscription ($after: String, $delivery: ID) {
  trackingEvents(after: $after, deliveryId: $delivery) {
    cursor events { cursor kind profile { firstName } delivery { label } } } }"""


async def prepared(house: House) -> tuple[str, str]:
    """A delivery to Anna, prepared; both ids."""
    profile_id = await create_profile(house.gql, email="anna@shop.example", firstName="Anna")
    delivery_id = await house.delivery()
    await house.gql.do("mutation ($id: ID!) { prepareDelivery(id: $id) { userErrors { code } } }", id=delivery_id)
    await house.work()
    return profile_id, delivery_id


async def hit(house: House, who: tuple[str, str], kind: TrackingKind, agent: str = BROWSER) -> None:
    """Somebody did something, and it is committed."""
    profile_id, delivery_id = who
    await tracking_of(house.runtime).recorder.record(
        Hit(
            at=house.runtime.clock(),
            kind=kind,
            delivery_id=from_global_id("Delivery", delivery_id),
            recipient_kind=1,
            recipient_id=from_global_id("Profile", profile_id),
            user_agent=agent,
        )
    )


@pytest_asyncio.fixture
async def live(house: House) -> AsyncIterator[str]:
    """The house behind a real port; its address."""
    async with serving(house.runtime) as found:
        yield found


async def test_events_are_read_from_a_cursor_page_by_page(house: House) -> None:
    # Given three opens of a person and one of a machine
    who = await prepared(house)
    for _ in range(3):
        await hit(house, who, TrackingKind.OPEN)
    await hit(house, who, TrackingKind.OPEN, agent="curl/8.0")

    # When they are read two at a time
    first = (await house.gql.ask(READ, first=2))["trackingEvents"]
    second = (await house.gql.ask(READ, first=2, after=first["cursor"]))["trackingEvents"]
    third = (await house.gql.ask(READ, first=2, after=second["cursor"]))["trackingEvents"]

    # Then all three of the person come once, and the cursor stands at the end
    assert [len(batch["events"]) for batch in (first, second, third)] == [2, 1, 0]
    assert third["cursor"] == second["cursor"]
    assert first["events"][0]["profileId"] == who[0]
    assert first["events"][0]["deliveryId"] == who[1]
    # And the machine's is there for those who ask
    everything = (await house.gql.ask(READ, machines=True))["trackingEvents"]["events"]
    assert [one["machine"] for one in everything] == [False, False, False, True]
    assert (await house.gql.ask(READ, kinds=["CLICK"]))["trackingEvents"]["events"] == []


async def batch(client: Talk) -> Any:
    """The next batch of a subscription."""
    message = await client.hear()
    assert message["type"] == "next", message
    assert "errors" not in message["payload"], message
    return message["payload"]["data"]["trackingEvents"]


async def test_events_come_live_and_go_on_from_a_cursor_without_loss_or_repeat(house: House, live: str) -> None:
    who = await prepared(house)
    token = house.gql.token
    await hit(house, who, TrackingKind.OPEN)  # before anybody listened

    # Given a listener who has heard one event
    now = (await house.gql.ask(READ))["trackingEvents"]["cursor"]
    async with talk(live, token) as client:
        await client.start("s", LIVE, delivery=who[1], after=now)
        await hit(house, who, TrackingKind.OPEN)
        heard = await batch(client)
        assert [(one["kind"], one["profile"], one["delivery"]) for one in heard["events"]] == [
            ("OPEN", {"firstName": "Anna"}, {"label": "Spring"})
        ]

    # When the connection is lost, two more things happen, and the listener comes back with its cursor
    await hit(house, who, TrackingKind.MIRROR)
    await hit(house, who, TrackingKind.OPEN)
    async with talk(live, token) as client:
        await client.start("s", LIVE, after=heard["cursor"])
        missed: list[Any] = []
        while len(missed) < 2:
            missed += (await batch(client))["events"]
        await hit(house, who, TrackingKind.OPEN)
        last = await batch(client)

    # Then it has heard each of them once
    assert [one["kind"] for one in missed] == ["MIRROR", "OPEN"]
    assert len(last["events"]) == 1
    cursors = [one["cursor"] for one in [*heard["events"], *missed, *last["events"]]]
    assert len(set(cursors)) == 4


async def test_subscribers_who_ask_the_same_get_the_same(house: House, live: str) -> None:
    # Given two listeners with one document, and a third with another
    who = await prepared(house)
    now = (await house.gql.ask(READ))["trackingEvents"]["cursor"]
    plain = "subscription ($after: String) { trackingEvents(after: $after) { cursor events { kind profileId at } } }"
    other = "subscription ($after: String) { trackingEvents(after: $after, kinds: [CLICK, MIRROR]) { events { kind } } }"
    async with talk(live, house.gql.token) as one, talk(live, house.gql.token) as two:
        await one.start("a", plain, after=now)
        await two.start("b", plain, after=now)
        await two.start("c", other, after=now)

        # When somebody opens and then looks at the mirror page
        await hit(house, who, TrackingKind.OPEN)
        heard = await batch(one)
        assert await batch(two) == heard
        await hit(house, who, TrackingKind.MIRROR)

        # Then each hears what it asked for
        assert [event["kind"] for event in heard["events"]] == ["OPEN"]
        assert heard["events"][0]["profileId"] == who[0]
        answers = {message["id"]: message["payload"]["data"]["trackingEvents"] for message in [await two.hear() for _ in "bc"]}
        assert answers["c"]["events"] == [{"kind": "MIRROR"}]
        assert answers["b"] == await batch(one)


async def test_the_progress_of_a_delivery_comes_as_it_moves_and_ends_with_it(house: House, live: str) -> None:
    # Given somebody who watches a prepared delivery
    _, delivery_id = await prepared(house)
    text = """subscription ($id: ID!) { deliveryProgress(deliveryId: $id) {
      deliveryId state prepared settled counts { targeted pending accepted } } }"""
    async with talk(live, house.gql.token) as client:
        await client.start("p", text, id=delivery_id)
        first = (await client.hear())["payload"]["data"]["deliveryProgress"]
        assert first["deliveryId"] == delivery_id
        assert (first["state"], first["prepared"], first["settled"]) == ("READY", 1.0, 0.0)

        # When it is confirmed and sent
        await house.gql.do("mutation ($id: ID!) { confirmDelivery(id: $id) { userErrors { code } } }", id=delivery_id)
        await house.work()

        # Then the last word is that it is finished, and what became of it
        states = [first]
        while (message := await client.hear())["type"] == "next":
            states.append(message["payload"]["data"]["deliveryProgress"])
        assert message == {"type": "complete", "id": "p"}
        assert states[-1]["state"] == "FINISHED"
        assert (states[-1]["settled"], states[-1]["counts"]["accepted"]) == (1.0, 1)


async def test_the_rules_that_mark_machines_are_listed(house: House) -> None:
    rules = (await house.gql.ask(RULES))["machineRules"]

    assert {rule["kind"] for rule in rules} == {"AGENT", "BURST", "HIDDEN_LINK"}
    (burst,) = [rule for rule in rules if rule["kind"] == "BURST"]
    assert (burst["seconds"], burst["least"], burst["enabled"]) == (5, 2, True)


async def test_rules_are_made_changed_switched_off_and_deleted_and_each_is_audited(house: House) -> None:
    # Given a rule of one's own
    draft = {"kind": "AGENT", "pattern": r"OurMonitor/\d{1,3}", "description": "Our monitoring"}
    made = (await house.gql.do(CREATE_RULE, input=draft))["machineRule"]
    assert made == {**draft, "id": 100, "seconds": None, "least": None, "enabled": True}

    # Then hits are asked by it
    who = await prepared(house)
    await hit(house, who, TrackingKind.OPEN, agent="OurMonitor/7")
    (event,) = (await house.gql.ask(READ, machines=True))["trackingEvents"]["events"]
    assert event["machine"] is True

    # When it is switched off, it is still listed; when it is deleted, its number is not given again
    off = (await house.gql.do(UPDATE_RULE, input={"id": 100, "enabled": False}))["machineRule"]
    assert off == {**made, "enabled": False}
    assert off in (await house.gql.ask(RULES))["machineRules"]
    gone = await house.gql.do("mutation { deleteMachineRule(id: 100) { deletedId userErrors { code } } }")
    assert gone["deletedId"] == 100
    again = await house.gql.do(CREATE_RULE, input={"kind": "BURST", "seconds": 2, "least": 3, "description": "Faster"})
    assert again["machineRule"]["id"] == 101

    # And who changed what is known
    log = await house.gql.ask("""{ auditLog(objectType: "machine_rule") { nodes { action objectId changes } } }""")
    told = [(one["action"], one["objectId"]) for one in log["auditLog"]["nodes"]]
    assert told == [
        ("machine_rule.create", "101"), ("machine_rule.delete", "100"), ("machine_rule.update", "100"),
        ("machine_rule.create", "100"),
    ]  # fmt: skip
    assert log["auditLog"]["nodes"][2]["changes"] == {"enabled": {"from": True, "to": False}}


async def test_rules_that_cannot_be_are_refused_where_they_are_wrong(house: House) -> None:
    async def refused(**values: Any) -> tuple[str, str]:
        """The code and the place of the only problem of a new rule."""
        (error,) = await house.gql.refused(CREATE_RULE, input={"description": "x", **values})
        return error["code"], error["path"]

    assert await refused(kind="AGENT", pattern="Bot(") == ("BAD_PATTERN", "pattern")
    assert await refused(kind="AGENT", pattern="(a+)+$") == ("PATTERN_TOO_SLOW", "pattern")
    assert await refused(kind="AGENT") == ("REQUIRED", "pattern")
    assert await refused(kind="AGENT", pattern="x", least=2) == ("NOT_FOR_KIND", "least")
    assert await refused(kind="BURST", seconds=5, least=1) == ("BAD_NUMBER", "least")
    assert await refused(kind="HIDDEN_LINK", seconds=0) == ("BAD_NUMBER", "seconds")
    assert await refused(kind="HIDDEN_LINK", seconds=5, description=" ") == ("BAD_LABEL", "description")
    (error,) = await house.gql.refused(UPDATE_RULE, input={"id": 1, "pattern": "["})
    assert (error["code"], error["path"]) == ("BAD_PATTERN", "pattern")
    assert "character 1" in error["message"]
    for number in (0, 99, 2**31 - 1):
        (error,) = await house.gql.refused(UPDATE_RULE, input={"id": number, "enabled": False})
        assert error["code"] == "MACHINE_RULE_NOT_FOUND"


async def test_only_administrators_change_rules(house: House) -> None:
    editor = Gql(house.gql.http, await make_token(house.app, Role.PREPARE_DELIVERIES))
    rules = (await editor.ask(RULES))["machineRules"]
    draft = {"kind": "AGENT", "pattern": "x", "description": "x"}
    assert await editor.code(CREATE_RULE, input=draft) == "FORBIDDEN"
    assert await editor.code(UPDATE_RULE, input={"id": 1, "enabled": False}) == "FORBIDDEN"
    assert await editor.code("mutation { deleteMachineRule(id: 1) { deletedId } }") == "FORBIDDEN"
    assert (await editor.ask(RULES))["machineRules"] == rules
