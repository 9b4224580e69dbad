"""The triggers that note what changes of the rows that audiences read, for as long as any kept audience reads them.

Which columns a trigger looks at stands in its arguments, so that the database itself tells what is captured. A trigger is made
under a lock that waits for all who are writing: who writes later is captured. So an audience is counted once the triggers of
all that it reads are there, and misses nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import asyncpg

from core.db import Connection
from core.log import get_logger
from core.targeting.membership.sources import Source, Way
from core.targeting.membership.store import triggers as store

PATIENCE = "2s"  # how long writers may have to wait while a trigger waits for those before; Postgres' own vacuum gives way in 1

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """What is captured of a table in one way."""

    table: str
    way: Way
    entity: str
    owners: tuple[str, ...]
    columns: tuple[str, ...]
    condition: str  # '' or WHERE …
    events: tuple[str, ...]

    @property
    def arguments(self) -> tuple[str, ...]:
        """As the trigger's function takes them."""
        return self.way.value, self.entity, _array(self.owners), _array(self.columns), self.condition, " ".join(self.events)


def captures_of(sources: Iterable[Source]) -> dict[tuple[str, str], Capture]:
    """What has to be captured, by table and way."""
    return {(one.table, one.way.value): _capture(one) for one in sources}


def _capture(source: Source) -> Capture:
    return Capture(
        table=source.table, way=source.way, entity=source.entity, owners=tuple(sorted(source.owners)),
        columns=tuple(sorted(source.columns)), condition=_condition(source.only),
        events=("INSERT", "UPDATE", "DELETE") if source.added else ("UPDATE", "DELETE"),
    )  # fmt: skip


def _condition(only: Iterable[tuple[str, int]] | None) -> str:
    """Of rows that are read at all: constants of the catalogue, and numbers of lists."""
    values: dict[str, list[int]] = {}
    for column, value in sorted(only or ()):
        values.setdefault(column, []).append(value)
    tests = [f"{column} IN ({', '.join(map(str, found))})" for column, found in values.items()]
    return f"WHERE {' AND '.join(tests)}" if tests else ""


def _array(names: Iterable[str]) -> str:
    return "{" + ",".join(names) + "}"


async def install(conn: Connection, wanted: Mapping[tuple[str, str], Capture]) -> tuple[set[str], set[str]]:
    """Make the triggers that are missing or look at less than they should; drop those that nobody needs. What cannot be locked
    is left for the next time.

    Returns the tables of which something was not captured until now, and those that are not captured yet.
    """
    present = await store.list_triggers(conn)
    begun: set[str] = set()
    waiting: set[str] = set()
    for key, capture in wanted.items():
        if present.get(key) == capture.arguments:
            continue
        if await _make(conn, capture, present.get(key)):
            if key not in present:
                begun.add(capture.table)
        else:
            waiting.add(capture.table)
    for table, way in present.keys() - wanted.keys():
        await _drop(conn, table, way)
    return begun, waiting


async def _make(conn: Connection, capture: Capture, present: tuple[str, ...] | None) -> bool:
    try:
        async with conn.transaction():
            await store.make_triggers(conn, capture.table, capture.way.value, capture.arguments, capture.events, PATIENCE)
    except (asyncpg.LockNotAvailableError, asyncpg.UndefinedTableError) as error:
        _log.info("changes of a table are captured later", table=capture.table, reason=str(error), captured=present is not None)
        return False
    return True


async def _drop(conn: Connection, table: str, way: str) -> None:
    try:
        async with conn.transaction():
            await store.drop_triggers(conn, table, way, PATIENCE)
    except asyncpg.LockNotAvailableError:
        _log.info("a table is captured for longer than it need be", table=table)
