"""API tokens through GraphQL."""

from __future__ import annotations

from tests.api.gql import Gql

CREATE = """
mutation ($input: CreateTokenInput!) {
  createApiToken(input: $input) {
    apiToken { id name roles scopes permissions expiresAt } secret userErrors { code message path } }
}"""


async def test_a_token_is_created_with_roles_and_narrowed_by_scopes(gql: Gql) -> None:
    made = await gql.do(
        CREATE, input={"name": "Nightly export", "roles": ["EXPORT", "GENERIC_IMPORT"], "scopes": ["READ", "EXPORT"]}
    )

    assert made["apiToken"]["roles"] == ["EXPORT", "GENERIC_IMPORT"]
    assert made["apiToken"]["permissions"] == ["EXPORT", "READ"]
    assert made["secret"].startswith("clarion_")


async def test_its_secret_is_not_told_again(gql: Gql) -> None:
    made = await gql.do(CREATE, input={"name": "Once", "roles": ["EXPORT"]})

    found = await gql.post("{ apiTokens(first: 500) { totalCount nodes { id name lastUsedAt createdBy } } }")

    assert made["apiToken"]["id"] in found.text
    assert made["secret"] not in found.text


async def test_a_token_that_allows_nothing_is_refused(gql: Gql) -> None:
    (error,) = await gql.refused(CREATE, input={"name": "Nothing", "roles": []})

    assert (error["code"], error["path"]) == ("NO_ROLES", "roles")


async def test_a_token_that_has_expired_already_is_refused(gql: Gql) -> None:
    (error,) = await gql.refused(CREATE, input={"name": "Old", "roles": ["EXPORT"], "expiresAt": "2020-01-01T00:00:00Z"})

    assert (error["code"], error["path"]) == ("BAD_EXPIRY", "expiresAt")


async def test_a_time_without_an_offset_is_refused_with_advice(gql: Gql) -> None:
    (error,) = await gql.errors(CREATE, input={"name": "x", "roles": ["EXPORT"], "expiresAt": "2030-01-01T00:00:00"})

    assert "offset" in error["message"]


async def test_a_token_is_found_by_its_id_by_who_may(gql: Gql) -> None:
    made = await gql.do(CREATE, input={"name": "Found", "roles": ["EXPORT"]})
    text = "query ($id: ID!) { node(id: $id) { ... on ApiToken { name } } apiToken(id: $id) { name } }"

    assert await gql.ask(text, id=made["apiToken"]["id"]) == {"node": {"name": "Found"}, "apiToken": {"name": "Found"}}
    reader = Gql(gql.http, made["secret"])
    assert await reader.code("query ($id: ID!) { node(id: $id) { id } }", id=made["apiToken"]["id"]) == "FORBIDDEN"
    assert await reader.code("query ($id: ID!) { apiToken(id: $id) { id } }", id=made["apiToken"]["id"]) == "FORBIDDEN"
