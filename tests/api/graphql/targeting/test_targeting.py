"""Expressions and audiences through GraphQL."""

from __future__ import annotations

from typing import Any
from unicodedata import normalize

import pytest

from tests.api.gql import Gql, create_profile, fresh

TARGET = """
query ($e: ExpressionInput!, $zone: String) {
  target(expression: $e, timeZone: $zone) { text json reads count sample(size: 2) { id firstName } }
}"""
CREATE = """
mutation ($input: CreateAudienceInput!) {
  createAudience(input: $input) {
    audience { id name version expression expressionJson kind } userErrors { code path message hint } }
}"""
UPDATE = """
mutation ($input: UpdateAudienceInput!) {
  updateAudience(input: $input) { audience { version expression target { count } } userErrors { code path message } }
}"""


async def people(gql: Gql, count: int) -> str:
    """So many people with one last name; returns it."""
    name = fresh("Montague")
    for number in range(count):
        await create_profile(gql, lastName=name, firstName=f"P{number}")
    return name


async def test_an_expression_is_counted_and_sampled(gql: Gql) -> None:
    name = await people(gql, 3)

    found = (await gql.ask(TARGET, e={"text": f"last_name = '{name}'"}))["target"]

    assert found["count"] == 3
    assert [person["firstName"] for person in found["sample"]] == ["P0", "P1"]
    assert found["reads"] == ["last_name"]


async def test_both_spellings_are_one_expression(gql: Gql) -> None:
    name = await people(gql, 1)
    first = (await gql.ask(TARGET, e={"text": f"last_name = '{name}' and not first_name is null"}))["target"]

    again = (await gql.ask(TARGET, e={"json": first["json"]}))["target"]

    assert again == first


@pytest.mark.parametrize(
    ("expression", "code", "path"),
    [
        ({"text": "emial = 'x'"}, "UNKNOWN_FIELD", "line 1, column 1"),
        ({"text": "email ="}, "EXPRESSION_SYNTAX", "line 1, column 8"),
        ({"text": "last_name > 3"}, "WRONG_TYPE", None),
        ({"text": ""}, "EXPRESSION_SYNTAX", None),
        ({"json": []}, None, None),
        ({"json": {"and": [{"field": "x"}]}}, None, None),
        ({"text": "not " * 20_000 + "id = 1"}, None, None),
    ],
)
async def test_a_wrong_expression_is_told_with_its_place(gql: Gql, expression: Any, code: str | None, path: str | None) -> None:
    (error,) = await gql.errors(TARGET, e=expression)

    extensions = error["extensions"]
    assert extensions["code"] not in ("INTERNAL", "BAD_REQUEST")
    assert code in (None, extensions["code"])
    assert path in (None, extensions["path"])
    assert extensions["hint"]


async def test_one_spelling_is_given_not_two_and_not_none(gql: Gql) -> None:
    for wrong in ({}, {"text": "id = 1", "json": {}}, {"text": None}):
        assert (await gql.post(TARGET, {"e": wrong})).status_code == 400


async def test_a_time_zone_must_exist(gql: Gql) -> None:
    for zone in ("Mars/Olympus", "../../etc/passwd"):
        assert await gql.code(TARGET, e={"text": "created_at > now"}, zone=zone) == "UNKNOWN_TIME_ZONE"
    assert (await gql.ask(TARGET, e={"text": "created_at > now"}, zone="Europe/Paris"))["target"]["count"] == 0


async def test_an_error_says_what_stands_there_and_what_could(gql: Gql) -> None:
    (error,) = await gql.errors(TARGET, e={"text": "contry = 'FR'"})
    assert error["extensions"]["suggestion"] == "country"
    assert error["extensions"]["found"]
    assert error["extensions"]["expected"]


async def test_everybody_is_counted_and_composed_letters_are_found(gql: Gql) -> None:
    name = await people(gql, 3)
    everybody = (await gql.ask(TARGET, e={"text": "true"}))["target"]["count"]
    assert everybody == (await gql.ask(TARGET, e={"text": "id > 0"}))["target"]["count"] >= 3
    decomposed = normalize("NFD", f"{name}é")
    assert (await gql.ask(TARGET, e={"text": f"last_name = '{decomposed}'"}))["target"]["text"] == f"last_name = '{name}é'"


async def test_a_sample_has_its_bounds(gql: Gql) -> None:
    text = 'query ($n: Int!) { target(expression: {text: "id > 0"}) { sample(size: $n) { id } } }'

    assert await gql.code(text, n=0) == "BAD_SAMPLE_SIZE"
    assert await gql.code(text, n=1001) == "BAD_SAMPLE_SIZE"


async def test_an_audience_is_saved_changed_and_deleted(gql: Gql) -> None:
    # Given an audience
    name = await people(gql, 2)
    made = (
        await gql.do(CREATE, input={"name": fresh("audience"), "label": "M", "expression": {"text": f"last_name = '{name}'"}})
    )["audience"]
    assert (made["version"], made["kind"]) == (1, "QUERY")
    assert made["expression"] == f"last_name = '{name}'"

    # When its question is narrowed
    changed = await gql.do(
        UPDATE,
        input={"id": made["id"], "expectedVersion": 1, "expression": {"text": f"last_name = '{name}' and first_name = 'P1'"}},
    )

    # Then it has a new version and fewer members
    assert changed["audience"]["version"] == 2
    assert changed["audience"]["target"]["count"] == 1
    # And who had read the old version is told
    (error,) = await gql.refused(UPDATE, input={"id": made["id"], "expectedVersion": 1, "label": "Late"})
    assert error["code"] == "VERSION_CHANGED"
    # And it can be deleted, once
    delete = "mutation ($id: ID!) { deleteAudience(id: $id) { deletedId userErrors { code } } }"
    assert (await gql.do(delete, id=made["id"]))["deletedId"] == made["id"]
    assert (await gql.refused(delete, id=made["id"]))[0]["code"] == "AUDIENCE_NOT_FOUND"


async def test_what_is_wrong_with_an_audiences_expression_can_be_mended(gql: Gql) -> None:
    (error,) = await gql.refused(
        CREATE, input={"name": fresh("audience"), "label": "x", "expression": {"text": "frist_name = 'x'"}}
    )

    assert error["code"] == "UNKNOWN_FIELD"
    assert error["path"] == "line 1, column 1"
    assert "first_name" in error["hint"]


async def test_what_can_be_asked_about_is_listed(gql: Gql) -> None:
    fields = (await gql.ask("{ targetFields { name label kind nullable values operators } }"))["targetFields"]

    by_name = {one["name"]: one for one in fields}
    assert by_name["email"]["kind"] == "TEXT"
    assert "contains" in by_name["email"]["operators"]
    assert by_name["gender"]["values"]


async def test_a_segmented_list_tells_of_a_person_which_segment_it_is(gql: Gql) -> None:
    name = await people(gql, 2)
    made = await gql.do(
        """mutation ($name: String!, $population: ExpressionInput!) {
             createSegmentedList(name: $name, label: "Spring", population: $population, into: {
               segments: [{code: "first", size: 1, by: {text: "first_name"}, lowest: true}], complement: "rest" }) {
               audience { id members(first: 9) { nodes { columns profile { id } } } } userErrors { code path } } }""",
        name=fresh("spring"), population={"text": f"last_name = '{name}'"},
    )  # fmt: skip
    members = made["audience"]["members"]["nodes"]
    assert [one["columns"] for one in members] == [{"segment": "first"}, {"segment": "rest"}]

    found = await gql.ask(
        "query ($id: ID!) { profileMemberships(profileId: $id) { nodes { audience { id } profileId columns } } }",
        id=members[1]["profile"]["id"],
    )

    assert found["profileMemberships"]["nodes"] == [
        {"audience": {"id": made["audience"]["id"]}, "profileId": members[1]["profile"]["id"], "columns": {"segment": "rest"}}
    ]
    page = await gql.ask(
        """query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Profile {
             memberships(first: 1) { nodes { audience { id } columns } pageInfo { hasNextPage } } } } }""",
        ids=[one["profile"]["id"] for one in members],
    )
    assert [one["memberships"] for one in page["nodes"]] == [
        {
            "nodes": [{"audience": {"id": made["audience"]["id"]}, "columns": {"segment": segment}}],
            "pageInfo": {"hasNextPage": False},
        }
        for segment in ("first", "rest")
    ]
