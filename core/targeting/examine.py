"""What a question or a value costs, and which index would make it cheaper: Postgres is asked for its plan, nothing runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from core.datamodel.index_rules import would_serve
from core.datamodel.present import present_model
from core.datamodel.records import Model
from core.db import Connection
from core.targeting import store
from core.targeting.catalogue import Catalogue, CatalogueField, Derived, Entity, Kind
from core.targeting.check import CheckedExpression, CheckedValue
from core.targeting.language import (
    Aggregate,
    Call,
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
from core.targeting.sql import Statement, compile_statement, values

FEW = 0.1  # of a table: where fewer rows are wanted, an index is worth it
SMALL = 10_000  # rows, of tables that are read faster than looked up
_SERVED = frozenset(
    {
        Operator.EQUAL, Operator.LESS, Operator.AT_MOST, Operator.GREATER, Operator.AT_LEAST, Operator.BETWEEN, Operator.IN,
        Operator.STARTS_WITH,
    }
)  # fmt: skip
_SERVED_OF_TEXTS = frozenset({Operator.EQUAL, Operator.IN, Operator.STARTS_WITH})  # indexes have no order of code points
_WRITTEN = frozenset({"exactly", "accented", "point"})  # functions whose values are known where their arguments are

Compared: TypeAlias = dict[str, list[tuple[str, tuple[str, ...]]]]  # by table, entities with fields that one index could be of


async def examine(conn: Connection, checked: CheckedExpression, *, at: datetime, zone: ZoneInfo) -> Examination:
    """The SQL of a question, what Postgres expects of it, and what would help."""
    statement = await cheaper(conn, checked, store.everyone, at=at, zone=zone)
    return await _examined(conn, statement, checked)


async def examine_value(conn: Connection, checked: CheckedValue, *, at: datetime, zone: ZoneInfo) -> Examination:
    """The same of a value that is computed for every row of the entity."""
    statement = compile_statement(values(checked, at=at, zone=zone))
    return await _examined(conn, statement, checked, whole=checked.entity.table)


async def _examined(
    conn: Connection, statement: Statement, checked: CheckedExpression, *, whole: str | None = None
) -> Examination:  # fmt: skip
    """`whole` is a table that is read from one end to the other by intent."""
    plan = await store.explain(conn, statement)
    scanned = [(node["Relation Name"], int(node["Plan Rows"])) for node in _nodes(plan) if node["Node Type"] == "Seq Scan"]
    sizes = await store.table_sizes(conn, sorted({table for table, _ in scanned}))
    scans = tuple(Scan(table=table, rows=sizes.get(table, 0), wanted=wanted) for table, wanted in scanned)
    compared, model = _compared(checked), await present_model(conn)
    large = [(one, _makeable(compared.get(one.table, []), model)) for one in scans if one.rows > SMALL and one.table != whole]
    return Examination(
        sql=statement.text,
        cost=float(plan["Total Cost"]),
        estimate=int(plan["Plan Rows"]),
        scans=scans,
        advice=tuple(dict.fromkeys(_advice(one, indexes) for one, indexes in large)),
    )


def _nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)


def _advice(scan: Scan, indexes: list[str]) -> str:
    read = f"all {scan.rows:,} rows of {scan.table} are read"
    if not indexes or scan.wanted > scan.rows * FEW:
        return f"{read}: the question needs most of them, or compares nothing that another index could serve"
    return f"{read} to find about {scan.wanted:,}: an index on {' or '.join(indexes)} would help"


def _makeable(found: list[tuple[str, tuple[str, ...]]], model: Model) -> list[str]:
    """Those that the data model takes and does not have, as people write them."""
    entities = {name: model.find(name) for name, _ in found}
    kept = [(name, fields) for name, fields in found if (one := entities[name]) is not None and would_serve(one, fields)]
    return [f"{name}.{fields[0]}" if len(fields) == 1 else f"{name} ({', '.join(fields)})" for name, fields in kept]


def _compared(checked: CheckedExpression) -> Compared:
    """What is compared with something known beforehand."""
    found: Compared = {}
    _walk(checked.expression.root, Scope(entity=checked.entity), checked.catalogue, found)
    return found


def _walk(node: Any, scope: Scope | None, catalogue: Catalogue, found: Compared) -> None:
    if isinstance(node, Operation):
        first, *others = node.operands
        if isinstance(first, Field) and all(_is_known(one) for one in others):
            return _note(node.operator, first.path, scope, catalogue, found)
    if isinstance(node, Call) and node.function == "within_km":
        return _note_place(node, scope, catalogue, found)
    inner = _end(node.path, scope, catalogue) if isinstance(node, Selection) else scope
    if isinstance(node, Aggregate | Stage):
        inner = _end(node.selection.path, scope, catalogue)
    for part in parts_below(node):
        _walk(part, scope if isinstance(part, Selection) else inner, catalogue, found)
    return None


def _is_known(operand: Any) -> bool:
    """Whether every row is compared with the same."""
    if isinstance(operand, Call):
        return operand.function in _WRITTEN and all(_is_known(one) for one in operand.arguments)
    return isinstance(operand, Literal | Relative)


def _note(
    operator: Operator, path: tuple[str, ...], scope: Scope | None, catalogue: Catalogue, found: Compared
) -> None:  # fmt: skip
    entity, field = _field_at(path, scope, catalogue)
    if entity is None or field is None or operator not in (_SERVED_OF_TEXTS if field.kind is Kind.TEXT else _SERVED):
        return
    if field.derived in (None, Derived.AGE):  # an age is asked of the birth date
        _add(entity, (field.name if field.derived is None else field.column,), found)


def _note_place(node: Call, scope: Scope | None, catalogue: Catalogue, found: Compared) -> None:
    """Who is near a place that is written down: by an index of the two angles, the latitude first."""
    place, center, _ = node.arguments
    if not _is_known(center):
        return
    if isinstance(place, Field):
        angles = [place]
    elif isinstance(place, Call) and place.function == "point":
        angles = [one for one in reversed(place.arguments) if isinstance(one, Field)]
        if len(angles) < len(place.arguments):
            return
    else:
        return
    ends = [_field_at(one.path, scope, catalogue) for one in angles]
    entity = ends[0][0]
    if entity is not None and all(one is entity for one, _ in ends):
        _add(entity, tuple(field.name for _, field in ends if field is not None), found)


def _add(entity: Entity, fields: tuple[str, ...], found: Compared) -> None:
    noted = found.setdefault(entity.table, [])
    if (entity.name, fields) not in noted:
        noted.append((entity.name, fields))


def _field_at(
    path: tuple[str, ...], scope: Scope | None, catalogue: Catalogue
) -> tuple[Entity, CatalogueField] | tuple[None, None]:  # fmt: skip
    end = _end(path[:-1], scope, catalogue)
    return (None, None) if end is None else (end.entity, end.entity.fields[path[-1]])


def _end(path: tuple[str, ...], scope: Scope | None, catalogue: Catalogue) -> Scope | None:
    at = scope
    for name in path:
        step = at.step(name) if at else None
        if at is None or step is None:
            return None
        at = step if isinstance(step, Scope) else at.within(catalogue.entities[step.target], step)
    return at
