"""Of whose linked rows time alone can change what they come to, when rows do nothing but leave the time that is asked about.

A count of rows, or a sum of what is not negative, grows no more then: who does not reach a number now never does by time alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Numeric, bindparam, func, literal_column, or_

from core.targeting.compiled import Compiler, Predicate, Sql
from core.targeting.language import Aggregate, And, Field, Literal, Measure, Operand, Operation, Operator, Relative

_ABOUT: Sql = literal_column("1.000001")  # sums of the same floating point numbers differ by the order of their rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Of groups of linked rows, those that come to so much, or may yet."""

    aggregate: Aggregate
    least: Decimal

    def test(self, inner: Compiler) -> Predicate:
        """Of all rows of a group that are counted now or later; `inner` compiles what is said of one of them."""
        least = bindparam(None, self.least, Numeric())
        if self.aggregate.measure is Measure.COUNT:
            return func.count() >= least
        assert self.aggregate.value is not None
        value = inner.operand(self.aggregate.value).sql
        return or_(func.min(value) < literal_column("0"), func.sum(value) * _ABOUT >= least)


def reach_of(aggregate: Aggregate, others: Sequence[Operand]) -> Reach | None:
    """What matters where an aggregate is compared with numbers; None: everybody's rows may."""
    numbers = [one.value for one in others if isinstance(one, Literal) and isinstance(one.value, int | Decimal)]
    if len(numbers) != len(others) or not numbers or aggregate.measure not in (Measure.COUNT, Measure.SUM):
        return None
    where = aggregate.selection.where
    terms = where.terms if isinstance(where, And) else (where,)
    return Reach(aggregate=aggregate, least=Decimal(min(numbers))) if any(_only_leaves(one) for one in terms) else None


def _only_leaves(term: object) -> bool:
    """Whether it is true of a row up to some time and never again."""
    if not isinstance(term, Operation) or term.operator not in (Operator.GREATER, Operator.AT_LEAST):
        return False
    still, moves = term.operands
    return isinstance(still, Field) and isinstance(moves, Relative)
