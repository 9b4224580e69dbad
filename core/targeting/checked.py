"""What checking makes, and what those who check parts of a question know of each other."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol, TypeAlias

from core.targeting.catalogue import Catalogue, CatalogueField, Entity, Kind
from core.targeting.language import Condition, Expression, Operand, Place
from core.targeting.scopes import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedExpression:
    """An expression that means something on this entity, and the fields and links that it reads.

    A name that is not of a profile stands after its entity's: `purchase.amount`. `entities` are those to which links led.
    """

    expression: Expression
    entity: Entity
    catalogue: Catalogue
    reads: frozenset[str]
    entities: frozenset[str]
    audiences: Audiences
    parts: int  # conditions and operands, those of all audiences that it names included
    levels: int  # groups within groups, likewise
    ranks: int = 0  # likewise


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An audience whose members are listed: its number, and what they bring along."""

    id: int
    columns: Mapping[str, Kind] = field(default_factory=lambda: MappingProxyType({}))


# What another audience is: a question of its own, or one whose members are listed.
Audiences: TypeAlias = Mapping[tuple[str, int | None], CheckedExpression | Listed]
NO_AUDIENCES: Audiences = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedValue(CheckedExpression):
    """An expression that computes a value of a kind for each row of the entity, or none."""

    kind: Kind


class Checker(Protocol):
    """What checks the conditions and the operands of one row."""

    catalogue: Catalogue
    audiences: Audiences
    scope: Scope
    reads: set[str]
    entities: set[str]
    fields: dict[int, CatalogueField]  # which field a node is, or takes its values from, by its identity

    def condition(self, node: Condition, depth: int) -> None:
        """A condition makes sense. Raises ExpressionError."""

    def kind(self, node: Operand, depth: int) -> Kind:
        """What an operand is. Raises ExpressionError."""

    def argument(self, node: Condition, depth: int) -> Kind:
        """What an operand is, or a condition. Raises ExpressionError."""

    def count(self, place: Place, depth: int) -> None:
        """One more part of the expression. Raises ExpressionError when there are too many."""

    def ranking(self, place: Place) -> AbstractContextManager[None]:
        """What is checked meanwhile is what a rank is made of. Raises ExpressionError for ranks of ranks, and too many."""

    def about(self, scope: Scope) -> AbstractContextManager[None]:
        """What is checked meanwhile is about other rows."""
