"""What a question reads, table by table, and how one knows whose it is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from core.targeting.catalogue import Catalogue, CatalogueLink, Entity
from core.targeting.checked import CheckedExpression, Listed
from core.targeting.language import Aggregate, Call, Exists, Field, Member, Rank, Selection, Stage, parts_below
from core.targeting.member_columns import column_named
from core.targeting.scopes import Scope, ends_in_link

LISTS = "audience_member"  # as an entity: who is on lists, or is named by the rows of a file, and what they bring along


Only = set[tuple[str, int]] | None  # columns and the values that rows have there


class Way(StrEnum):
    """How rows belong to people."""

    PROFILE = "profile"  # they are people
    OWNED = "owned"  # a column says whose they are
    FAR = "far"  # they are linked to rows that are linked to people: a change of theirs may be anybody's


@dataclass(slots=True, kw_only=True)
class Source:
    """Rows of a table that questions read. `columns` are those whose values count, `owners` say whose a row is."""

    way: Way
    entity: str
    table: str
    columns: set[str] = field(default_factory=set)
    owners: set[str] = field(default_factory=set)
    only: Only = field(default_factory=set)  # what is said of all rows that are read; None: of some only
    added: bool = True  # whether a new row may be linked already

    def add(self, other: Source) -> None:
        """What somebody else reads of the same rows."""
        self.columns |= other.columns
        self.owners |= other.owners
        self.only = _of_either(self.only, other.only)
        self.added = self.added or other.added


def _of_either(one: Only, other: Only) -> Only:
    """What is said of all rows of both: of a column that one of them does not restrict, nothing. Empty: no rows yet."""
    if one is None or other is None:
        return None
    if not one or not other:
        return one or other
    both = {column for column, _ in one} & {column for column, _ in other}
    return {(column, value) for column, value in one | other if column in both} or None


Sources = Mapping[tuple[Way, str], Source]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Base:
    """The table behind a view, and what the view calls its columns."""

    table: str
    columns: Mapping[str, str]
    only: tuple[str, int]


_BASES: Mapping[str, _Base] = MappingProxyType(
    {
        "message": _Base(
            table="ledger", only=("recipient_kind", 1),
            columns=MappingProxyType({"profile_id": "recipient_id", "at": "settled_at"}),
        ),
        "reaction": _Base(
            table="tracking_event", only=("recipient_kind", 1),
            # What a link is called stays as it was when its delivery was prepared.
            columns=MappingProxyType({"profile_id": "recipient_id", "label": "link", "category": "link"}),
        ),
    }
)  # fmt: skip


def sources_of(checked: CheckedExpression) -> Sources:
    """All that a question about people reads, the audiences that it names included."""
    reader = _Reader(checked.catalogue)
    reader.people.columns.add("merged_into")
    reader.people.owners |= {"id", "merged_into"}
    reader.question(checked, Scope(entity=checked.entity))
    return MappingProxyType({key: _with_base(one) for key, one in reader.found.items()})


def together(all_of: Iterable[Sources]) -> Sources:
    """What several questions read."""
    found: dict[tuple[Way, str], Source] = {}
    for sources in all_of:
        for key, one in sources.items():
            found.setdefault(key, Source(way=one.way, entity=one.entity, table=one.table, added=False)).add(one)
    return found


class _Reader:
    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self.people = Source(way=Way.PROFILE, entity="profile", table="profile", only=None)
        self.found: dict[tuple[Way, str], Source] = {(Way.PROFILE, "profile"): self.people}

    def question(self, checked: CheckedExpression, scope: Scope) -> None:
        """Its own names, and those of the audiences that it names."""
        self._node(checked.expression.root, scope, checked)

    def _node(self, node: Any, scope: Scope, checked: CheckedExpression) -> None:
        match node:
            case Field(path=path):
                end = self._end(path[:-1], scope)
                self._reads(end, end.entity.fields[path[-1]].column)
            case Member():
                named = checked.audiences[node.audience, node.version]
                if isinstance(named, CheckedExpression):
                    self.question(named, scope)
                else:
                    self._listed(named.id, {"audience_id"})
            case Call() if (column := column_named(node)) is not None:
                listed = checked.audiences[column.audience, None]
                assert isinstance(listed, Listed), "as it was checked"
                self._listed(listed.id, {"audience_id", "data"})
            case Exists():
                self._selected(node.selection, scope, checked)
            case Rank():
                self._ranked(node, scope, checked)
            case Aggregate() | Stage():
                end = self._selected(node.selection, scope, checked)
                if end.entity.time is not None:
                    self._reads(end, end.entity.fields[end.entity.time].column)
                for part in parts_below(node):
                    if not isinstance(part, Selection):
                        self._node(part, end, checked)
            case _:
                for part in parts_below(node):
                    self._node(part, scope, checked)

    def _ranked(self, node: Rank, scope: Scope, checked: CheckedExpression) -> None:
        """What rows are put in order and in groups by. A group may be that of a link, which is followed."""
        for part in (*node.by, *node.per, *((node.where,) if node.where is not None else ())):
            if isinstance(part, Field) and ends_in_link(scope, part.path, self._catalogue.entities):
                self._end(part.path, scope)
            else:
                self._node(part, scope, checked)

    def _selected(self, selection: Selection, scope: Scope, checked: CheckedExpression) -> Scope:
        end = self._end(selection.path, scope)
        if selection.where is not None:
            self._node(selection.where, end, checked)
        return end

    def _end(self, path: Iterable[str], scope: Scope) -> Scope:
        for name in path:
            step = scope.step(name)
            assert step is not None, "as it was checked"
            scope = self._follow(scope, step) if isinstance(step, CatalogueLink) else step
        return scope

    def _follow(self, scope: Scope, link: CatalogueLink) -> Scope:
        """The rows at the end of a link, and what ties them to those before."""
        end = scope.within(self._catalogue.entities[link.target], link)
        near, far = [one for one, _ in link.on], {one for _, one in link.on}
        if link.pairs is None:
            for column in near:
                self._reads(scope, column)
            source = self._source_of(end)
            source.columns |= far | set(end.entity.strictest.columns if end.entity.strictest is not None else ())
            source.only = _of_either(source.only, set(link.only) or None)
            if source.way is Way.OWNED:
                source.owners |= far
            source.added = source.added or far != {end.entity.key}
        else:
            owned = _is_person(scope)
            self._add(
                Way.OWNED if owned else Way.FAR, link.pairs.table, link.pairs.table, columns={link.pairs.near, link.pairs.far},
                owners={link.pairs.near} if owned else set(),
            )  # fmt: skip
            self._source_of(end).only = None
        return end

    def _reads(self, scope: Scope, column: str) -> None:
        source = self._source_of(scope)
        if column != scope.entity.key or source.way is not Way.PROFILE:
            source.columns.add(column)

    def _source_of(self, scope: Scope) -> Source:
        if _is_person(scope):
            return self.people
        link = scope.via
        assert scope.parent is not None
        assert link is not None
        by_number = link.pairs is None and [near for near, _ in link.on] == ["id"]
        way = Way.OWNED if by_number and _is_person(scope.parent) else Way.FAR
        return self._at(way, scope.entity)

    def _at(self, way: Way, entity: Entity) -> Source:
        found = Source(way=way, entity=entity.name, table=entity.table, added=way is Way.OWNED)
        return self.found.setdefault((way, entity.name), found)

    def _listed(self, audience_id: int, columns: set[str]) -> None:
        """Who is on a list."""
        only = {("audience_id", audience_id)}
        self._add(Way.OWNED, LISTS, LISTS, owners={"profile_id"}, columns=columns, only=only)

    def _add(
        self, way: Way, entity: str, table: str, *, columns: set[str], owners: set[str],
        only: Only = None,
    ) -> None:  # fmt: skip
        source = self.found.setdefault((way, entity), Source(way=way, entity=entity, table=table))
        source.add(Source(way=way, entity=entity, table=table, columns=columns, owners=owners, only=only))


def _is_person(scope: Scope) -> bool:
    """Whether it is the person asked about."""
    return scope.parent is None


def _with_base(source: Source) -> Source:
    base = _BASES.get(source.table)
    if base is None:
        return source
    return Source(
        way=source.way, entity=source.entity, table=base.table, added=source.added,
        columns={base.columns.get(one, one) for one in source.columns},
        owners={base.columns.get(one, one) for one in source.owners},
        only={base.only, *(source.only or ())},
    )  # fmt: skip
