"""When an answer changes by time alone: SQL of the next instant at which it may, row by row. No I/O, no clock.

A comparison of something that stands still with a time relative to now changes when that time reaches it. Around such an
instant there is a window, for clock changes and for months that are shorter than others: within it the row is due again and
again. Where something else is asked of the same row, too, and is not so, time changes nothing: a change of that is noted.
What cannot be told row by row is told of the whole audience: it changes at midnight, or may change at any time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    FromClause,
    and_,
    case,
    func,
    literal_column,
    or_,
)

from core.targeting.aggregates import Groups, groups_of
from core.targeting.catalogue import AGE, HELD_OUT, Derived
from core.targeting.checked import CheckedExpression
from core.targeting.compiled import Plan, Predicate, Sql
from core.targeting.compiler import TreeCompiler
from core.targeting.functions import FUNCTIONS
from core.targeting.language import (
    Aggregate,
    Anchor,
    And,
    Call,
    Case,
    Exists,
    Field,
    Following,
    Literal,
    Member,
    Operand,
    Operation,
    Or,
    Rank,
    Relative,
    Selection,
    Top,
    parts_below,
)
from core.targeting.linked import Rows, rows_of, tell_beyond
from core.targeting.membership.daily import anniversary_of, as_relative, comparisons_of, growing_of, turns_of
from core.targeting.membership.instants import Instants
from core.targeting.membership.leaving import Reach, reach_of
from core.targeting.membership.records import Upkeep
from core.targeting.moments import Asked
from core.targeting.operators import MIRRORED
from core.targeting.scopes import Scope

POPULATION = "it asks who is among the highest of all"
RANKS = "it asks for ranks among all rows"
HOLDOUT = "it asks who is held back from all deliveries"
ANY_TIME = "a time relative to now stands where the instant of a change cannot be told"
MIDNIGHT = "ages or days relative to today stand where the day of a change cannot be told"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The next instant at which a comparison may change, NULL where there is none: of the one who is asked about, or of linked
    rows, the first of theirs. It matters only for whom the conditions hold."""

    at: Sql
    rows: Rows | None = None
    only: tuple[Predicate, ...] = ()
    groups: Groups | None = None  # what linked rows come to, of all who are asked about: it is about that
    matters: Predicate | None = None  # for which groups of linked rows it does, where that can be told
    after: Predicate | None = None  # of a column: holds wherever there is such an instant, so that an index may find them

    @property
    def of_one(self) -> Sql:
        """As a value of the row that is asked about."""
        at = self.at
        assert self.groups is None, "said of groups only where the one is nobody's"
        if self.rows is not None:
            # Not the least: an aggregate of what is said of the one alone would be one of the statement around it.
            found = self.rows.select(at).where(*self.rows.tied)
            at = found.order_by(literal_column("1")).limit(1).scalar_subquery()
        return case((and_(*self.only), at)) if self.only else at


@dataclass(slots=True, kw_only=True)
class Due:
    """Windows of rows; and of the whole, why it is counted anew at intervals."""

    windows: list[Window] = field(default_factory=list)
    often: set[str] = field(default_factory=set)
    daily: set[str] = field(default_factory=set)

    @property
    def upkeep(self) -> Upkeep:
        """What makes the members right again."""
        return Upkeep.RECOUNTED if self.often else Upkeep.RECOUNTED_DAILY if self.daily else Upkeep.INCREMENTAL


def due_of(checked: CheckedExpression, *, asked: Asked, source: FromClause, plan: Plan) -> Due:
    """When the answer for a row of `source`, which has the columns of the entity's table, changes next."""
    due = Due()
    scope = Scope(entity=checked.entity, source=source)
    due.windows += _Windows(due, asked).of(checked.expression.root, TreeCompiler(checked, scope, asked, plan))
    return due


def least(found: Sequence[Sql]) -> Sql:
    """The first of some instants; NULL is none."""
    return found[0] if len(found) == 1 else func.least(*found)


class _Windows:
    """A visitor: `of` gives a window for each comparison with a relative time."""

    def __init__(self, due: Due, asked: Asked) -> None:
        self._due = due
        self._instants = Instants(asked)

    def of(self, node: Any, compiler: TreeCompiler) -> Iterator[Window]:
        """Of a condition and all below it."""
        match node:
            case And() | Or():
                moving, only = self._split(node, compiler)
                for term in moving:
                    for one in self.of(term, compiler):
                        yield replace(one, only=(*one.only, *only))
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
                    inner = TreeCompiler(named, compiler.scope, compiler.asked, compiler.plan)
                    yield from self.of(named.expression.root, inner)
                    compiler.touched |= inner.touched
            case Field() if self._is_held_out(node):
                self._due.often.add(HOLDOUT)
            case Field() | Literal():
                pass
            case Call():
                yield from self._call(node, compiler)
            case Relative() | Aggregate() | Rank() | Case():
                self._untold(node, compiler)
            case _:
                for part in parts_below(node):
                    yield from self.of(part, compiler)

    def _split(self, node: And | Or, compiler: TreeCompiler) -> tuple[list[Any], list[Predicate]]:
        """What moves with time, and what else has to hold for that to matter: of what is asked besides all, of what would do
        nothing."""
        moving = [term for term in node.terms if any(True for _ in self._times(term, compiler.checked))]
        still = [term for term in node.terms if all(term is not one for one in moving)]
        negated = isinstance(node, Or)
        return moving, [compiler.condition(term, negated=negated) for term in still] if moving else []

    def _selection(self, selection: Selection, compiler: TreeCompiler, reach: Reach | None = None) -> Iterator[Window]:
        """The first of those of the linked rows. `reach`: of groups that come to something."""
        if selection.where is None:
            return
        rows = rows_of(compiler, Selection(selection.path))
        inner = compiler.about(rows.scope)
        moving, only = self._split(selection.where, inner) if isinstance(selection.where, And) else ([selection.where], [])
        windows = [one for term in moving for one in self.of(term, inner)]
        found = [one.of_one for one in windows]
        rows.tests += only
        after = [one.after for one in windows if one.after is not None]
        if found and len(after) == len(found):
            rows.tests.append(or_(*after))
        matters = reach.test(inner) if reach else None
        tell_beyond(compiler, rows, inner, compiler.scope)
        if found:
            yield Window(at=least(found), rows=rows, matters=matters)

    def _operation(self, node: Operation, compiler: TreeCompiler) -> Iterator[Window]:
        first, *others = map(as_relative, node.operands)
        for operand in node.operands:
            if isinstance(operand, Aggregate):
                yield from self._aggregate(operand, compiler, reach_of(operand, others) if operand is first else None)
        if all(self._stands_still(one, compiler) for one in node.operands):
            return
        if isinstance(first, Field) and self._is_age(first, compiler) and all(_is_number(one) for one in others):
            yield from (Window(at=at) for at in self._instants.birthdays(compiler.operand(first), others))
            return
        compared = comparisons_of(node.operator, (first, *others))
        growing = growing_of(compared)
        if growing is not None and self._is_still_time(growing.since, compiler):
            yield from (Window(at=at) for at in self._instants.grown(compiler.operand(growing.since), growing))
            return
        pairs = [
            (MIRRORED[sign], right, left) if isinstance(right, Relative) else (sign, left, right)
            for sign, left, right in compared
        ]
        told = [isinstance(moves, Relative) and self._is_still_value(still, compiler) for _, moves, still in pairs]
        if not told or not all(told):
            self._untold(node, compiler)
            return
        for sign, moves, still in pairs:
            assert isinstance(moves, Relative)
            groups = self._groups(still, compiler)
            value = groups.value if groups else compiler.operand(still)
            if not self._instants.are_told(value, moves):
                self._due.often.add(ANY_TIME)
                continue
            after = self._instants.after(value, moves)
            yield from (
                Window(at=at, groups=groups, after=after) for at in self._instants.reached(value, moves, turns_of(sign))
            )

    def _call(self, node: Call, compiler: TreeCompiler) -> Iterator[Window]:
        asked = anniversary_of(node)
        if asked is None or not self._is_still_time(asked.of, compiler):
            self._untold(node, compiler)
            return
        yield from (Window(at=at) for at in self._instants.anniversaries(compiler.operand(asked.of), asked))

    def _groups(self, still: Operand, compiler: TreeCompiler) -> Groups | None:
        """What linked rows come to, of all who are asked about."""
        of_the_one = compiler.scope.parent is None and compiler.plan is not Plan.ONE_BY_ONE
        groups = groups_of(compiler, still) if of_the_one and isinstance(still, Aggregate) else None
        return groups if groups and groups.by == ("id",) else None

    def _is_still_value(self, node: Operand, compiler: TreeCompiler) -> bool:
        return not isinstance(node, Literal) and self._stands_still(node, compiler)

    def _is_still_time(self, node: Operand, compiler: TreeCompiler) -> bool:
        """The same of what a function is asked about."""
        return not isinstance(node, Literal) and self._is_still_part(node, compiler)

    def _aggregate(self, node: Aggregate, compiler: TreeCompiler, reach: Reach | None) -> Iterator[Window]:
        yield from self._selection(node.selection, compiler, reach)
        for part in (node.value, node.by):
            if part is not None:
                self._untold(part, compiler)

    def _stands_still(self, node: Any, compiler: TreeCompiler) -> bool:
        """Whether what it is does not change with time. What an aggregate selects is looked at by itself."""
        match node:
            case Relative() | Rank():
                return False
            case Call(function=name) if name in FUNCTIONS and FUNCTIONS[name].daily:
                return False
            case Field():
                return not self._is_age(node, compiler) and not self._is_held_out(node)
            case Aggregate():
                return True
            case Operation() | Exists() | Following() | Top() | Member():
                return not any(True for _ in self._times(node, compiler.checked))
            case _:
                return all(self._is_still_part(part, compiler) for part in parts_below(node))

    def _is_still_part(self, node: Any, compiler: TreeCompiler) -> bool:
        """The same of what stands within a function, where nobody looks at what an aggregate selects."""
        if isinstance(node, Aggregate):
            return not any(True for _ in self._times(node, compiler.checked))
        return self._stands_still(node, compiler)

    def _is_held_out(self, node: Field) -> bool:
        return node.path[-1] == HELD_OUT.name

    def _is_age(self, node: Field, compiler: TreeCompiler) -> bool:
        found = compiler.operand(node).field
        return found is not None and found.derived is Derived.AGE

    def _untold(self, node: Any, compiler: TreeCompiler) -> None:
        """The times in it are those of the whole audience."""
        for time in self._times(node, compiler.checked):
            at_midnight = isinstance(time, Field | Call) or (isinstance(time, Relative) and time.anchor is Anchor.TODAY)
            if isinstance(time, Top):
                self._due.often.add(POPULATION)
            elif isinstance(time, Rank):
                self._due.often.add(RANKS)
            elif isinstance(time, Field) and self._is_held_out(time):
                self._due.often.add(HOLDOUT)
            elif at_midnight:
                self._due.daily.add(MIDNIGHT)
            else:
                self._due.often.add(ANY_TIME)

    def _times(self, node: Any, checked: CheckedExpression) -> Iterator[Any]:
        """All that moves with time below a node, whichever row it is about."""
        match node:
            case Relative() | Top() | Rank():
                yield node
            case Field(path=path):
                if path[-1] in (AGE.name, HELD_OUT.name):
                    yield node
            case Member():
                named = checked.audiences[node.audience, node.version]
                if isinstance(named, CheckedExpression):
                    yield from self._times(named.expression.root, named)
            case Call(function=name) if name in FUNCTIONS and FUNCTIONS[name].daily:
                yield node
                for part in parts_below(node):
                    yield from self._times(part, checked)
            case _:
                for part in parts_below(node):
                    yield from self._times(part, checked)


def _is_number(node: Any) -> bool:
    return isinstance(node, Literal) and isinstance(node.value, int | Decimal)
