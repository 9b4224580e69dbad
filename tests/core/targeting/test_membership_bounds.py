"""An audience whose count would take too long is not kept, or given up, and the others are kept all the same."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.access import SYSTEM
from core.db import Connection, transaction
from core.errors import LimitReached
from core.runtime import Runtime
from core.targeting import cost
from core.targeting.audiences import create_audience, update_audience
from core.targeting.membership.keeping import keep_audience
from core.targeting.membership.records import TRIED_AGAIN_AFTER, KeptState
from core.targeting.parse import parse_text
from core.targeting.records import AudienceDraft
from tests.core.targeting.kept import AT, ZONE, counted, keep, members, replayed, settle, state
from tests.core.targeting.test_lists import people

SHORT = timedelta(seconds=2)


async def slow(conn: Connection, audience_id: int) -> None:
    """Let it take minutes to write down a member of this audience."""
    kept = await conn.fetchval("SELECT id FROM kept_audience WHERE audience_id = $1", audience_id)
    await conn.execute(
        f"""
        CREATE FUNCTION sleep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(300); RETURN NEW; END';
        CREATE TRIGGER sleep BEFORE INSERT ON kept_member FOR EACH ROW WHEN (NEW.kept_id = {kept}) EXECUTE FUNCTION sleep();
        """
    )


async def test_the_others_are_kept_when_a_count_takes_too_long(conn: Connection) -> None:
    one, two, three = await people(conn, "FR", "DE", "FR")
    runaway = await keep(conn, "runaway", "country = 'FR'")
    other = await keep(conn, "other", "country = 'DE'")
    await slow(conn, runaway)
    await settle(conn, patience=SHORT)

    # Then it is told, and nothing of the count stays
    told = await state(conn, runaway)
    assert (told.state, told.members, told.counted_at) == (KeptState.GIVEN_UP, 0, None)
    assert "took longer than" in (told.trouble or "")
    assert told.recount_at == AT + TRIED_AGAIN_AFTER
    assert await members(conn, runaway) == set()

    # And the other is kept, while nobody is looked at for the one that was given up
    assert (await state(conn, other)).state is KeptState.KEPT
    await conn.execute("UPDATE profile SET country = 'DE' WHERE id = $1", three)
    await conn.execute("UPDATE profile SET country = 'FR' WHERE id = $1", two)
    await settle(conn, patience=SHORT)
    assert await members(conn, other) == {three} == await replayed(conn, other)
    assert (await state(conn, runaway)).state is KeptState.GIVEN_UP

    # It is tried again a day later, and no sooner
    await conn.execute("DROP TRIGGER sleep ON kept_member")
    await settle(conn, AT + TRIED_AGAIN_AFTER - timedelta(seconds=1))
    assert await members(conn, runaway) == set()
    await settle(conn, AT + TRIED_AGAIN_AFTER)
    assert await members(conn, runaway) == {one, two} == await counted(conn, runaway) == await replayed(conn, runaway)
    told = await state(conn, runaway)
    assert (told.state, told.trouble) == (KeptState.KEPT, None)


async def test_the_others_are_kept_when_a_count_makes_a_value_that_is_too_large(conn: Connection) -> None:
    _, two, _ = await people(conn, "FR", "DE", "FR")
    runaway = await keep(conn, "runaway", "country = 'FR'")
    other = await keep(conn, "other", "country = 'DE'")
    await slow(conn, runaway)
    await conn.execute(
        """
        CREATE OR REPLACE FUNCTION sleep() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM length(repeat(''x'', 1200000000)); RETURN NEW; END';
        """
    )
    await settle(conn)

    told = await state(conn, runaway)
    assert (told.state, told.members, told.recount_at) == (KeptState.GIVEN_UP, 0, AT + TRIED_AGAIN_AFTER)
    assert "larger than the database holds" in (told.trouble or "")
    assert await members(conn, other) == {two}
    assert (await state(conn, other)).state is KeptState.KEPT


async def test_members_stay_as_they_were_when_a_recount_takes_too_long(conn: Connection) -> None:
    one, two, _ = await people(conn, "FR", "DE", "FR")
    key = await keep(conn, "french", "country = 'FR'")
    await settle(conn)
    before = await members(conn, key)
    await slow(conn, key)
    await update_audience(conn, SYSTEM, key, {"expression": parse_text("country = 'DE'")})
    await settle(conn, patience=SHORT)
    told = await state(conn, key)
    assert (told.state, told.members) == (KeptState.GIVEN_UP, 2)
    assert await members(conn, key) == before

    # Another question is counted at once
    await conn.execute("DROP TRIGGER sleep ON kept_member")
    await update_audience(conn, SYSTEM, key, {"expression": parse_text("country in ('DE', 'IT')")})
    await settle(conn)
    assert await members(conn, key) == {two} == await replayed(conn, key)
    assert (await state(conn, key)).trouble is None
    assert one


async def test_what_would_run_for_days_is_not_kept(runtime: Runtime, db: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    await db.execute("INSERT INTO profile (city) SELECT 'c' || n FROM generate_series(1, 20000) AS n")
    await db.execute("ANALYZE profile")
    draft = AudienceDraft(name="dear", label="Dear", expression=parse_text("city = 'c7'"))
    async with transaction(runtime.pool) as conn:
        dear = await create_audience(conn, SYSTEM, draft)
    monkeypatch.setattr(cost, "MOST_COST", 10)
    with pytest.raises(LimitReached) as refused:
        async with transaction(runtime.pool) as conn:
            await keep_audience(conn, SYSTEM, dear.id, zone=ZONE, now=AT)
    assert refused.value.code == "QUESTION_TOO_COSTLY"
    assert "an index on profile.city would help" in (refused.value.hint or "")
    assert await db.fetchval("SELECT count(*) FROM kept_audience") == 0
