"""Audiences whose members are kept, through GraphQL."""

from __future__ import annotations

from typing import Any

from api.app import App
from core.db import transaction
from core.targeting.membership.jobs import upkeep
from tests.api.gql import Gql, create_profile, fresh

KEEP = """
mutation ($id: ID!, $zone: String) { keepAudience(id: $id, timeZone: $zone) {
  audience { id membership { state upkeep timeZone } } userErrors { code message path } } }"""
RELEASE = "mutation ($id: ID!) { releaseAudience(id: $id) { audience { membership { state } } userErrors { code } } }"
LOOK = """
query ($id: ID!, $after: String) { audience(id: $id) {
  membership { state upkeep reasons trouble count freshnessSeconds countedAt recountAt cursor }
  members(first: 10) { totalCount nodes { profile { firstName } } }
  membershipChanges(first: 2, after: $after) {
    nodes { entered profileId profile { firstName } } pageInfo { hasNextPage endCursor } } } }"""


async def audience(gql: Gql, question: str) -> str:
    made = await gql.do(
        """mutation ($input: CreateAudienceInput!) { createAudience(input: $input) {
             audience { id } userErrors { code message path } } }""",
        input={"name": fresh("kept"), "label": "x", "expression": {"text": question}},
    )
    key: str = made["audience"]["id"]
    return key


async def look(gql: Gql, key: str, after: str | None = None) -> Any:
    return (await gql.ask(LOOK, id=key, after=after))["audience"]


async def test_an_audience_is_kept_followed_and_released(gql: Gql, app: App) -> None:
    name = fresh("Capulet")
    for number in range(3):
        await create_profile(gql, lastName=name, firstName=f"P{number}")
    key = await audience(gql, f"last_name = '{name}' and created_at > now - 1 day")
    assert (await gql.ask("query ($id: ID!) { audience(id: $id) { membership { state } } }", id=key))["audience"] == {
        "membership": None
    }
    kept = (await gql.do(KEEP, id=key, zone="Europe/Paris"))["audience"]["membership"]
    assert kept == {"state": "WAITING", "upkeep": "INCREMENTAL", "timeZone": "Europe/Paris"}

    await upkeep(app.runtime)
    seen = await look(gql, key)
    assert seen["membership"]["state"] == "KEPT"
    assert seen["membership"]["count"] == seen["members"]["totalCount"] == 3
    assert seen["membership"]["freshnessSeconds"] == 0
    assert [one["entered"] for one in seen["membershipChanges"]["nodes"]] == [True, True]
    rest = await look(gql, key, seen["membershipChanges"]["pageInfo"]["endCursor"])
    assert len(rest["membershipChanges"]["nodes"]) == 1

    async with transaction(app.runtime.pool) as conn:
        await conn.execute("DELETE FROM profile WHERE last_name = $1 AND first_name = 'P1'", name)
    assert (await look(gql, key))["membership"]["freshnessSeconds"] > 0
    await upkeep(app.runtime)
    left = await look(gql, key, seen["membership"]["cursor"])
    assert [(one["entered"], one["profile"]) for one in left["membershipChanges"]["nodes"]] == [(False, None)]
    assert {one["profile"]["firstName"] for one in left["members"]["nodes"]} == {"P0", "P2"}

    assert (await gql.do(RELEASE, id=key))["audience"] == {"membership": None}
    await upkeep(app.runtime)
    async with app.runtime.pool.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'membership%'") == 0


async def test_what_cannot_be_kept_or_followed_is_told(gql: Gql, app: App) -> None:
    key = await audience(gql, "email is not null")
    assert await gql.code(LOOK, id=key) == "NOT_KEPT"
    await gql.do(KEEP, id=key)
    again = await gql.do(KEEP, id=key)
    assert again["audience"]["membership"]["timeZone"] == "UTC"
    errors = (await gql.ask(KEEP, id=key, zone="Asia/Tokyo"))["keepAudience"]["userErrors"]
    assert [(one["code"], one["path"]) for one in errors] == [("KEPT_OTHERWISE", "timeZone")]
    await gql.do(RELEASE, id=key)
    await upkeep(app.runtime)
