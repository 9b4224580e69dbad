"""Active profiles (feature map 2.14): who was targeted by any channel in the last twelve months, each counted once."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from core.db import Connection
from core.errors import Invalid, LimitReached
from core.reporting import active_store as store
from core.reporting.records import ActiveProfiles

MOST_MONTHS = 24
PATIENCE = 60.0  # seconds


async def list_active_profiles(conn: Connection, months: int, *, now: datetime, zone: ZoneInfo) -> list[ActiveProfiles]:
    """The figure of each of the last months, the oldest first, up to the one that runs. A delivery counts from its start.

    Raises Invalid (BAD_MONTHS), LimitReached (REPORT_TOO_SLOW).
    """
    if not 1 <= months <= MOST_MONTHS:
        raise Invalid(f"the report is of 1 to {MOST_MONTHS} months, not {months}", code="BAD_MONTHS", path="months")
    last = now.astimezone(zone).date().replace(day=1)
    try:
        rows = await store.count_active(conn, _before(last, months - 1), last, zone.key, PATIENCE)
    except TimeoutError:
        raise LimitReached(
            f"the report takes longer than {PATIENCE:g} seconds", code="REPORT_TOO_SLOW", hint="Ask for fewer months."
        ) from None
    return [ActiveProfiles(**row) for row in rows]


def _before(month: date, number: int) -> date:
    years, rest = divmod(month.year * 12 + month.month - 1 - number, 12)
    return date(years, rest + 1, 1)
