"""Checked tree → SQLAlchemy Core; no I/O, no clock. Values are only ever bound.

Two-valued: a comparison with NULL is false, and `not` makes it true. The condition built is TRUE exactly for
the matching rows, and FALSE or NULL for the others: negate the expression, never the SQL.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    FromClause,
    Select,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.sql.expression import Executable

from core.targeting.catalogue import Entity
from core.targeting.checked import CheckedExpression, CheckedValue
from core.targeting.compiled import Plan, Predicate, Sql
from core.targeting.compiler import TreeCompiler
from core.targeting.language import (
    Aggregate,
    Literal,
    Operation,
    Relative,
    Top,
)
from core.targeting.linked import entity_table
from core.targeting.moments import Asked, Later, asked_at
from core.targeting.scopes import Scope
from core.targeting.sequences import top_keys

# SQLAlchemy takes some twenty frames for each level of what is nested, of which `MAX_DEPTH` allows 40.
sys.setrecursionlimit(max(sys.getrecursionlimit(), 5_000))
_DIALECT = asyncpg.dialect()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """SQL text with `$n` parameters, and their values, as asyncpg takes them once all of them are known."""

    text: str
    args: tuple[Any, ...]

    def known(self, at: datetime) -> Statement:
        """The same, asked at this time."""
        args = tuple(one.known(at) if isinstance(one, Later) else one for one in self.args)
        return Statement(text=self.text, args=args)


def compile_statement(statement: Executable) -> Statement:
    """Any SQLAlchemy Core statement as text and arguments for asyncpg."""
    compiled = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})  # type: ignore[attr-defined]
    values = compiled.construct_params()
    return Statement(text=compiled.string, args=tuple(values[name] for name in compiled.positiontup))


def predicate(
    checked: CheckedExpression, *, at: datetime, zone: ZoneInfo, source: FromClause | None = None, plan: Plan = Plan.ONE_BY_ONE
) -> Predicate:  # fmt: skip
    """The condition on rows of `source`, by default `entity_table(checked.entity)`. `at` is `now`."""
    rows = entity_table(checked.entity) if source is None else source
    return _compiled(checked, asked_at(at, zone), rows, plan)


def condition(checked: CheckedExpression, *, asked: Asked, source: FromClause) -> Predicate:
    """The same; where no instant is known yet, for `Statement.known`, of a table that has no others than are asked about."""
    return _compiled(checked, asked, source, Plan.OF_THESE)


def population(
    checked: CheckedExpression, *, at: datetime, zone: ZoneInfo, plan: Plan = Plan.ALL_AT_ONCE
) -> Select[Any]:  # fmt: skip
    """The keys of the matching rows, in no order."""
    return keys(checked, asked_at(at, zone), plan)


def keys(checked: CheckedExpression, asked: Asked, plan: Plan) -> Select[Any]:
    """The same; where no instant is known yet, for `Statement.known`."""
    if plan is Plan.ALL_AT_ONCE and (grouped := _keys_of_groups(checked, asked)) is not None:
        return grouped
    if isinstance(checked.expression.root, Top):
        return _keys_at_top(checked, checked.expression.root, asked, plan)
    rows = entity_table(checked.entity)
    living = [present(checked.entity)] if checked.catalogue.merged else []  # else it would cost what an index alone answers
    whole = _compiler(checked, asked, rows, plan).whole(checked.expression.root)
    return select(rows.c[checked.entity.key]).where(whole, *living)


def present(entity: Entity, rows: FromClause | None = None) -> Predicate:
    """Which rows are asked about at all: a profile that is merged into another stands for nobody. By default those of the
    entity's table under its own name."""
    if entity.table != "profile":
        return true()
    return literal_column("profile.merged_into" if rows is None else f"{rows.name}.merged_into").is_(None)  # type: ignore[attr-defined]


def value(checked: CheckedValue, *, at: datetime, zone: ZoneInfo, source: FromClause | None = None) -> Sql:
    """What an expression computes on rows of `source`, as a column to select: NULL where there is no value.

    Integers are of 64 bits, decimals numeric, enumerations their names, conditions true or false, UUIDs of their
    type, instants those of the years 1 to 9999.
    """
    rows = entity_table(checked.entity) if source is None else source
    scope = Scope(entity=checked.entity, source=rows)
    return TreeCompiler(checked, scope, asked_at(at, zone), Plan.ONE_BY_ONE).value(checked)


def values(checked: CheckedValue, *, at: datetime, zone: ZoneInfo) -> Select[Any]:
    """The keys of all rows, and beside each what an expression computes, in no order."""
    rows = entity_table(checked.entity)
    return select(rows.c[checked.entity.key], value(checked, at=at, zone=zone, source=rows)).where(present(checked.entity))


def _keys_of_groups(checked: CheckedExpression, asked: Asked) -> Select[Any] | None:
    """The whole question is one aggregate: whoever has rows that pass is a key of the groups, and no other table is read."""
    node = checked.expression.root
    if not isinstance(node, Operation) or not isinstance(node.operands[0], Aggregate):
        return None
    link = checked.entity.links.get(node.operands[0].selection.path[0])
    if link is None or not link.sound or checked.catalogue.merged:
        return None
    if not all(isinstance(one, Literal | Relative) for one in node.operands[1:]):
        return None
    scope = Scope(entity=checked.entity, source=entity_table(checked.entity))
    return TreeCompiler(checked, scope, asked, Plan.ALL_AT_ONCE).keys_of_groups(node, node.operands[0])


def _keys_at_top(checked: CheckedExpression, node: Top, asked: Asked, plan: Plan) -> Select[Any]:
    """The whole question is who is at the top: those keys are the answer, and no table is read once more to find them in."""
    scope = Scope(entity=checked.entity, source=entity_table(checked.entity))
    found = top_keys(TreeCompiler(checked, scope, asked, plan), node).subquery()
    return select(found.c.key)


def _compiled(checked: CheckedExpression, asked: Asked, source: FromClause, plan: Plan) -> Predicate:
    return _compiler(checked, asked, source, plan).condition(checked.expression.root)


def _compiler(checked: CheckedExpression, asked: Asked, source: FromClause, plan: Plan) -> TreeCompiler:
    return TreeCompiler(checked, Scope(entity=checked.entity, source=source), asked, plan)
