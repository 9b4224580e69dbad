"""Rows of an export are read by two connections that see the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from core.db import Connection
from core.profiles import export_ranges
from core.profiles.exports import SELECTION_RESOURCE, Selection
from core.profiles.run_records import RunState
from core.profiles.store import exports as store
from core.runtime import Runtime
from tests.core.profiles.house import Times, export_people, read_file

PEOPLE = 23


class Watch:
    """Which backends fetch ranges, and something that happens once a round is fetched."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.backends: list[int] = []
        self.happens: Any = None
        self.fails_after: int | None = None
        self._fetch = store.fetch_range
        monkeypatch.setattr(store, "fetch_range", self.fetch)
        monkeypatch.setattr(export_ranges, "RANGE", 3)

    async def fetch(self, conn: Connection, *args: Any, **named: Any) -> Any:
        found = await self._fetch(conn, *args, **named)
        self.backends.append(conn.get_server_pid())
        if self.fails_after == len(self.backends):
            raise ZeroDivisionError
        if self.happens is not None:
            await self.happens()
        return found


async def add(db: Connection) -> None:
    await db.execute(
        "INSERT INTO profile (external_id, last_name) SELECT 'C-' || n, 'old' FROM generate_series(1, $1::int) AS n", PEOPLE
    )


def selecting(runtime: Runtime, condition: str) -> None:
    async def select(*_: object) -> Selection:
        return Selection(f"SELECT id FROM profile WHERE {condition} ORDER BY last_name, id DESC", ())

    runtime.resources[SELECTION_RESOURCE] = select


@pytest.mark.parametrize("chosen", [False, True])
async def test_both_see_what_there_was_at_the_beginning(
    runtime: Runtime, db: Connection, times: Times, monkeypatch: pytest.MonkeyPatch, chosen: bool
) -> None:
    await add(db)
    watch = Watch(monkeypatch)
    selecting(runtime, "id % 3 <> 0")

    alone = asyncio.Lock()

    async def change() -> None:
        async with alone:
            await db.execute("UPDATE profile SET last_name = 'new'")
            await db.execute("DELETE FROM profile WHERE id % 2 = 0")
            await db.execute("INSERT INTO profile (external_id, last_name) VALUES (gen_random_uuid(), 'new')")

    watch.happens = change
    audience: dict[str, Any] = {"expression": {}} if chosen else {}
    run = await export_people(runtime, columns=["external_id", "last_name"], **audience)

    expected = [n for n in range(1, PEOPLE + 1) if not chosen or n % 3]
    lines = (await read_file(runtime, run.file_id)).splitlines()
    assert lines == ["external_id,last_name", *(f"C-{n},old" for n in expected)]
    assert (run.state, run.rows_total, run.rows_written) == (RunState.FINISHED, len(expected), len(expected))
    assert len(set(watch.backends)) == 2
    assert watch.backends.count(watch.backends[0]) in (len(watch.backends) // 2, (len(watch.backends) + 1) // 2)


async def test_where_half_of_the_pool_is_taken_one_reads(
    runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(db)
    watch = Watch(monkeypatch)
    busy = [await runtime.pool.acquire() for _ in range(runtime.pool.get_max_size() // 2)]
    try:
        run = await export_people(runtime, columns=["external_id"])
    finally:
        for one in busy:
            await runtime.pool.release(one)
    assert (run.state, run.rows_written) == (RunState.FINISHED, PEOPLE)
    assert len(set(watch.backends)) == 1


async def test_few_rows_are_read_by_one(runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    await add(db)
    watch = Watch(monkeypatch)
    monkeypatch.setattr(export_ranges, "RANGE", PEOPLE // 2 + 1)
    run = await export_people(runtime, columns=["external_id"])
    assert (run.rows_written, len(watch.backends)) == (PEOPLE, 2)


@pytest.mark.parametrize("at", [1, 2, 3])
async def test_what_fails_in_one_leaves_no_connection_at_work(
    runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    await add(db)
    watch = Watch(monkeypatch)
    watch.fails_after = at
    with pytest.raises(ZeroDivisionError):
        await export_people(runtime, columns=["external_id"])
    busy = await db.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND datname = current_database()"
        " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    assert busy == 0
    await asyncio.wait_for(runtime.pool.fetchval("SELECT 1"), 5)
