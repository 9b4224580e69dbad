"""The GraphQL types of a team's values. What GraphQL has no type for of its own is added here, beside the static schema."""

from __future__ import annotations

from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLField,
    GraphQLFloat,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    GraphQLSchema,
    GraphQLString,
)

from api.graphql.leaf import READ
from api.graphql.scalars import plain_value
from core.datamodel.records import DataField, FieldKind


def _integer(value: Any) -> int | str:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{value!r} is not a whole number")
    told: int | str = plain_value(value)
    return told


class ValueTypes:
    """Those of one schema."""

    def __init__(self, base: GraphQLSchema):
        def free(name: str) -> str:
            return name if name not in base.type_map else f"Team{name}"

        integer = GraphQLScalarType(
            free("BigInteger"), serialize=_integer, description="A whole number of 64 bits; a text where it passes 2^53-1."
        )
        place = GraphQLObjectType(
            free("Place"),
            {
                name: GraphQLField(
                    GraphQLNonNull(GraphQLFloat), resolve=_part(axis), extensions={READ: _reader(axis)},
                    description=f"In degrees, from -{most} to {most}.",
                )
                for name, axis, most in (("longitude", "x", 180), ("latitude", "y", 90))
            },
            description="A place on earth.",
        )  # fmt: skip
        self._types: dict[FieldKind, Any] = {
            FieldKind.TEXT: GraphQLString,
            FieldKind.ENUMERATION: GraphQLString,
            FieldKind.AUTOMATIC_ID: GraphQLString,
            FieldKind.CREATED_BY: GraphQLString,
            FieldKind.CHANGED_BY: GraphQLString,
            FieldKind.BOOLEAN: GraphQLBoolean,
            FieldKind.INTEGER: integer,
            FieldKind.DECIMAL: base.type_map["Decimal"],
            FieldKind.POINT: place,
            FieldKind.JSON: base.type_map["JSON"],
            FieldKind.DATE: base.type_map["Date"],
            FieldKind.INSTANT: base.type_map["DateTime"],
        }

    def of(self, field: DataField) -> GraphQLOutputType:
        """The type of a field's values, any of which may be null."""
        kind: GraphQLOutputType = self._types[field.kind]
        return kind


def _reader(axis: str) -> Any:
    return lambda point: getattr(point, axis)


def _part(axis: str) -> Any:
    return lambda point, info: getattr(point, axis)
