"""Linked rows that many questions about the same people read: fetched once for all of them. Pure.

What is fetched has no index. So only those questions read it that look at all of it at once: not those that would look through
it for each of the people. And all that the people have is fetched: not where it is kept by months, of which each question reads
some.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.targeting.catalogue import CatalogueLink, Entity
from core.targeting.checked import CheckedExpression
from core.targeting.language import (
    Aggregate,
    And,
    Exists,
    Field,
    Following,
    Literal,
    Member,
    Not,
    Operation,
    Rank,
    Selection,
    Top,
    every_node,
)
from core.targeting.membership.sources import Sources, Way
from core.targeting.membership.store.members import Theirs

_LOOKING_FURTHER = (Aggregate, Exists, Following, Member, Rank, Top)


def theirs_of(checked: CheckedExpression, sources: Sources) -> tuple[Theirs, ...]:
    """The rows that may be fetched beforehand; none where the question asks for any in another way, too."""
    found = [_rows(checked, selection) for selection in _selections(checked.expression.root)]
    owners = {source.table: source.owners for (way, _), source in sources.items() if way is Way.OWNED}
    far = {source.table for (way, _), source in sources.items() if way is Way.FAR}
    fit = {one for one in found if one and one.table not in far and owners.get(one.table) == {one.owner}}
    return tuple(dict.fromkeys(one for one in found if one)) if fit == set(found) else ()


def _selections(condition: Any) -> Iterator[Selection | None]:
    """Those that are asked of all at once; None for what is not."""
    match condition:
        case And(terms=terms):
            for term in terms:
                yield from _selections(term)
        case Exists(selection=selection) | Not(term=Exists(selection=selection)):
            yield selection
        case Operation(operands=(Aggregate() as first, *others)) if all(isinstance(one, Literal) for one in others):
            further = any(_looks_further(one) for one in (first.value, first.by) if one is not None)
            yield None if further else first.selection
        case _ if _looks_further(condition):
            yield None


def _looks_further(node: Any) -> bool:
    return any(isinstance(one, _LOOKING_FURTHER) for one in every_node(node))


def _rows(checked: CheckedExpression, selection: Selection | None) -> Theirs | None:
    """Of a selection that is about the rows alone: nothing is said of the people to whom they are linked."""
    if selection is None or len(selection.path) != 1:
        return None
    link = checked.entity.links.get(selection.path[0])
    if link is None or link.pairs is not None or [near for near, _ in link.on] != ["id"] or link.target == "profile":
        return None
    target = checked.catalogue.entities[link.target]
    if selection.where is not None and not _is_about_rows(target, link, selection.where):
        return None
    return Theirs(table=target.table, owner=link.on[0][1], merged=checked.catalogue.merged)


def _is_about_rows(target: Entity, link: CatalogueLink, where: Any) -> bool:
    if _looks_further(where):
        return False
    ways = {one.path[0] for one in every_node(where) if isinstance(one, Field) and len(one.path) > 1}
    return all(way != link.back and way in target.links and target.links[way].target != "profile" for way in ways)
