"""`pages`: page 10,000 of a listing against page 1, listing by listing, as the rooms give them to the API. Each is asked
several times before it counts, so that what Postgres plans once for all pages is what is measured.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from core.access import SYSTEM
from core.audit import list_entries
from core.datamodel.present import present_model
from core.datamodel.records import Index, Model
from core.datamodel.store.model import find_published, insert_published
from core.db import Connection
from core.paging import PageRequest
from core.profiles.profiles import list_profiles
from core.rows.listing import list_rows
from core.rows.pages import key_of
from core.rows.records import Order
from core.rows.shape import shape_of
from core.targeting.lists import create_list, list_members
from core.targeting.parse import parse_text
from loadtests.campaign import connect
from loadtests.figures import print_figure
from loadtests.shop import MODEL, fill_shop
from loadtests.stage import Stage, stage

ROWS = int(os.environ.get("ROWS", "1000000"))
RUNS = int(os.environ.get("RUNS", "40"))
WARM = 10  # times that each page is asked before
SIZE = 50  # rows of a page
PAGE = min(10_000, ROWS // SIZE)
ZONE = ZoneInfo("UTC")
_PROFILE, _PURCHASE = MODEL.entities
ORDERED = Model(entities=(_PROFILE, replace(_PURCHASE, indexes=(Index(name="by_amount", fields=("amount", "id")),))))
AT = datetime(2026, 6, 15, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A page after a cursor, None for the first, and how many rows it has; and the cursor before the page that is far on."""

    name: str
    ask: Callable[[Any], Awaitable[int]]
    far: Any


async def fill(conn: Connection) -> int:
    """So many people, purchases, entries of the audit, and members of a list, whose number is given back."""
    await fill_shop(conn, people=ROWS, purchases=ROWS, events=0, at=AT, model=ORDERED)
    await insert_published(conn, (await find_published(conn)).version + 1, ORDERED, [], "bench", AT)
    listed = await create_list(
        conn, SYSTEM, name="listed", label="Listed", whom=parse_text("id > 0"), now=AT, zone=ZONE
    )  # fmt: skip
    await conn.execute(
        """
        INSERT INTO audit_entry (actor, action, object_type, object_id, changes)
        SELECT 'bench', 'profile.update', 'profile', n::text, '{}' FROM generate_series(1, $1::bigint) AS n
        """,
        ROWS,
    )
    await conn.execute("VACUUM ANALYZE")
    return listed.id


async def listings(conn: Connection, list_id: int) -> list[Listing]:
    """What is measured."""
    before = SIZE * (PAGE - 1)

    async def profiles(after: Any) -> int:
        return len((await list_profiles(conn, PageRequest(first=SIZE, after=after))).rows)

    async def members(after: Any) -> int:
        return len((await list_members(conn, list_id, PageRequest(first=SIZE, after=after))).rows)

    async def audit(after: Any) -> int:
        return len(await list_entries(conn, object_type=None, object_ids=None, before_id=after, limit=SIZE))

    def rows(order: Order) -> Callable[[Any], Awaitable[int]]:
        async def ask(after: Any) -> int:
            found = await list_rows(conn, "purchase", order=order, first=SIZE, after=after, at=AT, zone=ZONE)
            return len(found.rows)

        return ask

    async def cursor(order: Order, column: str) -> str:
        found = f"SELECT {column} AS value, id FROM x_purchase ORDER BY {column}, id OFFSET $1 LIMIT 1"
        key = key_of(shape_of(await present_model(conn), "purchase"), order)
        return key.cursor(*await conn.fetchrow(found, before - 1))

    newest = await conn.fetchval("SELECT max(id) FROM audit_entry")
    by_id, by_amount = Order(), Order(field="amount")
    return [
        Listing(name="profiles", ask=profiles, far=before),
        Listing(name="members of a list", ask=members, far=before),
        Listing(name="audit", ask=audit, far=newest - before + 1),
        Listing(name="rows of a dataset", ask=rows(by_id), far=await cursor(by_id, "id")),
        Listing(name="rows by a field", ask=rows(by_amount), far=await cursor(by_amount, "x_amount")),
    ]


async def timed(listing: Listing, after: Any) -> float:
    """Milliseconds of a page."""
    started = time.perf_counter()
    if await listing.ask(after) != SIZE:
        raise SystemExit(f"a page of {listing.name} after {after!r} is not full")
    return (time.perf_counter() - started) * 1000


async def bench(on: Stage) -> None:
    """Alternate the two pages."""
    conn = await connect(on.settings)
    for listing in await listings(conn, await fill(conn)):
        first, far = [], []
        for run in range(WARM + RUNS):
            pair = await timed(listing, None), await timed(listing, listing.far)
            if run >= WARM:
                first.append(pair[0])
                far.append(pair[1])
        print_figure("pages", far, first, unit="ms", against="page 1", listing=listing.name, page=PAGE, rows=ROWS)
    await conn.close()


if __name__ == "__main__":
    with stage() as made:
        asyncio.run(bench(made))
