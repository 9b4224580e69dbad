"""Devices with an app through GraphQL."""

from __future__ import annotations

from tests.api.gql import Gql, create_profile, fresh

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
