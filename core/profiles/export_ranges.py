"""The rows of an export, range after range, in order: made by two connections side by side that see one snapshot.

A server works on each connection with one process, and making the cells of a file is most of the work of an export.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from core.db import Connection, Pool, allow_silence
from core.profiles.fields import Field
from core.profiles.store import exports as store

RANGE = 12_500  # rows fetched at once by each reader: some megabytes
WRITE_SECONDS = 300.0  # for which the snapshot may wait until what it gave is written
_BEFORE_ALL = -(2**63)  # less than any number


@dataclass(frozen=True, slots=True)
class Range:
    """Rows whose numbers are above `after` and at most `last`: all, or those with one of the `chosen`."""

    after: int
    last: int
    chosen: Sequence[int] | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """Rows as the format's writer takes them."""

    data: Sequence[Any]
    rows: int


class ExportSource(Protocol):
    """Where the rows of an export come from: ranges of a number that orders them, all of one snapshot."""

    fields: Sequence[Field]

    @property
    def shared(self) -> bool:
        """Whether each connection to the snapshot can fetch, and not only the one that selected."""

    async def select(self, conn: Connection) -> int:
        """Find out which rows; how many they are."""

    async def next_range(self, conn: Connection, after: int) -> Range | None:
        """The range of the next rows, asked of the connection that selected; None when there are no more."""

    async def fetch(self, conn: Connection, wanted: Range) -> Fetched:
        """The rows of a range, in order."""


async def next_of_all(conn: Connection, table: str, key: str, after: int) -> Range | None:
    """The range of the next rows of a table, by a column of different numbers."""
    last = await store.next_bound(conn, table, key, after, RANGE)
    return None if last is None else Range(after, last)


async def choose(conn: Connection, text: str, args: Sequence[Any]) -> store.Chosen:
    """Remember what a statement selects (its column `id`, each once), in ranges."""
    return await store.choose(conn, text, args, RANGE)


async def next_chosen(chosen: store.Chosen, after: int) -> Range | None:
    """The range of the next rows that were chosen."""
    numbers = await chosen.next()
    return Range(after, numbers[-1], numbers) if numbers else None


@asynccontextmanager
async def open_readers(pool: Pool, conn: Connection, source: ExportSource, rows: int) -> AsyncIterator[Sequence[Connection]]:
    """The connections that read: `conn`, whose transaction has the snapshot, and another one where that pays.

    That is for more than two ranges of rows, and while half of the pool is free: others need connections, too.
    """
    await allow_silence(conn, WRITE_SECONDS)
    free = pool.get_max_size() - pool.get_size() + pool.get_idle_size()
    if not source.shared or rows <= 2 * RANGE or free * 2 < pool.get_max_size():
        yield [conn]
        return
    snapshot = await store.share_snapshot(conn)
    async with pool.acquire() as second, second.transaction(isolation="repeatable_read", readonly=True):
        await store.take_snapshot(second, snapshot)
        await allow_silence(second, WRITE_SECONDS)
        await store.write_days_alike(second)
        yield [conn, second]


async def fetch_rounds(readers: Sequence[Connection], source: ExportSource) -> AsyncIterator[Sequence[Fetched]]:
    """All rows, in order: a range for each reader at a time."""
    after = _BEFORE_ALL
    while ranges := await _next_ranges(readers, source, after):
        after = ranges[-1].last
        tasks = [asyncio.ensure_future(source.fetch(conn, one)) for conn, one in zip(readers, ranges, strict=False)]
        await asyncio.wait(tasks)  # for all, also when one fails: a connection is left when nothing runs on it
        yield [task.result() for task in tasks]


async def _next_ranges(readers: Sequence[Connection], source: ExportSource, after: int) -> list[Range]:
    found: list[Range] = []
    for _ in readers:
        one = await source.next_range(readers[0], after)
        if one is None:
            break
        found.append(one)
        after = one.last
    return found
