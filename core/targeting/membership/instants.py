"""The instants at which something that stands still and a time relative to now pass each other, as SQL. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import partial

from sqlalchemy import TIMESTAMP, Date, Integer, Interval, Time, bindparam, case, cast, column, extract, func, literal_column

from core.targeting.catalogue import Kind
from core.targeting.compiled import Predicate, Sql, Value, bound
from core.targeting.functions.bounds import to_instant, to_local
from core.targeting.given import Given
from core.targeting.language import Anchor, Literal, Operand, Relative, Unit
from core.targeting.membership.daily import Anniversary, Growing
from core.targeting.moments import Asked, end_of

CLOCK_CHANGE = timedelta(hours=1, minutes=1)  # by how much a wall clock may be off, about
INSTANT = timedelta(seconds=1)
SHORT_MONTH = timedelta(days=5)  # how long after the 28th the same day of another month stands for
LONG_PAST = 10  # days: more than all of these together, and a day's length for zones
YEAR = 365  # days: so many or more in a row have everybody's day of the year
_OLDEST = 1_000  # years
_DAY, _TURN = "given_day", "given_turn"
_ABOUT = {
    Unit.YEARS: 366,
    Unit.MONTHS: 31,
    Unit.WEEKS: 7,
    Unit.DAYS: 1,
    Unit.HOURS: 1 / 24,
    Unit.MINUTES: 1 / 1440,
    Unit.SECONDS: 1 / 86400,
}
_EXACT = {Unit.HOURS: 3600, Unit.MINUTES: 60, Unit.SECONDS: 1}


class Instants:
    """Seen from the time at which is asked. Each is NULL once it is over: what is over changes nothing any more."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._zone = asked.zone
        self._now = bound(Kind.INSTANT, asked.near_now(Relative(Anchor.NOW)))
        self._soon = cast(self._now + bindparam(None, timedelta(microseconds=1), Interval()), TIMESTAMP(timezone=True))
        self._changes = asked.zone.key != "UTC"  # whether clocks do
        self._slack = CLOCK_CHANGE if self._changes else INSTANT
        self._tomorrow = bound(Kind.DATE, min(asked.today, date.max - timedelta(days=1)) + timedelta(days=1))
        self._next_day = bound(Kind.INSTANT, end_of(asked.today, asked.zone))

    def are_told(self, value: Value, relative: Relative) -> bool:
        """Whether they can be told of the two: not where hours move a day."""
        by_day = relative.anchor is Anchor.TODAY or value.kind is not Kind.INSTANT
        return not (by_day and any(unit in _EXACT for unit, _ in relative.offsets))

    def after(self, value: Value, relative: Relative) -> Predicate | None:
        """That a column is not so long before a relative time that nothing changes any more. One bound value, by which Postgres
        sees beforehand which partitions it need not look at."""
        if value.stored is None or value.kind not in (Kind.DATE, Kind.INSTANT):
            return None
        offsets = dict(relative.offsets)
        if sum(abs(number) * _ABOUT[unit] for unit, number in offsets.items()) > _OLDEST * _ABOUT[Unit.YEARS]:
            return None  # the calendar might not reach so far
        offsets[Unit.DAYS] = offsets.get(Unit.DAYS, 0) - LONG_PAST
        near = Relative(Anchor.NOW, tuple(offsets.items()))
        return value.stored >= bound(value.kind, self._asked.near_now(near, day=value.kind is Kind.DATE))

    def reached(self, value: Value, relative: Relative, turns: Sequence[int]) -> Iterator[Sql]:
        """When a relative time reaches a value; a day that of a value (0), or the day after it (1). Both `are_told`."""
        offsets = dict(relative.offsets)
        months = 12 * offsets.get(Unit.YEARS, 0) + offsets.get(Unit.MONTHS, 0)
        days = 7 * offsets.get(Unit.WEEKS, 0) + offsets.get(Unit.DAYS, 0)
        exact = timedelta(seconds=sum(offsets.get(unit, 0) * length for unit, length in _EXACT.items()))
        if relative.anchor is Anchor.NOW and value.kind is Kind.INSTANT:
            instant = cast(value.sql - bindparam(None, exact, Interval()), TIMESTAMP(timezone=True))
            if not months and not days:
                yield self._window(instant, instant, INSTANT)
                return
            yield self._moment(to_local(instant, self._zone), months, days)
            return
        day = self._day_of(value)
        for later in turns:
            yield self._beginning(_first_day(_earlier(day, days - later), months))

    def _moment(self, local: Sql, months: int, days: int) -> Sql:
        """When a wall clock that is moved by months and days reaches another. Where a month is too short for a day, the clock
        runs through the same day again and again."""
        day = _earlier(cast(local, Date), days)
        reaching = _first_day(day, months)
        instant = to_instant(cast(reaching + cast(local, Time()), TIMESTAMP()), self._zone)
        if not months:
            return self._window(instant, instant, self._slack)
        start = to_instant(cast(reaching, TIMESTAMP()), self._zone)
        last = case((extract("day", day) >= 28, start + bindparam(None, SHORT_MONTH, Interval())), else_=instant)
        low = case((extract("day", day) >= 28, start), else_=instant)
        return self._window(low, last, self._slack)

    def _beginning(self, day: Sql) -> Sql:
        """When a day begins that is to come. The instant of tomorrow is known; that of a later one the database tells, which
        might have learned of a clock change later than we: it is due a little before, when its day is tomorrow."""
        begins = to_instant(cast(day, TIMESTAMP()), self._zone)
        about = begins - bindparam(None, CLOCK_CHANGE, Interval()) if self._changes else begins
        return case((day == self._tomorrow, self._next_day), (day > self._tomorrow, func.greatest(about, self._soon)))

    def birthdays(self, birth: Value, ages: Sequence[Operand]) -> Iterator[Sql]:
        """The days on which somebody reaches these ages, and the next ones."""
        assert birth.stored is not None
        for age in ages:
            assert isinstance(age, Literal)
            years = int(Decimal(str(age.value)) // 1)
            if abs(years) >= _OLDEST:
                continue  # nobody's
            for reached in (years, years + 1):
                yield self._beginning(_first_day(birth.stored, -12 * reached))

    def anniversaries(self, value: Value, asked: Anniversary) -> Iterator[Sql]:
        """When the day of the year of a value comes to lie in the days that are asked about, and when no more."""
        if asked.last - asked.first >= YEAR:
            return  # it always does
        yield self._of_day(value, partial(_turn_of_year, self._asked.today, (asked.last, asked.first - 1)))

    def grown(self, value: Value, growing: Growing) -> Iterator[Sql]:
        """When the time since a value reaches the steps."""
        for step in growing.steps:
            yield self._of_day(value, partial(_grown, growing.months, step))

    def _of_day(self, value: Value, turns: Callable[[Sql], Sql]) -> Sql:
        """When the day begins to which the day of a value leads. Each is computed once."""
        day = self._day_of(value)
        known = turns(day) if value.stored is not None else Given(turns(column(_DAY, Date())), [(_DAY, day)])
        return Given(self._beginning(column(_TURN, Date())), [(_TURN, known)])

    def _day_of(self, value: Value) -> Sql:
        return value.sql if value.kind is Kind.DATE else cast(to_local(value.sql, self._zone), Date)

    def _window(self, low: Sql, high: Sql, slack: timedelta) -> Sql:
        around = bindparam(None, slack, Interval())
        return case((high + around > self._now, func.greatest(low - around, self._soon)))


def _earlier(day: Sql, days: int) -> Sql:
    return cast(day - literal_column(str(days)), Date) if days else day


def _first_day(day: Sql, months: int) -> Sql:
    """The first day that is not before another one once it is moved by so many months, as `moments.add_months` moves it."""
    if not months:
        return day
    moved = cast(day - func.make_interval(0, bindparam(None, months)), Date)
    return case((extract("day", moved) < extract("day", day), cast(moved + literal_column("1"), Date)), else_=moved)


def _turn_of_year(today: date, distances: Sequence[int], day: Sql) -> Sql:
    return func.least(*(_before_anniversary(today, days, day) for days in distances), type_=Date())


def _before_anniversary(today: date, days: int, day: Sql) -> Sql:
    """The first day after today from which so many days lead to one on which a day of the year comes round: 29 February does
    on 1 March of a common year."""
    after = today + timedelta(days=days)
    month = cast(extract("month", day), Integer())
    later = cast(extract("day", day), Integer()) - literal_column("1")
    this, following = (
        cast(func.make_date(literal_column(str(year)), month, literal_column("1")) + later, Date)
        for year in (after.year, after.year + 1)
    )
    return _earlier(case((this > bound(Kind.DATE, after), this), else_=following), days)


def _grown(months: int, step: int, day: Sql) -> Sql:
    """The first day on which the whole days, or spans of so many months, since another day are so many. Spans are rounded
    towards zero, as `functions.dates` has it: none, or fewer, are reached on the day after the next lower number was full."""
    if not months:
        return _earlier(day, -step)
    if step > 0:
        return _first_day(day, -months * step)
    full = cast(day + func.make_interval(0, bindparam(None, months * (step - 1))), Date)
    return cast(full + literal_column("1"), Date)
