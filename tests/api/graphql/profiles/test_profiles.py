"""People through GraphQL."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.gql import CREATE_PROFILE, Gql, create_profile, fresh

GET = "query ($id: ID!) { profile(id: $id) { email firstName gender optOutEmail birthDate age postalLines country } }"
UPDATE = """
mutation ($input: UpdateProfileInput!) {
  updateProfile(input: $input) { profile { email firstName gender } userErrors { code path message hint } }
}"""


async def test_a_profile_is_created_read_changed_and_deleted(gql: Gql) -> None:
    # Given a profile
    email = f"{fresh('Zoë')}@Bücher.example"
    profile_id = await create_profile(
        gql, email=email, firstName="Zoë", gender="FEMALE", birthDate="1990-02-28", country="fr", city="Lyon",
        zipCode="69001", addressLine1="1 rue d'Été",
    )  # fmt: skip
    found = (await gql.ask(GET, id=profile_id))["profile"]
    assert found["firstName"] == "Zoë"
    assert found["gender"] == "FEMALE"
    assert found["age"] >= 36
    assert found["country"] == "FR"
    assert "69001 Lyon" in " ".join(found["postalLines"])

    # When one field is changed and another cleared
    changed = await gql.do(UPDATE, input={"id": profile_id, "firstName": "Zoé", "gender": None})
    assert changed["profile"] == {"email": found["email"], "firstName": "Zoé", "gender": "UNKNOWN"}

    # Then after its deletion it is gone
    await gql.do("mutation ($id: ID!) { deleteProfile(id: $id) { deletedId userErrors { code } } }", id=profile_id)
    assert (await gql.ask(GET, id=profile_id))["profile"] is None
    (error,) = await gql.refused(UPDATE, input={"id": profile_id, "firstName": "x"})
    assert error["code"] == "PROFILE_NOT_FOUND"


async def test_every_problem_of_an_input_is_told_at_once_with_its_place(gql: Gql) -> None:
    errors = await gql.refused(
        CREATE_PROFILE, input={"email": "no address", "mobilePhone": "12", "firstName": "x" * 200, "country": "Xx"}
    )

    assert {error["path"] for error in errors} == {"email", "mobilePhone", "firstName", "country"}
    assert all(error["code"] and error["message"] for error in errors)


async def test_a_unique_value_that_is_taken_is_a_conflict(gql: Gql) -> None:
    external_id = fresh("crm")
    await create_profile(gql, externalId=external_id)

    (error,) = await gql.refused(CREATE_PROFILE, input={"externalId": external_id})

    assert (error["code"], error["path"]) == ("VALUE_TAKEN", "externalId")


async def test_profiles_are_found_by_their_unique_fields(gql: Gql) -> None:
    external_id = fresh("crm")
    profile_id = await create_profile(gql, externalId=external_id)
    text = "query ($key: ProfileKeyInput!) { profileBy(key: $key) { id } }"

    assert (await gql.ask(text, key={"externalId": external_id}))["profileBy"]["id"] == profile_id
    assert (await gql.ask(text, key={"cryptedId": external_id}))["profileBy"] is None
    assert await gql.code(text, key={"optInId": "no uuid"}) == "BAD_ID"
    assert (await gql.post(text, {"key": {}})).status_code == 400
    assert (await gql.post(text, {"key": {"externalId": "a", "cryptedId": "b"}})).status_code == 400


async def test_a_search_finds_beginnings_in_any_capitals_page_by_page(gql: Gql) -> None:
    # Given three people whose names begin alike
    prefix = fresh("Quirinius")
    ids = [await create_profile(gql, firstName=f"{prefix}{letter}") for letter in "abc"]
    await create_profile(gql, firstName=f"x{prefix}")
    text = """query ($text: String!, $after: String) {
      searchProfiles(text: $text, first: 2, after: $after) {
        nodes { id } pageInfo { hasNextPage hasPreviousPage endCursor } } }"""

    # When the pages are followed
    first = (await gql.ask(text, text=prefix.upper()))["searchProfiles"]
    second = (await gql.ask(text, text=prefix.upper(), after=first["pageInfo"]["endCursor"]))["searchProfiles"]

    # Then all three are found, once
    assert [row["id"] for row in first["nodes"] + second["nodes"]] == ids
    assert (first["pageInfo"]["hasNextPage"], first["pageInfo"]["hasPreviousPage"]) == (True, False)
    assert (second["pageInfo"]["hasNextPage"], second["pageInfo"]["hasPreviousPage"]) == (False, True)


async def test_a_page_goes_on_after_any_of_its_cursors(gql: Gql) -> None:
    for _ in range(3):
        await create_profile(gql, firstName="x")
    page = (await gql.ask("{ profiles(first: 3) { edges { cursor node { id } } nodes { id } } }"))["profiles"]

    rest = await gql.ask(
        "query ($after: String) { profiles(first: 2, after: $after) { nodes { id } } }", after=page["edges"][0]["cursor"]
    )

    assert [row["node"] for row in page["edges"]] == page["nodes"]
    assert rest["profiles"]["nodes"] == page["nodes"][1:]


@pytest.mark.parametrize("bad", ["", "x", "UHJvZmlsZTox", "💥", "W3RydWVd", "WzFlMTAwXQ"])
async def test_what_is_no_cursor_is_refused(gql: Gql, bad: str) -> None:
    code = await gql.code("query ($after: String) { profiles(after: $after) { nodes { id } } }", after=bad)

    assert code == "BAD_CURSOR"


@pytest.mark.parametrize("bad", ["", "x", "Q2FtcGFpZ246MQ", "UHJvZmlsZTotMQ", "UHJvZmlsZTo5OTk5OTk5OTk5OTk5OTk5OTk5OTk", "💥"])
async def test_what_is_no_id_of_a_profile_is_refused(gql: Gql, bad: str) -> None:
    assert await gql.code(GET, id=bad) == "BAD_ID"


async def test_addresses_are_put_into_quarantine_and_let_out(gql: Gql) -> None:
    # Given an address in quarantine
    address = f"{fresh('Bad')}@Shop.Example"
    put = await gql.do(
        """mutation ($input: QuarantineInput!) { quarantineAddresses(input: $input) {
             entries { address status addressKind } userErrors { code path } } }""",
        input={"addresses": [address]},
    )
    assert put["entries"] == [{"address": address.lower(), "status": "QUARANTINE", "addressKind": "EMAIL"}]
    read = "query ($a: String!) { quarantineEntry(addressKind: EMAIL, address: $a) { status reason errorCount } }"
    assert (await gql.ask(read, a=address.upper()))["quarantineEntry"]["status"] == "QUARANTINE"
    listed = await gql.ask(
        "{ quarantine(filter: {addressKind: EMAIL}, first: 500) { nodes { address } pageInfo { endCursor } } }"
    )
    assert address.lower() in {row["address"] for row in listed["quarantine"]["nodes"]}
    after = "query ($c: String) { quarantine(after: $c) { nodes { address } } }"
    assert (await gql.ask(after, c=listed["quarantine"]["pageInfo"]["endCursor"]))["quarantine"]["nodes"] == []
    assert await gql.code(after, c="zzz") == "BAD_CURSOR"

    # When it is let out
    out = await gql.do(
        """mutation ($input: ReleaseQuarantineInput!) { releaseAddresses(input: $input) { released userErrors { code } } }""",
        input={"addresses": [address]},
    )

    # Then nothing is known against it any more
    assert out["released"] == 1
    assert (await gql.ask(read, a=address))["quarantineEntry"] is None


async def test_people_are_listed_by_a_question_in_an_order(gql: Gql) -> None:
    city = fresh("Town")
    ids = [await create_profile(gql, city=city, lastName=name) for name in ("Mira", "Zoe", "Abel")]
    text = """query ($where: ExpressionInput, $order: RowOrderInput, $after: String) {
      profiles(where: $where, orderBy: $order, first: 2, after: $after) {
        totalCount nodes { id lastName } pageInfo { endCursor hasNextPage } } }"""
    asked: dict[str, Any] = {
        "where": {"text": f"city = '{city.upper()}'"}, "order": {"field": "last_name", "direction": "DESCENDING"},
    }  # fmt: skip

    first = (await gql.ask(text, **asked))["profiles"]
    second = (await gql.ask(text, **asked, after=first["pageInfo"]["endCursor"]))["profiles"]

    assert [row["lastName"] for row in first["nodes"] + second["nodes"]] == ["Zoe", "Mira", "Abel"]
    assert (first["totalCount"], first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (3, True, False)
    assert {row["id"] for row in first["nodes"] + second["nodes"]} == set(ids)
    plain = (await gql.ask("{ profiles(first: 1) { pageInfo { endCursor } } }"))["profiles"]["pageInfo"]["endCursor"]
    assert await gql.code(text, **asked, after=plain) == "BAD_CURSOR"
    assert await gql.code(text, where={"text": "cty = 'x'"}) == "UNKNOWN_FIELD"
    assert await gql.code(text, order={"field": "cty"}) == "UNKNOWN_FIELD"
