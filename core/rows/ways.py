"""The ways from the rows of an entity to those of another, as the published model has them: links and their ways back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from core.datamodel.columns import fields_of, reachable
from core.datamodel.physical import PAIR_COLUMNS, has_column, link_column, pair_table, table_named, table_of
from core.datamodel.present import per_model
from core.datamodel.records import Entity, Link, LinkKind, Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way: from which table to which, and the columns here and there that are equal, or a table of pairs between."""

    name: str
    label: str
    entity: str  # to which it leads
    many: bool
    source: str
    target: str
    on: tuple[tuple[str, str], ...] = ()
    pairs: str | None = None
    pairs_near: str = ""
    pairs_far: str = ""
    column: str | None = None  # the link whose column here holds the key of the other row


@per_model
def ways_of(model: Model) -> Mapping[str, Mapping[str, Way]]:
    """By the entity that they start from, and by name."""
    found: dict[str, dict[str, Way]] = {one.name: {} for one in model.entities}
    for entity in model.entities:
        for link in entity.links:
            target = model.find(link.target)
            if target is not None:
                there, back = _pair(entity, link) if link.kind is LinkKind.MANY_TO_MANY else _columns(entity, link, target)
                found[entity.name][there.name] = there
                found[target.name][back.name] = back
    return MappingProxyType({name: MappingProxyType(ways) for name, ways in found.items()})


def _pair(entity: Entity, link: Link) -> tuple[Way, Way]:
    near, far = PAIR_COLUMNS
    ours, theirs, pairs = table_of(entity), table_named(link.target), pair_table(entity, link)
    there = Way(
        name=link.name, label=link.label, entity=link.target, many=True, source=ours, target=theirs, pairs=pairs,
        pairs_near=near, pairs_far=far,
    )  # fmt: skip
    back = Way(
        name=link.reverse_name, label=link.reverse_label, entity=entity.name, many=True, source=theirs, target=ours,
        pairs=pairs, pairs_near=far, pairs_far=near,
    )  # fmt: skip
    return there, back


def _columns(entity: Entity, link: Link, target: Entity) -> tuple[Way, Way]:
    ours, theirs = table_of(entity), table_of(target)
    if has_column(link):
        on: tuple[tuple[str, str], ...] = ((link_column(link.name), "id"),)
    else:
        near, far = fields_of(entity), reachable(target)
        on = tuple((near[one].name, far[other].name) for one, other in zip(link.source_fields, link.target_fields, strict=True))
    there = Way(
        name=link.name, label=link.label, entity=target.name, many=False, source=ours, target=theirs, on=on,
        column=link.name if has_column(link) else None,
    )  # fmt: skip
    back = Way(
        name=link.reverse_name, label=link.reverse_label, entity=entity.name, many=link.kind is LinkKind.MANY_TO_ONE,
        source=theirs, target=ours, on=tuple((far, near) for near, far in on),
    )  # fmt: skip
    return there, back
