"""Values of a team that are sent with bad intent: refused with their place, or as no request, and never our mistake."""

from __future__ import annotations

from typing import Any

import pytest

from core.datamodel.records import FieldKind
from core.db import transaction
from tests.api.gql import CREATE_PROFILE
from tests.api.graphql.conftest import House
from tests.core.datamodel.model import dataset, field, link, point, publish_fields

QUERY = '{"query": "mutation ($v: JSON) { createProfile(input: {teamFields: $v}) { profile { id } userErrors { code path } } }"'
DEEP = "[" * 10_000 + "]" * 10_000


async def publish(house: House) -> None:
    async with transaction(house.runtime.pool) as conn:
        await dataset(conn, "store")
        await point(conn, link("favourite", "store"), "profile")
        await publish_fields(
            conn, field("facts", FieldKind.JSON), field("home", FieldKind.POINT), field("points", FieldKind.INTEGER)
        )


@pytest.mark.parametrize(
    "variables",
    [
        f'{{"v": {{"facts": {DEEP}}}}}', '{"v": {"facts": NaN}}', '{"v": {"facts": [Infinity]}}', '{"v": {"facts": 1e999}}',
        f'{{"v": {{"facts": "{"x" * 10_000_000}"}}}}', '{"v": {"facts": "\\ud800"}}',
    ],
)  # fmt: skip
async def test_bodies_that_are_none(house: House, variables: str) -> None:
    await publish(house)
    body = f'{QUERY}, "variables": {variables}}}'.encode("utf-8", "surrogatepass")
    headers = {"authorization": f"Bearer {house.gql.token}", "content-type": "application/json"}
    response = await house.gql.http.post("/graphql", content=body, headers=headers)
    assert 400 <= response.status_code < 500, response.text[:300]
    assert await house.runtime.pool.fetchval("SELECT count(*) FROM profile") == 0


@pytest.mark.parametrize(
    ("team", "path"),
    [
        ({"facts": {"a": "\x00"}}, "facts"), ({"facts": "x" * 100_000}, "facts"),
        ({"home": {"longitude": 181, "latitude": 0}}, "home"),
        ({"points": [[[[[]]]]]}, "points"), ({"points": 2**63}, "points"), ({"favourite": 5}, "favourite"),
        ({"favourite": [[[[]]]]}, "favourite"), ({"favourite": {"code": {"a": []}}}, "favourite"),
        ({"of_favourite": 1}, "of_favourite"), ({"x" * 10_000: 1}, "x" * 80),
    ],
)  # fmt: skip
async def test_values_that_are_none(house: House, team: dict[str, Any], path: str) -> None:
    await publish(house)
    (error,) = await house.gql.refused(CREATE_PROFILE, input={"teamFields": team})
    assert error["path"] == f"teamFields.{path}"
    assert await house.runtime.pool.fetchval("SELECT count(*) FROM profile") == 0


@pytest.mark.parametrize("literal", ["[" * 2_000 + "]" * 2_000, "9" * 5_000, "1e99999", "{a: " * 500 + "1" + "}" * 500])
async def test_values_within_the_query(house: House, literal: str) -> None:
    await publish(house)
    text = f"mutation {{ createProfile(input: {{teamFields: {{facts: {literal}}}}}) {{ userErrors {{ code path }} }} }}"
    response = await house.gql.http.post(
        "/graphql", json={"query": text}, headers={"authorization": f"Bearer {house.gql.token}"}
    )
    assert response.status_code < 500, response.text[:300]
    assert "INTERNAL" not in response.text
    assert await house.runtime.pool.fetchval("SELECT count(*) FROM profile") == 0
