"""How the columns of a chunk stand in its statements, where a type asks for more than its name."""

from __future__ import annotations

from core.profiles.fields import FieldType
from core.profiles.import_columns import Plan


def staged_names(plan: Plan) -> str:
    """The columns of the staging table, as they are selected from the real one. A JSON goes in as its text: what copies in
    binary form has no other."""
    return ", ".join(f"{name}::text AS {name}" if _is(plan, name, FieldType.JSON) else name for name in plan.staged)


def said(plan: Plan, column: str) -> str:
    """What a staged row `s` says, as the column has it."""
    return f"s.{column}::jsonb" if _is(plan, column, FieldType.JSON) else f"s.{column}"


def compared(plan: Plan, column: str, sql: str) -> str:
    """A value of a column, as it can be compared: places have no `=`."""
    return f"({sql})::text" if _is(plan, column, FieldType.POINT) else sql


def _is(plan: Plan, column: str, kind: FieldType) -> bool:
    field = plan.by_column.get(column)  # an email has columns that are no field's
    return field is not None and field.type is kind
