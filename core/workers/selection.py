"""Whom an export of an audience or an expression holds: what `core.profiles` asks for and only targeting can answer."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from core.db import Connection
from core.profiles.exports import Selection
from core.profiles.records import ExportRun
from core.targeting.audiences import get_audience, open_audience
from core.targeting.check import check
from core.targeting.json_form import read_stored
from core.targeting.published import present_catalogue
from core.targeting.sql import compile_statement, population

UTC = ZoneInfo("UTC")


async def select_people(conn: Connection, run: ExportRun, now: datetime) -> Selection:
    """Its profiles' ids at this moment. Raises NotFound (AUDIENCE_NOT_FOUND), ExpressionError."""
    if run.audience_id is not None:
        checked = await open_audience(conn, await get_audience(conn, run.audience_id))
    else:
        checked = check(read_stored(run.expression), await present_catalogue(conn))
    statement = compile_statement(population(checked, at=now, zone=UTC))
    return Selection(statement.text, statement.args)
