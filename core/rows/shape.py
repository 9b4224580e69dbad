"""What rows of an entity are made of: its columns with their types, who reads their values, and what they are known by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from core.datamodel.physical import BUILT_IN, column_of, has_column, link_column, sql_type, table_of
from core.datamodel.present import per_model
from core.datamodel.records import AUDIT_KINDS, DataField, Entity, FieldKind, Link, Model
from core.errors import NotFound
from core.rows.records import Row

# These go as texts, which the statement turns into what they are.
WRITTEN_AS_TEXT = frozenset({FieldKind.JSON, FieldKind.POINT})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Column:
    """A column of a team's: of a field, or of a link. Known by its identity, for it is made once of a model."""

    name: str  # of the field or link
    column: str
    sql_type: str
    field: DataField | None = None
    link: Link | None = None

    @property
    def sent_as(self) -> str:
        """The type in which values are handed to Postgres."""
        return "text" if self.field is not None and self.field.kind in WRITTEN_AS_TEXT else self.sql_type


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The rows of an entity."""

    entity: Entity
    table: str
    columns: Mapping[str, Column]  # by the name of the field or link
    ends: Mapping[str, str]  # of links, the entities to which they lead

    def audited(self, *, created: bool) -> list[Column]:
        """The columns into which the name of the actor goes, of rows that are added or changed."""
        kinds = AUDIT_KINDS if created else {FieldKind.CHANGED_BY}
        return [one for one in self.columns.values() if one.field is not None and one.field.kind in kinds]

    @property
    def living(self) -> None:
        """All rows count."""
        return None

    @property
    def selected(self) -> tuple[str, ...]:
        """The columns of a row."""
        return ("id", "created_at", "updated_at", *(one.column for one in self.columns.values()))

    def row(self, found: Mapping[str, Any]) -> Row:
        """A row of the table as a record."""
        values: dict[str, Any] = {}
        links: dict[str, int | None] = {}
        for one in self.columns.values():
            (values if one.field is not None else links)[one.name] = found[one.column]
        title = values.get(self.entity.title or "")
        return Row(
            dataset=self.entity.name, id=found["id"], created_at=found["created_at"], updated_at=found["updated_at"],
            values=values, links=links, ends=self.ends, title=str(found["id"]) if title is None else _line(title),
        )  # fmt: skip


def _line(value: Any) -> str:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)


@per_model
def shapes_of(model: Model) -> Mapping[str, Shape]:
    """Of all entities by name: the datasets, and what a team added to tables of ours."""
    return MappingProxyType({one.name: _shape(one) for one in model.entities})


def _shape(entity: Entity) -> Shape:
    columns = {
        one.name: Column(name=one.name, column=column_of(one.name), sql_type=sql_type(one), field=one) for one in entity.fields
    }
    for link in entity.links:
        if has_column(link):
            columns[link.name] = Column(name=link.name, column=link_column(link.name), sql_type="bigint", link=link)
    ends = {name: one.link.target for name, one in columns.items() if one.link is not None}
    return Shape(
        entity=entity, table=table_of(entity), columns=MappingProxyType(columns), ends=MappingProxyType(ends)
    )  # fmt: skip


def shape_of(model: Model, dataset: str) -> Shape:
    """Of a dataset. Raises NotFound (DATASET_NOT_FOUND)."""
    shapes = shapes_of(model)
    if dataset in shapes and dataset not in BUILT_IN:
        return shapes[dataset]
    known = [name for name in shapes if name not in BUILT_IN]
    near = get_close_matches(dataset[:80], known, 1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Published: {', '.join(known[:20]) or 'none'}."
    raise NotFound(f"there is no published dataset {dataset[:80]!r}", code="DATASET_NOT_FOUND", path="dataset", hint=hint)
