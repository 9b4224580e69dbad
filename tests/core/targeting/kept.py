"""Short ways to keep audiences and to compare what is kept with a full count, shared by the tests of membership."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from core.access import SYSTEM
from core.db import Connection
from core.targeting.audiences import create_audience, get_audience, open_audience
from core.targeting.membership import keeping
from core.targeting.membership.records import LONGEST_COUNT, Membership
from core.targeting.membership.upkeep import keep_up
from core.targeting.parse import parse_text
from core.targeting.records import AudienceDraft
from core.targeting.sql import compile_statement, population

AT, ZONE = datetime(2026, 6, 1, 12, tzinfo=UTC), ZoneInfo("Europe/Paris")


async def keep(conn: Connection, name: str, question: str, now: datetime = AT, zone: ZoneInfo = ZONE) -> int:
    """A new audience whose members are kept."""
    draft = AudienceDraft(name=name, label=name, expression=parse_text(question))
    audience = await create_audience(conn, SYSTEM, draft)
    await keeping.keep_audience(conn, SYSTEM, audience.id, zone=zone, now=now)
    return audience.id


async def settle(conn: Connection, now: datetime = AT, patience: timedelta = LONGEST_COUNT) -> None:
    """Bring everything up to date."""
    while await keep_up(conn, now, now, patience=patience):
        pass


async def members(conn: Connection, audience_id: int) -> set[int]:
    """As they are kept."""
    rows = await conn.fetch(
        "SELECT profile_id FROM kept_member m JOIN kept_audience k ON k.id = m.kept_id WHERE k.audience_id = $1"
        " AND m.entered_at IS NOT NULL",
        audience_id,
    )
    return {row["profile_id"] for row in rows}


async def counted(conn: Connection, audience_id: int, now: datetime = AT, zone: ZoneInfo = ZONE) -> set[int]:
    """As a full count finds them."""
    checked = await open_audience(conn, await get_audience(conn, audience_id))
    asked = compile_statement(population(checked, at=now, zone=zone))
    return {row[0] for row in await conn.fetch(asked.text, *asked.args)}


async def replayed(conn: Connection, audience_id: int) -> set[int]:
    """As the log tells them."""
    found: set[int] = set()
    after = 0
    while changes := await keeping.list_changes(conn, audience_id, after, 7):
        for one in changes:
            assert one.entered is (one.profile_id not in found), "nobody enters twice, or leaves who is not in"
            found ^= {one.profile_id}
        after = changes[-1].position
    return found


async def state(conn: Connection, audience_id: int, now: datetime = AT) -> Membership:
    """What is known of it."""
    return (await keeping.find_memberships(conn, [audience_id], now))[audience_id]
