"""The audit log through GraphQL."""

from __future__ import annotations

from api.app import App
from core.access import Role
from tests.api.conftest import make_token
from tests.api.gql import CREATE_CAMPAIGN, Gql, create_profile, fresh

LOG = """
query ($type: String, $after: String) {
  auditLog(objectType: $type, first: 2, after: $after) {
    nodes { at actor action objectType objectId changes requestId } pageInfo { hasNextPage endCursor } } }"""


async def test_every_mutation_leaves_an_entry_with_its_request(gql: Gql) -> None:
    # Given a mutation of a request with an id
    name = fresh("campaign")
    await gql.post(CREATE_CAMPAIGN, {"input": {"name": name, "label": "x"}}, x_request_id="ticket-4711")

    # Then the newest entry tells who, what and in which request
    entry = (await gql.ask(LOG, type="campaign"))["auditLog"]["nodes"][0]
    assert entry["action"] == "campaign.create"
    assert entry["actor"].startswith("token:")
    assert entry["requestId"] == "ticket-4711"
    assert entry["changes"]["name"] == {"from": None, "to": name}


async def test_personal_values_are_not_in_it(gql: Gql) -> None:
    await create_profile(gql, firstName="Unmistakable", email=f"{fresh('un')}@shop.example")

    response = await gql.post(LOG, {"type": "profile"})

    assert "Unmistakable" not in response.text
    assert response.json()["data"]["auditLog"]["nodes"][0]["changes"] == {"fields": ["email", "first_name"]}


async def test_who_dealt_with_an_address_is_found_by_its_reference(gql: Gql) -> None:
    # Given an address that was put into quarantine
    address = f"{fresh('hidden')}@shop.example"
    made = await gql.do(
        """mutation ($a: String!) { quarantineAddresses(input: {addresses: [$a]}) {
             entries { auditReferences } userErrors { code } } }""",
        a=address,
    )
    # And let out again, so that nothing else is known of it
    await gql.do(
        """mutation ($a: String!) { releaseAddresses(input: {addresses: [$a]}) { released userErrors { code } } }""", a=address
    )

    # When the log is asked under the references of the address
    asked = await gql.ask("query ($a: String!) { auditReferences(addressKind: EMAIL, address: $a) }", a=address.upper())
    response = await gql.post(
        """query ($ids: [String!]) { auditLog(objectType: "quarantine", objectIds: $ids) {
             nodes { actor action objectId changes } } }""",
        {"ids": asked["auditReferences"]},
    )

    # Then it tells who did what, and not to which address
    assert made["entries"] == [asked]
    nodes = response.json()["data"]["auditLog"]["nodes"]
    assert [one["action"] for one in nodes] == ["quarantine.release", "quarantine.put"]
    assert {one["objectId"] for one in nodes} == set(asked["auditReferences"])
    assert all(one["actor"].startswith("token:") for one in nodes)
    assert "hidden" not in response.text


async def test_it_is_read_page_by_page_newest_first(gql: Gql) -> None:
    for _ in range(3):
        await gql.do(CREATE_CAMPAIGN, input={"name": fresh("campaign"), "label": "x"})

    first = (await gql.ask(LOG, type="campaign"))["auditLog"]
    second = (await gql.ask(LOG, type="campaign", after=first["pageInfo"]["endCursor"]))["auditLog"]

    numbers = [int(one["objectId"]) for one in first["nodes"] + second["nodes"][:1]]
    assert numbers == sorted(numbers, reverse=True)
    assert first["pageInfo"]["hasNextPage"] is True


async def test_only_administrators_read_it(gql: Gql, app: App) -> None:
    other = Gql(gql.http, await make_token(app, Role.START_DELIVERIES))

    assert await other.code(LOG) == "FORBIDDEN"
    assert await other.code('{ auditReferences(addressKind: EMAIL, address: "a@shop.example") }') == "FORBIDDEN"
