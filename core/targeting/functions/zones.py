"""The clock of a zone that a row tells: people's own."""

from __future__ import annotations

from sqlalchemy import TIMESTAMP, case, column, func, select, table

from core.targeting.catalogue import Kind
from core.targeting.functions.bounds import instant_within, to_instant
from core.targeting.functions.signature import INSTANTS, Argument, Asking, Family, Function, Nulls, Parameter, Sql

_KNOWN = table("pg_timezone_names", column("name"))


def _in_zone(asking: Asking, time: Argument, zone: Argument) -> Sql:
    """Postgres fails on a zone that it does not know, so those that it knows are asked first: once for a question. The zone
    itself is left out then, for what is the same for all rows is computed beforehand, whether it is wanted or not."""
    known = case((zone.sql.in_(select(_KNOWN.c.name)), zone.sql))
    return instant_within(to_instant(func.timezone(known, time.sql, type_=TIMESTAMP()), asking.zone))


ZONES = (
    Function(
        name="in_zone", family=Family.DATES, gives=Kind.INSTANT, build=_in_zone, nulls=Nulls.PARTIAL, uses=8,
        parameters=(Parameter(name="x", takes=INSTANTS), Parameter(name="zone", takes=frozenset({Kind.TEXT}))),
        label="x moved, so that the clock of the zone asked in shows what that of another shows at x; none of an unknown zone",
        example="hour(in_zone(now, time_zone)) = 9",
    ),
)  # fmt: skip
