"""Erasing somebody: from every declared table, and from texts that quote them. Set-based, harmless when it is done again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import asyncpg

from core.datamodel.physical import PREFIX
from core.db import Connection
from core.errors import Conflict
from core.personal import Person
from core.privacy.perimeter import ERASERS, TABLES, TEAM_TABLES, all_tables
from core.privacy.store import people as people_store
from core.privacy.store import statistics
from core.privacy.store import tables as store
from core.privacy.words import quotes_of


async def erase(conn: Connection, person: Person, now: datetime) -> dict[str, int]:
    """Everything that is declared, in the order of the perimeter; how many rows it were, by table.

    Raises Conflict (LINKED) where rows that stay are linked to one that would go, by a link that refuses.
    """
    counts: Counter[str] = Counter()
    made = [kept for listing in TEAM_TABLES for kept in await listing(conn)]
    for kept in made:
        try:
            counts[kept.table] += await store.erase(conn, kept, person)
        except (asyncpg.ForeignKeyViolationError, asyncpg.RestrictViolationError):
            raise Conflict(
                f"rows that stay are linked to a row of {kept.table.removeprefix(PREFIX)}, by a link that refuses",
                code="LINKED", hint="Take these links away, and try again.",
            ) from None  # fmt: skip
    for eraser in ERASERS:
        counts.update(await eraser(conn, person, now))
    for kept in TABLES:
        counts[kept.table] += await store.erase(conn, kept, person)
    return {name: number for name, number in counts.items() if number}


async def blot_out(conn: Connection, person: Person) -> dict[str, int]:
    """Texts that quote the person; in how many rows, by table."""
    quotes = quotes_of(person)
    counts: Counter[str] = Counter()
    for kept in await all_tables(conn):
        counts[kept.table] += await store.blot_out(conn, kept, quotes)
    return {name: number for name, number in counts.items() if number}


async def quoted_by_authors(conn: Connection, person: Person) -> dict[str, int]:
    """In how many rows what the team wrote quotes the person, by table: for the team to change."""
    quotes = quotes_of(person)
    counts: Counter[str] = Counter()
    for kept in await all_tables(conn):
        counts[kept.table] += await store.count_quoting(conn, kept, quotes)
    return {name: number for name, number in counts.items() if number}


async def sample_again(conn: Connection, person: Person) -> bool:
    """Have the database forget the values that it has sampled of somebody's rows; False: somebody else holds such a table."""
    quotes = quotes_of(person)
    patterns = dict.fromkeys((*quotes.words, *(part for names in quotes.names for part in names)))
    try:
        async with conn.transaction():
            for table in await statistics.list_quoting(conn, list(patterns)):
                await statistics.sample_again(conn, table)
    except asyncpg.LockNotAvailableError:
        return False
    return True


async def without_shared(conn: Connection, person: Person) -> tuple[Person, list[int]]:
    """The person with those addresses alone that nobody else has, and who else has one."""
    kinds, keys = [kind for kind, _ in person.addresses], [key for _, key in person.addresses]
    others = await people_store.others_with(conn, kinds, keys, list(person.profile_ids)) if keys else []
    shared = {(kind, key) for _, kind, key in others}
    own = tuple(one for one in person.addresses if one not in shared)
    return replace(person, addresses=own), sorted({profile_id for profile_id, _, _ in others})


def together(persons: Sequence[Person]) -> Person:
    """All that was ever found for one request."""
    linked: dict[str, tuple[str, ...]] = {}
    nobodys: dict[str, tuple[int, ...]] = {}
    for one in persons:
        for name, values in one.linked.items():
            linked[name] = tuple(dict.fromkeys((*linked.get(name, ()), *values)))
        for table, found in one.nobodys.items():
            nobodys[table] = tuple(dict.fromkeys((*nobodys.get(table, ()), *found)))
    return Person(
        profile_ids=tuple(sorted({found for one in persons for found in one.profile_ids})),
        addresses=tuple(dict.fromkeys(found for one in persons for found in one.addresses)),
        words=tuple(dict.fromkeys(found for one in persons for found in one.words)),
        names=tuple(dict.fromkeys(found for one in persons for found in one.names)),
        known_by=tuple(one for one in persons[0].known_by if all(one in other.known_by for other in persons)),
        linked=linked,
        nobodys=nobodys,
    )
