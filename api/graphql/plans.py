"""Compiles a selection of leaf fields into one Python function from record to answer.

graphql-core calls a resolver, builds a path and an info object and completes a value for each field of each row. For fields
that are merely read off a record none of that is needed, so a selection made of such fields becomes a generated function like

    def build(row):
        v0 = row.email
        if v0 is not None and type(v0) is not str: v0 = coerce0(v0)
        return {"id": read1(row), "email": v0}

Such a function knows nothing of errors: whatever it cannot answer (a null where none may be, a value that does not fit)
raises, and the executor answers that object the slow way, which says what is wrong and where. Reading is pure, so doing
it twice is safe.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLString,
    is_leaf_type,
    is_object_type,
)
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet

from api.graphql.leaf import READ, reader_of

if TYPE_CHECKING:
    from api.graphql.execution import LeafExecutor

Build = Callable[[Any], Any]


class NoPlan(Exception):
    """This cannot be compiled, or not answered by what was compiled."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to answer the selection of one object type: `build` gives all fields, with None in place of the `rest`,
    which need their resolvers."""

    build: Build
    rest: tuple[str, ...]


def compile_plan(executor: LeafExecutor, parent: GraphQLObjectType, fields: GroupedFieldSet) -> Plan | None:
    """The plan of a selection, or None when not one of its fields is a leaf."""
    source = _Source()
    rest: list[str] = []
    parts: list[str] = []
    for position, (name, details) in enumerate(fields.items()):
        try:
            expression = _field(source, executor, parent, details, f"v{position}")
        except NoPlan:
            rest.append(name)
            expression = "None"
        parts.append(f"{name!r}: {expression}")
    if len(rest) == len(fields):
        return None
    return Plan(source.function("{" + ", ".join(parts) + "}"), tuple(rest))


class _Source:
    """The text of one function and the objects it refers to."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names: dict[str, Any] = {"NoPlan": NoPlan, "datetime": datetime}

    def refer(self, value: Any) -> str:
        """A name for an object."""
        name = f"g{len(self.names)}"
        self.names[name] = value
        return name

    def function(self, result: str) -> Build:
        text = "\n".join(["def build(row):", *(f"    {line}" for line in self.lines), f"    return {result}"])
        exec(
            compile(text, "<plan>", "exec"), self.names
        )  # only names of the schema and of the validated document enter the text
        build: Build = self.names["build"]
        return build


def _field(source: _Source, executor: LeafExecutor, parent: GraphQLObjectType, details: FieldDetailsList, variable: str) -> str:
    node = details[0].node
    if node.name.value == "__typename":
        return repr(parent.name)
    definition = parent.fields.get(node.name.value)
    if definition is None or definition.args:
        raise NoPlan
    source_mark = len(source.lines)
    try:
        source.lines.append(f"{variable} = {_read(source, definition)}")
        return _complete(source, executor, definition.type, details, variable)
    except NoPlan:
        del source.lines[source_mark:]
        raise


def _read(source: _Source, definition: GraphQLField) -> str:
    extensions = definition.extensions or {}
    field = extensions.get("strawberry-definition")
    read = reader_of(field) if field is not None else extensions.get(READ)  # of published types
    if read is None:
        raise NoPlan
    return f"row.{read}" if isinstance(read, str) else f"{source.refer(read)}(row)"


def _complete(source: _Source, executor: LeafExecutor, kind: GraphQLOutputType, details: FieldDetailsList, v: str) -> str:
    """Write the lines that bring `v` into its final form; the result is an expression for it."""
    if isinstance(kind, GraphQLNonNull):
        source.lines.append(f"if {v} is None: raise NoPlan")
        return _complete_present(source, executor, kind.of_type, details, v)
    before = len(source.lines)
    expression = _complete_present(source, executor, kind, details, v)
    if expression != v:
        source.lines.append(f"{v} = {expression}")
    body = source.lines[before:]
    source.lines[before:] = [f"if {v} is not None:", *(f"    {line}" for line in body)] if body else []
    return v


def _complete_present(
    source: _Source, executor: LeafExecutor, kind: GraphQLOutputType, details: FieldDetailsList, v: str
) -> str:
    if isinstance(kind, GraphQLList):
        item = kind.of_type
        build = source.refer(_item(executor, item, details))
        source.lines.append(f"if type({v}) is not list and type({v}) is not tuple: raise NoPlan")
        return f"[{build}(item) for item in {v}]"
    if is_leaf_type(kind):
        return _leaf(source, kind, v)
    if is_object_type(kind):
        return f"{source.refer(_object(executor, kind, details))}({v})"
    raise NoPlan  # abstract types ask the value what it is


def _object(executor: LeafExecutor, kind: GraphQLObjectType, details: FieldDetailsList) -> Build:
    plan = executor.plan_for(kind, details)
    if plan is None or plan.rest:
        raise NoPlan
    return plan.build


def _item(executor: LeafExecutor, kind: GraphQLOutputType, details: FieldDetailsList) -> Build:
    """A function for one item of a list."""
    if isinstance(kind, GraphQLNonNull) and is_object_type(kind.of_type):
        return _object(executor, kind.of_type, details)
    source = _Source()
    return source.function(_complete(source, executor, kind, details, "row"))


_EXACT = {
    GraphQLString.name: "type({v}) is not str",
    GraphQLID.name: "type({v}) is not str",
    GraphQLBoolean.name: "type({v}) is not bool",
    GraphQLInt.name: "type({v}) is not int or not -2147483648 <= {v} <= 2147483647",
    GraphQLFloat.name: "type({v}) is not float or {v} - {v} != 0",
    "DateTime": "type({v}) is not datetime or {v}.tzinfo is None",
}
"""When a value of a scalar must go through its conversion; the values we keep hardly ever need it."""


def _leaf(source: _Source, kind: GraphQLLeafType, v: str) -> str:
    if isinstance(kind, GraphQLEnumType):
        names = {getattr(entry.value, "value", entry.value): name for name, entry in kind.values.items()}
        return f"{source.refer(names)}[getattr({v}, 'value', {v})]"
    coerce = source.refer(kind.coerce_output_value)
    inexact = _EXACT.get(kind.name)
    if inexact is None:
        return f"{coerce}({v})"
    source.lines.append(f"if {inexact.format(v=v)}: {v} = {coerce}({v})")
    return v
