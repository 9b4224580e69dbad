"""Pieces of SQL that cannot fail: what lies out of bounds has no value.

`CASE` and `coalesce` look only at what they need, but anything outside of them is computed for every row, and a
question that fails on one row of a million is worse than one without an answer for it.
"""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    BindParameter,
    ColumnClause,
    ColumnElement,
    Date,
    Integer,
    Numeric,
    Text,
    bindparam,
    cast,
    func,
    literal_column,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.visitors import iterate
from sqlalchemy.types import TypeEngine

from core.targeting.catalogue import Kind
from core.targeting.functions.signature import Argument, Sql

MOST_CHARACTERS = 10_000  # of a text that is put together
MOST_DIGITS = 38  # before the point of a product
DIGITS = 18  # after the point of a product or quotient
MOST_STEPS = 400_000_000_000  # of a unit of time; more than there are seconds in the calendar


_UTC = "UTC"


def raw(text: str, of: TypeEngine[Any] | None = None) -> Sql:
    """SQL of ours, never of an author's."""
    return literal_column(text, of)


def within(value: Sql, above: Sql, below: Sql) -> Sql:
    """The value where it lies between the two, else NULL; the value stands in the SQL only once."""
    low = func.nullif(func.greatest(func.nullif(func.least(value, below), below), above), above)
    low.type = below.type
    return low


def whole(argument: Argument, least: int, most: int, of: TypeEngine[Any] | None = None) -> Sql:
    """An integer of SQL from a number; NULL beyond the bounds."""
    if isinstance(argument.constant, int):
        return bindparam(None, argument.constant if least <= argument.constant <= most else None, of or Integer())
    held = within(argument.sql, raw(f"{least - 1}::numeric", Numeric()), raw(f"{most + 1}::numeric", Numeric()))
    return cast(held, of or Integer())


def bigint(number: Sql) -> Sql:
    """64 bits, NULL for more."""
    return cast(within(number, raw(f"{-(2**63) - 1}::numeric", Numeric()), raw(f"{2**63}::numeric", Numeric())), BigInteger)


def bounded(number: Sql) -> Sql:
    """A product, NULL where it is absurd: repeated products would outgrow Postgres."""
    return within(number, raw(f"-1e{MOST_DIGITS}::numeric", Numeric()), raw(f"1e{MOST_DIGITS}::numeric", Numeric()))


def cut(text: Sql) -> Sql:
    """The start of a text: texts put together of texts would outgrow memory."""
    return func.left(text, raw(str(MOST_CHARACTERS)), type_=Text())


def folded(text: Sql) -> Sql:
    """A text as it is compared unless asked otherwise."""
    return func.fold_text(text, type_=Text())


def day_within(day: Sql) -> Sql:
    """A day of the years 1 to 9999, else NULL."""
    return within(day, raw("date '0001-12-31 BC'", Date()), raw("date '10000-01-01'", Date()))


def local_within(moment: Sql) -> Sql:
    """A local time of the years 1 to 9999, else NULL."""
    kind = TIMESTAMP()
    return within(moment, raw("timestamp '0001-12-31 23:59:59.999999 BC'", kind), raw("timestamp '10000-01-01'", kind))


def instant_within(instant: Sql) -> Sql:
    """An instant of the years 1 to 9999, else NULL."""
    kind = TIMESTAMP(timezone=True)
    return within(
        instant, raw("timestamptz '0001-12-31 23:59:59.999999+00 BC'", kind), raw("timestamptz '10000-01-01 00:00+00'", kind)
    )


def zone_name(zone: ZoneInfo | str) -> Sql:
    """A zone as a bound value, one for all places where it stands."""
    key = zone if isinstance(zone, str) else zone.key
    return bindparam("zone_" + "".join(sign if sign.isalnum() else f"_{ord(sign)}_" for sign in key), key, Text())


def to_local(instant: Sql, zone: ZoneInfo | str) -> Sql:
    """The wall clock of a zone at an instant."""
    return func.timezone(zone_name(zone), instant, type_=TIMESTAMP())


def to_instant(local: Sql, zone: ZoneInfo | str) -> Sql:
    """The instant of a wall-clock time: of one that comes twice the first, as `moments.to_utc` has it."""
    if (zone if isinstance(zone, str) else zone.key) == _UTC:
        return func.timezone(zone_name(zone), local, type_=TIMESTAMP(timezone=True))
    return FirstInstant(local, zone_name(zone))


class FirstInstant(ColumnElement[Any]):
    """Of a wall-clock time that comes twice the first instant.

    Postgres takes a skipped time with the offset before the change, as we do, but of two the last. The offset of the day before
    gives the first; it is taken where it leads to the same wall clock. `OFFSET 0` keeps each step from being computed again
    wherever it is named; what is the same for all rows is written out instead, for Postgres to compute while it plans.
    """

    inherit_cache = False
    type = TIMESTAMP(timezone=True)

    def __init__(self, local: Sql, zone: Sql) -> None:
        self.local = local
        self.zone = zone

    @property
    def of_rows(self) -> bool:
        """Whether it is another one for another row, or may be."""
        return any(_differs(one) for one in iterate(self.local))

    @property
    def _from_objects(self) -> list[Any]:  # what SQLAlchemy asks for to find the tables of a statement
        return list(self.local._from_objects)


def _differs(part: Any) -> bool:
    """Whether a part of SQL, without the parts of it, says something else of another row."""
    match part:
        case FirstInstant():
            return part.of_rows
        case ColumnClause():
            return not part.is_literal
        case _:
            return not isinstance(part, BindParameter) and not list(part.get_children())


_STEPS = (
    "(SELECT CASE WHEN timezone({zone}, early) = wall THEN early ELSE late END FROM"
    " (SELECT wall, late, timezone('UTC', wall - ({before})) AS early FROM"
    " (SELECT wall, timezone({zone}, wall) AS late FROM (SELECT {wall} AS wall OFFSET 0) AS of_wall OFFSET 0) AS of_late"
    " OFFSET 0) AS of_early)"
)
_BEFORE = "timezone({zone}, {late} - interval '1 day') - timezone('UTC', {late} - interval '1 day')"


@compiles(FirstInstant)
def _write_first(element: FirstInstant, compiler: SQLCompiler, **options: Any) -> str:
    zone, wall = compiler.process(element.zone, **options), compiler.process(element.local, **options)
    if element.of_rows:
        return _STEPS.format(zone=zone, wall=wall, before=_BEFORE.format(zone=zone, late="late"))
    late = f"timezone({zone}, {wall})"
    early = f"timezone('UTC', {wall} - ({_BEFORE.format(zone=zone, late=late)}))"
    return f"CASE WHEN timezone({zone}, {early}) = {wall} THEN {early} ELSE {late} END"


def local_of(argument: Argument, zone: ZoneInfo | str) -> Sql:
    """A local time: midnight of a day, or the wall clock at an instant."""
    return to_local(argument.sql, zone) if argument.kind is Kind.INSTANT else cast(argument.sql, TIMESTAMP())


def day_of(argument: Argument, zone: ZoneInfo | str) -> Sql:
    """A day: itself, or that of an instant in the zone."""
    return cast(to_local(argument.sql, zone), Date) if argument.kind is Kind.INSTANT else argument.sql


def instant_of(argument: Argument, zone: ZoneInfo | str) -> Sql:
    """An instant: itself, or the first of a day in the zone."""
    return argument.sql if argument.kind is Kind.INSTANT else to_instant(cast(argument.sql, TIMESTAMP()), zone)
