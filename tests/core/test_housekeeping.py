"""What the floor forgets: answers that nobody asks for again, one-time addresses that have expired, files past their time."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from core import files, housekeeping, idempotency
from core.clock import system_clock
from core.config import load_settings
from core.db import Pool
from core.egress import GuardedIO
from core.errors import NotFound
from core.files import FileKind, Files, StoredFile
from core.runtime import Runtime
from core.secrets import new_key_text, parse_keyring
from core.workers.wiring import SCHEDULE


@pytest_asyncio.fixture
async def runtime(pool: Pool, tmp_path: Path) -> Runtime:
    """What sweeps are given."""
    settings = load_settings(var_dir=tmp_path)
    return Runtime(
        settings=settings,
        pool=pool,
        keyring=parse_keyring(new_key_text(1)),
        files=Files(tmp_path / "files"),
        io=GuardedIO.from_settings(settings),
    )


def later(runtime: Runtime, **by: float) -> Runtime:
    """The same after some time."""
    return replace(runtime, clock=lambda: system_clock() + timedelta(**by))


async def a_file(runtime: Runtime, kind: FileKind = FileKind.EXPORT) -> StoredFile:
    """One that is complete."""
    async with runtime.pool.acquire() as conn:
        file = await files.create_file(conn, kind, "people.csv", runtime.files.new_location("people.csv"), "anna")
        runtime.files.path(file).write_bytes(b"x")
        await files.complete_file(conn, file.id, 1, runtime.clock())
        return await files.get_file(conn, file.id)


async def get(runtime: Runtime, file: StoredFile) -> StoredFile:
    """The file as it is now."""
    async with runtime.pool.acquire() as conn:
        return await files.get_file(conn, file.id)


def on_disk(runtime: Runtime) -> list[str]:
    """What the folder holds."""
    return sorted(path.name for path in runtime.files.root.iterdir())


async def test_old_answers_and_expired_addresses_are_forgotten(runtime: Runtime, pool: Pool) -> None:
    async with pool.acquire() as conn, conn.transaction():
        assert await idempotency.claim(conn, runtime.keyring, "anna", "key", b"request") is None
        await idempotency.keep_answer(conn, runtime.keyring, "anna", "key", b"answer")
        file = await files.create_file(conn, FileKind.UPLOAD, "people.csv", "here", "anna")
        await files.issue_ticket(conn, file.id, "write", runtime.clock())

    async def left() -> list[int]:
        return [await pool.fetchval(f"SELECT count(*) FROM {table}") for table in ("idempotency_key", "file_ticket")]

    await housekeeping.sweep(runtime)
    assert await left() == [1, 1]
    await housekeeping.sweep(later(runtime, hours=25))
    assert await left() == [0, 0]


@pytest.mark.parametrize("kind", list(FileKind))
async def test_a_file_goes_when_it_was_kept_long_enough(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, kind: FileKind
) -> None:
    monkeypatch.setattr(housekeeping, "PORTION", 2)
    made = [await a_file(runtime, kind) for _ in range(5)]

    await housekeeping.sweep(later(runtime, days=29, hours=23))
    assert on_disk(runtime) == sorted(file.location for file in made)

    await housekeeping.sweep(later(runtime, days=30, hours=1))
    assert on_disk(runtime) == []
    for file in made:
        gone = await get(runtime, file)
        with pytest.raises(NotFound, match="removed after 30 days") as caught:
            files.check_kept(gone)
        assert caught.value.code == "FILE_REMOVED"
        async with runtime.pool.acquire() as conn:
            with pytest.raises(NotFound, match="removed after 30 days"):
                await files.issue_ticket(conn, file.id, "read", runtime.clock())


async def test_a_file_that_somebody_works_with_stays(runtime: Runtime, pool: Pool) -> None:
    file = await a_file(runtime, FileKind.UPLOAD)
    await files.hold_file(pool, file.id)

    await housekeeping.sweep(later(runtime, days=400))
    assert on_disk(runtime) == [file.location]

    await files.let_go(pool, file.id, system_clock() + timedelta(days=400))
    await housekeeping.sweep(later(runtime, days=429))
    assert on_disk(runtime) == [file.location]
    await housekeeping.sweep(later(runtime, days=431))
    assert on_disk(runtime) == []
    with pytest.raises(NotFound, match="removed after 31 days"):
        await files.hold_file(pool, file.id)


async def test_who_begins_to_work_with_a_file_this_moment_keeps_it(runtime: Runtime, pool: Pool) -> None:
    file = await a_file(runtime, FileKind.UPLOAD)
    async with pool.acquire() as conn, conn.transaction():
        await files.hold_file(conn, file.id)
        await housekeeping.sweep(later(runtime, days=31))
    await housekeeping.sweep(later(runtime, days=31))

    assert on_disk(runtime) == [file.location]


async def test_a_marked_file_goes_although_a_crash_came_between(runtime: Runtime, pool: Pool) -> None:
    file, other = await a_file(runtime), await a_file(runtime)
    await pool.execute("UPDATE stored_file SET removed_at = now() WHERE id = ANY($1::bigint[])", [file.id, other.id])
    runtime.files.path(other).unlink()  # and this one went

    await housekeeping.sweep(runtime)

    assert on_disk(runtime) == []


async def test_an_upload_that_never_came_is_given_up_and_may_be_asked_for_again(runtime: Runtime, pool: Pool) -> None:
    # Given bytes whose transaction was lost, of an upload that nobody sent again
    file = await files.create_file(pool, FileKind.UPLOAD, "a.csv", runtime.files.new_location("a.csv"), "anna")
    await files.issue_ticket(pool, file.id, "write", runtime.clock())
    runtime.files.path(file).write_bytes(b"x")
    await housekeeping.sweep(later(runtime, hours=23))
    assert on_disk(runtime) == [file.location]

    # When its address has expired
    await housekeeping.sweep(later(runtime, hours=25))

    # Then they go, and a new address leads to another place, which no late sweep empties
    assert on_disk(runtime) == []
    await files.issue_ticket(pool, file.id, "write", system_clock() + timedelta(hours=26))
    again = await get(runtime, file)
    assert (again.removed_at, again.size, again.location.endswith(".csv")) == (None, None, True)
    assert again.location != file.location
    await housekeeping.sweep(later(runtime, hours=49))
    assert (await get(runtime, file)).removed_at is None


async def test_old_bytes_that_no_row_knows_go(runtime: Runtime) -> None:
    file = await a_file(runtime)
    for name in ("stray", f"{file.location}{files.PART}x", ".nfs0001", "young", f"young{files.PART}x"):
        (runtime.files.root / name).write_bytes(b"x")
        if "young" not in name:
            os.utime(runtime.files.root / name, (0, 0))
    os.utime(runtime.files.path(file), (0, 0))
    (runtime.files.root / "folder").mkdir()

    await housekeeping.sweep(runtime)
    assert on_disk(runtime) == sorted([file.location, ".nfs0001", "young", f"young{files.PART}x", "folder"])
    await housekeeping.sweep(later(runtime, days=3))
    assert on_disk(runtime) == sorted([file.location, ".nfs0001", "folder"])


async def test_a_file_that_will_not_go_keeps_no_other(runtime: Runtime, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [await a_file(runtime) for _ in range(3)]
    await pool.execute("UPDATE stored_file SET removed_at = now()")
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.name == made[0].location:
            raise PermissionError(path.name)
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    await housekeeping.sweep(runtime)
    assert on_disk(runtime) == [made[0].location]
    monkeypatch.undo()
    await housekeeping.sweep(runtime)
    assert on_disk(runtime) == []


def test_it_is_done_by_the_clock() -> None:
    assert any(scheduled.sweep is housekeeping.sweep for scheduled in SCHEDULE)
