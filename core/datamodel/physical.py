"""How the model lies in the database: names and types of tables and columns. Pure.

Every column of a team begins with `x_` and every table with `x_`, so that no later version of Clarion can collide with one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeAlias

from core.datamodel.records import DataField, Entity, FieldKind, Link, LinkKind, Model, OnDelete

PREFIX = "x_"
PAIR_COLUMNS = ("source_id", "target_id")
ENUMERATION_LENGTH = 30
_LENGTH = re.compile(r"character varying\((\d+)\)")

# The tables of ours that take fields, and their names for people.
BUILT_IN: Mapping[str, str] = MappingProxyType(
    {
        "profile": "Profile", "campaign": "Campaign", "delivery": "Delivery", "service": "Service",
        "app_subscription": "App subscription",
    }
)  # fmt: skip

# Of those, the ones whose rows are people, or belong to one by `profile_id`.
OF_PEOPLE: Mapping[str, str] = MappingProxyType({"profile": "id", "app_subscription": "profile_id"})

# Of those, the ones that take fields and indexes alone: their rows are written in sets and come and go with others, so that no
# key of a team's may refuse them, and no link hold them.
FIELDS_ONLY = frozenset({"app_subscription"})

# Tables that have the columns of another, so that what is computed of a row of the one can be computed of the other's.
MIRRORS: Mapping[str, str] = MappingProxyType({"profile": "test_profile"})

# What questions have besides a team's things: entities, links of entities, and how those of business events begin. Tests hold
# them together with the catalogue of questions.
HOUSE_ENTITIES = frozenset({"message", "reaction", "subscription", "visitor", "purpose", "consent", *BUILT_IN})
HOUSE_LINKS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "profile": frozenset(
            {
                "messages",
                "received",
                "reactions",
                "opens",
                "clicks",
                "unsubscribes",
                "subscriptions",
                "app_subscriptions",
                "visitors",
                "referred_visitors",
                "consents",
            }
        ),
        "delivery": frozenset({"campaign"}),
        "app_subscription": frozenset({"profile"}),
    }
)
EVENT_PREFIX = "event_"

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
        FieldKind.AUTOMATIC_ID: "uuid",
        FieldKind.CREATED_BY: "text",
        FieldKind.CHANGED_BY: "text",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A foreign key: what a column holds is the id of a row of another table."""

    target: str  # a table
    on_delete: OnDelete  # what becomes of the column, or of its row


@dataclass(frozen=True, slots=True, kw_only=True)
class Lying(Reference):
    """A foreign key that is there."""

    valid: bool  # also for the rows that were there before it


Place: TypeAlias = tuple[str, str]  # a table and its column


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """What there is: of each table its columns with their types, as Postgres writes them, the foreign keys of links, and the
    indexes of a model that compute something of a column."""

    columns: Mapping[str, Mapping[str, str]]
    references: Mapping[Place, Lying] = field(default_factory=lambda: MappingProxyType({}))
    computed: Mapping[Place, Sequence[str]] = field(default_factory=lambda: MappingProxyType({}))

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


def title_column(entity: Entity) -> str:
    """The column by which people know a row."""
    return "id" if entity.title is None else column_of(entity.title)


def link_column(name: str) -> str:
    """The column of a link without fields: it holds the key of the other row."""
    return f"{PREFIX}{name}_id"


def pair_table(entity: Entity, link: Link) -> str:
    """The table of a link between many and many, whose columns are `source_id` and `target_id`.

    No dataset has its name, for theirs begin with a letter.
    """
    return pair_table_named(entity.name, link.name)


def pair_table_named(entity: str, link: str) -> str:
    """The table of pairs of the link of a name."""
    return f"{PREFIX}_{entity}__{link}"


def has_column(link: Link) -> bool:
    """Whether a link is a column of the rows that point."""
    return link.kind is not LinkKind.MANY_TO_MANY and not link.source_fields


def constraint_of(column: str) -> str:
    """The foreign key of a link's column, or of one of a pair's."""
    return f"{column}_fkey"


def references(model: Model) -> dict[Place, Reference]:
    """The foreign keys that a model asks for. A pair goes with either of its rows."""
    found: dict[Place, Reference] = {}
    for entity in model.entities:
        for link in entity.links:
            target = table_named(link.target)
            if link.kind is LinkKind.MANY_TO_MANY:
                source, other = ((pair_table(entity, link), column) for column in PAIR_COLUMNS)
                found[source] = Reference(target=table_of(entity), on_delete=OnDelete.DELETE)
                found[other] = Reference(target=target, on_delete=_of_pair(link.on_delete))
            elif has_column(link):
                found[table_of(entity), link_column(link.name)] = Reference(target=target, on_delete=link.on_delete)
    return found


def kept_reference(place: Place, lying: Reference) -> Reference:
    """The foreign key of a link that is hidden: it keeps nothing from being deleted."""
    if lying.on_delete is not OnDelete.REFUSE:
        return lying
    return Reference(target=lying.target, on_delete=_of_pair(OnDelete.CLEAR) if is_pair(place[0]) else OnDelete.CLEAR)


def _of_pair(on_delete: OnDelete) -> OnDelete:
    return OnDelete.REFUSE if on_delete is OnDelete.REFUSE else OnDelete.DELETE


def is_pair(table: str) -> bool:
    """Whether a table is named like one of pairs."""
    return table.startswith(f"{PREFIX}_")


def sql_type(field: DataField) -> str:
    """The type of a field's column, as Postgres writes it."""
    return f"character varying({field.max_length})" if field.kind is FieldKind.TEXT else _TYPES[field.kind]


def automatic_columns(entity: Entity) -> dict[str, str]:
    """The columns that the database fills in rows that come, with the expression by which it does."""
    return {column_of(one.name): "gen_random_uuid()" for one in entity.fields if one.kind is FieldKind.AUTOMATIC_ID}


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
