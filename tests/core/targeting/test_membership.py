"""Members are kept: what is kept equals a full count after whatever happens."""

from __future__ import annotations

import pytest

from core.access import SYSTEM
from core.db import Connection
from core.targeting.audiences import update_audience
from core.targeting.membership.keeping import keep_audience, release_audience
from core.targeting.membership.records import RECOUNT_EVERY, KeptState, Upkeep
from core.targeting.parse import parse_text
from tests.core.targeting.kept import AT, ZONE, counted, keep, members, replayed, settle, state
from tests.core.targeting.test_lists import people


async def test_members_follow_the_columns_that_are_read(conn: Connection) -> None:
    one, two, three = await people(conn, "FR", "DE", "FR")
    key = await keep(conn, "french", "country = 'FR'")
    assert (await state(conn, key)).state is KeptState.WAITING
    await settle(conn)

    assert await members(conn, key) == {one, three} == await counted(conn, key)
    await conn.execute("UPDATE profile SET country = 'FR' WHERE id = $1", two)
    await conn.execute("UPDATE profile SET country = 'DE' WHERE id = $1", three)
    assert await members(conn, key) == {one, three}
    await settle(conn)
    assert await members(conn, key) == {one, two} == await replayed(conn, key)
    await conn.execute("DELETE FROM profile WHERE id = $1", one)
    await settle(conn)
    assert await members(conn, key) == {two} == await replayed(conn, key)
    assert (await state(conn, key)).members == 1


async def test_another_question_is_counted_anew(conn: Connection) -> None:
    one, two, _ = await people(conn, "FR", "DE", "FR")
    key = await keep(conn, "some", "country = 'FR'")
    await settle(conn)
    await update_audience(conn, SYSTEM, key, {"expression": parse_text("country = 'DE' and city is_null")})
    await settle(conn)
    assert await members(conn, key) == {two} == await replayed(conn, key)
    await conn.execute("UPDATE profile SET city = 'Paris' WHERE id = $1", two)
    await settle(conn)
    assert await members(conn, key) == set()
    assert one


@pytest.mark.parametrize("question", ["held_out", "held_out = true and opt_out", "not (city = 'Rome' and held_out)"])
async def test_who_is_held_back_is_asked_at_intervals(conn: Connection, question: str) -> None:
    await people(conn, *(["FR"] * 20))
    key = await keep(conn, "held", question)
    await settle(conn)
    told = await state(conn, key)
    assert (told.upkeep, told.reasons) == (Upkeep.RECOUNTED, ("it asks who is held back from all deliveries",))
    await conn.execute(
        """
        INSERT INTO holdout (label, share, seed, starts_at, created_by)
        VALUES ('h', 50, 1, $1::timestamptz - interval '1 hour', 'x')
        """,
        AT,
    )
    later = AT + RECOUNT_EVERY
    await settle(conn, later)
    assert await members(conn, key) == await counted(conn, key, later)


async def test_what_is_released_is_cleared_away(conn: Connection) -> None:
    await people(conn, "FR", "DE", "FR")
    key = await keep(conn, "french", "country = 'FR'")
    await settle(conn)
    await release_audience(conn, SYSTEM, key)
    await keep_audience(conn, SYSTEM, key, zone=ZONE, now=AT)
    assert await members(conn, key) == set()
    await settle(conn)
    assert len(await members(conn, key)) == 2
    await release_audience(conn, SYSTEM, key)
    await settle(conn)
    for table in ("kept_audience", "kept_member", "membership_log", "membership_change"):
        assert await conn.fetchval(f"SELECT count(*) FROM {table}") == 0, table
    triggers = "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'membership%'"
    assert await conn.fetchval(triggers) == 0
