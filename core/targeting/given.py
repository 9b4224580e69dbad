"""Operands that a piece of SQL uses more than once: computed once, and named, where they are not short."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from core.targeting.functions import FUNCTIONS
from core.targeting.language import (
    Aggregate,
    And,
    Call,
    Case,
    Condition,
    Exists,
    Field,
    Following,
    Literal,
    Member,
    Not,
    Operation,
    Operator,
    Or,
    Rank,
    Relative,
    Top,
)
from core.targeting.member_columns import column_named

SHORT = 8  # an operand up to this weight is written again rather than named
LIGHT = 64  # one up to this weight stands in a comparison as it is


class Given(ColumnElement[Any]):
    """SQL over operands that have names: `(SELECT body FROM (SELECT operand AS given_1 OFFSET 0) AS given_of_1)`.

    `OFFSET 0` keeps Postgres from putting the operands back to where their names stand.
    """

    inherit_cache = False

    def __init__(self, body: ColumnElement[Any], named: Sequence[tuple[str, ColumnElement[Any]]]) -> None:
        self.body = body
        self.named = tuple(named)
        self.type = body.type

    @property
    def _from_objects(self) -> list[Any]:  # what SQLAlchemy asks for to find the tables of a statement
        parts = [self.body, *(sql for _, sql in self.named)]
        return [found for part in parts for found in part._from_objects]


@compiles(Given)
def _write(element: Given, compiler: SQLCompiler, **options: Any) -> str:
    named = ", ".join(f"{compiler.process(sql, **options)} AS {name}" for name, sql in element.named)
    body = compiler.process(element.body, **options)
    return f"(SELECT {body} FROM (SELECT {named} OFFSET 0) AS of_{element.named[0][0]})"


def weight(node: Condition) -> int:
    """How long the SQL of a node may become, in fields and values."""
    match node:
        case Field() | Literal() | Relative():
            return 1
        case Call() if column_named(node) is not None:
            return LIGHT + 1  # a sub-query
        case Call(function=name, arguments=arguments):
            return 1 + FUNCTIONS[name].repeats(len(arguments)) * sum(map(weight, arguments))
        case Operation(operator=operator, operands=operands):
            first, *rest = map(weight, operands)
            return (first * len(rest) if operator is Operator.IN else 2 * first) + 2 * sum(rest)
        case And(terms=terms) | Or(terms=terms):
            return sum(map(weight, terms))
        case Not(term=term):
            return 1 + weight(term)
        case Case():
            return 1 + sum(map(weight, _parts(node)))
        case Exists() | Following() | Top() | Member() | Aggregate() | Rank():
            return LIGHT + 1  # a sub-query


def _parts(node: Case) -> Iterator[Condition]:
    for when, then in node.branches:
        yield when
        yield then
    if node.otherwise is not None:
        yield node.otherwise
