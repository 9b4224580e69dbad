"""What compiling makes, and what those who compile parts of a question know of each other."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol, TypeAlias

from sqlalchemy import TIMESTAMP, BigInteger, Boolean, ColumnElement, Date, Numeric, Text, Uuid, bindparam
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from core.targeting.catalogue import Catalogue, CatalogueField, Kind, Writing
from core.targeting.functions.signature import Level
from core.targeting.language import Condition, Operand, Relative, Scalar
from core.targeting.moments import Later
from core.targeting.scopes import Scope

Predicate: TypeAlias = ColumnElement[bool]
Sql: TypeAlias = ColumnElement[Any]

TYPES: dict[Kind, TypeEngine[Any]] = {
    Kind.TEXT: Text(),
    Kind.INTEGER: BigInteger(),
    Kind.DECIMAL: Numeric(),
    Kind.BOOLEAN: Boolean(),
    Kind.DATE: Date(),
    Kind.INSTANT: TIMESTAMP(timezone=True),
    Kind.ENUMERATION: BigInteger(),
    Kind.POINT: Text(),
    Kind.JSON: JSONB(),
    Kind.UUID: Uuid(),
}


def bound(kind: Kind, value: Scalar | Later) -> Sql:
    """A value beside the text of a statement."""
    return bindparam(None, value, TYPES[kind])


class Plan(Enum):
    """How aggregates of linked rows are asked about. All give the same answer; which is faster depends on the rest."""

    ONE_BY_ONE = "one by one"  # for each row that is looked at: fast for few of them
    ALL_AT_ONCE = "all at once"  # everybody's rows are grouped first: fast for most of them
    OF_THESE = "of these"  # the rows of those alone who are asked about are grouped first: fast where a table has no others


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """An operand ready for SQL.

    `constant` is set for what was written down, `moment` for what is relative to now, `field` for what is a field's, `stored`
    for a field that stands in the row asked about: the column itself.
    """

    kind: Kind
    sql: Sql
    nullable: bool
    constant: Scalar | None = None
    moment: Relative | None = None
    field: CatalogueField | None = None
    stored: Sql | None = None
    level: Level = Level.FOLDED
    parts: tuple[Sql, Sql] | None = None  # longitude and latitude of a place
    where: tuple[float, float] | None = None  # the same, where they were written down

    @property
    def is_known(self) -> bool:
        """Whether it is the same for every row."""
        return self.constant is not None or self.moment is not None

    @property
    def is_derived(self) -> bool:
        """Whether it is computed from its column."""
        return self.field is not None and self.field.derived is not None

    @property
    def writing(self) -> Writing:
        """How its text is kept."""
        return self.field.writing if self.field else Writing.FREE


class Compiler(Protocol):
    """What compiles the conditions and the values of one row."""

    scope: Scope
    plan: Plan
    catalogue: Catalogue
    touched: set[Scope]  # rows that SQL was made about
    kept: dict[int, Any]  # of aggregates that cannot be grouped, by their node: what was made of them so far

    def condition(self, node: Condition, *, negated: bool = False) -> Predicate:
        """A condition on the row."""

    def operand(self, node: Operand) -> Value:
        """A value of the row."""

    def day_of(self, value: Value) -> Sql:
        """The day of a time in the zone asked in."""

    def about(self, scope: Scope) -> Compiler:
        """The same about another row."""
