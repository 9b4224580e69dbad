"""What surrounds every request: its id, and who may call from a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from api.app import App
from api.graphql.websocket import WebSocketDoor
from tests.api.conftest import make_token, settings_for
from tests.api.gql import Gql

PREFLIGHT = {
    "origin": "https://app.shop.example",
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,idempotency-key",
}


async def test_a_decent_request_id_is_kept_and_another_one_replaced(http: httpx.AsyncClient) -> None:
    kept = await http.get("/health", headers={"x-request-id": "trace-1.2_3"})
    replaced = await http.get("/health", headers={"x-request-id": "no good: \t" + "x" * 100})
    made = await http.get("/health")

    assert kept.headers["x-request-id"] == "trace-1.2_3"
    assert len(replaced.headers["x-request-id"]) == 16
    assert made.headers["x-request-id"] != replaced.headers["x-request-id"]


async def test_browsers_of_other_origins_are_kept_out_by_default(gql: Gql) -> None:
    preflight = await gql.http.options("/graphql", headers=PREFLIGHT)
    answer = await gql.post("{ viewer { name } }", origin="https://app.shop.example")

    assert preflight.status_code == 405
    assert "access-control-allow-origin" not in preflight.headers
    assert "access-control-allow-origin" not in answer.headers


@pytest_asyncio.fixture
async def open_app(api_database: str, tmp_path: Path) -> AsyncIterator[App]:
    """An API that one origin may call."""
    app = App(settings_for(api_database, tmp_path, cors_origins="https://app.shop.example, https://b.example/"))
    await app.start()
    yield app
    await app.stop()


async def test_listed_origins_may_call(open_app: App) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=open_app), base_url="http://clarion.test") as http:
        gql = Gql(http, await make_token(open_app))
        preflight = await http.options("/graphql", headers=PREFLIGHT)
        answer = await gql.post("{ viewer { name } }", origin="https://b.example")
        foreign = await gql.post("{ viewer { name } }", origin="https://evil.example")

    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "https://app.shop.example"
    assert answer.headers["access-control-allow-origin"] == "https://b.example"
    assert "x-request-id" in answer.headers["access-control-expose-headers"].lower()
    assert "access-control-allow-origin" not in foreign.headers


@pytest.mark.parametrize(
    ("listed", "origin", "allowed"),
    [
        ("", None, True),  # a program
        ("", "http://clarion.test", True),  # our own pages
        ("", "https://clarion.test", True),  # the same, where a proxy ends TLS
        ("", "http://clarion.test:8001", False),
        ("", "https://evil.example", False),
        ("", "null", False),
        ("", "http://clarion.test.evil.example", False),
        ("https://app.shop.example", "https://app.shop.example", True),
        ("https://app.shop.example", "https://APP.shop.example:443", True),
        ("https://app.shop.example", "http://app.shop.example", False),
        ("https://app.shop.example", "https://app.shop.example.evil", False),
        ("*", "https://anybody.example", True),
    ],
)
def test_who_may_open_a_websocket(listed: str, origin: str | None, allowed: bool, tmp_path: Path) -> None:
    class Door:
        """As much of a GraphQLDoor as the check looks at."""

        class runtime:
            """Settings only."""

            settings = settings_for("postgresql:///none", tmp_path, websocket_origins=listed)

    assert WebSocketDoor(Door).allows(origin, "clarion.test") is allowed  # type: ignore[arg-type]


async def test_what_is_not_there_is_told_as_graphql_would(http: httpx.AsyncClient) -> None:
    response = await http.get("/nothing")

    assert response.status_code == 404
    assert response.json()["errors"][0]["extensions"]["code"] == "NOT_FOUND"
