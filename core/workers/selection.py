"""Whom an export of an audience or an expression holds: what `core.profiles` asks for and only targeting can answer."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from core.db import Connection
from core.profiles.exports import Selection
from core.profiles.run_records import ExportRun
from core.targeting.audiences import get_audience, open_audience, open_question
from core.targeting.json_parse import read_stored
from core.targeting.plans import cheaper
from core.targeting.store import everyone


async def select_people(conn: Connection, run: ExportRun, now: datetime) -> Selection:
    """Its profiles' ids at this moment, by the days of its zone. Raises NotFound (AUDIENCE_NOT_FOUND), ExpressionError."""
    if run.audience_id is not None:
        checked = await open_audience(conn, await get_audience(conn, run.audience_id))
    else:
        checked = await open_question(conn, read_stored(run.expression))
    statement = await cheaper(conn, checked, everyone, at=now, zone=ZoneInfo(run.time_zone))
    return Selection(statement.text, statement.args)
