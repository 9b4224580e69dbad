"""What asking a question costs, and which index would make it cheaper: Postgres is asked for its plan, nothing runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from core.db import Connection
from core.targeting import store
from core.targeting.catalogue import Catalogue, CatalogueField, Entity
from core.targeting.check import CheckedExpression
from core.targeting.language import (
    Aggregate,
    Field,
    Literal,
    Operation,
    Operator,
    Relative,
    Selection,
    Stage,
    parts_below,
)
from core.targeting.plans import cheaper
from core.targeting.records import Examination, Scan
from core.targeting.scopes import Scope

FEW = 0.1  # of a table: where fewer rows are wanted, an index is worth it
SMALL = 10_000  # rows, of tables that are read faster than looked up
_SERVED = frozenset(
    {
        Operator.EQUAL, Operator.LESS, Operator.AT_MOST, Operator.GREATER, Operator.AT_LEAST, Operator.BETWEEN, Operator.IN,
        Operator.STARTS_WITH,
    }
)  # fmt: skip


async def examine(conn: Connection, checked: CheckedExpression, *, at: datetime, zone: ZoneInfo) -> Examination:
    """The SQL of a question, what Postgres expects of it, and what would help."""
    statement = await cheaper(conn, checked, store.everyone, at=at, zone=zone)
    plan = await store.explain(conn, statement)
    scanned = [(node["Relation Name"], int(node["Plan Rows"])) for node in _nodes(plan) if node["Node Type"] == "Seq Scan"]
    sizes = await store.table_sizes(conn, sorted({table for table, _ in scanned}))
    scans = tuple(Scan(table=table, rows=sizes.get(table, 0), wanted=wanted) for table, wanted in scanned)
    compared = {table: names for table, names in _compared(checked).items() if names}
    return Examination(
        sql=statement.text,
        cost=float(plan["Total Cost"]),
        estimate=int(plan["Plan Rows"]),
        scans=scans,
        advice=tuple(dict.fromkeys(_advice(one, compared) for one in scans if one.rows > SMALL)),
    )


def _nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)


def _advice(scan: Scan, compared: Mapping[str, list[str]]) -> str:
    names = compared.get(scan.table, [])
    read = f"all {scan.rows:,} rows of {scan.table} are read"
    if not names or scan.wanted > scan.rows * FEW:
        return f"{read}: the question needs most of them, or compares nothing that an index could serve"
    return f"{read} to find about {scan.wanted:,}: an index on {' or '.join(names)} would help"


def _compared(checked: CheckedExpression) -> dict[str, list[str]]:
    """By table, the fields that are compared with something known beforehand."""
    found: dict[str, list[str]] = {}
    _walk(checked.expression.root, Scope(entity=checked.entity), checked.catalogue, found)
    return found


def _walk(node: Any, scope: Scope | None, catalogue: Catalogue, found: dict[str, list[str]]) -> None:
    if isinstance(node, Operation):
        first, *others = node.operands
        known = all(isinstance(one, Literal | Relative) for one in others)
        if isinstance(first, Field) and known and node.operator in _SERVED:
            return _note(first.path, scope, catalogue, found)
    inner = _end(node.path, scope, catalogue) if isinstance(node, Selection) else scope
    if isinstance(node, Aggregate | Stage):
        inner = _end(node.selection.path, scope, catalogue)
    for part in parts_below(node):
        _walk(part, scope if isinstance(part, Selection) else inner, catalogue, found)
    return None


def _note(path: tuple[str, ...], scope: Scope | None, catalogue: Catalogue, found: dict[str, list[str]]) -> None:
    end = _end(path[:-1], scope, catalogue)
    if end is not None:
        entity: Entity = end.entity
        field: CatalogueField = entity.fields[path[-1]]
        names = found.setdefault(entity.table, [])
        if field.derived is None and f"{entity.name}.{field.name}" not in names:
            names.append(f"{entity.name}.{field.name}")


def _end(path: tuple[str, ...], scope: Scope | None, catalogue: Catalogue) -> Scope | None:
    at = scope
    for name in path:
        step = at.step(name) if at else None
        if at is None or step is None:
            return None
        at = step if isinstance(step, Scope) else at.within(catalogue.entities[step.target], step)
    return at
