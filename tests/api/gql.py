"""A GraphQL client for tests, and what they do with it again and again."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import httpx

_numbers = itertools.count(1)


def fresh(word: str) -> str:
    """A handle that no other test uses."""
    return f"{word}-{next(_numbers)}"


@dataclass(slots=True)
class Gql:
    """Somebody who asks, over HTTP as any client does."""

    http: httpx.AsyncClient
    token: str | None
    headers: dict[str, str] = field(default_factory=dict)

    async def post(self, query: str, variables: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
        """The raw response. Header names are written with underscores."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token is not None:
            sent.setdefault("authorization", f"Bearer {self.token}")
        body = {"query": query, "variables": variables or {}}
        return await self.http.post("/graphql", json=body, headers=self.headers | sent)

    async def ask(self, query: str, **variables: Any) -> Any:
        """`data` of an answer without errors."""
        answer = (await self.post(query, variables)).json()
        assert "errors" not in answer, answer
        return answer["data"]

    async def errors(self, query: str, **variables: Any) -> list[dict[str, Any]]:
        """The errors of an answer that has some."""
        answer = (await self.post(query, variables)).json()
        found: list[dict[str, Any]] = answer["errors"]
        return found

    async def code(self, query: str, **variables: Any) -> str:
        """The code of the only error."""
        (error,) = await self.errors(query, **variables)
        code: str = error["extensions"]["code"]
        return code

    async def do(self, query: str, **variables: Any) -> Any:
        """The payload of a document with one mutation that succeeds."""
        (payload,) = (await self.ask(query, **variables)).values()
        assert payload["userErrors"] == [], payload
        return payload

    async def refused(self, query: str, **variables: Any) -> list[dict[str, Any]]:
        """The `userErrors` of a document with one mutation that is refused."""
        (payload,) = (await self.ask(query, **variables)).values()
        found: list[dict[str, Any]] = payload["userErrors"]
        assert found, payload
        return found


CREATE_CAMPAIGN = """
mutation ($input: CreateCampaignInput!) {
  createCampaign(input: $input) { campaign { id name label version } userErrors { code message path hint } }
}"""


async def create_campaign(gql: Gql, name: str | None = None) -> str:
    """A campaign; returns its id."""
    name = name or fresh("campaign")
    made = await gql.do(CREATE_CAMPAIGN, input={"name": name, "label": "A campaign"})
    campaign_id: str = made["campaign"]["id"]
    return campaign_id


CREATE_PROFILE = """
mutation ($input: CreateProfileInput!) {
  createProfile(input: $input) { profile { id email firstName gender } userErrors { code message path hint } }
}"""


async def create_profile(gql: Gql, **values: Any) -> str:
    """A profile; returns its id."""
    made = await gql.do(CREATE_PROFILE, input=values)
    profile_id: str = made["profile"]["id"]
    return profile_id
