"""What an operation will touch and cost, read from the validated document once.

Sizes that stand in variables are filled in per request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLCompositeType,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
)

from api.graphql.limits import INTROSPECTION

DEFAULT_ROWS = 50  # of a connection that does not say
GUESSED_ROWS = 10  # of a list that takes no size
LARGEST_ROWS = 100_000  # sizes are clamped here before they are multiplied; the resolver refuses them anyway
SIZE_ARGUMENTS = ("first", "size", "ids")
ROOT_COST = {"query": 1, "mutation": 10, "subscription": 1}
INTROSPECTION_ROWS = {"types": 200, "fields": 10, "inputFields": 6, "enumValues": 6, "directives": 8}


@dataclass(slots=True)
class Cost:
    """Rows times fields: `own` leaf fields, and per composite field how many rows of what."""

    own: int = 0
    parts: list[tuple[int | str, Cost]] = field(default_factory=list)  # a str is the name of a variable

    def total(self, variables: Mapping[str, Any]) -> int:
        """The number for these sizes: coerced values by the name of their variable."""
        return self._total(variables, {})

    def _total(self, variables: Mapping[str, Any], known: dict[int, int]) -> int:
        if id(self) not in known:
            known[id(self)] = self.own + sum(
                _rows(rows, variables) * part._total(variables, known) for rows, part in self.parts
            )
        return known[id(self)]


def _rows(rows: int | str, variables: Mapping[str, Any]) -> int:
    """The rows that a number, or a variable, stands for."""
    value = variables.get(rows) if isinstance(rows, str) else rows
    if isinstance(value, list):
        value = len(value)
    if not isinstance(value, int):
        return DEFAULT_ROWS
    return min(max(value, 1), LARGEST_ROWS)


@dataclass(slots=True, kw_only=True)
class Analysis:
    """What one operation touches: `coordinates` are `Type.field`, in the order in which they appear."""

    coordinates: tuple[str, ...]
    cost: Cost
    introspection: Cost
    root_fields: int
    condition_variables: tuple[str, ...]  # those that steer @skip and @include
    size_variables: tuple[VariableDefinitionNode, ...]  # those that say how many rows


def analyse(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) -> Analysis:
    """Walk one operation of a document that has passed validation and the bounds of `limits.py`."""
    root = schema.get_root_type(operation.operation)
    assert root is not None
    walk = _Walk(schema, document)
    cost = walk.selections(operation.selection_set, root)
    cost.own += walk.root_fields * ROOT_COST[operation.operation.value]
    return Analysis(
        coordinates=tuple(walk.coordinates),
        cost=cost,
        introspection=walk.introspection,
        root_fields=walk.root_fields,
        condition_variables=tuple(sorted(walk.conditions)),
        size_variables=tuple(
            definition
            for definition in operation.variable_definitions or ()
            if definition.variable.name.value in walk.size_variables
        ),
    )


class _Walk:
    def __init__(self, schema: GraphQLSchema, document: DocumentNode):
        self.schema = schema
        self.roots = {root for root in (schema.query_type, schema.mutation_type, schema.subscription_type) if root}
        self.fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
        self.walked: dict[tuple[str, bool], Cost] = {}
        self.coordinates: dict[str, None] = {}
        self.conditions: set[str] = set()
        self.size_variables: set[str] = set()
        self.introspection = Cost()
        self.root_fields = 0

    def selections(self, node: SelectionSetNode, parent: GraphQLCompositeType, counted: bool = False) -> Cost:
        """What is selected on a type; `counted` when the rows of its lists were multiplied above."""
        cost = Cost()
        for selection in node.selections:
            self._note_conditions(selection)
            if isinstance(selection, FieldNode):
                self._field(selection, parent, cost, counted)
            elif isinstance(selection, InlineFragmentNode):
                cost.parts.append((1, self._inline(selection, parent, counted)))
            elif isinstance(selection, FragmentSpreadNode):
                cost.parts.append((1, self._named(selection.name.value, counted)))
        return cost

    def _field(self, node: FieldNode, parent: GraphQLCompositeType, cost: Cost, counted: bool) -> None:
        name = node.name.value
        if parent in self.roots:
            self.root_fields += 1
        definition = self.schema.get_field(parent, name)
        if definition is None or name == "__typename":
            cost.own += 1
            return
        kind = get_named_type(definition.type)
        if name in INTROSPECTION:
            self.introspection.parts.append((1, self._below(node, kind, counted=False)))
            return
        self.coordinates[f"{parent.name}.{name}"] = None
        if is_composite_type(kind) and node.selection_set is not None:
            size = _size(node, parent, definition, counted)
            if isinstance(size, str):
                self.size_variables.add(size)
            cost.parts.append((size, self._below(node, kind, counted=_is_page(definition))))
        else:
            cost.own += 1

    def _below(self, node: FieldNode, kind: GraphQLNamedType, counted: bool) -> Cost:
        assert node.selection_set is not None
        assert is_composite_type(kind)
        return self.selections(node.selection_set, kind, counted)

    def _inline(self, node: InlineFragmentNode, parent: GraphQLCompositeType, counted: bool) -> Cost:
        return self.selections(node.selection_set, self._condition(node, parent), counted)

    def _named(self, name: str, counted: bool) -> Cost:
        key = (name, counted)
        if key not in self.walked:
            fragment = self.fragments[name]
            self.walked[key] = self.selections(fragment.selection_set, self._condition(fragment, None), counted)
        return self.walked[key]

    def _condition(
        self, node: InlineFragmentNode | FragmentDefinitionNode, parent: GraphQLCompositeType | None
    ) -> GraphQLCompositeType:
        if node.type_condition is None:
            assert parent is not None
            return parent
        kind = self.schema.get_type(node.type_condition.name.value)
        assert is_composite_type(kind)
        return kind

    def _note_conditions(self, node: Any) -> None:
        for directive in node.directives or ():
            for argument in directive.arguments or ():
                if isinstance(argument.value, VariableNode):
                    self.conditions.add(argument.value.name.value)


def _is_page(definition: GraphQLField) -> bool:
    """Whether it answers one object that holds as many rows as it was asked for."""
    return any(name in definition.args for name in SIZE_ARGUMENTS) and not is_list_type(get_nullable_type(definition.type))


def _size(node: FieldNode, parent: GraphQLCompositeType, definition: GraphQLField, counted: bool) -> int | str:
    """How many rows a composite field stands for: a number, or the variable that says."""
    if parent.name.startswith("__"):
        return INTROSPECTION_ROWS.get(node.name.value, 3) if is_list_type(get_nullable_type(definition.type)) else 1
    for argument in node.arguments or ():
        if argument.name.value in SIZE_ARGUMENTS:
            return _literal_size(argument.value)
    if any(name in definition.args for name in SIZE_ARGUMENTS):
        return DEFAULT_ROWS
    return GUESSED_ROWS if is_list_type(get_nullable_type(definition.type)) and not counted else 1


def _literal_size(value: ValueNode) -> int | str:
    if isinstance(value, VariableNode):
        return value.name.value
    if isinstance(value, ListValueNode):
        return max(1, len(value.values))
    return int(value.value) if isinstance(value, IntValueNode) else DEFAULT_ROWS
