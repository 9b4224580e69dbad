"""What a team's own tables keep of people: what its links say belongs to somebody.

A row that a link with "delete" ties to a person's row goes with it; one that another link ties to it stays without that link,
and without the values of its fields that are marked as personal or sensitive. Of datasets that no link ties to a profile
(feature map 2.71) those rows go that a request itself names, and what links tie to them by the same rule. Where the published
model no longer shows a column or a table, nobody can see its marks: such columns are taken for personal, such rows go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, FromClause, Text, and_, cast, column, false, func, or_, select, table, tuple_

from core.datamodel.physical import (
    BUILT_IN,
    MIRRORS,
    OF_PEOPLE,
    PREFIX,
    Tables,
    column_of,
    has_column,
    is_pair,
    link_column,
    table_named,
    table_of,
)
from core.datamodel.present import present_model
from core.datamodel.records import Entity, Link, LinkKind, Model, ModelWarning, OnDelete
from core.datamodel.store import model as store
from core.db import Connection
from core.personal import Goes, Kept, Person, Rows, ids, of_found, of_profile, texts

ROOT = "profile"

TABLES = (
    Kept(table="data_model_version", authored="definition statements", other="version published_by published_at"),
    Kept(table="data_model_draft", authored="definition", other="is_only version changed_by changed_at"),
    Kept(
        table="data_model_build",
        authored="name statement",
        other="id object kind entity table_name columns dropping state turn error asked_at started_at finished_at",
    ),
)


@dataclass(frozen=True, slots=True)
class _Edge:
    """One way on which rows of a table belong to rows of another."""

    table: str
    column: str  # that holds the key of the other, or the value that is equal to one of the other's
    above: str
    other_column: str
    goes: bool  # the row goes with the other
    by_value: bool = False
    more: tuple[tuple[str, str], ...] = ()  # columns of both that have to be equal too


async def team_tables(conn: Connection) -> list[Kept]:
    """What teams added to our tables; then their own, each before those by which its rows are found."""
    model, tables = await present_model(conn), await store.read_tables(conn)
    return list(_declared(model, tables))


async def linked_columns(conn: Connection) -> tuple[str, ...]:
    """The columns of profiles with whose values rows of datasets are compared."""
    edges = [edge for edge in _by_value(await present_model(conn)) if edge.above == ROOT]
    return tuple(sorted({far for edge in edges for far in (edge.other_column, *(other for _, other in edge.more))}))


def not_erased(draft: Model, tables: Tables) -> Iterator[ModelWarning]:
    """Datasets with fields that are marked as personal or sensitive whose rows no link ties to a person: erasures do not reach
    them. Links to many tie no row, and what is added to campaigns, deliveries and services is the team's own."""
    reached = _ways([*_references(tables), *_by_column(draft), *_by_value(draft)])
    for entity in draft.entities:
        marked = tuple(one.name for one in entity.fields if one.personal or one.sensitive)
        is_covered = entity.name in OF_PEOPLE or (table_of(entity) in reached and not entity.built_in)
        if marked and not is_covered:
            yield ModelWarning(
                code="NOT_ERASED", entity=entity.name, fields=marked,
                message=f"privacy requests do not reach {', '.join(marked)}: no link ties a {entity.name} to a profile",
                hint="Link the dataset to profiles, by a link that is not to many, have requests name its rows by a privacy"
                " namespace, or see to these values yourself.",
            )  # fmt: skip


async def datasets_of_nobody(conn: Connection) -> tuple[str, ...]:
    """The names of entities whose rows no link ties to a person."""
    model, tables = await present_model(conn), await store.read_tables(conn)
    reached = _ways([*_references(tables), *_by_value(model)]).keys() | OF_PEOPLE.keys()
    return tuple(one.name for one in model.entities if table_of(one) not in reached)


async def datasets_with(conn: Connection, found: Iterable[str]) -> tuple[str, ...]:
    """The names of datasets whose rows may go or change with rows of these tables, which are nobody's; with theirs."""
    model, tables = await present_model(conn), await store.read_tables(conn)
    edges = [*_references(tables), *_by_value(model)]
    below = set(_children_first(found, edges))
    return tuple(one.name for one in model.entities if table_of(one) in below)


def _declared(model: Model, tables: Tables) -> Iterator[Kept]:
    edges = [*_references(tables), *_by_value(model)]
    ways = _ways(edges)
    untied = [one for one in tables.columns if one not in ways and one not in BUILT_IN]
    shown = {table_of(one): one for one in model.entities}
    for name, columns in tables.columns.items():
        added = [one for one in columns if one.startswith(PREFIX)]
        if name in OF_PEOPLE:
            yield Kept(table=name, rows=of_profile(OF_PEOPLE[name]), goes=Goes.ELSEWHERE, personal=" ".join(added))
            if name in MIRRORS:
                yield Kept(table=MIRRORS[name], authored=" ".join(added))
        elif name in BUILT_IN:
            yield Kept(table=name, authored=" ".join(added))
        elif name not in ways:  # nothing ties it to a profile
            yield Kept(table=name, authored=" ".join(columns))
    for name in _children_first(untied, edges):
        if name in untied:
            tying = [edge for edge in edges if edge.table == name and edge.above in untied]
            yield from _reached(name, tables.columns[name], shown.get(name), tying, edges)
            yield from _named(name, tables.columns[name])
    for name, reached in ways.items():
        yield from _reached(name, tables.columns[name], shown.get(name), reached, edges)
        yield from _named(name, tables.columns[name])


def _named(name: str, columns: Mapping[str, str]) -> Iterator[Kept]:
    """Rows that a request itself names."""
    if not is_pair(name):
        yield Kept(table=name, rows=of_found(name), goes=Goes.ROWS, personal=" ".join(columns))


def _reached(
    name: str, columns: Mapping[str, str], entity: Entity | None, reached: Sequence[_Edge], edges: Sequence[_Edge]
) -> Iterator[Kept]:
    """A table some of whose rows belong to people: first rows that stay, by each way; then rows that go."""
    fields = {} if entity is None else {column_of(one.name): one for one in entity.fields}
    links = {edge.column for edge in edges if edge.table == name}
    marked = {one for one, field in fields.items() if field.personal or field.sensitive}
    hidden = {one for one in columns if one.startswith(PREFIX) and one not in fields and one not in links}
    going = [edge for edge in reached if edge.goes or entity is None]
    for edge in reached:
        own = {edge.column, *(near for near, _ in edge.more)}
        lost = marked | hidden | own
        # Where rows can be somebody else's, no more of them is given than is surely of whoever asks.
        given = {"id"} & set(columns) | (own if going else lost) if len(reached) > 1 else set()
        if not edge.goes and entity is not None:
            yield Kept(
                table=name, rows=_rows(edges, [edge]), goes=Goes.VALUES, personal=" ".join(sorted(lost)),
                other=" ".join(sorted(set(columns) - lost)), given=" ".join(sorted(given)),
            )  # fmt: skip
    if going:
        yield Kept(table=name, rows=_rows(edges, going), goes=Goes.ROWS, personal=" ".join(columns))


def _references(tables: Tables) -> Iterator[_Edge]:
    """By foreign keys. Pairs always go: what they pair is not there any more."""
    for (name, place), one in tables.references.items():
        if name != ROOT:
            yield _Edge(name, place, one.target, "id", one.on_delete is OnDelete.DELETE or is_pair(name))


def _by_column(model: Model) -> Iterator[_Edge]:
    """By links of a draft whose columns may not be there yet."""
    for entity in model.entities:
        for link in entity.links:
            if has_column(link) and table_of(entity) != ROOT:
                goes = link.on_delete is OnDelete.DELETE
                yield _Edge(table_of(entity), link_column(link.name), table_named(link.target), "id", goes)


def _by_value(model: Model) -> Iterator[_Edge]:
    """By links that say where fields of both are equal."""
    for entity in model.entities:
        for link in entity.links:
            if link.kind is LinkKind.MANY_TO_MANY or has_column(link) or table_of(entity) == ROOT:
                continue
            first, *more = columns_compared(model, entity, link)
            goes = link.on_delete is OnDelete.DELETE
            yield _Edge(table_of(entity), first[0], table_named(link.target), first[1], goes, True, tuple(more))


def columns_compared(model: Model, entity: Entity, link: Link) -> list[tuple[str, str]]:
    """The columns that a link says are equal: of the rows that point, and of those they point to."""
    target = model.find(link.target)
    pairs = zip(link.source_fields, link.target_fields, strict=True)
    return [(_column(entity, near), _column(target, far)) for near, far in pairs]


def _column(entity: Entity | None, field: str) -> str:
    return column_of(field) if entity is not None and entity.find(field) is not None else field


def _ways(edges: Sequence[_Edge]) -> dict[str, list[_Edge]]:
    """The tables that are reached from profiles with the ways that lead there, the farthest first. Beyond a row that stays
    nothing belongs to the person."""
    depths, going, depth = {ROOT: 0}, {ROOT}, 0
    while found := [edge for edge in edges if edge.above in going and depths.get(edge.above) == depth]:
        depth += 1
        for edge in found:
            depths.setdefault(edge.table, depth)
        going |= {edge.table for edge in found if edge.goes}
    reached = sorted((one for one in depths if one != ROOT), key=lambda one: (-depths[one], one))
    return {one: [edge for edge in edges if edge.table == one and edge.above in going] for one in reached}


def _children_first(names: Iterable[str], edges: Sequence[_Edge]) -> list[str]:
    """These tables and all whose rows point to theirs, over however many: each before those that it points to."""
    order: dict[str, None] = {}
    begun: set[str] = set()

    def visit(name: str) -> None:
        if name not in begun:
            begun.add(name)
            for edge in edges:
                if edge.above == name:
                    visit(edge.table)
            order[name] = None

    for name in names:
        visit(name)
    return list(order)


def _rows(edges: Sequence[_Edge], ways: Sequence[_Edge], path: tuple[str, ...] = ()) -> Rows:
    """Rows that belong to a person on one of these ways."""

    def rows_of(rows: FromClause, person: Person) -> ColumnElement[bool]:
        return or_(false(), *(_belongs(edges, edge, rows, person, (*path, edge.table)) for edge in ways))

    return rows_of


def _belongs(
    edges: Sequence[_Edge], edge: _Edge, rows: FromClause, person: Person, path: tuple[str, ...]
) -> ColumnElement[bool]:
    pairs = ((edge.column, edge.other_column), *edge.more)
    if edge.above == ROOT and edge.by_value:
        return and_(*(cast(rows.c[one], Text) == func.any(texts(person.linked.get(other, ()))) for one, other in pairs))
    if edge.above == ROOT:
        return rows.c[edge.column] == func.any(ids(person))
    higher = [one for one in edges if one.table == edge.above and one.goes and one.above not in path]
    asked = {"id", *(far for _, far in pairs)} | {
        name for one in higher for name in (one.column, *(near for near, _ in one.more))
    }
    above = table(edge.above, *(column(one) for one in sorted(asked)))
    are_theirs = or_(of_found(edge.above)(above, person), _rows(edges, higher, path)(above, person))
    theirs = select(*(above.c[far] for _, far in pairs)).where(are_theirs)
    return tuple_(*(rows.c[near] for near, _ in pairs)).in_(theirs)
