"""What a model asks for beyond tables and columns: its indexes, and that foreign keys hold for the rows of before. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from core.datamodel.columns import Column, columns_of, reachable
from core.datamodel.physical import (
    PREFIX,
    Place,
    column_of,
    constraint_of,
    has_column,
    link_column,
    pair_table,
    references,
    table_named,
    table_of,
)
from core.datamodel.records import BuildKind, Entity, FieldKind, Index, Key, Link, LinkKind, Model
from core.datamodel.searchable import OUR_WORDS, Words, words_of

INDEX_PREFIX = f"{PREFIX}1_"  # no table of a team has such a name: theirs go on with a letter
_LONGEST = 63  # characters of a name in Postgres


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One of them. `object` is another one whenever something of it differs, so that its name says whether it is there."""

    object: str
    kind: BuildKind
    entity: str
    name: str
    table: str
    sql: str
    columns: tuple[str, ...] = ()  # of a unique index


def wanted(model: Model) -> tuple[Wanted, ...]:
    """All of them."""
    return (*_references(model), *(one for entity in model.entities for one in _indexes(model, entity)))


def reference_object(place: Place) -> str:
    """By which the foreign key of a column is known."""
    return f"{place[0]}.{constraint_of(place[1])}"


def dropping(object_: str) -> str:
    """The statement that drops an index, while others read and write."""
    return f"DROP INDEX CONCURRENTLY IF EXISTS {object_}"


def key_object(entity: Entity, key: Key) -> str:
    """By which a unique key is known."""
    return _key(entity, key, columns_of(entity)).object


def index_object(entity: Entity, index: Index) -> str:
    """By which an index is known."""
    return _ordered(entity, index, columns_of(entity)).object


def search_object(entity: Entity, words: Words) -> str:
    """By which the index of the words of searchable fields is known."""
    return _searched(entity, words).object


def _references(model: Model) -> Iterator[Wanted]:
    wanted_ones = references(model)
    for entity in model.entities:
        for link in entity.links:
            tables = {table_of(entity): link_column(link.name)} if has_column(link) else {}
            places = [*tables.items(), *((pair_table(entity, link), one) for one in ("source_id", "target_id"))]
            for place in places:
                if place in wanted_ones:
                    yield Wanted(
                        object=reference_object(place), kind=BuildKind.REFERENCE, entity=entity.name, name=link.name,
                        table=place[0], sql=f"ALTER TABLE {place[0]} VALIDATE CONSTRAINT {constraint_of(place[1])}",
                    )  # fmt: skip


def _indexes(model: Model, entity: Entity) -> Iterator[Wanted]:
    columns = columns_of(entity)
    for key in entity.keys:
        yield _key(entity, key, columns)
    for index in entity.indexes:
        yield _ordered(entity, index, columns)
    for field in entity.fields:
        if field.kind is FieldKind.AUTOMATIC_ID and all(key.fields != (field.name,) for key in entity.keys):
            yield _index(BuildKind.INDEX, entity, field.name, [column_of(field.name)], unique=True)
    words = words_of(entity)
    if words is not None:
        yield _searched(entity, words)
    for link in entity.links:
        yield from _of_link(model, entity, link)


def _searched(entity: Entity, words: Words) -> Wanted:
    """Only people who have something in one of the fields are in it. Its list of what came last is kept short, as that of
    our own words is: every search reads it through."""
    table, parts = table_of(entity), [words.sql, words.condition]
    index = _called(BuildKind.SEARCH, entity, OUR_WORDS, table, False, parts)
    sql = (
        f"CREATE INDEX CONCURRENTLY {index} ON {table} USING gin (({words.sql}))"
        f" WITH (gin_pending_list_limit = 1024) WHERE {words.condition}"
    )
    return Wanted(object=index, kind=BuildKind.SEARCH, entity=entity.name, name=OUR_WORDS, table=table, sql=sql)


def _key(entity: Entity, key: Key, columns: Mapping[str, Column]) -> Wanted:
    return _index(BuildKind.KEY, entity, key.name, [columns[name].name for name in key.fields], unique=True)


def _ordered(entity: Entity, index: Index, columns: Mapping[str, Column]) -> Wanted:
    return _index(BuildKind.INDEX, entity, index.name, [part for name in index.fields for part in _compared(columns[name])])


def _of_link(model: Model, entity: Entity, link: Link) -> Iterator[Wanted]:
    """A link is followed both ways: an index of the column or of the fields that point, and one of the fields pointed to."""
    unique = link.kind is LinkKind.ONE_TO_ONE
    if has_column(link):
        yield _index(BuildKind.LINK, entity, link.name, [link_column(link.name)], unique=unique)
    if not link.source_fields:
        return
    columns = columns_of(entity)
    starts = [columns[name].name for name in link.source_fields]
    yield _index(BuildKind.LINK, entity, link.name, starts, unique=unique)
    target = model.find(link.target)
    assert target is not None
    ends = [reachable(target)[name] for name in link.target_fields]
    served = target is entity and [one.name for one in ends] == starts
    served = served or ends[0].ours or any(set(link.target_fields) == set(key.fields) for key in target.keys)
    if not served:
        yield _index(BuildKind.LINK, entity, link.name, [one.name for one in ends], table=table_named(link.target))


def _compared(column: Column) -> tuple[str, ...]:
    """As expressions compare it: texts without case and accents, and by their beginnings; of places the two angles."""
    if column.kind is FieldKind.POINT:
        return f"({column.name}[1])", f"({column.name}[0])"
    if column.max_length is None:
        return (column.name,)
    return (f"fold_text({column.name}) text_pattern_ops" if column.folded else f"{column.name} text_pattern_ops",)


def _index(
    kind: BuildKind, entity: Entity, name: str, parts: Sequence[str], *, unique: bool = False, table: str | None = None
) -> Wanted:
    table = table or table_of(entity)
    index = _called(kind, entity, name, table, unique, parts)
    sql = f"CREATE {'UNIQUE ' if unique else ''}INDEX CONCURRENTLY {index} ON {table} ({', '.join(parts)})"
    columns = tuple(parts) if unique else ()
    return Wanted(object=index, kind=kind, entity=entity.name, name=name, table=table, sql=sql, columns=columns)


def _called(kind: BuildKind, entity: Entity, name: str, table: str, unique: bool, parts: Sequence[str]) -> str:
    said = "\n".join([kind, entity.name, name, table, str(unique), *parts])
    digest = hashlib.sha256(said.encode()).hexdigest()[:10]
    return f"{INDEX_PREFIX}{digest}_{entity.name}_{name}"[:_LONGEST]
