"""Visitors of forms through GraphQL."""

from __future__ import annotations

from tests.api.gql import Gql, create_profile, fresh

SAVE = """mutation ($visitors: [VisitorInput!]!) { saveVisitors(visitors: $visitors) {
  results { index outcome code path } userErrors { code path } } }"""
REMOVE = """mutation ($ids: [String!]!) { removeVisitors(externalIds: $ids) {
  results { index outcome code path } userErrors { code path } } }"""
GET = "query ($id: ID!) { profile(id: $id) { visitors { externalId origin referrerId profileId } } }"
ONE = """query ($key: String!) { visitor(externalId: $key) {
  id email firstName referrerEmail referrerComment forwardUrl profileId } }"""


async def test_visitors_are_told_read_and_removed(gql: Gql) -> None:
    key, crm = fresh("visitor"), fresh("crm")
    ann, bea = await create_profile(gql, externalId=crm), await create_profile(gql)
    first = {"externalId": key, "email": "Zoe@Shop.example", "firstName": "Zoe", "origin": "contest",
             "forwardUrl": "https://shop.example/", "referrerEmail": "b@shop.example", "referrerComment": "Try"}  # fmt: skip
    made = await gql.do(
        SAVE, visitors=[first, {"externalId": "two words"}, {"externalId": f"{key}2", "profile": {"email": "x"}}]
    )
    assert [(one["index"], one["outcome"], one["code"], one["path"]) for one in made["results"]] == [
        (0, "CREATED", None, None), (1, "REJECTED", "BAD_EXTERNAL_ID", "externalId"),
        (2, "REJECTED", "BAD_EMAIL", "profile.email"),
    ]  # fmt: skip
    found = (await gql.ask(ONE, key=key))["visitor"]
    visitor_id = found.pop("id")
    assert found == {
        "email": "zoe@shop.example", "firstName": "Zoe", "referrerEmail": "b@shop.example", "referrerComment": "Try",
        "forwardUrl": "https://shop.example/", "profileId": None,
    }  # fmt: skip
    listed = await gql.ask("{ visitors(unidentified: true, first: 100) { nodes { externalId } } }")
    assert {"externalId": key} in listed["visitors"]["nodes"]

    await gql.do(
        SAVE, visitors=[{"externalId": key, "profile": {"externalId": crm}, "referrer": {"id": bea}, "firstName": None}]
    )
    assert (await gql.ask(GET, id=ann))["profile"]["visitors"] == [
        {"externalId": key, "origin": "contest", "referrerId": bea, "profileId": ann}
    ]
    node = "query ($id: ID!) { node(id: $id) { ... on Visitor { externalId firstName } } }"
    assert (await gql.ask(node, id=visitor_id))["node"] == {"externalId": key, "firstName": None}
    listed = await gql.ask("{ visitors(unidentified: true, first: 100) { nodes { externalId } } }")
    assert {"externalId": key} not in listed["visitors"]["nodes"]

    await gql.do(SAVE, visitors=[{"externalId": key, "profile": None}])
    assert (await gql.ask(GET, id=ann))["profile"]["visitors"] == []
    gone = await gql.do(REMOVE, ids=[key, key])
    assert [(one["outcome"], one["code"]) for one in gone["results"]] == [("REMOVED", None), ("REJECTED", "REPEATED")]
    assert (await gql.ask(ONE, key=key))["visitor"] is None
    (error,) = await gql.refused(SAVE, visitors=[{"externalId": key, "referrer": {"id": "x"}}])
    assert (error["code"], error["path"]) == ("BAD_ID", "visitors.0.referrer.id")
