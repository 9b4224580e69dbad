"""A delivery through GraphQL from plan to report; the workers' part is done in between."""

from __future__ import annotations

from typing import Any

from core.access import Role
from tests.api.conftest import make_token
from tests.api.gql import Gql, create_profile
from tests.api.graphql.conftest import House

FIELDS = """id state allowedMoves preparedAt confirmedAt startedAt finishedAt pauseReason version
  counts { targeted excluded pending accepted failed unknown withdrawn expired cancelled sent }"""
GET = f"query ($id: ID!) {{ delivery(id: $id) {{ {FIELDS} }} }}"


async def move(gql: Gql, name: str, delivery_id: str) -> Any:
    """Ask a delivery to do something that it may do."""
    text = f"mutation ($id: ID!) {{ {name}(id: $id) {{ delivery {{ {FIELDS} }} userErrors {{ code message hint }} }} }}"
    return (await gql.do(text, id=delivery_id))["delivery"]


async def refused(gql: Gql, name: str, delivery_id: str) -> Any:
    """The error of something that it may not do."""
    text = f"mutation ($id: ID!) {{ {name}(id: $id) {{ delivery {{ id }} userErrors {{ code message hint }} }} }}"
    (error,) = await gql.refused(text, id=delivery_id)
    return error


async def test_a_delivery_is_planned_prepared_confirmed_and_sent(house: House) -> None:
    # Given three people, one of whom opted out
    gql = house.gql
    anna = await create_profile(gql, email="anna@shop.example", firstName="Anna")
    bob = await create_profile(gql, email="bob@shop.example", firstName="Bob", optOutEmail=True)
    await create_profile(gql, email="cleo@shop.example", firstName="Cleo")
    delivery_id = await house.delivery()
    fresh_one = (await gql.ask(GET, id=delivery_id))["delivery"]
    assert fresh_one["state"] == "EDITION"
    assert fresh_one["allowedMoves"] == ["PREPARE", "EDIT"]
    assert fresh_one["counts"]["targeted"] == 0

    # When it is confirmed too early it says what to do first
    early = await refused(gql, "confirmDelivery", delivery_id)
    assert early["code"] == "ILLEGAL_MOVE"
    assert "Prepare" in early["hint"]

    # When it is prepared
    assert (await move(gql, "prepareDelivery", delivery_id))["state"] == "TARGET_PREP_PENDING"
    await house.work()
    ready = (await gql.ask(GET, id=delivery_id))["delivery"]
    assert ready["state"] == "READY"
    assert (ready["counts"]["targeted"], ready["counts"]["excluded"], ready["counts"]["pending"]) == (3, 1, 2)

    # And confirmed
    assert (await move(gql, "confirmDelivery", delivery_id))["state"] == "START_PENDING"
    await house.work()

    # Then it is sent, and adds up
    done = (await gql.ask(GET, id=delivery_id))["delivery"]
    assert done["state"] == "FINISHED"
    assert (done["counts"]["accepted"], done["counts"]["sent"]) == (2, 2)
    # And the ledger, the log, the reasons and the report tell the same
    told = (
        await gql.ask(
            """query ($id: ID!, $anna: ID!, $bob: ID!) { delivery(id: $id) {
                 sent: ledger(states: [ACCEPTED]) { nodes { state address profile { firstName } providerId } }
                 all: ledger(first: 2) { nodes { recipientId } pageInfo { hasNextPage endCursor } }
                 log { nodes { level code message details at } }
                 anna: explain(profileId: $anna) { targeted summary row { state attempt } }
                 bob: explain(profileId: $bob) { targeted summary row { state reason } }
                 report { counts { targeted accepted } excluded { reason count } failed { reason count } links { url total }
                          metrics { name label unit value } } } }""",
            id=delivery_id, anna=anna, bob=bob,
        )
    )["delivery"]  # fmt: skip
    assert [row["profile"]["firstName"] for row in told["sent"]["nodes"]] == ["Anna", "Cleo"]
    assert told["all"]["pageInfo"]["hasNextPage"] is True
    assert told["all"]["nodes"][0]["recipientId"] == anna
    assert told["log"]["nodes"]
    assert told["anna"]["row"]["state"] == "ACCEPTED"
    assert told["bob"] == {
        "targeted": True,
        "summary": "Excluded at preparation: the person opted out.",
        "row": {"state": "EXCLUDED", "reason": "DENYLISTED_ADDRESS"},
    }
    assert told["report"]["excluded"] == [{"reason": "DENYLISTED_ADDRESS", "count": 1}]
    figures = await gql.ask(
        """query ($ids: [ID!]!, $late: DateTime!) { nodes(ids: $ids) { ... on Profile {
             figures { sent delivered failed excluded opens lastContactedAt businessEvents }
             later: figures(since: $late) { sent delivered excluded lastContactedAt } } } }""",
        ids=[anna, bob], late="2100-01-01T00:00:00Z",
    )  # fmt: skip
    counted = [one["figures"] for one in figures["nodes"]]
    assert [bool(one.pop("lastContactedAt")) for one in counted] == [True, False]
    nothing = {"failed": 0, "opens": 0, "businessEvents": 0}
    assert counted == [
        {"sent": 1, "delivered": 1, "excluded": 0, **nothing}, {"sent": 0, "delivered": 0, "excluded": 1, **nothing},
    ]  # fmt: skip
    none = {"sent": 0, "delivered": 0, "excluded": 0, "lastContactedAt": None}
    assert [one["later"] for one in figures["nodes"]] == [none, none]
    metrics = {one["name"]: one["value"] for one in told["report"]["metrics"]}
    assert metrics["delivered_rate"] == 1.0
    assert metrics["opens"] == 0


async def test_a_delivery_is_paused_resumed_and_stopped(house: House) -> None:
    gql = house.gql
    await create_profile(gql, email="anna@shop.example")
    delivery_id = await house.delivery()
    await move(gql, "prepareDelivery", delivery_id)
    await house.work()
    await move(gql, "confirmDelivery", delivery_id)

    paused = await gql.do(
        """mutation ($id: ID!) { pauseDelivery(id: $id, reason: "Wrong price") {
             delivery { state pauseReason } userErrors { code } } }""",
        id=delivery_id,
    )
    assert paused["delivery"] == {"state": "PAUSED", "pauseReason": "Wrong price"}
    assert (await move(gql, "resumeDelivery", delivery_id))["pauseReason"] is None
    assert (await move(gql, "stopDelivery", delivery_id))["state"] == "CANCELLED"
    await house.work()

    done = (await gql.ask(GET, id=delivery_id))["delivery"]
    assert done["counts"]["cancelled"] == 1
    assert (await refused(gql, "prepareDelivery", delivery_id))["code"] == "ILLEGAL_MOVE"


async def test_a_preparation_can_be_stopped(house: House) -> None:
    delivery_id = await house.delivery()
    await move(house.gql, "prepareDelivery", delivery_id)

    assert (await move(house.gql, "stopPreparation", delivery_id))["state"] == "EDITION"
    await house.work()

    assert (await house.gql.ask(GET, id=delivery_id))["delivery"]["state"] == "EDITION"


async def test_what_was_prepared_and_has_changed_since_is_not_sent(house: House) -> None:
    gql = house.gql
    await create_profile(gql, email="anna@shop.example")
    delivery_id = await house.delivery()
    await move(gql, "prepareDelivery", delivery_id)
    await house.work()

    await house.runtime.pool.execute("UPDATE content SET version = version + 1")

    assert (await refused(gql, "confirmDelivery", delivery_id))["code"] == "STALE_PREPARATION"


async def test_a_prepared_delivery_that_is_changed_must_be_prepared_again(house: House) -> None:
    gql = house.gql
    await create_profile(gql, email="anna@shop.example")
    delivery_id = await house.delivery()
    await move(gql, "prepareDelivery", delivery_id)
    await house.work()
    change = "mutation ($input: UpdateDeliveryInput!) { updateDelivery(input: $input) { userErrors { code } } }"

    await gql.do(change, input={"id": delivery_id, "unknownPolicy": "PARK"})  # what it was: nothing changes
    assert (await gql.ask(GET, id=delivery_id))["delivery"]["state"] == "READY"
    await gql.do(change, input={"id": delivery_id, "durationSeconds": 3600, "unknownPolicy": "RESEND"})
    await house.work()

    changed = (await gql.ask(GET, id=delivery_id))["delivery"]
    assert (changed["state"], changed["counts"]["targeted"]) == ("EDITION", 0)
    assert (await refused(gql, "confirmDelivery", delivery_id))["code"] == "ILLEGAL_MOVE"


async def test_a_delivery_in_use_protects_what_it_uses(house: House) -> None:
    gql = house.gql
    delivery_id = await house.delivery()
    found = (
        await gql.ask(
            """query ($id: ID!) { delivery(id: $id) { durationSeconds unknownPolicy plannedContactAt campaign { id }
                 audience { id } content { id } channelAccount { id } } }""",
            id=delivery_id,
        )
    )["delivery"]
    assert found["durationSeconds"] == (3 * 24 + 12) * 3600
    assert found["campaign"] is None

    for kind, name in (("Audience", "audience"), ("Content", "content"), ("ChannelAccount", "channelAccount")):
        text = f"mutation ($id: ID!) {{ delete{kind}(id: $id) {{ userErrors {{ code }} }} }}"
        assert (await gql.refused(text, id=found[name]["id"]))[0]["code"] == "IN_USE"


async def test_ids_of_another_kind_are_told_with_their_place(house: House) -> None:
    delivery_id = await house.delivery()
    text = "mutation ($input: UpdateDeliveryInput!) { updateDelivery(input: $input) { userErrors { code path } } }"

    (error,) = await house.gql.refused(text, input={"id": delivery_id, "audienceId": delivery_id})

    assert error == {"code": "BAD_ID", "path": "audienceId"}
    (error,) = await house.gql.refused(text, input={"id": delivery_id, "durationSeconds": -1})
    assert error == {"code": "BAD_DURATION", "path": "durationSeconds"}


async def test_who_may_prepare_may_not_start(house: House) -> None:
    delivery_id = await house.delivery()
    preparer = Gql(house.gql.http, await make_token(house.app, Role.PREPARE_DELIVERIES))

    assert (await move(preparer, "prepareDelivery", delivery_id))["state"] == "TARGET_PREP_PENDING"
    text = "mutation ($id: ID!) { confirmDelivery(id: $id) { userErrors { code } } }"
    assert (await preparer.post(text, {"id": delivery_id})).status_code == 403


async def test_deliveries_are_listed_by_campaign(house: House) -> None:
    delivery_id = await house.delivery()

    listed = (await house.gql.ask("{ deliveries { totalCount nodes { id state } } }"))["deliveries"]

    assert listed == {"totalCount": 1, "nodes": [{"id": delivery_id, "state": "EDITION"}]}
    node = await house.gql.ask("query ($id: ID!) { node(id: $id) { ... on Delivery { label } } }", id=delivery_id)
    assert node == {"node": {"label": "Spring"}}
    other = "query ($id: ID!) { deliveries(campaignId: $id) { totalCount } }"
    assert await house.gql.code(other, id=delivery_id) == "BAD_ID"


async def test_a_delivery_has_a_time_zone_of_its_own(house: House) -> None:
    delivery_id = await house.delivery()
    change = """mutation ($input: UpdateDeliveryInput!) { updateDelivery(input: $input) {
        delivery { timeZone } userErrors { code path } } }"""
    shown = "query ($id: ID!) { delivery(id: $id) { timeZone } }"
    assert (await house.gql.ask(shown, id=delivery_id))["delivery"] == {"timeZone": "UTC"}
    changed = await house.gql.do(change, input={"id": delivery_id, "timeZone": "Europe/Paris"})
    assert changed["delivery"] == {"timeZone": "Europe/Paris"}
    for wrong in ("Europe/Atlantis", "../../etc/passwd", "+02:00", "\0", "Europe/Paris\n"):
        refused = await house.gql.refused(change, input={"id": delivery_id, "timeZone": wrong})
        assert refused == [{"code": "UNKNOWN_TIME_ZONE", "path": "timeZone"}], wrong
    assert (await house.gql.ask(shown, id=delivery_id))["delivery"] == {"timeZone": "Europe/Paris"}
