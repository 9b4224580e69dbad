"""`clarion schema --live`: the schema with the types of the data model that an installation has published."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from graphql import build_schema

from api.cli.schema import schema
from api.graphql.schema import SDL_FILE
from core.db import Pool, transaction
from tests.core.rows.shop import publish_shop


async def test_the_live_schema_has_the_published_types(
    bare: Path, pool: Pool, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLARION_DATABASE_URL", database_url)
    before, after = tmp_path / "before.graphql", tmp_path / "after.graphql"
    await asyncio.to_thread(schema, before, True)
    async with transaction(pool) as conn:
        await publish_shop(conn)
    await asyncio.to_thread(schema, after, True)
    await asyncio.to_thread(schema, tmp_path / "static.graphql", False)

    static = SDL_FILE.read_text(encoding="utf-8")
    assert before.read_text(encoding="utf-8") == (tmp_path / "static.graphql").read_text(encoding="utf-8") == static
    told = after.read_text(encoding="utf-8")
    assert {"PurchaseRow", "PurchaseRowConnection", "Place"} <= build_schema(told).type_map.keys()
    assert "\n  card: String\n" in told
