"""What a whole model must be. Pure; raises Invalid, and Conflict for what the published data does not allow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from core.datamodel.index_rules import check_keys
from core.datamodel.link_rules import check_links
from core.datamodel.physical import EVENT_PREFIX, HOUSE_LINKS, PREFIX, Tables, has_column, table_of
from core.datamodel.records import Entity, FieldKind, Model
from core.datamodel.rules import a_kind, check_fields
from core.datamodel.searchable import check_searchable
from core.errors import Conflict, Invalid

_NO_TITLE = frozenset({FieldKind.JSON, FieldKind.POINT})


def check_model(model: Model, published: Model, tables: Tables) -> None:
    """The whole, beside what is published and what lies in the database. Raises Conflict, Invalid."""
    for entity in model.entities:
        _check_names(model, entity, tables)
        _check_title(entity)
    check_fields(model, published, tables)
    check_searchable(model)
    check_links(model, published, tables)
    check_keys(model)


def _check_names(model: Model, entity: Entity, tables: Tables) -> None:
    """Nothing of an entity is called like another, or like a column."""
    ours = {_squeezed(column) for column in tables.columns.get(table_of(entity), {}) if not column.startswith(PREFIX)}
    ours |= {_squeezed(name) for name in HOUSE_LINKS.get(entity.name, ())}
    names = list(_names(model, entity))
    seen = Counter(_squeezed(name) for name, _ in names)
    for name, path in names:
        of_events = entity.name == "profile" and name.startswith(EVENT_PREFIX)
        if seen[_squeezed(name)] > 1 or _squeezed(name) in ours or of_events:
            raise Conflict(
                f"{entity.name} has a field or a link named {name!r}, or one that differs by '_' alone", code="NAME_TAKEN",
                path=path, hint="Choose another name: headers of files are read without '_'.",
            )  # fmt: skip


def _check_title(entity: Entity) -> None:
    """A field that can be read in a line."""
    if entity.title is None:
        return
    field = entity.find(entity.title)
    if field is None:
        raise Invalid(
            f"{entity.name} has no field {entity.title[:80]!r}, which is its title", code="UNKNOWN_FIELD", path="title",
            hint="Save the dataset with another title, or with none, first.",
        )  # fmt: skip
    if field.kind in _NO_TITLE:
        raise Invalid(f"{a_kind(field.kind)} is no title", code="BAD_TITLE", path="title", hint="Choose another field.")


def _names(model: Model, entity: Entity) -> Iterator[tuple[str, str]]:
    """All that an entity's things are called by, and where that is written; a link's column has the name of a field too."""
    for field in entity.fields:
        yield field.name, "name"
    for link in entity.links:
        yield link.name, "name"
        if has_column(link):
            yield f"{link.name}_id", "name"
    for other in model.entities:
        for link in other.links:
            if link.target == entity.name:
                yield link.reverse_name, "reverse_name"


def _squeezed(name: str) -> str:
    return name.replace("_", "")
