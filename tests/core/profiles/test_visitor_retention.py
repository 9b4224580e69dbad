"""Visitors of whom nobody came to know who they are go after their time; whoever is somebody stays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from core.access import SYSTEM
from core.config import load_settings
from core.db import Pool, transaction
from core.egress import GuardedIO
from core.errors import Invalid
from core.files import Files
from core.profiles import jobs, profiles, visitors
from core.profiles.identities import ProfileReference, ReferenceKind
from core.profiles.visitor_records import SentVisitor
from core.runtime import Runtime
from core.secrets import new_key_text, parse_keyring
from core.workers.wiring import SCHEDULE

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest_asyncio.fixture
async def runtime(pool: Pool, tmp_path: Path) -> Runtime:
    """What sweeps are given, a year and a day after visitors came."""
    settings = load_settings(var_dir=tmp_path)
    return Runtime(
        settings=settings, pool=pool, keyring=parse_keyring(new_key_text(1)), files=Files(tmp_path / "files"),
        io=GuardedIO.from_settings(settings), clock=after(366),
    )  # fmt: skip


def after(days: float) -> Callable[[], datetime]:
    """A clock that shows a moment so much later."""
    return lambda: NOW + timedelta(days=days)


def kept_for(runtime: Runtime, days: int) -> Runtime:
    return replace(runtime, settings=runtime.settings.model_copy(update={"visitor_retention_days": days}))


async def come(runtime: Runtime, *sent: SentVisitor, days: float = 0) -> None:
    async with transaction(runtime.pool) as conn:
        told = await visitors.save_visitors(conn, SYSTEM, sent, now=after(days)())
    assert [one.error for one in told] == [None] * len(sent)


async def there(pool: Pool) -> list[str]:
    return [row[0] for row in await pool.fetch("SELECT external_id FROM visitor ORDER BY external_id")]


async def test_visitors_whom_nobody_knows_go_a_year_after_their_last_change(runtime: Runtime, pool: Pool) -> None:
    async with transaction(pool) as conn:
        who = ProfileReference(ReferenceKind.ID, (await profiles.create_profile(conn, SYSTEM, {}, now=NOW)).id)
    await come(
        runtime,
        *(SentVisitor(external_id=name) for name in ("old", "told-again", "changed", "known-later")),
        SentVisitor(external_id="known", profile=who),
        SentVisitor(external_id="sent", referrer=who),
    )
    await come(runtime, SentVisitor(external_id="changed", values={"origin": "contest"}), days=2)
    await come(runtime, SentVisitor(external_id="told-again"), days=2)
    await come(runtime, SentVisitor(external_id="known-later", profile=who), days=2)

    await jobs.sweep_visitors(replace(runtime, clock=after(364)))
    assert len(await there(pool)) == 6
    await jobs.sweep_visitors(runtime)
    assert await there(pool) == ["changed", "known", "known-later"]
    await jobs.sweep_visitors(replace(runtime, clock=after(400)))
    assert await there(pool) == ["known", "known-later"]


async def test_the_setting_says_how_long_and_0_means_for_good(runtime: Runtime, pool: Pool) -> None:
    await come(runtime, SentVisitor(external_id="v"))
    await jobs.sweep_visitors(kept_for(replace(runtime, clock=after(100_000)), 0))
    await jobs.sweep_visitors(kept_for(runtime, 367))
    await jobs.sweep_visitors(kept_for(runtime, 36_500))
    assert await there(pool) == ["v"]
    await jobs.sweep_visitors(kept_for(replace(runtime, clock=after(1.01)), 1))
    assert await there(pool) == []
    for value in ("-1", "36501", "x"):
        with pytest.raises(Invalid, match="CLARION_VISITOR_RETENTION_DAYS"):
            load_settings(visitor_retention_days=value)


async def test_many_go_some_at_a_time(runtime: Runtime, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In transactions of their own: one that somebody holds costs the others nothing, and goes the next time."""
    monkeypatch.setattr(visitors, "FORGET_AT_ONCE", 10)
    await come(runtime, *(SentVisitor(external_id=f"v{n:02}") for n in range(35)))
    async with pool.acquire() as other:
        held = other.transaction()
        await held.start()
        await other.execute("SELECT FROM visitor WHERE external_id = 'v07' FOR UPDATE")
        async with asyncio.timeout(20):
            await jobs.sweep_visitors(runtime)
        assert await there(pool) == ["v07"]
        await held.rollback()
    await jobs.sweep_visitors(runtime)
    assert await there(pool) == []


async def test_they_are_looked_for_every_hour() -> None:
    (scheduled,) = [one for one in SCHEDULE if one.sweep is jobs.sweep_visitors]
    assert scheduled.every == timedelta(hours=1)
