"""What the floor forgets: answers that nobody asks for again, one-time addresses that have expired."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from core import files, housekeeping, idempotency
from core.clock import system_clock
from core.config import load_settings
from core.db import Pool
from core.egress import GuardedIO
from core.files import FileKind, Files
from core.runtime import Runtime
from core.secrets import new_key_text, parse_keyring
from core.workers.wiring import SCHEDULE


async def test_old_answers_and_expired_addresses_are_forgotten(pool: Pool, tmp_path: Path) -> None:
    settings = load_settings(var_dir=tmp_path)
    runtime = Runtime(
        settings=settings,
        pool=pool,
        keyring=parse_keyring(new_key_text(1)),
        files=Files(tmp_path),
        io=GuardedIO.from_settings(settings),
    )
    async with pool.acquire() as conn, conn.transaction():
        assert await idempotency.claim(conn, runtime.keyring, "anna", "key", b"request") is None
        await idempotency.keep_answer(conn, runtime.keyring, "anna", "key", b"answer")
        file = await files.create_file(conn, FileKind.UPLOAD, "people.csv", "here", "anna")
        await files.issue_ticket(conn, file.id, "write", runtime.clock())

    async def left() -> list[int]:
        return [await pool.fetchval(f"SELECT count(*) FROM {table}") for table in ("idempotency_key", "file_ticket")]

    await housekeeping.sweep(runtime)
    assert await left() == [1, 1]
    await housekeeping.sweep(replace(runtime, clock=lambda: system_clock() + timedelta(hours=25)))
    assert await left() == [0, 0]


def test_it_is_done_by_the_clock() -> None:
    assert any(scheduled.sweep is housekeeping.sweep for scheduled in SCHEDULE)
