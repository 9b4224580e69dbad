"""Months come ahead and go with their time; events go with their person."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from core.access import SYSTEM
from core.config import load_settings
from core.db import Pool, transaction
from core.egress import GuardedIO
from core.events import jobs
from core.events.changes import KEPT, newest_position
from core.events.event_types import remove_event_type
from core.events.store.types import hold_types
from core.files import Files
from core.outbox import take
from core.profiles.profiles import delete_profile
from core.runtime import Runtime
from core.secrets import new_key_text, parse_keyring
from core.workers.wiring import WIRING
from tests.core.events.told import NOW, STORED, add_profile, codes, event, save, tell


@pytest.fixture
def clock() -> list[datetime]:
    """The present, to be moved."""
    return [NOW]


@pytest.fixture
def runtime(pool: Pool, database_url: str, tmp_path: Path, clock: list[datetime]) -> Runtime:
    """What jobs are given."""
    settings = load_settings(database_url=database_url, var_dir=tmp_path)
    return Runtime(
        settings=settings, pool=pool, keyring=parse_keyring(new_key_text(1)), files=Files(tmp_path / "files"),
        io=GuardedIO.from_settings(settings), clock=lambda: clock[0],
    )  # fmt: skip


async def places(pool: Pool) -> dict[str, str]:
    """Key → the partition that holds the event."""
    rows = await pool.fetch("SELECT key, tableoid::regclass::text AS place FROM e_purchase")
    return {row["key"]: row["place"].removeprefix("em_purchase_") for row in rows}


async def months(pool: Pool) -> list[str]:
    rows = await pool.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'e_purchase'::regclass ORDER BY 1"
    )
    return [row["name"].removeprefix("em_purchase_") for row in rows]


async def test_months_are_made_ahead_and_for_what_was_told_late(pool: Pool, runtime: Runtime, clock: list[datetime]) -> None:
    async with transaction(pool) as conn:
        await save(conn)
        await add_profile(conn)
    assert await months(pool) == ["2026_03", "2026_04", "2026_05", "other"]
    async with transaction(pool) as conn:
        told = {"now": NOW, "late": NOW - timedelta(days=40), "ancient": NOW - timedelta(days=4000)}
        assert codes(await tell(conn, *(event(key, occurred_at=at) for key, at in told.items()))) == [STORED] * 3
    assert await places(pool) == {"now": "2026_03", "late": "other", "ancient": "other"}
    clock[0] += timedelta(days=31)
    await jobs.sweep(runtime)
    await jobs.sweep(runtime)
    assert await months(pool) == ["2026_02", "2026_03", "2026_04", "2026_05", "2026_06", "other"]
    assert await places(pool) == {"now": "2026_03", "late": "2026_02", "ancient": "other"}


async def test_what_is_past_its_time_goes_with_its_keys(pool: Pool, runtime: Runtime, clock: list[datetime]) -> None:
    async with transaction(pool) as conn:
        await save(conn, retention_days=30)
        await save(conn, "visit")
        await add_profile(conn)
        old = NOW - timedelta(days=20)
        sent = [event("old", occurred_at=old), event("new"), event("old", occurred_at=old, type="visit")]
        assert codes(await tell(conn, *sent)) == [STORED] * 3
        # What is past its time already is not taken
        assert codes(await tell(conn, event("x", occurred_at=NOW - timedelta(days=31)))) == ["TOO_OLD"]
    clock[0] += timedelta(days=18)  # into the month after
    await jobs.sweep(runtime)
    assert list(await places(pool)) == ["new"]
    assert await pool.fetchval("SELECT count(*) FROM e_visit") == 1
    assert await pool.fetchval("SELECT count(*) FROM event_key") == 2
    clock[0] += timedelta(days=60)
    await jobs.sweep(runtime)
    assert await places(pool) == {}
    assert "2026_03" not in await months(pool)
    assert await pool.fetchval("SELECT count(*) FROM event_key") == 1


async def test_keys_of_removed_types_and_old_changes_are_forgotten(pool: Pool, runtime: Runtime, clock: list[datetime]) -> None:
    async with transaction(pool) as conn:
        await save(conn)
        await save(conn, "visit")
        await add_profile(conn)
        await tell(conn, event(), event(type="visit"))
        await tell(conn, event("k2"))
        newest = await newest_position(conn)
        await remove_event_type(conn, SYSTEM, "purchase", confirm="purchase")
    await jobs.sweep(runtime)
    assert await pool.fetchval("SELECT count(*) FROM event_key") == 1
    assert await pool.fetchval("SELECT count(*) FROM event_change") == 2
    clock[0] += KEPT + timedelta(seconds=1)
    await jobs.sweep(runtime)
    assert await pool.fetchval("SELECT array_agg(position) FROM event_change") == [newest]


async def test_events_go_with_their_person(pool: Pool, runtime: Runtime) -> None:
    async with transaction(pool) as conn:
        await save(conn)
        await save(conn, "visit")
        ann = await add_profile(conn)
        await add_profile(conn, "bob")
        amy = await add_profile(conn, "amy")
        await tell(conn, event("1"), event("ä", "ann", type="visit"), event("3", "bob"), event("4", "amy"))
        await conn.execute("UPDATE profile SET merged_into = $1 WHERE id = $2", ann, amy)
        await delete_profile(conn, SYSTEM, ann)
    async with transaction(pool) as conn:
        facts = await take(conn, 10)
    assert [one.ids for one in facts] == [{"profile_id": ann}, {"profile_id": amy}]
    for fact in (*facts, *facts):
        (job,) = WIRING[fact.topic]
        await job(runtime, **fact.ids)
    assert list(await places(pool)) == ["3"]
    assert await pool.fetchval("SELECT count(*) FROM e_visit") == 0
    # And nothing of what was told of them is left, so that the keys are free
    assert await pool.fetchval("SELECT count(*) FROM event_key") == 1


async def test_forgetting_waits_for_who_may_have_found_the_person(pool: Pool, runtime: Runtime) -> None:
    async with transaction(pool) as conn:
        await save(conn)
    async with pool.acquire() as recorder, recorder.transaction():
        await hold_types(recorder)
        async with transaction(pool) as conn:
            await conn.execute("SET LOCAL lock_timeout = '50ms'")
            with pytest.raises(Exception, match="lock timeout"):
                await hold_types(conn, alone=True)
