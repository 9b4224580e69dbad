"""Devices with an app through GraphQL."""

from __future__ import annotations

from core.datamodel.records import FieldKind
from core.db import transaction
from tests.api.gql import Gql, create_profile, fresh
from tests.api.graphql.conftest import House
from tests.core.datamodel.model import field, publish_fields

SAVE = """mutation ($subscriptions: [AppSubscriptionInput!]!) { saveAppSubscriptions(subscriptions: $subscriptions) {
  results { index outcome code message path hint } userErrors { code path } } }"""
REMOVE = """mutation ($subscriptions: [AppSubscriptionKeyInput!]!) { removeAppSubscriptions(subscriptions: $subscriptions) {
  results { index outcome code path } userErrors { code path } } }"""
GET = "query ($id: ID!) { profile(id: $id) { appSubscriptions { id app registrationToken platform optedOut profileId } } }"


async def test_devices_are_told_read_and_removed(gql: Gql) -> None:
    app, external_id = fresh("app"), fresh("crm")
    ann = await create_profile(gql, externalId=external_id)
    known = {"app": app, "registrationToken": "t1"}
    sent = [
        {**known, "platform": "IOS", "profile": {"externalId": external_id}},
        {"app": app, "registrationToken": "t2", "platform": "WEB", "optedOut": True},
        {"app": app, "registrationToken": "t 3", "platform": "WEB"},
    ]
    made = await gql.do(SAVE, subscriptions=sent)
    assert [(one["index"], one["outcome"], one["code"], one["path"]) for one in made["results"]] == [
        (0, "CREATED", None, None), (1, "CREATED", None, None), (2, "REJECTED", "BAD_TOKEN", "registrationToken"),
    ]  # fmt: skip
    (one,) = (await gql.ask(GET, id=ann))["profile"]["appSubscriptions"]
    device = one.pop("id")
    assert one == {**known, "platform": "IOS", "optedOut": False, "profileId": ann}
    again = await gql.ask("query ($id: ID!) { node(id: $id) { ... on AppSubscription { app } } }", id=device)
    assert again["node"] == {"app": app}
    listed = await gql.ask("query ($app: String) { appSubscriptions(app: $app) { nodes { registrationToken } } }", app=app)
    assert [one["registrationToken"] for one in listed["appSubscriptions"]["nodes"]] == ["t1", "t2"]

    # A profile that is left out stays, null takes it away
    for told, owners in (({}, 1), ({"profile": None}, 0)):
        await gql.do(SAVE, subscriptions=[{**known, "platform": "IOS", **told}])
        assert len((await gql.ask(GET, id=ann))["profile"]["appSubscriptions"]) == owners
    gone = await gql.do(REMOVE, subscriptions=[known, known])
    assert [(one["outcome"], one["code"]) for one in gone["results"]] == [("REMOVED", None), ("REJECTED", "REPEATED")]
    (error,) = await gql.refused(SAVE, subscriptions=[{**known, "platform": "IOS", "profile": {"id": "x"}}])
    assert (error["code"], error["path"]) == ("BAD_ID", "subscriptions.0.profile.id")


async def test_devices_have_fields_of_the_team(house: House) -> None:
    gql, app = house.gql, fresh("app")
    async with transaction(house.runtime.pool) as conn:
        await publish_fields(conn, field("runs", FieldKind.INTEGER), field("facts", FieldKind.JSON), entity="app_subscription")
    one = {"app": app, "registrationToken": "t1", "platform": "IOS"}
    made = await gql.do(
        SAVE, subscriptions=[
            {**one, "teamFields": {"runs": 3, "facts": {"a": "\u0027; DROP TABLE"}}},
            {**one, "registrationToken": "t2", "teamFields": {"runs": "x"}},
            {**one, "registrationToken": "t3", "teamFields": {"facts": "\x00"}},
            {**one, "registrationToken": "t4", "teamFields": {"x" * 10_000: 1}},
        ],
    )  # fmt: skip
    assert [(result["outcome"], result["path"]) for result in made["results"]] == [
        ("CREATED", None), ("REJECTED", "teamFields.runs"), ("REJECTED", "teamFields.facts"),
        ("REJECTED", f"teamFields.{'x' * 80}"),
    ]  # fmt: skip
    listed = await gql.ask("query ($app: String) { appSubscriptions(app: $app) { nodes { teamFields } } }", app=app)
    assert [node["teamFields"] for node in listed["appSubscriptions"]["nodes"]] == [
        {"runs": 3, "facts": {"a": "'; DROP TABLE"}}
    ]
    wrong: tuple[object, ...] = ([], "text", 5)
    for bad in wrong:
        (error,) = await gql.refused(SAVE, subscriptions=[one, {**one, "teamFields": bad}])
        assert (error["code"], error["path"]) == ("WRONG_TYPE", "subscriptions.1.teamFields")
