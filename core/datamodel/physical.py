"""How the model lies in the database: names and types of tables and columns. Pure.

Every column of a team begins with `x_` and every table with `x_`, so that no later version of Clarion can collide with one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from core.datamodel.records import DataField, Entity, FieldKind, Link, Model

PREFIX = "x_"
ENUMERATION_LENGTH = 30
_LENGTH = re.compile(r"character varying\((\d+)\)")

# The tables of ours that take fields, and their names for people.
BUILT_IN: Mapping[str, str] = MappingProxyType({"profile": "Profile", "campaign": "Campaign", "delivery": "Delivery"})

_TYPES: Mapping[FieldKind, str] = MappingProxyType(
    {
        FieldKind.INTEGER: "bigint",
        FieldKind.DECIMAL: "numeric",
        FieldKind.BOOLEAN: "boolean",
        FieldKind.DATE: "date",
        FieldKind.INSTANT: "timestamp with time zone",
        FieldKind.ENUMERATION: f"character varying({ENUMERATION_LENGTH})",
        FieldKind.JSON: "jsonb",
        FieldKind.POINT: "point",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """What there is: of each table its columns with their types, as Postgres writes them."""

    columns: Mapping[str, Mapping[str, str]]

    def type_of(self, table: str, column: str) -> str | None:
        """The type of a column; None where there is none."""
        return self.columns.get(table, {}).get(column)


def table_of(entity: Entity) -> str:
    """The table of an entity."""
    return table_named(entity.name)


def table_named(name: str) -> str:
    """The table of the entity of a name."""
    return name if name in BUILT_IN else PREFIX + name


def column_of(name: str) -> str:
    """The column of a team's field."""
    return PREFIX + name


def link_column(name: str) -> str:
    """The column of a link without fields: it holds the key of the other row."""
    return f"{PREFIX}{name}_id"


def pair_table(entity: Entity, link: Link) -> str:
    """The table of a link between many and many, whose columns are `source_id` and `target_id`.

    No dataset has its name, for theirs begin with a letter.
    """
    return f"{PREFIX}_{entity.name}__{link.name}"


def sql_type(field: DataField) -> str:
    """The type of a field's column, as Postgres writes it."""
    return f"character varying({field.max_length})" if field.kind is FieldKind.TEXT else _TYPES[field.kind]


def length_of(type_: str) -> int | None:
    """How many characters a text column holds; None for another type."""
    found = _LENGTH.fullmatch(type_)
    return int(found[1]) if found else None


def as_long_as(model: Model, tables: Tables) -> Model:
    """The model with its texts at least as long as their columns are."""
    return Model(
        entities=tuple(
            replace(one, fields=tuple(_longer(one, field, tables) for field in one.fields)) for one in model.entities
        )
    )


def _longer(entity: Entity, field: DataField, tables: Tables) -> DataField:
    lies = length_of(tables.type_of(table_of(entity), column_of(field.name)) or "")
    if field.kind is not FieldKind.TEXT or lies is None:
        return field
    return replace(field, max_length=max(field.max_length or 0, lies))
