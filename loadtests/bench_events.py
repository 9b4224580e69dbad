"""`events`: ROWS business events through `POST /events`, as JSON lines in one body, against COPY of the same rows in the same
portions into a table with the same columns, key, indexes and months.

Ours decodes and checks each event, finds its profile by external id, knows repeats by their keys, and tells who has changed. A
further line: the same body once more.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import asyncpg

from api.http.events import EVENTS_AT_ONCE
from core.access import SYSTEM
from core.accounts.tokens import first_admin_token
from core.datamodel.records import Choice, FieldKind
from core.db import transaction
from core.events.event_types import save_event_type
from core.events.physical import partitioned
from core.events.records import EventField, EventTypeDraft
from core.partitions import list_months
from core.runtime import open_runtime
from loadtests.campaign import connect, fill_profiles
from loadtests.figures import print_figure
from loadtests.stage import Stage, stage

ROWS = int(os.environ.get("ROWS", "500000"))
RUNS = int(os.environ.get("RUNS", "3"))
PEOPLE = 100_000
COLUMNS = (
    "profile_id", "occurred_at", "received_at", "key", "x_amount", "x_product", "x_pieces", "x_gift", "x_way",
)  # fmt: skip
PURCHASE = EventTypeDraft(
    name="purchase",
    label="Purchase",
    fields=(
        EventField(name="amount", label="Amount", kind=FieldKind.DECIMAL, required=True),
        EventField(name="product", label="Product", kind=FieldKind.TEXT, max_length=100),
        EventField(name="pieces", label="Pieces", kind=FieldKind.INTEGER),
        EventField(name="gift", label="Gift", kind=FieldKind.BOOLEAN),
        EventField(
            name="way", label="Way", kind=FieldKind.ENUMERATION,
            choices=(Choice(name="shop", label="In the shop"), Choice(name="web", label="On the web")),
        ),
    ),
)  # fmt: skip


def purchases(now: datetime) -> Iterator[tuple[str, datetime, str, Decimal, str, int, bool, str]]:
    """External id, time, key and payload of each event, over the last month."""
    for n in range(ROWS):
        at = (now - timedelta(seconds=n * 2_600_000 // ROWS)).replace(microsecond=0)
        who = f"p{1 + n * 7919 % PEOPLE}"
        yield (
            who,
            at,
            f"order-{n}",
            Decimal(n % 99999) / 100,
            f"Product {n % 500}",
            1 + n % 5,
            n % 3 == 0,
            ("shop", "web")[n % 2],
        )


def write_body(path: Path, now: datetime) -> None:
    """The body, one event a line."""
    with path.open("w") as out:
        for who, at, key, amount, product, pieces, gift, way in purchases(now):
            payload = {"amount": float(amount), "product": product, "pieces": pieces, "gift": gift, "way": way}
            event = {
                "type": "purchase", "profile": {"externalId": who}, "occurredAt": at.isoformat(), "key": key, "payload": payload
            }  # fmt: skip
            out.write(json.dumps(event) + "\n")


def post(port: int, token: str, body: Path) -> tuple[float, dict[str, Any]]:
    """Seconds until everything is stored, and the answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=600)
    headers = {
        "Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson", "Content-Length": str(body.stat().st_size)
    }  # fmt: skip
    with body.open("rb") as source:
        started = time.perf_counter()
        connection.request("POST", "/events", source, headers)
        answer = json.loads(connection.getresponse().read())
        seconds = time.perf_counter() - started
    connection.close()
    return seconds, answer


async def copy(conn: asyncpg.Connection, rows: list[tuple[Any, ...]]) -> float:
    """Seconds of COPY, a transaction for each portion."""
    started = time.perf_counter()
    for start in range(0, len(rows), EVENTS_AT_ONCE):
        await conn.copy_records_to_table("events_reference", columns=COLUMNS, records=rows[start : start + EVENTS_AT_ONCE])
    return time.perf_counter() - started


async def prepare(on: Stage, now: datetime) -> str:
    """People, the type, and the table of the reference; returns a token."""
    async with open_runtime(on.settings, "bench") as runtime, transaction(runtime.pool) as conn:
        await fill_profiles(conn, PEOPLE)
        await save_event_type(conn, SYSTEM, PURCHASE, now=now)
        made = await first_admin_token(conn, runtime.keyring, runtime.clock())
        await conn.execute("CREATE TABLE events_reference (LIKE e_purchase INCLUDING ALL) PARTITION BY RANGE (occurred_at)")
        await conn.execute("CREATE TABLE events_reference_other PARTITION OF events_reference DEFAULT")
        for start in await list_months(conn, partitioned("purchase")):
            following = (start + timedelta(days=31)).replace(day=1)
            await conn.execute(
                f"CREATE TABLE events_reference_{start:%Y_%m} PARTITION OF events_reference"
                f" FOR VALUES FROM ('{start.isoformat()}') TO ('{following.isoformat()}')"
            )
    assert made is not None
    return made[1]


async def measure(on: Stage, port: int, token: str, body: Path, now: datetime) -> None:
    """Alternate the two, then send the same body again."""
    conn = await connect(on.settings)
    ids = {row["external_id"]: row["id"] for row in await conn.fetch("SELECT external_id, id FROM profile")}
    rows = [(ids[who], at, now, *rest) for who, at, *rest in purchases(now)]
    ours, reference, again = [], [], []
    for _ in range(RUNS):
        await conn.execute("TRUNCATE e_purchase, event_key, event_change, events_reference")
        await conn.execute("CHECKPOINT")
        reference.append(ROWS / await copy(conn, rows))
        await conn.execute("CHECKPOINT")
        seconds, answer = await asyncio.to_thread(post, port, token, body)
        if answer.get("stored") != ROWS:
            raise SystemExit(f"the events went wrong: {answer}")
        ours.append(ROWS / seconds)
        seconds, answer = await asyncio.to_thread(post, port, token, body)
        if answer.get("repeated") != ROWS:
            raise SystemExit(f"the same events were not known: {answer}")
        again.append(ROWS / seconds)
    await conn.close()
    against = f"COPY of the same rows, {EVENTS_AT_ONCE} at once, into a table with the same columns, key, indexes and months"
    print_figure("events_http", ours, reference, unit="events/s", against=against, rows=ROWS, fields=len(PURCHASE.fields))
    print_figure("events_http_again", again, ours, unit="events/s", against="the first time", rows=ROWS)


def main() -> None:
    """Measure and print."""
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="clarion-events-") as folder, stage(database_pool_size=10) as ground:
        body = Path(folder) / "events.ndjson"
        write_body(body, now)
        token = asyncio.run(prepare(ground, now))
        with ground.serving("api.server") as port:
            asyncio.run(measure(ground, port, token, body, now))


if __name__ == "__main__":
    main()
