"""Whose names an expression uses: the row asked about, and the rows through which it was reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import FromClause

from core.targeting.catalogue import CatalogueLink, Entity


@dataclass(eq=False, slots=True, kw_only=True)
class Scope:
    """A row: of which entity, in SQL from where, and by which link it was reached from which other row."""

    entity: Entity
    source: FromClause | None = None
    parent: Scope | None = None
    via: CatalogueLink | None = None
    joined: dict[str, Scope] = field(default_factory=dict)  # rows at the end of a link that stand beside this one already

    def step(self, name: str) -> Scope | CatalogueLink | None:
        """Where a name of a path leads: to a row that is there already, by a link to others, or nowhere.

        The way back along the link by which a row was reached leads to the very row that one came from.
        """
        link = self.joined.get(name) or self.entity.links.get(name)
        if self.parent is None or self.via is None or self.via.back != name:
            return link
        return link if isinstance(link, CatalogueLink) and link.many else self.parent

    def within(self, entity: Entity, via: CatalogueLink, source: FromClause | None = None) -> Scope:
        """The row at the end of a link from this one."""
        return Scope(entity=entity, source=source, parent=self, via=via)


def ends_in_link(scope: Scope, path: Sequence[str], entities: Mapping[str, Entity]) -> bool:
    """Whether the last name of a path is that of a link, and not of a field."""
    for name in path[:-1]:
        step = scope.step(name)
        if step is None:
            return False
        scope = step if isinstance(step, Scope) else scope.within(entities[step.target], step)
    return path[-1] not in scope.entity.fields and scope.step(path[-1]) is not None
