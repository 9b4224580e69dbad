"""When an answer changes by time alone: SQL of the next instant at which it may, row by row. No I/O, no clock.

A comparison of something that stands still with a time relative to now changes when that time reaches it. Around such an
instant there is a window, for clock changes and for months that are shorter than others: within it the row is due again and
again. What cannot be told row by row is told of the whole audience: it changes at midnight, or may change at any time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    TIMESTAMP,
    Date,
    Interval,
    Time,
    bindparam,
    case,
    cast,
    extract,
    func,
    literal_column,
)

from core.targeting.catalogue import AGE, Derived, Kind
from core.targeting.checked import CheckedExpression
from core.targeting.compiled import Plan, Sql, Value
from core.targeting.compiler import TreeCompiler
from core.targeting.functions.bounds import to_instant, to_local
from core.targeting.language import (
    Aggregate,
    Anchor,
    Call,
    Case,
    Exists,
    Field,
    Following,
    Literal,
    Member,
    Operand,
    Operation,
    Relative,
    Selection,
    Top,
    Unit,
    parts_below,
)
from core.targeting.linked import entity_table, rows_of
from core.targeting.membership.records import Upkeep
from core.targeting.moments import asked_at
from core.targeting.scopes import Scope

CLOCK_CHANGE = timedelta(hours=1, minutes=1)  # by how much a wall clock may be off, about
INSTANT = timedelta(seconds=1)
SHORT_MONTH = timedelta(days=5)  # how long after the 28th the same day of another month stands for
_OLDEST = 1_000  # years of age
_EXACT = {Unit.HOURS: 3600, Unit.MINUTES: 60, Unit.SECONDS: 1}

POPULATION = "it asks who is among the highest of all"
ANY_TIME = "a time relative to now stands where the instant of a change cannot be told"
MIDNIGHT = "ages or days relative to today stand where the day of a change cannot be told"


@dataclass(slots=True, kw_only=True)
class Due:
    """By rows: SQL of the next instant, NULL where there is none. For the whole: why it is counted anew at intervals."""

    at: Sql | None = None
    often: set[str] = field(default_factory=set)
    daily: set[str] = field(default_factory=set)

    @property
    def upkeep(self) -> Upkeep:
        """What makes the members right again."""
        return Upkeep.RECOUNTED if self.often else Upkeep.RECOUNTED_DAILY if self.daily else Upkeep.INCREMENTAL


def due_of(checked: CheckedExpression, *, at: datetime, zone: ZoneInfo) -> Due:
    """When the answer for a profile changes next, as SQL on its table, seen from `at`."""
    due = Due()
    scope = Scope(entity=checked.entity, source=entity_table(checked.entity))
    windows = _Windows(due, at, zone)
    found = list(windows.of(checked.expression.root, TreeCompiler(checked, scope, asked_at(at, zone), Plan.ONE_BY_ONE)))
    due.at = _least(found)
    return due


def _least(found: Sequence[Sql]) -> Sql | None:
    return None if not found else found[0] if len(found) == 1 else func.least(*found)


class _Windows:
    """A visitor: `of` gives, for each comparison with a relative time, the next instant at which it may change."""

    def __init__(self, due: Due, at: datetime, zone: ZoneInfo) -> None:
        self._due = due
        self._zone = zone
        self._now = bindparam(None, at, TIMESTAMP(timezone=True))
        self._soon = bindparam(None, at + timedelta(microseconds=1), TIMESTAMP(timezone=True))
        self._slack = INSTANT if zone.key == "UTC" else CLOCK_CHANGE

    def of(self, node: Any, compiler: TreeCompiler) -> Iterator[Sql]:
        """Of a condition and all below it."""
        match node:
            case Operation():
                yield from self._operation(node, compiler)
            case Exists(selection=selection):
                yield from self._selection(selection, compiler)
            case Following(stages=stages):
                for stage in stages:
                    yield from self._selection(stage.selection, compiler)
                    if stage.by is not None:
                        self._untold(stage.by, compiler)
            case Top():
                self._due.often.add(POPULATION)
            case Member():
                named = compiler.checked.audiences[node.audience, node.version]
                if isinstance(named, CheckedExpression):
                    inner = TreeCompiler(named, compiler.scope, compiler.asked, Plan.ONE_BY_ONE)
                    yield from self.of(named.expression.root, inner)
            case Field() | Literal():
                pass
            case Relative() | Aggregate() | Call() | Case():
                self._untold(node, compiler)
            case _:
                for part in parts_below(node):
                    yield from self.of(part, compiler)

    def _selection(self, selection: Selection, compiler: TreeCompiler) -> Iterator[Sql]:
        """The first of those of the linked rows."""
        if selection.where is None:
            return
        rows = rows_of(compiler, Selection(selection.path))
        first = _least(list(self.of(selection.where, compiler.about(rows.scope))))
        if first is not None:
            yield rows.select(func.min(first)).where(*rows.tied).scalar_subquery()

    def _operation(self, node: Operation, compiler: TreeCompiler) -> Iterator[Sql]:
        first, *others = node.operands
        for operand in node.operands:
            if isinstance(operand, Aggregate):
                yield from self._aggregate(operand, compiler)
        if all(self._stands_still(one, compiler) for one in node.operands):
            return
        if isinstance(first, Field) and self._is_age(first, compiler) and all(_is_number(one) for one in others):
            yield from self._birthdays(compiler.operand(first), others)
            return
        pairs = [(first, other) if isinstance(other, Relative) else (other, first) for other in others]
        told = (isinstance(moves, Relative) and self._is_still_value(still, compiler) for still, moves in pairs)
        if not all(told):
            self._untold(node, compiler)
            return
        for still, moves in pairs:
            assert isinstance(moves, Relative)
            yield from self._reached(compiler.operand(still), moves)

    def _is_still_value(self, node: Operand, compiler: TreeCompiler) -> bool:
        return not isinstance(node, Literal) and self._stands_still(node, compiler)

    def _aggregate(self, node: Aggregate, compiler: TreeCompiler) -> Iterator[Sql]:
        yield from self._selection(node.selection, compiler)
        for part in (node.value, node.by):
            if part is not None:
                self._untold(part, compiler)

    def _reached(self, value: Value, relative: Relative) -> Iterator[Sql]:
        """When a relative time reaches a value, or a day the day after it."""
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
        if exact:
            self._due.often.add(ANY_TIME)
            return
        day = value.sql if value.kind is Kind.DATE else cast(to_local(value.sql, self._zone), Date)
        for later in (0, 1):
            yield self._midnight(_earlier(day, days - later), months)

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

    def _midnight(self, day: Sql, months: int) -> Sql:
        instant = to_instant(cast(_first_day(day, months), TIMESTAMP()), self._zone)
        return self._window(instant, instant, self._slack)

    def _birthdays(self, birth: Value, ages: Sequence[Operand]) -> Iterator[Sql]:
        """The days on which somebody reaches these ages, and the next ones."""
        assert birth.stored is not None
        for age in ages:
            assert isinstance(age, Literal)
            years = int(Decimal(str(age.value)) // 1)
            if abs(years) >= _OLDEST:
                continue  # nobody's
            for reached in (years, years + 1):
                yield self._midnight(birth.stored, -12 * reached)

    def _window(self, low: Sql, high: Sql, slack: timedelta) -> Sql:
        around = bindparam(None, slack, Interval())
        return case((high + around > self._now, func.greatest(low - around, self._soon)))

    def _stands_still(self, node: Any, compiler: TreeCompiler) -> bool:
        """Whether what it is does not change with time. What an aggregate selects is looked at by itself."""
        match node:
            case Relative():
                return False
            case Field():
                return not self._is_age(node, compiler)
            case Aggregate():
                return True
            case Operation() | Exists() | Following() | Top() | Member():
                return not any(True for _ in self._times(node, compiler.checked))
            case _:
                return all(self._stands_still(part, compiler) for part in parts_below(node))

    def _is_age(self, node: Field, compiler: TreeCompiler) -> bool:
        found = compiler.operand(node).field
        return found is not None and found.derived is Derived.AGE

    def _untold(self, node: Any, compiler: TreeCompiler) -> None:
        """The times in it are those of the whole audience."""
        for time in self._times(node, compiler.checked):
            at_midnight = isinstance(time, Field) or (isinstance(time, Relative) and time.anchor is Anchor.TODAY)
            if isinstance(time, Top):
                self._due.often.add(POPULATION)
            elif at_midnight:
                self._due.daily.add(MIDNIGHT)
            else:
                self._due.often.add(ANY_TIME)

    def _times(self, node: Any, checked: CheckedExpression) -> Iterator[Any]:
        """All that moves with time below a node, whichever row it is about."""
        match node:
            case Relative() | Top():
                yield node
            case Field(path=path):
                if path[-1] == AGE.name:
                    yield node
            case Member():
                named = checked.audiences[node.audience, node.version]
                if isinstance(named, CheckedExpression):
                    yield from self._times(named.expression.root, named)
            case _:
                for part in parts_below(node):
                    yield from self._times(part, checked)


def _is_number(node: Any) -> bool:
    return isinstance(node, Literal) and isinstance(node.value, int | Decimal)


def _earlier(day: Sql, days: int) -> Sql:
    return cast(day - literal_column(str(days)), Date) if days else day


def _first_day(day: Sql, months: int) -> Sql:
    """The first day that is not before another one once it is moved by so many months, as `moments.add_months` moves it."""
    if not months:
        return day
    moved = cast(day - func.make_interval(0, bindparam(None, months)), Date)
    return case((extract("day", moved) < extract("day", day), cast(moved + literal_column("1"), Date)), else_=moved)
