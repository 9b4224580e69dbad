"""Members are kept: what is kept equals a full count after whatever happens."""

from __future__ import annotations

from core.access import SYSTEM
from core.db import Connection
from core.targeting.audiences import update_audience
from core.targeting.membership.keeping import keep_audience, release_audience
from core.targeting.membership.records import KeptState
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
    for table in ("kept_audience", "kept_member", "kept_due", "membership_log", "membership_change"):
        assert await conn.fetchval(f"SELECT count(*) FROM {table}") == 0, table
    triggers = "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'membership%'"
    assert await conn.fetchval(triggers) == 0
