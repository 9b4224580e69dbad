"""A schema made once more, with fields added to some of its types.

Types of graphql-core know each other by identity, so that a type with another field is another type, and so is every type that
leads to it: all types with fields are made anew. Scalars, enumerations and inputs, which lead to none of them, are shared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    is_introspection_type,
)

Fields = Callable[[], Mapping[str, GraphQLField]]
_NONE: Mapping[str, GraphQLNamedType] = MappingProxyType({})


class Rebuilt:
    """The types of a schema, each made when it is first looked into."""

    def __init__(self, base: GraphQLSchema):
        self.base = base
        self._added: dict[str, list[Fields]] = {}
        self.types: dict[str, GraphQLNamedType] = {}
        for name, kind in base.type_map.items():
            if not is_introspection_type(kind):
                self.types[name] = self._again(kind)

    def add(self, name: str, fields: Fields) -> None:
        """Let a type have further fields, which are asked for later."""
        self._added.setdefault(name, []).append(fields)

    def field(self, one: GraphQLField, other: Mapping[str, GraphQLNamedType] = _NONE) -> GraphQLField:
        """A field as it was, leading to the new types; `other` are types to take in the place of some."""
        return GraphQLField(**{**one.to_kwargs(), "type_": self._kind(one.type, other)})

    def schema(self) -> GraphQLSchema:
        """The schema with all of them."""
        base = self.base
        roots = {name: self._root(getattr(base, f"{name}_type")) for name in ("query", "mutation", "subscription")}
        made = GraphQLSchema(
            **roots, types=list(self.types.values()), directives=base.directives, description=base.description,
            extensions=dict(base.extensions),
        )  # fmt: skip
        made._strawberry_schema = base._strawberry_schema  # type: ignore[attr-defined]
        return made

    def _root(self, kind: GraphQLObjectType | None) -> Any:
        return None if kind is None else self.types[kind.name]

    def _again(self, kind: GraphQLNamedType) -> GraphQLNamedType:
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            parts: dict[str, Any] = {
                **kind.to_kwargs(), "fields": lambda: self._fields(kind),
                "interfaces": lambda: [self.types[one.name] for one in kind.interfaces],
            }  # fmt: skip
            return type(kind)(**parts)
        if isinstance(kind, GraphQLUnionType):
            members: dict[str, Any] = {**kind.to_kwargs(), "types": lambda: [self.types[one.name] for one in kind.types]}
            return GraphQLUnionType(**members)
        return kind

    def _fields(self, kind: GraphQLObjectType | GraphQLInterfaceType) -> dict[str, GraphQLField]:
        fields = {name: self.field(one) for name, one in kind.fields.items()}
        for added in self._added.get(kind.name, ()):
            fields |= added()
        return fields

    def _kind(self, kind: Any, other: Mapping[str, GraphQLNamedType]) -> Any:
        if isinstance(kind, GraphQLNonNull):
            return GraphQLNonNull(self._kind(kind.of_type, other))
        if isinstance(kind, GraphQLList):
            return GraphQLList(self._kind(kind.of_type, other))
        return other.get(kind.name) or self.types.get(kind.name, kind)
