"""Imports into a dataset at once, workers that die, data models that change: every row is stored and counted once."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from core.access import SYSTEM
from core.datamodel.drafts import remove_field
from core.datamodel.hidden import drop_hidden
from core.datamodel.keys import remove_key
from core.db import Connection
from core.profiles import import_runner
from core.profiles.import_target import Written
from core.profiles.run_records import RunState
from core.profiles.store.runs import RunTable, revive_stalled
from core.runtime import Runtime
from core.transfers import jobs
from core.transfers.store import row_chunks
from tests.core.datamodel.model import NOW, publish_draft
from tests.core.profiles.house import Times, get_import
from tests.core.transfers.house import counts, import_rows, ready, rows, shop

ROWS = 600
WORKER = """
import asyncio, sys
from pathlib import Path
from core.config import load_settings
from core.profiles import import_runner
from core.runtime import open_runtime
from core.transfers import jobs

async def main(url, var, import_id):
    import_runner.CHUNK = 20
    settings = load_settings(database_url=url, var_dir=Path(var))
    async with open_runtime(settings, "test") as runtime:
        await jobs.run_import(runtime, import_id=int(import_id))

asyncio.run(main(*sys.argv[1:]))
"""


def file_of(number: int = ROWS, note: str = "x") -> str:
    return "receipt,shop,number,note\n" + "".join(f"R{n},Paris,{n},{note}{n}\n" for n in range(number))


async def test_a_worker_that_is_killed_is_followed_by_another_that_stores_the_rest_once(
    runtime: Runtime, db: Connection, times: Times, database_url: str, tmp_path: Path
) -> None:
    await shop(runtime, db)
    import_id = await ready(runtime, file_of(), "by_receipt")
    kills = 0
    for _ in range(20):
        before = (await get_import(runtime, import_id)).inserted
        worker = subprocess.Popen([sys.executable, "-c", WORKER, database_url, str(tmp_path), str(import_id)])
        until = time.monotonic() + 60
        while worker.poll() is None and time.monotonic() < until:
            run = await get_import(runtime, import_id)
            if run.inserted >= before + 100 and run.state is RunState.RUNNING:
                os.kill(worker.pid, signal.SIGKILL)
                kills += 1
                break
            await asyncio.sleep(0.002)
        worker.wait()
        if (await get_import(runtime, import_id)).state is RunState.FINISHED:
            break
        times.now = datetime.now(times.now.tzinfo)
        await revive_stalled(db, RunTable.IMPORT, times.move(days=1), times.now)
    assert kills >= 2
    assert counts(await get_import(runtime, import_id)) == {"inserted": ROWS}
    assert await db.fetchval("SELECT count(*) FROM x_purchase") == ROWS


async def test_the_same_rows_twice_at_once_are_there_once(
    runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_runner, "CHUNK", 40)
    await shop(runtime, db)
    ids = [await ready(runtime, file_of(), key) for key in ("by_receipt", "by_number", "by_receipt")]
    await asyncio.gather(*(jobs.run_import(runtime, import_id=one) for one in ids))
    done = [await get_import(runtime, one) for one in ids]
    assert {run.state for run in done} == {RunState.FINISHED}
    assert (sum(run.inserted for run in done), sum(run.unchanged for run in done)) == (ROWS, 2 * ROWS)
    assert await db.fetchval("SELECT count(*) FROM x_purchase") == ROWS


@pytest.mark.parametrize("how", ["hidden", "dropped", "key"])
async def test_a_field_or_key_that_goes_meanwhile_ends_the_import(
    runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(import_runner, "CHUNK", 50)
    await shop(runtime, db)
    finish, chunks = row_chunks.RowChunks.finish, itertools.count(1)

    async def changes(self: row_chunks.RowChunks, conn: Connection, now: datetime) -> Written:
        written = await finish(self, conn, now)
        if next(chunks) == 2:
            asyncio.get_running_loop().call_soon(changed.set)
        return written

    changed = asyncio.Event()
    store = import_runner._store

    async def waits(*args: object) -> None:
        await store(*args)  # type: ignore[arg-type]
        if changed.is_set():
            changed.clear()
            await change(db, how)

    monkeypatch.setattr(row_chunks.RowChunks, "finish", changes)
    monkeypatch.setattr(import_runner, "_store", waits)
    run = await import_rows(runtime, file_of(200), "by_receipt")
    assert (run.state, run.error and run.error.code, run.inserted) == (RunState.FAILED, "FIELD_GONE", 100)
    assert len(await rows(db, "x_purchase", "id")) == 100


async def change(db: Connection, how: str) -> None:
    if how == "key":
        await remove_key(db, SYSTEM, "purchase", "by_receipt", now=NOW)
        await publish_draft(db)
        return
    await remove_field(db, SYSTEM, "purchase", "note", now=NOW)
    await publish_draft(db)
    if how == "dropped":
        await drop_hidden(db, SYSTEM, "purchase", "note", confirm="purchase.note")
