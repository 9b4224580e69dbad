"""Consent as clients see it: results for each row, and a person's own link that opens nothing else."""

from __future__ import annotations

from core.access import Permission
from core.ids import from_global_id
from core.public_urls import PublicUrls
from render_ext import Token, TokenKind, mint
from tests.api.conftest import make_token
from tests.api.gql import Gql, create_profile
from tests.api.graphql.conftest import House
from tests.api.graphql.consent_cases import a_purpose, a_service

ASK = """query ($person: PersonInput!) { preferences(person: $person) {
  channels { channel optedOut } purposes { purposeId decision allowed } services { serviceId label state expiresAt } } }"""
SET = """mutation ($input: SetPreferencesInput!) { setPreferences(input: $input) {
  results { channel purposeId serviceId outcome } preferences { services { state } } userErrors { code path } } }"""
SUBSCRIBE = """mutation ($input: SubscribeProfilesInput!) { subscribeProfiles(input: $input) {
  results { profileId outcome firstTime } userErrors { code path } } }"""


def unsubscribe_token(house: House, profile_id: str, kind: TokenKind = TokenKind.UNSUBSCRIBE) -> str:
    """What stands in a person's link."""
    urls = PublicUrls(house.runtime.settings, house.runtime.keyring)
    key = urls.signer(urls.newest_key_id).key
    said = Token(
        kind=kind, key_id=key.key_id, delivery_id=1, recipient_kind=1, recipient_id=from_global_id("Profile", profile_id)
    )
    return mint(key, said)


async def test_a_front_end_sets_what_a_person_wants_by_their_own_link_and_reads_nothing_else(house: House) -> None:
    # Given a front end that may do nothing but this
    service, purpose = await a_service(house, publicLabel="Our letter"), await a_purpose(house)
    ann = await create_profile(house.gql, email="ann@shop.example")
    page = Gql(house.gql.http, await make_token(house.app, scopes=[Permission.PREFERENCES]))
    token = unsubscribe_token(house, ann)
    opt_in_id = (await house.gql.ask("query ($id: ID!) { profile(id: $id) { optInId } }", id=ann))["profile"]["optInId"]

    # When it sets many things at once
    changes = {
        "channels": [{"channel": "PUSH", "optedOut": True}],
        "purposes": [{"purposeId": purpose, "granted": True}],
        "services": [{"serviceId": service, "subscribed": True}],
        "source": {"origin": "page", "proof": {"ip": "192.0.2.7"}},
    }
    done = await page.do(SET, input={"person": {"token": token}, **changes})
    again = await page.do(SET, input={"person": {"optInId": opt_in_id}, **changes})

    # Then each has its result, the same once more changes nothing, and both links show it
    assert [one["outcome"] for one in done["results"]] == ["RECORDED", "RECORDED", "SUBSCRIBED"]
    assert [one["outcome"] for one in again["results"]] == ["UNCHANGED"] * 3
    for person in ({"token": token}, {"optInId": opt_in_id}):
        shown = (await page.ask(ASK, person=person))["preferences"]
        assert [one["channel"] for one in shown["channels"] if one["optedOut"]] == ["PUSH"]
        assert shown["purposes"] == [{"purposeId": purpose, "decision": "GRANTED", "allowed": True}]
        assert shown["services"] == [{"serviceId": service, "label": "Our letter", "state": "ACTIVE", "expiresAt": None}]

    # And it gets nowhere with ids, with other links, or with altered ones
    assert await page.code(ASK, person={"profileId": ann}) == "FORBIDDEN"
    assert await page.code(SET, input={"person": {"profileId": ann}, **changes}) == "FORBIDDEN"
    assert await page.code("query ($id: ID!) { consentLedger(profileId: $id) { nodes { id } } }", id=ann) == "FORBIDDEN"
    opened = unsubscribe_token(house, ann, TokenKind.OPEN)
    altered = token[:-1] + ("A" if token[-1] != "A" else "B")
    gone = unsubscribe_token(house, await create_profile(house.gql, firstName="Bob")).replace("\n", "")
    await house.runtime.pool.execute("DELETE FROM profile WHERE first_name = 'Bob'")
    for bad in (opened, altered, gone, ""):
        assert await page.code(ASK, person={"token": bad}) == "PERSON_NOT_FOUND"

    # And the ledger has who, when, and the proof
    told = await house.gql.ask(
        """query ($id: ID!) { consentLedger(profileId: $id, first: 9) { nodes {
             channel purpose { id } service { id subscriberCount subscribers(first: 2) { totalCount nodes { profile { id } } } }
             decision origin proof byPerson } } }""",
        id=ann,
    )
    nodes = told["consentLedger"]["nodes"]
    assert [one["byPerson"] for one in nodes] == [True] * 4
    assert [(one["decision"], one["origin"], one["proof"]) for one in nodes] == [
        (decision, "page", {"ip": "192.0.2.7"}) for decision in ("WITHDRAWN", "GRANTED", "GRANTED", "WITHDRAWN")
    ]  # the refusal was said twice
    assert nodes[1]["service"]["subscriberCount"] == nodes[1]["service"]["subscribers"]["totalCount"] == 1
    assert nodes[1]["service"]["subscribers"]["nodes"] == [{"profile": {"id": ann}}]


async def test_a_dry_run_answers_alike_and_stores_nothing(house: House) -> None:
    # Given somebody who is subscribed to one service and not to another
    left, joined, purpose = await a_service(house), await a_service(house), await a_purpose(house)
    ann = await create_profile(house.gql, email="ann@shop.example")
    await house.gql.do(SUBSCRIBE, input={"serviceId": left, "profileIds": [ann]})
    tables = ("consent_entry", "subscription_event", "subscription", "purpose_consent", "audit_entry", "profile", "outbox")
    texts = " UNION ALL ".join(f"SELECT '{table}', t::text FROM {table} t" for table in tables)
    before = await house.runtime.pool.fetch(f"{texts} ORDER BY 1, 2")
    changes = {
        "person": {"profileId": ann},
        "channels": [{"channel": "EMAIL", "optedOut": True}],
        "purposes": [{"purposeId": purpose, "granted": False}],
        "services": [{"serviceId": left, "subscribed": False}, {"serviceId": joined, "subscribed": True}],
    }

    # When it is tried, with a mistake and without, and then done
    bad = {**changes, "source": {"origin": "x" * 1_000}, "dryRun": True}
    refused = (await house.gql.ask(SET, input=bad))["setPreferences"]
    tried = await house.gql.do(SET, input={**changes, "dryRun": True})
    stored = await house.runtime.pool.fetch(f"{texts} ORDER BY 1, 2")
    done = await house.gql.do(SET, input=changes)

    # Then the answers are the same, and only the last one is stored
    assert [one["code"] for one in refused["userErrors"]] == ["BAD_ORIGIN"]
    assert tried == done
    assert [one["outcome"] for one in tried["results"]] == ["RECORDED", "RECORDED", "UNSUBSCRIBED", "SUBSCRIBED"]
    assert [one["state"] for one in tried["preferences"]["services"]] == ["UNSUBSCRIBED", "ACTIVE"]
    assert stored == before
    assert await house.runtime.pool.fetch(f"{texts} ORDER BY 1, 2") != before


async def test_the_link_of_a_merged_profile_is_its_survivors(house: House) -> None:
    ann, bea = [await create_profile(house.gql, firstName=name) for name in ("Ann", "Bea")]
    opt_in_id = (await house.gql.ask("query ($id: ID!) { profile(id: $id) { optInId } }", id=bea))["profile"]["optInId"]
    service, token = await a_service(house), unsubscribe_token(house, bea)
    merge = "mutation ($input: MergeInput!) { mergeProfiles(input: $input) { userErrors { code } } }"
    await house.gql.do(merge, input={"survivorId": ann, "mergedIds": [bea]})

    subscribed = {"services": [{"serviceId": service, "subscribed": True}]}
    await house.gql.do(SET, input={"person": {"token": token}, **subscribed})
    for person, channel in (({"optInId": opt_in_id}, "EMAIL"), ({"profileId": bea}, "PUSH")):
        await house.gql.do(SET, input={"person": person, "channels": [{"channel": channel, "optedOut": True}]})

    for person in ({"profileId": ann}, {"token": token}, {"optInId": opt_in_id}, {"profileId": bea}):
        shown = (await house.gql.ask(ASK, person=person))["preferences"]
        assert [one["channel"] for one in shown["channels"] if one["optedOut"]] == ["EMAIL", "PUSH"]
        assert [one["state"] for one in shown["services"] if one["serviceId"] == service] == ["ACTIVE"]
    owners = await house.runtime.pool.fetch("SELECT profile_id FROM subscription")
    assert [row["profile_id"] for row in owners] == [from_global_id("Profile", ann)]


async def test_the_id_of_a_merged_profile_is_its_survivors_and_is_told_as_it_was_asked(house: House) -> None:
    ann, bea = [await create_profile(house.gql, firstName=name) for name in ("Ann", "Bea")]
    service, purpose = await a_service(house), await a_purpose(house)
    merge = "mutation ($input: MergeInput!) { mergeProfiles(input: $input) { userErrors { code } } }"
    await house.gql.do(merge, input={"survivorId": ann, "mergedIds": [bea]})
    end = SUBSCRIBE.replace("SubscribeP", "UnsubscribeP").replace(" subscribeP", " unsubscribeP")
    decide = """mutation ($input: DecidePurposeInput!) { decidePurpose(input: $input) {
      results { profileId outcome } userErrors { code } } }"""

    begun = await house.gql.do(SUBSCRIBE, input={"serviceId": service, "profileIds": [bea, ann]})
    said = await house.gql.do(decide, input={"purposeId": purpose, "profileIds": [bea], "granted": True})

    assert [(one["profileId"], one["outcome"]) for one in begun["results"]] == [(bea, "SUBSCRIBED"), (ann, "REPEATED")]
    assert [(one["profileId"], one["outcome"]) for one in said["results"]] == [(bea, "RECORDED")]
    shown = (await house.gql.ask(ASK, person={"profileId": ann}))["preferences"]
    assert [one["allowed"] for one in shown["purposes"] if one["purposeId"] == purpose] == [True]
    ended = await house.gql.do(end, input={"serviceId": service, "profileIds": [bea]})
    assert [(one["profileId"], one["outcome"]) for one in ended["results"]] == [(bea, "UNSUBSCRIBED")]
    for table in ("subscription", "purpose_consent"):
        owners = await house.runtime.pool.fetch(f"SELECT profile_id FROM {table}")
        assert [row["profile_id"] for row in owners] == [from_global_id("Profile", ann)]


async def test_many_are_subscribed_with_a_result_for_each(house: House) -> None:
    service, ann = await a_service(house), await create_profile(house.gql, firstName="Ann")
    sent = {"serviceId": service, "profileIds": [ann, "nonsense", service, ann]}
    done = await house.gql.do(SUBSCRIBE, input=sent)
    outcomes = ["SUBSCRIBED", "PROFILE_NOT_FOUND", "PROFILE_NOT_FOUND", "REPEATED"]
    assert [(one["profileId"], one["outcome"]) for one in done["results"]] == list(
        zip(sent["profileIds"], outcomes, strict=True)
    )
    (error,) = await house.gql.refused(SUBSCRIBE, input={**sent, "serviceId": ann})
    assert (error["code"], error["path"]) == ("BAD_ID", "serviceId")
    found = await house.gql.ask(
        """query ($p: ID!, $s: ID!) { subscriptionHistory(profileId: $p, serviceId: $s) { nodes { kind firstTime } }
             service(id: $s) { evolution(start: "2020-01-01T00:00:00Z", end: "2029-01-01T00:00:00Z") { subscribed } } }""",
        p=ann, s=service,
    )  # fmt: skip
    assert found["subscriptionHistory"]["nodes"] == [{"kind": "SUBSCRIBED", "firstTime": True}]
    history = await house.gql.ask(
        "query ($p: ID!) { profileHistory(profileId: $p) { nodes { kind delivery { id } service { id } subscription } } }",
        p=ann,
    )
    assert history["profileHistory"]["nodes"] == [
        {"kind": "SUBSCRIPTION", "delivery": None, "service": {"id": service}, "subscription": "SUBSCRIBED"}
    ]
    assert found["service"]["evolution"] == [{"subscribed": 1}]


async def test_an_act_that_comes_by_no_link_is_the_persons_where_the_caller_says_so(house: House) -> None:
    service, purpose, ann = await a_service(house), await a_purpose(house), await create_profile(house.gql, firstName="Ann")
    decide = "mutation ($input: DecidePurposeInput!) { decidePurpose(input: $input) { userErrors { code } } }"
    for said in ({}, {"byPerson": False}, {"byPerson": True}):
        source = {"origin": f"told {said}", **said}
        await house.gql.do(
            SET, input={"person": {"profileId": ann}, "channels": [{"channel": "FAX", "optedOut": True}], "source": source}
        )
        await house.gql.do(SUBSCRIBE, input={
            "serviceId": await a_service(house), "profileIds": [ann], "source": source,
        })  # fmt: skip
        await house.gql.do(decide, input={"purposeId": purpose, "profileIds": [ann], "granted": False, "source": source})
    await house.gql.do(SUBSCRIBE, input={"serviceId": service, "profileIds": [ann]})

    told = await house.gql.ask(
        "query ($id: ID!) { consentLedger(profileId: $id, first: 20) { nodes { origin byPerson } } }", id=ann
    )
    nodes = told["consentLedger"]["nodes"]
    assert len(nodes) == 10
    assert [one["byPerson"] for one in nodes] == ["True" in one["origin"] for one in nodes]


async def test_one_thing_named_twice_is_refused_before_anything_is_done(house: House) -> None:
    service, ann = await a_service(house), await create_profile(house.gql, firstName="Ann")
    twice = [{"serviceId": service, "subscribed": True}, {"serviceId": service, "subscribed": False}]
    (error,) = await house.gql.refused(SET, input={"person": {"profileId": ann}, "services": twice})
    assert (error["code"], error["path"]) == ("REPEATED", "services")
    (error,) = await house.gql.refused(SET, input={"person": {"profileId": ann}})
    assert error["code"] == "TOO_MANY"
