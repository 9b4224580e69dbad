"""Rows that are watched: one reading for all, the newest value for each."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from api.graphql.live import Watches
from core.db import Connection, Pool
from core.errors import NotFound


class Row:
    """What is watched."""

    def __init__(self) -> None:
        self.value: int | Exception = 1
        self.read = 0

    async def look(self, conn: Connection) -> int:
        """One reading."""
        self.read += 1
        await conn.fetchval("SELECT 1")
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


async def test_a_watcher_gets_the_present_value_then_newer_ones_then_the_end(pool: Pool) -> None:
    row, watches = Row(), Watches(pool, tick=0.01)
    async with aclosing(watches.follow("row", row.look, lambda value: value == 3)) as values:
        assert await anext(values) == 1
        row.value = 2
        assert await anext(values) == 2
        row.value = 3
        assert await anext(values) == 3
        with pytest.raises(StopAsyncIteration):
            await anext(values)
    assert watches._watched == {}


async def test_what_changed_while_a_watcher_was_busy_comes_as_one_value(pool: Pool) -> None:
    row, watches = Row(), Watches(pool, tick=0.01)
    async with aclosing(watches.follow("row", row.look, lambda value: False)) as values:
        assert await anext(values) == 1
        for value in range(2, 6):
            row.value = value
            await asyncio.sleep(0.05)
        assert await anext(values) == 5


async def test_who_comes_later_gets_the_present_value_at_once_and_nothing_is_read_twice(pool: Pool) -> None:
    row, watches = Row(), Watches(pool, tick=30)
    async with aclosing(watches.follow("row", row.look, lambda value: False)) as first:
        assert await anext(first) == 1
        async with aclosing(watches.follow("row", row.look, lambda value: False)) as second:
            assert await anext(second) == 1
    assert row.read == 1


async def test_who_comes_while_the_last_watcher_leaves_goes_on_hearing(pool: Pool) -> None:
    # Given one watcher, who leaves in the moment in which another comes
    row, watches = Row(), Watches(pool, tick=0.01)
    leaving = watches.follow("row", row.look, lambda value: False)
    assert await anext(leaving) == 1
    async with aclosing(watches.follow("row", row.look, lambda value: False)) as coming:
        _, first = await asyncio.gather(leaving.aclose(), anext(coming))
        # Then the new one hears the present value, and what comes after it
        assert first == 1
        row.value = 2
        async with asyncio.timeout(5):
            assert await anext(coming) == 2
    assert watches._watched == {}


async def test_an_error_ends_the_watch_for_all(pool: Pool) -> None:
    row, watches = Row(), Watches(pool, tick=0.01)
    async with aclosing(watches.follow("row", row.look, lambda value: False)) as values:
        assert await anext(values) == 1
        row.value = NotFound("it is gone")
        with pytest.raises(NotFound):
            await anext(values)


async def test_a_database_that_is_away_is_waited_for(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.graphql.live.AWAY_SECONDS", 0.05)
    row, watches = Row(), Watches(pool, tick=0.01)
    async with aclosing(watches.follow("row", row.look, lambda value: False)) as values:
        assert await anext(values) == 1
        row.value = ConnectionResetError()
        await asyncio.sleep(0.1)
        row.value = 2
        assert await anext(values) == 2
