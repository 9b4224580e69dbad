"""The types of a published data model: one for the rows of each dataset, and the team's fields and links on types of ours.

They are made of the types of the static schema (`DatasetRow`, its connection, the root fields `datasetRow` and `datasetRows`),
so that they answer alike: pages, filters, orders and counts are the same code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInt,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLString,
)

from api.graphql.rows import resolvers
from api.graphql.rows.names import field_name, type_name, written
from api.graphql.rows.rebuild import Rebuilt
from api.graphql.rows.values import ValueTypes
from core.datamodel.records import DataField, Entity, Model
from core.rows.ways import Way, ways_of

_ROW, _CONNECTION, _EDGE, _LINKED = "DatasetRow", "DatasetRowConnection", "DatasetRowEdge", "LinkedConnection"
_KEPT = ("id", "createdAt", "updatedAt")  # of DatasetRow; no field of a team is called so


def typed_schema(base: GraphQLSchema, model: Model) -> GraphQLSchema:
    """The static schema with what a model adds; the same one where it adds nothing. Neither shares a type that has fields."""
    if not any(not one.built_in or one.fields for one in model.entities) and not any(ways_of(model).values()):
        return base
    return _Typed(base, model).schema()


class _Typed:
    def __init__(self, base: GraphQLSchema, model: Model):
        self.base = base
        self.model = model
        self.ways = ways_of(model)
        self.rebuilt = Rebuilt(base)
        self.values = ValueTypes(base)
        self.rows: dict[str, GraphQLObjectType] = {}  # types of rows by entity
        self.pages: dict[str, GraphQLObjectType] = {}  # of what links lead to, likewise

    def schema(self) -> GraphQLSchema:
        """The whole."""
        datasets = [one for one in self.model.entities if not one.built_in]
        for one in self.model.entities:
            self.rows[one.name] = self._ours(one.name) if one.built_in else self._row_type(one)
        for one in self.model.entities:
            if one.built_in:
                kind = self.base.type_map[self._ours(one.name).name]
                assert isinstance(kind, GraphQLObjectType)
                self.rebuilt.add(kind.name, lambda one=one, kind=kind: self._added(one, kind.fields))  # type: ignore[misc]
        root = self.base.query_type
        assert root is not None
        for one in datasets:
            self.rebuilt.add(root.name, lambda one=one: self._roots(one, root.fields))  # type: ignore[misc]
        return self.rebuilt.schema()

    def _ours(self, entity: str) -> GraphQLObjectType:
        name = "".join(word.capitalize() for word in entity.split("_"))
        kind = self.rebuilt.types[name]
        assert isinstance(kind, GraphQLObjectType)
        return kind

    def _old(self, name: str) -> GraphQLObjectType:
        kind = self.base.type_map[name]
        assert isinstance(kind, GraphQLObjectType)
        return kind

    # rows

    def _row_type(self, entity: Entity) -> GraphQLObjectType:
        name = type_name(entity.name, self.base.type_map)
        return GraphQLObjectType(
            name, lambda: self._row_fields(entity), description=entity.description or f"A row of the dataset {entity.name!r}."
        )

    def _row_fields(self, entity: Entity) -> dict[str, GraphQLField]:
        old = self._old(_ROW).fields
        kept = {name: self.rebuilt.field(old[name]) for name in _KEPT}
        values = {
            field_name(one.name, kept): GraphQLField(
                self.values.of(one), resolve=resolvers.of_row(one.name), description=_told(one),
                extensions=resolvers.leaf_of_row(one.name),
            )
            for one in entity.fields
        }  # fmt: skip
        return kept | values | self._way_fields(entity.name, kept, resolvers.key_of_row)

    def _added(self, entity: Entity, taken: Mapping[str, Any]) -> dict[str, GraphQLField]:
        """What a team adds to a type of ours."""
        values = {
            field_name(one.name, taken): GraphQLField(
                self.values.of(one), resolve=resolvers.of_ours(entity.name, one.name), description=_told(one)
            )
            for one in entity.fields
        }
        return values | self._way_fields(entity.name, taken, resolvers.key_of_ours)

    # links

    def _way_fields(self, entity: str, taken: Mapping[str, Any], key_of: Any) -> dict[str, GraphQLField]:
        return {field_name(way.name, taken): self._way_field(entity, way, key_of) for way in self.ways.get(entity, {}).values()}

    def _way_field(self, entity: str, way: Way, key_of: Any) -> GraphQLField:
        if way.many:
            return GraphQLField(
                GraphQLNonNull(self._page(way.entity)), resolve=resolvers.to_many(entity, way.name), description=way.label,
                args={"first": GraphQLArgument(GraphQLInt), "after": GraphQLArgument(GraphQLString)},
            )  # fmt: skip
        resolve = (
            resolvers.to_one(entity, way.name) if way.column is None else resolvers.to_key(way.entity, key_of(entity, way))
        )
        return GraphQLField(self.rows[way.entity], resolve=resolve, description=way.label)

    def _page(self, entity: str) -> GraphQLObjectType:
        """A page of what a link leads to: as LinkedConnection, of one type."""
        if entity not in self.pages:
            row = self.rows[entity]
            page = f"Linked{row.name}Connection"
            edge = GraphQLObjectType(
                f"Linked{row.name}Edge", lambda: self._with(self._old("NodeEdge"), {"Node": row}), description="One of a page."
            )
            self.pages[entity] = GraphQLObjectType(
                page, lambda: self._with(self._old(_LINKED), {"Node": row, "NodeEdge": edge}),
                description="Rows at the end of a link, in the order of their creation. They are not counted.",
            )  # fmt: skip
        return self.pages[entity]

    # roots

    def _roots(self, entity: Entity, taken: Mapping[str, GraphQLField]) -> dict[str, GraphQLField]:
        row = self.rows[entity.name]
        edge = GraphQLObjectType(f"{row.name}Edge", lambda: self._with(self._old(_EDGE), {_ROW: row}))
        page = GraphQLObjectType(
            f"{row.name}Connection", lambda: self._with(self._old(_CONNECTION), {_ROW: row, _EDGE: edge}),
            description=f"Rows of {entity.name}.",
        )  # fmt: skip
        name = written(entity.name)
        one = f"{name}Row" if f"{name}Row" not in taken else f"team_{entity.name}Row"
        many = f"{name}Rows" if f"{name}Rows" not in taken else f"team_{entity.name}Rows"
        return {
            one: self._root(taken["datasetRow"], entity.name, row, f"A row of {entity.name}; null when it is not there."),
            many: self._root(
                taken["datasetRows"], entity.name, GraphQLNonNull(page), f"Rows of {entity.name}, as datasetRows."
            ),
        }

    def _root(self, old: GraphQLField, dataset: str, kind: GraphQLOutputType, description: str) -> GraphQLField:
        """As a static root field that is told the dataset."""
        args = {name: argument for name, argument in old.args.items() if name != "dataset"}
        assert old.resolve is not None
        return GraphQLField(kind, args=args, resolve=resolvers.within(old.resolve, dataset), description=description)

    def _with(self, kind: GraphQLObjectType, other: Mapping[str, GraphQLObjectType]) -> dict[str, GraphQLField]:
        """The fields of a type with others in the places of some types."""
        return {name: self.rebuilt.field(one, other) for name, one in kind.fields.items()}


def _told(field: DataField) -> str:
    """A field's label and description, and its values where they are authorised."""
    values = f"One of {', '.join(choice.name for choice in field.choices[:100])}." if field.choices else ""
    return " ".join(part for part in (f"{field.label.rstrip('.')}.", field.description, values) if part)
