"""A house with a database of its own: the API and, in the same process, what the workers do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest_asyncio

from api.app import App
from core.delivery.engine import open_engine
from core.profiles.exports import SELECTION_RESOURCE
from core.runtime import Runtime
from core.workers.selection import select_people
from tests.api.conftest import make_token, settings_for
from tests.api.gql import Gql, fresh
from tests.api.jobs import run_jobs


@dataclass(slots=True)
class House:
    """The API of one installation and its workers' part."""

    app: App
    gql: Gql

    @property
    def runtime(self) -> Runtime:
        """What all share."""
        return self.app.runtime

    async def work(self) -> None:
        """Let the workers do what there is to do."""
        await run_jobs(self.runtime)

    async def delivery(self, *, text: str = "Hello {{ profile.first_name }}", **account: Any) -> str:
        """A delivery of a short text to everybody with an email, over the memory channel; returns its id."""
        gql = self.gql
        made_account = await gql.do(
            """mutation ($input: CreateChannelAccountInput!) { createChannelAccount(input: $input) {
                 channelAccount { id } userErrors { code message path } } }""",
            input={"name": fresh("account"), "label": "x", "channel": "memory", "config": account},
        )
        made_audience = await gql.do(
            """mutation ($input: CreateAudienceInput!) { createAudience(input: $input) {
                 audience { id } userErrors { code message path } } }""",
            input={"name": fresh("audience"), "label": "x", "expression": {"text": "id > 0"}},
        )
        made_content = await gql.do(
            """mutation ($input: CreateContentInput!) { createContent(input: $input) {
                 content { id } userErrors { code message path } } }""",
            input={
                "name": fresh("content"),
                "label": "x",
                "channel": "memory",
                "parts": [{"name": "text", "source": text}],
            },
        )
        made = await gql.do(
            """mutation ($input: CreateDeliveryInput!) { createDelivery(input: $input) {
                 delivery { id state } userErrors { code message path } } }""",
            input={
                "name": fresh("delivery"),
                "label": "Spring",
                "channelAccountId": made_account["channelAccount"]["id"],
                "audienceId": made_audience["audience"]["id"],
                "contentId": made_content["content"]["id"],
            },
        )
        delivery_id: str = made["delivery"]["id"]
        return delivery_id


@pytest_asyncio.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    """An installation for one test."""
    app = App(settings_for(database_url, tmp_path / "var", allow_private_egress=True))
    await app.start()
    engine = open_engine(app.runtime)
    app.runtime.resources[SELECTION_RESOURCE] = select_people
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://clarion.test") as http:
        yield House(app, Gql(http, await make_token(app)))
    await engine.close()
    await app.stop()
