"""Probes and metrics."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from api.app import App
from tests.api.conftest import settings_for
from tests.api.gql import Gql


async def test_alive_and_ready(http: httpx.AsyncClient) -> None:
    assert (await http.get("/health")).json() == {"status": "ok"}
    assert (await http.get("/ready")).json() == {"status": "ok"}


async def test_not_ready_with_another_schema_but_still_alive(database_url: str, tmp_path: Path) -> None:
    # Given an API whose database is migrated by a newer version while it runs
    app = App(settings_for(database_url, tmp_path))
    await app.start()
    async with app.runtime.pool.acquire() as conn:
        await conn.execute("UPDATE alembic_version SET version_num = '9999'")

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://clarion.test") as http:
        ready, health = await http.get("/ready"), await http.get("/health")

    assert (ready.status_code, ready.json()["reason"]) == (503, "the database has another schema version")
    assert health.status_code == 200
    await app.stop()


async def test_not_ready_while_the_process_is_stopping(database_url: str, tmp_path: Path) -> None:
    app = App(settings_for(database_url, tmp_path))
    await app.start()
    app.runtime.stopping.set()

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://clarion.test") as http:
        assert (await http.get("/ready")).status_code == 503
    await app.stop()


async def test_an_api_does_not_start_on_an_empty_database(server_url: str, tmp_path: Path) -> None:
    app = App(settings_for(server_url, tmp_path))

    with pytest.raises(Exception, match="clarion migrate"):
        await app.start()


async def test_metrics_count_operations(http: httpx.AsyncClient, gql: Gql) -> None:
    await gql.ask("{ viewer { name } }")

    text = (await http.get("/metrics")).text

    assert 'clarion_graphql_operations_total{kind="query",outcome="ok"}' in text
    assert "clarion_graphql_operation_seconds_bucket" in text
    assert "clarion_graphql_sockets" in text
