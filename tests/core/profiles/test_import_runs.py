"""Imports at once, workers that die, databases that go away: every row is counted once."""

from __future__ import annotations

import asyncio
import errno
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg
import pytest

from core.access import SYSTEM
from core.db import TRY_LATER, Connection, transaction
from core.files import PART, get_file
from core.outbox import take
from core.profiles import import_runner, imports, jobs
from core.profiles.import_target import Written
from core.profiles.profiles import create_profile, update_profile
from core.profiles.rejects_file import WrittenRejects, attach_rejects
from core.profiles.run_records import ImportRun, MatchKey, RunState
from core.profiles.store import import_chunks
from core.profiles.store import imports as store
from core.runtime import Runtime
from tests.core.profiles.house import (
    Times,
    counts,
    cut_connections,
    get_import,
    import_people,
    people,
    read_rejects,
    ready_import,
)

ROWS = 400


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many chunks in a small file."""
    monkeypatch.setattr(import_runner, "CHUNK", 50)


def file_of(rows: int = ROWS, name: str = "P") -> str:
    """A file with a bad row in every fifty."""
    lines = (f"C-{n},p{n}@mail.example,{name}{n},{'Atlantis' if n % 50 == 7 else 'FR'}\n" for n in range(rows))
    return "external_id,email,first_name,country\n" + "".join(lines)


EXPECTED = {"inserted": ROWS - ROWS // 50, "rejected": ROWS // 50}


@asynccontextmanager
async def working(runtime: Runtime, import_id: int) -> AsyncIterator[asyncio.Task[Any]]:
    """A worker on an import, until the block ends."""
    task = asyncio.create_task(import_runner.run_import(runtime, import_id=import_id))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@dataclass(slots=True)
class Midway:
    """A worker that stops once in the middle of an import, inside a chunk, until it is told to go on."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)


@pytest.fixture
def midway(monkeypatch: pytest.MonkeyPatch) -> Midway:
    """The next worker stops in its third chunk."""
    made, finish, chunks = Midway(), import_chunks.ChunkStore.finish, itertools.count(1)

    async def stops(self: import_chunks.ChunkStore, conn: Connection, now: datetime) -> Written:
        if next(chunks) == 3:
            made.reached.set()
            await made.go_on.wait()
        return await finish(self, conn, now)

    monkeypatch.setattr(import_chunks.ChunkStore, "finish", stops)
    return made


async def until(runtime: Runtime, import_id: int, reached: Callable[[ImportRun], bool]) -> ImportRun:
    """Wait for a state of the row."""
    async with asyncio.timeout(20):
        while True:
            run = await get_import(runtime, import_id)
            if reached(run):
                return run
            await asyncio.sleep(0.005)


async def announced(runtime: Runtime) -> list[int]:
    """Imports that somebody was told to work on."""
    async with transaction(runtime.pool) as conn:
        return [one.ids["import_id"] for one in await take(conn, 100) if one.topic == "import.ready"]


async def resume(runtime: Runtime, times: Times) -> None:
    """What the sweep and a worker do once nobody has been heard for a while."""
    await announced(runtime)
    times.move(seconds=jobs.QUIET.total_seconds() + 1)
    await jobs.sweep(runtime)
    for import_id in await announced(runtime):
        await import_runner.run_import(runtime, import_id=import_id)


async def check_complete(runtime: Runtime, import_id: int) -> None:
    """Everything is there, once."""
    run = await get_import(runtime, import_id)
    assert run.state is RunState.FINISHED
    assert counts(run) == EXPECTED
    assert run.bytes_read == run.bytes_total
    found = await people(runtime, "external_id")
    assert len(found) == len(set(found)) == EXPECTED["inserted"]
    rejects = await read_rejects(runtime, run)
    assert [int(one["line"]) for one in rejects] == [n + 2 for n in range(ROWS) if n % 50 == 7]


async def test_progress_can_be_watched(runtime: Runtime) -> None:
    import_id = await ready_import(runtime, file_of())
    seen = set()

    async with working(runtime, import_id) as task:
        while not task.done():
            run = await get_import(runtime, import_id)
            seen.add(run.bytes_read)
            assert run.rows == run.inserted + run.rejected
            await asyncio.sleep(0)
        await task

    assert len(seen) > 2
    await check_complete(runtime, import_id)


@pytest.mark.parametrize("key", [MatchKey.EXTERNAL_ID, MatchKey.EMAIL])
async def test_the_same_file_twice_at_once_makes_each_person_once(runtime: Runtime, key: MatchKey) -> None:
    ids = [await ready_import(runtime, file_of(), key=key) for _ in range(3)]

    await asyncio.gather(*(import_runner.run_import(runtime, import_id=import_id) for import_id in ids))

    runs = [await get_import(runtime, import_id) for import_id in ids]
    assert all(run.state is RunState.FINISHED for run in runs)
    assert sum(run.inserted for run in runs) == EXPECTED["inserted"]
    assert sum(run.unchanged for run in runs) == 2 * EXPECTED["inserted"]
    assert all((run.updated, run.ambiguous) == (0, 0) for run in runs)
    found = await people(runtime, "email_key")
    assert len(found) == len(set(found)) == EXPECTED["inserted"]


async def test_two_files_of_the_same_people_at_once_lose_no_field(runtime: Runtime) -> None:
    await import_people(runtime, "external_id\n" + "".join(f"C-{n}\n" for n in range(ROWS)))
    forth = "external_id,first_name\n" + "".join(f"C-{n},F{n}\n" for n in range(ROWS))
    back = "external_id,city\n" + "".join(f"C-{n},T{n}\n" for n in reversed(range(ROWS)))
    ids = [await ready_import(runtime, data) for data in (forth, back)]

    await asyncio.gather(*(import_runner.run_import(runtime, import_id=import_id) for import_id in ids))

    for import_id in ids:
        assert counts(await get_import(runtime, import_id)) == {"updated": ROWS}
    assert set(await people(runtime, "external_id", "first_name", "city")) == {
        (f"C-{n}", f"F{n}", f"T{n}") for n in range(ROWS)
    }


async def test_imports_by_different_keys_and_changes_by_hand_at_once(runtime: Runtime, times: Times) -> None:
    await import_people(runtime, file_of(100))
    by_id = await ready_import(runtime, "external_id,city\n" + "".join(f"C-{n},T\n" for n in range(100)))
    by_email = await ready_import(
        runtime, "email,state\n" + "".join(f"p{n}@mail.example,S\n" for n in reversed(range(100))), key=MatchKey.EMAIL
    )
    rows = await people(runtime, "id")

    async def by_hand() -> None:
        for (profile_id,) in rows[::7]:
            async with transaction(runtime.pool) as conn:
                await update_profile(conn, SYSTEM, profile_id, {"last_name": "L"}, now=times.now)

    await asyncio.gather(*(import_runner.run_import(runtime, import_id=one) for one in (by_id, by_email)), by_hand())

    found = await people(runtime, "external_id", "city", "state", "last_name")
    listed = [row for row in found if row[0] is not None]
    assert len([row for row in listed if row[1] == "T"]) == 100
    assert len([row for row in found if row[2] == "S"]) == 100
    assert len([row for row in found if row[3] == "L"]) == len(rows[::7])


async def test_a_person_who_comes_by_another_door_meanwhile_is_updated(runtime: Runtime, db: Connection, times: Times) -> None:
    """The chunk looks, somebody inserts the key, the chunk inserts: the row is found when it is tried again."""
    import_id = await ready_import(runtime, "external_id,first_name\nC-1,File\n")
    transaction_of_other = db.transaction()
    await transaction_of_other.start()
    await create_profile(db, SYSTEM, {"external_id": "C-1", "last_name": "Hand"}, now=times.now)

    async with working(runtime, import_id) as task:
        await asyncio.sleep(0.2)
        assert not task.done()
        await transaction_of_other.commit()
        await task

    assert counts(await get_import(runtime, import_id)) == {"updated": 1}
    assert await people(runtime, "external_id", "first_name", "last_name") == [("C-1", "File", "Hand")]


async def test_a_worker_that_is_cancelled_in_the_middle(runtime: Runtime, times: Times, midway: Midway) -> None:
    import_id = await ready_import(runtime, file_of())

    async with working(runtime, import_id):
        await midway.reached.wait()
    stopped = await get_import(runtime, import_id)
    assert stopped.state is RunState.RUNNING
    assert stopped.rows == 100
    await resume(runtime, times)

    await check_complete(runtime, import_id)


async def test_a_connection_that_is_killed_in_the_middle(
    runtime: Runtime, db: Connection, times: Times, midway: Midway
) -> None:
    import_id = await ready_import(runtime, file_of())

    async with working(runtime, import_id) as task:
        await midway.reached.wait()
        await cut_connections(runtime, db)
        midway.go_on.set()
        with pytest.raises(TRY_LATER):
            await task
    assert (await get_import(runtime, import_id)).state is RunState.RUNNING
    await resume(runtime, times)

    await check_complete(runtime, import_id)


async def test_a_worker_that_was_thought_dead_stores_nothing_more(
    runtime: Runtime, times: Times, midway: Midway, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = await ready_import(runtime, file_of())

    async def no_lock(self: import_chunks.ChunkStore, conn: Connection) -> None:
        return None

    monkeypatch.setattr(import_chunks.ChunkStore, "lock", no_lock)

    async with working(runtime, import_id) as sleeper:
        await midway.reached.wait()
        await resume(runtime, times)
        await check_complete(runtime, import_id)
        midway.go_on.set()
        await sleeper

    await check_complete(runtime, import_id)


async def test_a_worker_that_falls_asleep_with_the_lock_is_cut_off(
    runtime: Runtime, times: Times, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = await ready_import(runtime, file_of())
    frozen, thaw = asyncio.Event(), asyncio.Event()
    finish = import_chunks.ChunkStore.finish

    async def falls_asleep(self: import_chunks.ChunkStore, conn: Connection, now: object) -> object:
        if not frozen.is_set():
            frozen.set()
            await thaw.wait()
        return await finish(self, conn, now)  # type: ignore[arg-type]

    monkeypatch.setattr(import_chunks, "ASLEEP_MS", 300)
    monkeypatch.setattr(import_chunks.ChunkStore, "finish", falls_asleep)

    async with working(runtime, import_id) as sleeper:
        await frozen.wait()
        await resume(runtime, times)
        await check_complete(runtime, import_id)
        thaw.set()
        with pytest.raises(TRY_LATER):
            await sleeper

    await check_complete(runtime, import_id)


async def test_a_process_that_ends_hands_over_at_once(runtime: Runtime, times: Times, midway: Midway) -> None:
    import_id = await ready_import(runtime, file_of())
    await announced(runtime)

    async with working(runtime, import_id) as task:
        await midway.reached.wait()
        runtime.stopping.set()
        midway.go_on.set()
        await task
    released = await get_import(runtime, import_id)

    assert released.state is RunState.READY
    assert await announced(runtime) == [import_id]
    runtime.stopping.clear()
    await import_runner.run_import(runtime, import_id=import_id)
    await check_complete(runtime, import_id)


async def test_cancelling_stops_before_the_next_chunk_and_keeps_what_was_stored(
    runtime: Runtime, db: Connection, times: Times, midway: Midway
) -> None:
    import_id = await ready_import(runtime, file_of())

    async with working(runtime, import_id) as task:
        await midway.reached.wait()
        cancelled = await imports.cancel_import(db, SYSTEM, import_id, times.now)
        midway.go_on.set()
        await task
    run = await get_import(runtime, import_id)

    assert run.state is RunState.CANCELLED
    assert run.rows == cancelled.rows < ROWS
    assert len(await people(runtime, "id")) == run.inserted
    assert len(await read_rejects(runtime, run)) == run.rejected


async def test_rejects_of_a_run_whose_worker_died_at_the_end_still_become_a_file(
    runtime: Runtime, times: Times, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = await ready_import(runtime, file_of())

    def dies(runtime: Runtime, run: ImportRun) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as patch:
        patch.setattr(import_runner, "write_rejects", dies)
        with pytest.raises(ConnectionResetError):
            await import_runner.run_import(runtime, import_id=import_id)
    assert (await get_import(runtime, import_id)).rejects_file_id is None
    await resume(runtime, times)

    await check_complete(runtime, import_id)


async def upload_name(runtime: Runtime, import_id: int) -> str:
    """The name on disk of the file that came in."""
    run = await get_import(runtime, import_id)
    async with runtime.pool.acquire() as conn:
        return (await get_file(conn, run.file_id)).location


@pytest.mark.parametrize("broken", ["stream_rejects", "set_rejects_file"])
async def test_rejects_that_cannot_be_written_leave_no_file(
    runtime: Runtime, times: Times, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    import_id = await ready_import(runtime, file_of())

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(store, broken, full)
        with pytest.raises(OSError, match="No space"):
            await import_runner.run_import(runtime, import_id=import_id)
        with pytest.raises(OSError, match="No space"):
            await resume(runtime, times)  # and so on until there is space
        assert [path.name for path in runtime.files.root.iterdir()] == [await upload_name(runtime, import_id)]
    await resume(runtime, times)

    await check_complete(runtime, import_id)


async def test_rejects_of_a_worker_that_was_killed_are_swept_up(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    import_id = await ready_import(runtime, file_of())
    names: list[str] = []
    attach = attach_rejects

    async def looks(conn: Connection, runtime: Runtime, run: ImportRun, written: WrittenRejects | None) -> None:
        names.extend(path.name for path in runtime.files.root.iterdir())
        await attach(conn, runtime, run, written)

    monkeypatch.setattr(import_runner, "attach_rejects", looks)
    await import_runner.run_import(runtime, import_id=import_id)

    assert sorted(PART in name for name in names) == [False, True]
    await check_complete(runtime, import_id)


async def test_a_mistake_of_ours_ends_the_import_and_is_told(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    import_id = await ready_import(runtime, file_of())

    async def broken(*_: object, **__: object) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(store, "advance", broken)
    with pytest.raises(ZeroDivisionError):
        await import_runner.run_import(runtime, import_id=import_id)

    run = await get_import(runtime, import_id)
    assert run.state is RunState.FAILED
    assert run.error is not None
    assert run.error.code == "INTERNAL"
    assert await people(runtime, "id") == []


async def test_others_in_the_way_all_the_time_end_the_import(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    import_id = await ready_import(runtime, "external_id\nA\n")

    async def in_the_way(*_: object) -> object:
        raise asyncpg.DeadlockDetectedError("deadlock detected")

    monkeypatch.setattr(import_chunks.ChunkStore, "finish", in_the_way)
    monkeypatch.setattr(import_runner, "RETRY_SECONDS", 0.0)
    await import_runner.run_import(runtime, import_id=import_id)

    run = await get_import(runtime, import_id)
    assert run.state is RunState.FAILED
    assert run.error is not None
    assert run.error.code == "IMPORT_BLOCKED"


async def test_a_second_worker_finds_nothing_to_do(runtime: Runtime) -> None:
    import_id = await ready_import(runtime, file_of())

    async with working(runtime, import_id) as task:
        await until(runtime, import_id, lambda run: run.state is RunState.RUNNING)
        await import_runner.run_import(runtime, import_id=import_id)
        await task

    await check_complete(runtime, import_id)


async def test_the_sweep_leaves_living_imports_alone(runtime: Runtime, times: Times) -> None:
    import_id = await ready_import(runtime, file_of())
    await announced(runtime)
    times.move(seconds=jobs.QUIET.total_seconds() - 1)
    await jobs.sweep(runtime)
    assert await announced(runtime) == []

    times.move(seconds=2)
    await jobs.sweep(runtime)
    await jobs.sweep(runtime)

    assert await announced(runtime) == [import_id]
