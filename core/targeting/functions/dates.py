"""Functions of days and instants. Days are those of the zone asked in, or of one that is named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial
from zoneinfo import ZoneInfo, available_timezones

from sqlalchemy import Date, Double, Numeric, and_, cast, extract, func, or_

from core.targeting.catalogue import Kind
from core.targeting.functions.bounds import (
    MOST_STEPS,
    day_of,
    day_within,
    instant_of,
    instant_within,
    local_of,
    local_within,
    raw,
    to_instant,
    whole,
)
from core.targeting.functions.signature import (
    INSTANTS,
    TIMES,
    Argument,
    Asking,
    Family,
    Function,
    Nulls,
    Parameter,
    Sql,
)
from core.targeting.language import Scalar

_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600}
_MOST_DAYS = 4_000_000  # more than there are in the calendar
_MOST_MONTHS = 130_000
_YEAR = 365
_DAY_SECONDS = 86_400


def _refuse_zone(value: Scalar) -> str | None:
    return None if value in available_timezones() else "a time zone such as 'Europe/Paris'"


ZONE = Parameter(name="zone", takes=frozenset({Kind.TEXT}), constant=True, refuse=_refuse_zone)


def zone_of(asking: Asking, zone: Argument | None) -> ZoneInfo:
    """The zone that is named, or that of the question."""
    return ZoneInfo(str(zone.constant)) if zone else asking.zone


def _time(group: str | None = None) -> Parameter:
    return Parameter(name="x", takes=TIMES, group=group)


def _part(field: str, asking: Asking, time: Argument, zone: Argument | None = None) -> Sql:
    local = time.sql if time.kind is Kind.DATE else local_of(time, zone_of(asking, zone))
    found: Sql = func.floor(extract(field, local), type_=Numeric())
    return found


def _year_month(asking: Asking, time: Argument, zone: Argument | None = None) -> Sql:
    return _part("year", asking, time, zone) * raw("100") + _part("month", asking, time, zone)


def _start(unit: str, asking: Asking, time: Argument, zone: Argument | None = None) -> Sql:
    """The first moment of the unit that a time lies in; of a day, a day."""
    if time.kind is Kind.DATE:
        return cast(func.date_trunc(raw(f"'{unit}'"), time.sql), Date)
    place = zone_of(asking, zone)
    return to_instant(func.date_trunc(raw(f"'{unit}'"), local_of(time, place)), place)


def _start_of_interval(asking: Asking, time: Argument, seconds: Argument, zone: Argument | None = None) -> Sql:
    """The last time at which the clock had gone a multiple of so many seconds since midnight."""
    place = zone_of(asking, zone)
    local = local_of(time, place)
    step = func.make_interval(*([raw("0")] * 6), cast(seconds.sql, Double()))
    return to_instant(func.date_bin(step, local, func.date_trunc(raw("'day'"), local)), place)


def _add_calendar(months: int, days: int, asking: Asking, time: Argument, number: Argument) -> Sql:
    """Moves by a number of months or days and keeps the wall clock."""
    most = _MOST_MONTHS // months if months else _MOST_DAYS // days
    step = whole(number, -most, most)
    if time.kind is Kind.DATE and days:
        return day_within(time.sql + step * raw(str(days)) if days > 1 else time.sql + step)
    amount = step * raw(str(months or days))
    span = func.make_interval(raw("0"), amount) if months else func.make_interval(raw("0"), raw("0"), raw("0"), amount)
    if time.kind is Kind.DATE:
        return day_within(cast(local_of(time, asking.zone) + span, Date))
    return to_instant(local_within(local_of(time, asking.zone) + span), asking.zone)


def _add_exact(seconds: int, asking: Asking, time: Argument, number: Argument) -> Sql:
    most = MOST_STEPS // seconds
    amount = whole(number, -most, most, Numeric()) * raw(str(seconds))
    zeros = [raw("0")] * 6
    return instant_within(time.sql + func.make_interval(*zeros, amount))


def _days_between(asking: Asking, start: Argument, end: Argument) -> Sql:
    return cast(day_of(end, asking.zone) - day_of(start, asking.zone), Numeric())


def _exact_between(seconds: int, asking: Asking, start: Argument, end: Argument) -> Sql:
    span = extract("epoch", instant_of(end, asking.zone) - instant_of(start, asking.zone))
    found: Sql = func.div(cast(span, Numeric()), raw(f"{seconds}::numeric"), type_=Numeric())
    return found


def _digits(day: Sql, month: int) -> Sql:
    """A day as a number in which years and months can be told apart: 2024-05-31 is (2024 · 12 + 5) · month + 31."""
    months = extract("year", day) * raw("12") + extract("month", day)
    return months * raw(str(month)) + extract("day", day)


def _calendar_between(months: int, asking: Asking, start: Argument, end: Argument) -> Sql:
    """Whole months or years: a month is over on the day of the same number."""
    apart = _digits(day_of(end, asking.zone), 100) - _digits(day_of(start, asking.zone), 100)
    found: Sql = func.div(cast(apart, Numeric()), raw(f"{months * 100}::numeric"), type_=Numeric())
    return found


def _until_today(between: Callable[..., Sql], asking: Asking, time: Argument) -> Sql:
    return between(asking, time, _today(asking))


def _today(asking: Asking) -> Argument:
    day = raw(f"date '{asking.today.isoformat()}'", Date())
    return Argument(kind=Kind.DATE, sql=day, nullable=False, constant=asking.today)


def _ago(months: int, asking: Asking, number: Argument) -> Sql:
    most = _MOST_MONTHS if months else _MOST_DAYS
    step = whole(number, -most, most)
    today = _today(asking)
    if months:
        return day_within(cast(local_of(today, asking.zone) - func.make_interval(raw("0"), step), Date))
    return day_within(today.sql - step)


def _anniversary_within(asking: Asking, time: Argument, start: Argument, end: Argument) -> Sql:
    """Whether the day of the year comes round on a day after `before`, and on `last` at the latest.

    Days are compared as an index on month and day has them. 29 February comes after 28 February and before 1 March in every
    year, so that a common year has it on 1 March.
    """
    early, late = sorted(int(str(one.constant)) for one in (start, end))
    before, last = _moved(asking.today, early - 1), _moved(asking.today, late)
    month, day = _part("month", asking, time), _part("day", asking, time)
    low, low_day, high, high_day = (raw(str(one)) for one in (before.month, before.day, last.month, last.day))
    if (last - before).days > _YEAR:
        return month > raw("0")  # everybody's who has one
    if early == late and (before.month, before.day, last.day) != (2, 28, 1):
        return and_(month == high, day == high_day)
    if before.year == last.year:
        return and_(month >= low, month <= high, or_(month > low, day > low_day), or_(month < high, day <= high_day))
    return or_(month > low, and_(month == low, day > low_day), month < high, and_(month == high, day <= high_day))


def _moved(day: date, days: int) -> date:
    """A day some days later, or the first or last there is."""
    return date.fromordinal(min(max(day.toordinal() + days, date.min.toordinal()), date.max.toordinal()))


def _refuse_seconds(value: Scalar) -> str | None:
    good = isinstance(value, int) and 1 <= value <= _DAY_SECONDS
    return None if good else f"a whole number of seconds from 1 to {_DAY_SECONDS}"


def _refuse_days(value: Scalar) -> str | None:
    good = isinstance(value, int) and abs(value) <= _MOST_DAYS
    return None if good else f"a number of days from -{_MOST_DAYS} to {_MOST_DAYS}"


_NUMBER = Parameter(name="n", takes=frozenset({Kind.INTEGER}))
_of_time = partial(Function, family=Family.DATES)


def _parts() -> list[Function]:
    rows = [
        ("year", "the year", ("Year",), TIMES),
        ("quarter", "the quarter, 1 to 4", (), TIMES),
        ("month", "the month, 1 to 12", ("Month",), TIMES),
        ("week", "the week of ISO 8601, 1 to 53", (), TIMES),
        ("day", "the day of the month", ("Day",), TIMES),
        ("day_of_year", "the day of the year, 1 to 366", ("DayOfYear",), TIMES),
        ("week_day", "the day of the week, 1 for Monday to 7 for Sunday", ("WeekDay",), TIMES),
        ("hour", "the hour, 0 to 23", ("Hour",), INSTANTS),
        ("minute", "the minute", ("Minute",), INSTANTS),
        ("second", "the second, without its fraction", ("Second",), INSTANTS),
    ]
    fields = {"day_of_year": "doy", "week_day": "isodow"}
    return [
        _of_time(
            name=name,
            parameters=(Parameter(name="x", takes=takes), ZONE),
            optional=1,
            gives=Kind.INTEGER,
            build=partial(_part, fields.get(name, name)),
            label=label,
            example=f"{name}({'created_at' if takes is INSTANTS else 'birth_date'}) = 5",
            formerly=formerly,
        )
        for name, label, formerly, takes in rows
    ] + [
        _of_time(
            name="year_month",
            parameters=(_time(), ZONE),
            optional=1,
            gives=Kind.INTEGER,
            build=_year_month,
            label="year and month as one number",
            example="year_month(created_at) = 202405",
            formerly=("YearAndMonth",),
            uses=2,
        )
    ]


def _starts() -> list[Function]:
    rows: list[tuple[str, frozenset[Kind], tuple[str, ...]]] = [
        ("year", TIMES, ("TruncYear",)),
        ("quarter", TIMES, ("TruncQuarter",)),
        ("month", TIMES, ()),
        ("week", TIMES, ("TruncWeek",)),
        ("day", TIMES, ()),
        ("hour", INSTANTS, ()),
        ("minute", INSTANTS, ()),
    ]
    return [
        _of_time(
            name=f"start_of_{unit}",
            parameters=(Parameter(name="x", takes=takes, group="T"), ZONE),
            optional=1,
            gives="T",
            build=partial(_start, unit),
            label=f"the first moment of its {unit}" + (", a Monday" if unit == "week" else ""),
            example=f"created_at >= start_of_{unit}(now)",
            formerly=formerly,
            uses=8,
        )
        for unit, takes, formerly in rows
    ] + [
        _of_time(
            name="start_of_interval",
            parameters=(
                Parameter(name="x", takes=INSTANTS),
                Parameter(name="seconds", takes=frozenset({Kind.INTEGER}), constant=True, refuse=_refuse_seconds),
                ZONE,
            ),
            optional=1,
            gives=Kind.INSTANT,
            build=_start_of_interval,
            label="the first moment of its interval of so many seconds, counted from midnight",
            example="created_at >= start_of_interval(now, 900)",
            formerly=("TruncDate", "TruncDateTZ", "TruncTime"),
            uses=12,
        )
    ]


def _adding() -> list[Function]:
    calendar = [("years", 12, 0), ("months", 1, 0), ("weeks", 0, 7), ("days", 0, 1)]
    names = {unit: (f"Add{unit.title()}", f"Sub{unit.title()}") for unit in ("years", "months", "days", *_SECONDS)}
    rows = [
        _of_time(
            name=f"add_{unit}",
            parameters=(_time("T"), _NUMBER),
            gives="T",
            build=partial(_add_calendar, months, days),
            label=f"{unit} later, at the same time of day; earlier if n is negative",
            example=f"add_{unit}(birth_date, 3) = today",
            formerly=names.get(unit, ()),
            nulls=Nulls.PARTIAL,
            uses=8,
        )
        for unit, months, days in calendar
    ]
    return rows + [
        _of_time(
            name=f"add_{unit}",
            parameters=(Parameter(name="x", takes=INSTANTS), _NUMBER),
            gives=Kind.INSTANT,
            build=partial(_add_exact, seconds),
            label=f"{unit} later; earlier if n is negative",
            example=f"add_{unit}(created_at, -3) < now",
            formerly=names[unit],
            nulls=Nulls.PARTIAL,
        )
        for unit, seconds in reversed(_SECONDS.items())
    ]


def _between() -> list[Function]:
    rows: list[tuple[str, Callable[..., Sql], int, tuple[str, ...]]] = [
        ("years", partial(_calendar_between, 12), 3, ("YearsDiff",)),
        ("months", partial(_calendar_between, 1), 3, ("MonthsDiff",)),
        ("days", _days_between, 1, ("DaysDiff",)),
        ("hours", partial(_exact_between, 3600), 8, ("HoursDiff",)),
        ("minutes", partial(_exact_between, 60), 8, ("MinutesDiff",)),
        ("seconds", partial(_exact_between, 1), 8, ("SecondsDiff",)),
    ]
    exact = {"hours", "minutes", "seconds"}
    pairs = [
        _of_time(
            name=f"{unit}_between",
            parameters=(Parameter(name="start", takes=TIMES), Parameter(name="end", takes=TIMES)),
            gives=Kind.INTEGER,
            build=build,
            label=f"whole {unit} from one to the other" + ("" if unit in exact else ", by the calendar"),
            example=f"{unit}_between(created_at, now) < 3",
            formerly=formerly,
            uses=uses,
        )
        for unit, build, uses, formerly in rows
    ]
    olds = [
        _of_time(
            name=f"{unit}_old",
            parameters=(_time(),),
            gives=Kind.INTEGER,
            build=partial(_until_today, build),
            label=f"whole {unit} until today",
            example=f"{unit}_old(created_at) >= 30",
            formerly=(f"{unit.title()}Old",),
            uses=uses,
            daily=True,
        )
        for unit, build, uses, _ in rows[:3]
    ]
    agos = [
        _of_time(
            name=f"{unit}_ago",
            parameters=(_NUMBER,),
            gives=Kind.DATE,
            build=partial(_ago, months),
            label=f"the day so many {unit} before today",
            example=f"birth_date > {unit}_ago(30)",
            formerly=formerly,
            nulls=Nulls.PARTIAL,
            daily=True,
        )
        for unit, months, formerly in (("months", 1, ("MonthsAgo",)), ("days", 0, ("DaysAgo", "DaysAgoInt")))
    ]
    return pairs + olds + agos


def _anniversaries() -> list[Function]:
    from_, to = (
        Parameter(name=name, takes=frozenset({Kind.INTEGER}), constant=True, refuse=_refuse_days) for name in ("start", "end")
    )
    return [
        _of_time(
            name="anniversary_within",
            parameters=(_time(), from_, to),
            gives=Kind.BOOLEAN,
            build=_anniversary_within,
            label="whether its day of the year comes round from so many days after today to so many; "
            "29 February is 1 March of a common year",
            example="anniversary_within(created_at, 0, 7)",
            uses=8,
            daily=True,
        )
    ]


DATES = (*_parts(), *_starts(), *_adding(), *_between(), *_anniversaries())
