"""`prepare`: the ledger of ROWS recipients with all rules, against an INSERT … SELECT of the same columns without them."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime

from core.access import SYSTEM
from core.channel_registry import ChannelRegistry
from core.db import Connection, open_pool, transaction
from core.delivery import lifecycle, reading
from core.delivery.prepare import Preparation
from core.delivery.programs import Programs
from core.delivery.records import DeliveryState
from core.public_urls import PublicUrls
from core.secrets import load_keyring
from loadtests.campaign import connect, fill_profiles, make_delivery, page
from loadtests.figures import print_figure
from loadtests.stage import Stage, stage

ROWS = int(os.environ.get("ROWS", "1000000"))
RUNS = int(os.environ.get("RUNS", "3"))

REFERENCE = """
INSERT INTO ledger (delivery_id, recipient_kind, recipient_id, occurrence, program_id, due_at, state, reason, address,
                    address_key, values)
SELECT $1::bigint, 1, p.id, 0, 1, now(), 1, 0, p.email, p.email_key,
       jsonb_build_object('country', p.country, 'first_name', p.first_name, 'last_name', p.last_name)
  FROM profile p
"""


async def reference(conn: Connection, delivery_id: int) -> float:
    """Seconds of the bare statement into the same table; its rows are removed again."""
    await conn.execute("CHECKPOINT")
    started = time.perf_counter()
    await conn.execute(REFERENCE, delivery_id)
    seconds = time.perf_counter() - started
    await conn.execute("TRUNCATE ledger_0")
    return seconds


async def ours(conn: Connection, work: Preparation, delivery_id: int) -> float:
    """Seconds of a whole preparation, from the ask to ready."""
    await conn.execute("CHECKPOINT")
    async with conn.transaction():
        await lifecycle.prepare(conn, SYSTEM, delivery_id, datetime.now(UTC))
    started = time.perf_counter()
    await work.run(delivery_id)
    seconds = time.perf_counter() - started
    run = await lifecycle.get_run(conn, delivery_id)
    counts = await reading.counts(conn, delivery_id)
    if run.state is not DeliveryState.READY or counts.targeted != ROWS:
        raise SystemExit(f"the preparation went wrong: {run} {counts}")
    await conn.execute("TRUNCATE ledger_0, ledger_count")
    return seconds


async def bench(on: Stage) -> None:
    """Alternate the two."""
    conn = await connect(on.settings)
    await fill_profiles(conn, ROWS)
    await conn.execute(
        "INSERT INTO quarantine (address_kind, address_key, status) SELECT 'email', email_key, 'quarantine' FROM profile"
        " WHERE id % 100 = 0"
    )
    await conn.execute("UPDATE profile SET opt_out_email = true WHERE id % 50 = 1")
    await conn.execute("UPDATE profile SET email_key = 'same@mail.example', email = 'same@mail.example' WHERE id % 1000 = 3")
    await conn.execute("VACUUM ANALYZE profile")
    await conn.execute("ANALYZE quarantine")
    delivery_id = await make_delivery(
        on.settings, conn, "prepare", channel="email", html=page(2000, 3), audience="id > 0",
        config={"host": "127.0.0.1", "port": 25, "security": "none", "sender_domain": "mail.example"},
    )  # fmt: skip
    registry = ChannelRegistry.load()
    pool = await open_pool(str(on.settings.database_url), size=4, application="bench")
    async with transaction(pool) as other:
        await other.execute("SELECT 1")
    keyring = load_keyring(on.settings)
    programs = Programs(registry, PublicUrls(on.settings, keyring))
    work = Preparation(pool, programs, registry, keyring, lambda: datetime.now(UTC))
    await ours(conn, work, delivery_id)  # makes the partition
    mine, other_times = [], []
    for _ in range(RUNS):
        other_times.append(await reference(conn, delivery_id))
        mine.append(await ours(conn, work, delivery_id))
    print_figure("prepare", mine, other_times, unit="s", against="INSERT … SELECT without rules", recipients=ROWS)
    pool.terminate()
    await conn.close()


if __name__ == "__main__":
    with stage() as made:
        asyncio.run(bench(made))
