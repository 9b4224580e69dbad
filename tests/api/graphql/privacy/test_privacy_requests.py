"""Privacy requests through GraphQL as somebody sends them who means no good, or does not know better."""

from __future__ import annotations

from typing import Any

import pytest

from core.access import Permission
from core.ids import to_global_id
from core.privacy.work import work
from tests.api.conftest import make_token
from tests.api.gql import Gql, create_campaign, create_profile, fresh
from tests.api.graphql.conftest import House

ERRORS = "userErrors { code message path hint }"
ASK = f"""mutation ($input: CreatePrivacyRequestInput!) {{
  createPrivacyRequest(input: $input) {{ privacyRequest {{ id }} {ERRORS} }} }}"""
GET = """query ($id: ID!) { privacyRequest(id: $id) {
  status profilesFound valueHash waitsFor error { code } counts { table rows } proof hasFile namespace { name } } }"""
OF_ID = {
    "confirmPrivacyRequest": "privacyRequest { id }",
    "retryPrivacyRequest": "privacyRequest { id }",
    "createPrivacyDownload": "downloadUrl",
    "deletePrivacyNamespace": "deletedId",
}


def sent(value: str, **more: Any) -> dict[str, Any]:
    return {
        "name": fresh("request"), "label": "x", "namespaceName": "email", "reconciliationValue": value, "type": "DELETE",
        "regulation": "GDPR", **more,
    }  # fmt: skip


async def asked(house: House, value: str, **more: Any) -> str:
    """A request that a worker has had; its id."""
    made = await house.gql.do(ASK, input=sent(value, **more))
    await work(house.runtime)
    request_id: str = made["privacyRequest"]["id"]
    return request_id


async def get(house: House, request_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await house.gql.ask(GET, id=request_id))["privacyRequest"]
    return found


@pytest.mark.parametrize(
    ("value", "more", "code", "path"),
    [
        ("", {}, "BAD_VALUE", "reconciliationValue"),
        (" \t ", {}, "BAD_VALUE", "reconciliationValue"),
        ("a\0b@shop.example", {}, "BAD_VALUE", "reconciliationValue"),
        (",".join(f"p{n}@shop.example" for n in range(10_000)), {}, "BAD_VALUE", "reconciliationValue"),
        ("x" * 1001, {"namespaceName": "external_id"}, "BAD_VALUE", "reconciliationValue"),
        ("ann", {}, "BAD_EMAIL", "reconciliationValue"),
        ("a@shop.example, b@shop.example", {}, "BAD_EMAIL", "reconciliationValue"),
        ("%@shop.example'; DROP TABLE profile; --", {}, "BAD_EMAIL", "reconciliationValue"),
        ("twelve", {"namespaceName": "mobile_phone"}, "BAD_PHONE", "reconciliationValue"),
        ("-1", {"namespaceName": "profile_id"}, "BAD_VALUE", "reconciliationValue"),
        ("9" * 19, {"namespaceName": "profile_id"}, "BAD_VALUE", "reconciliationValue"),
        (to_global_id("Campaign", 1), {"namespaceName": "profile_id"}, "BAD_VALUE", "reconciliationValue"),
        ("ann@shop.example", {"namespaceName": "nothing"}, "PRIVACY_NAMESPACE_NOT_FOUND", "namespaceName"),
        ("ann@shop.example", {"namespaceName": ""}, "PRIVACY_NAMESPACE_NOT_FOUND", "namespaceName"),
        ("ann@shop.example", {"namespaceName": "EMAIL"}, "PRIVACY_NAMESPACE_NOT_FOUND", "namespaceName"),
        ("ann@shop.example", {"namespaceName": "x" * 10_000}, "PRIVACY_NAMESPACE_NOT_FOUND", "namespaceName"),
        ("ann@shop.example", {"name": "Not A Handle"}, "BAD_NAME", "name"),
        ("ann@shop.example", {"label": ""}, "BAD_LABEL", "label"),
    ],
)  # fmt: skip
async def test_what_names_nobody_is_refused_and_nothing_is_kept(
    gql: Gql, value: str, more: dict[str, Any], code: str, path: str
) -> None:
    before = await gql.ask("{ privacyRequests { totalCount } }")
    (error,) = await gql.refused(ASK, input=sent(value, **more))
    assert (error["code"], error["path"]) == (code, path)
    assert len(error["message"]) < 300
    assert await gql.ask("{ privacyRequests { totalCount } }") == before


@pytest.mark.parametrize(
    "more", [{"type": "ERASE"}, {"regulation": "NONE"}, {"reconciliationValue": None}, {"state": "COMPLETE"}]
)
async def test_what_is_no_request_is_refused_by_the_schema(gql: Gql, more: dict[str, Any]) -> None:
    assert await gql.code(ASK, input=sent("ann@shop.example", **more)) == "BAD_REQUEST"


@pytest.mark.parametrize("mutation", OF_ID)
@pytest.mark.parametrize("key", ["", "4711", "&&&", to_global_id("Campaign", 1), "unknown"])
async def test_wrong_ids_are_refused_by_name(gql: Gql, mutation: str, key: str) -> None:
    kind = "PrivacyNamespace" if "Namespace" in mutation else "PrivacyRequest"
    key = to_global_id(kind, 2**40) if key == "unknown" else key
    text = f"mutation ($id: ID!) {{ {mutation}(id: $id) {{ {OF_ID[mutation]} {ERRORS} }} }}"
    (error,) = await gql.refused(text, id=key)
    found = {"PrivacyNamespace": "PRIVACY_NAMESPACE_NOT_FOUND", "PrivacyRequest": "PRIVACY_REQUEST_NOT_FOUND"}[kind]
    assert error["code"] in {found, "BAD_ID", "ID_NOT_FOUND"}
    if kind == "PrivacyRequest" and key == to_global_id(kind, 2**40):
        assert (await gql.ask(GET, id=key))["privacyRequest"] is None


async def test_whoever_may_not_learns_nothing(house: House) -> None:
    request_id = await asked(house, f"{fresh('ann')}@shop.example")
    stranger = Gql(house.gql.http, await make_token(house.app, scopes=[Permission.READ]))
    assert await stranger.code(ASK, input=sent("ann@shop.example")) == "FORBIDDEN"
    assert await stranger.code(GET, id=request_id) == "FORBIDDEN"
    assert await stranger.code("query ($id: ID!) { node(id: $id) { ... on PrivacyRequest { label } } }", id=request_id) == (
        "FORBIDDEN"
    )
    for text in ("{ privacyRequests { nodes { id } } }", "{ privacyNamespaces { id } }", "{ verifyErasure(proof: {}) }"):
        assert await stranger.code(text) == "FORBIDDEN"


async def test_a_name_is_taken_once_and_a_value_may_be_asked_about_again(house: House) -> None:
    """Two requests for one person: the first finds them, the second says that nobody is there, and nothing is written twice."""
    address = f"{fresh('ann')}@shop.example"
    await create_profile(house.gql, email=address)
    first = sent(address)
    one = await house.gql.do(ASK, input=first)
    (error,) = await house.gql.refused(ASK, input=first)
    assert (error["code"], error["path"]) == ("NAME_TAKEN", "name")
    two = await house.gql.do(ASK, input=sent(address.upper()))
    await work(house.runtime)

    found = [await get(house, made["privacyRequest"]["id"]) for made in (one, two)]
    assert [row["status"] for row in found] == ["COMPLETE", "ERROR"]
    assert found[1]["error"] == {"code": "NOBODY_FOUND"}
    assert found[0]["valueHash"] == found[1]["valueHash"]
    assert await house.runtime.pool.fetchval("SELECT count(*) FROM erased_address") == 1
    # And the value of the one that found nobody any more is not kept for another try
    again = f"mutation ($id: ID!) {{ retryPrivacyRequest(id: $id) {{ privacyRequest {{ id }} {ERRORS} }} }}"
    for made, code in ((one, "ILLEGAL_MOVE"), (two, "VALUE_FORGOTTEN")):
        (error,) = await house.gql.refused(again, id=made["privacyRequest"]["id"])
        assert error["code"] == code


async def test_many_requests_in_one_document_are_bounded(house: House) -> None:
    text = "mutation ($input: CreatePrivacyRequestInput!) {"
    text += " ".join(f"a{n}: createPrivacyRequest(input: $input) {{ privacyRequest {{ id }} }}" for n in range(1_500)) + "}"
    answer = (await house.gql.post(text, {"input": sent("ann@shop.example")})).json()
    assert answer["errors"]
    assert await house.runtime.pool.fetchval("SELECT count(*) FROM privacy_request") == 0


@pytest.mark.parametrize("by", ["email", "profile_id", "external_id"])
async def test_who_was_merged_away_is_erased_with_the_survivor(house: House, by: str) -> None:
    address, other = f"{fresh('old')}@shop.example", f"{fresh('new')}@shop.example"
    old = await create_profile(house.gql, email=address, externalId=fresh("E"))
    new = await create_profile(house.gql, email=other)
    stays = await create_profile(house.gql, email=f"{fresh('bob')}@shop.example")
    merge = f"mutation ($input: MergeInput!) {{ mergeProfiles(input: $input) {{ merge {{ id }} {ERRORS} }} }}"
    code = await house.runtime.pool.fetchval("SELECT external_id FROM profile WHERE external_id IS NOT NULL")
    await house.gql.do(merge, input={"survivorId": new, "mergedIds": [old]})

    value = {"email": address, "profile_id": old, "external_id": code}[by]
    found = await get(house, await asked(house, value, namespaceName=by))

    assert (found["status"], found["profilesFound"]) == ("COMPLETE", 2)
    left = await house.gql.ask("{ profiles(first: 10) { nodes { id } } }")
    assert [row["id"] for row in left["profiles"]["nodes"]] == [stays]
    assert await house.runtime.pool.fetchval("SELECT count(*) FROM profile_merge") == 0


async def test_a_request_while_a_delivery_is_prepared_and_sent(house: House) -> None:
    """Who is erased between preparation and sending gets nothing; the totals add up."""
    address = f"{fresh('ann')}@shop.example"
    await create_profile(house.gql, email=address)
    await create_profile(house.gql, email=f"{fresh('bob')}@shop.example")
    delivery = await house.delivery()
    move = "mutation ($id: ID!) {{ {0}(id: $id) {{ delivery {{ state }} userErrors {{ code message path }} }} }}"
    await house.gql.do(move.format("prepareDelivery"), id=delivery)
    await house.work()
    found = await get(house, await asked(house, address))
    assert found["status"] == "COMPLETE"
    await house.gql.do(move.format("confirmDelivery"), id=delivery)
    await house.work()

    text = "query ($id: ID!) { delivery(id: $id) { state counts { targeted withdrawn accepted pending } } }"
    told = (await house.gql.ask(text, id=delivery))["delivery"]
    assert told == {"state": "FINISHED", "counts": {"targeted": 2, "withdrawn": 1, "accepted": 1, "pending": 0}}
    await create_campaign(house.gql)  # and the house goes on


async def test_a_request_that_has_ended_tells_the_name_of_a_namespace_that_is_gone(house: House) -> None:
    name = fresh("space")
    space = {"name": name, "label": "Card", "reconciliationField": "crypted_id"}
    made = await house.gql.do(NAME, input=space)
    request_id = await asked(house, "C-1", namespaceName=name)
    delete = f"mutation ($id: ID!) {{ deletePrivacyNamespace(id: $id) {{ deletedId {ERRORS} }} }}"
    open_one = await house.gql.do(ASK, input=sent("C-2", namespaceName=name))
    (error,) = await house.gql.refused(delete, id=made["privacyNamespace"]["id"])
    assert (error["code"], error["path"]) == ("IN_USE", "id")
    await work(house.runtime)
    await house.gql.do(delete, id=made["privacyNamespace"]["id"])

    text = "query ($id: ID!) { privacyRequest(id: $id) { status namespace { name } namespaceName } }"
    for one in (request_id, open_one["privacyRequest"]["id"]):
        found = (await house.gql.ask(text, id=one))["privacyRequest"]
        assert found == {"status": "ERROR", "namespace": None, "namespaceName": name}


NAME = f"""mutation ($input: CreatePrivacyNamespaceInput!) {{ createPrivacyNamespace(input: $input) {{
  privacyNamespace {{ id dataset reconciliationField }} {ERRORS} }} }}"""
SAVE_TYPE = f"mutation ($input: SaveEventTypeInput!) {{ saveEventType(input: $input) {{ eventType {{ name }} {ERRORS} }} }}"
REMOVE_TYPE = f"mutation ($name: String!) {{ removeEventType(name: $name, confirm: $name) {{ removed {{ name }} {ERRORS} }} }}"


async def test_what_a_namespace_names_of_events_stays_as_long_as_it(gql: Gql) -> None:
    fields = [{"name": name, "label": name, "kind": "TEXT"} for name in ("ticket", "page")]
    kind = {"name": "visit", "label": "Visit", "fields": fields}
    await gql.do(SAVE_TYPE, input=kind)
    named = {"name": fresh("ticket"), "label": "Ticket", "dataset": "event_visit", "reconciliationField": "ticket"}
    made = (await gql.do(NAME, input=named))["privacyNamespace"]
    assert (made["dataset"], made["reconciliationField"]) == ("event_visit", "ticket")

    await gql.do(SAVE_TYPE, input={**kind, "fields": fields[:1]})  # the other field may go
    refused = [
        *await gql.refused(SAVE_TYPE, input={**kind, "fields": fields[1:]}),
        *await gql.refused(SAVE_TYPE, input={**kind, "fields": [{**fields[0], "kind": "BOOLEAN"}]}),
        *await gql.refused(REMOVE_TYPE, name="visit"),
    ]
    assert [one["code"] for one in refused] == ["FIELD_IN_USE"] * 3
    assert all(f"the privacy namespace '{named['name']}' (ticket)" in one["message"] for one in refused)
    found = (await gql.ask('{ eventType(name: "visit") { fields { kind } } }'))["eventType"]
    assert found == {"fields": [{"kind": "TEXT"}]}, "nothing has changed"

    delete = f"mutation ($id: ID!) {{ deletePrivacyNamespace(id: $id) {{ deletedId {ERRORS} }} }}"
    await gql.do(delete, id=made["id"])
    await gql.do(REMOVE_TYPE, name="visit")


@pytest.mark.parametrize(
    ("dataset", "name", "code", "path"),
    [
        ("event_nothing", "key", "UNKNOWN_DATASET", "dataset"),
        ("event_", "key", "UNKNOWN_DATASET", "dataset"),
        ("quarantine", "address_key", "UNKNOWN_DATASET", "dataset"),
        ("visitor WHERE true --", "email", "UNKNOWN_DATASET", "dataset"),
        ("x" * 10_000, "email", "UNKNOWN_DATASET", "dataset"),
        ("visitor", "referrer_id", "UNKNOWN_FIELD", "reconciliationField"),
        ("app_subscription", "profile_id", "UNKNOWN_FIELD", "reconciliationField"),
        ("app_subscription", "registration_token; --", "UNKNOWN_FIELD", "reconciliationField"),
        ("profile", "x" * 10_000, "UNKNOWN_FIELD", "reconciliationField"),
        ("profile", "", "UNKNOWN_FIELD", "reconciliationField"),
    ],
)
async def test_what_names_nobody_is_no_namespace(gql: Gql, dataset: str, name: str, code: str, path: str) -> None:
    sent = {"name": fresh("space"), "label": "Space", "dataset": dataset, "reconciliationField": name}
    (error,) = await gql.refused(NAME, input=sent)
    assert (error["code"], error["path"]) == (code, path)
    assert len(error["message"]) < 300


@pytest.mark.parametrize(
    ("dataset", "name", "value", "code"),
    [
        ("app_subscription", "registration_token", "a\0b", "BAD_VALUE"),
        ("app_subscription", "registration_token", "t" * 1001, "BAD_VALUE"),
        ("app_subscription", "id", to_global_id("Visitor", 1), "BAD_VALUE"),
        ("visitor", "id", "-1", "BAD_VALUE"),
        ("visitor", "id", "1 OR 1=1", "BAD_VALUE"),
        ("visitor", "email", "ann", "BAD_EMAIL"),
        ("profile", "opt_in_id", "nobody", "BAD_VALUE"),
        ("profile", "phone", "twelve", "BAD_PHONE"),
    ],
)
async def test_what_is_no_value_of_a_namespace_is_refused(gql: Gql, dataset: str, name: str, value: str, code: str) -> None:
    space = {"name": fresh("space"), "label": "Space", "dataset": dataset, "reconciliationField": name}
    await gql.do(NAME, input=space)
    (error,) = await gql.refused(ASK, input=sent(value, namespaceName=space["name"]))
    assert (error["code"], error["path"]) == (code, "reconciliationValue")
