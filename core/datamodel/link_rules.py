"""What a link may be. Pure; raises Invalid, and Conflict for what the published data does not allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.authored import check_label
from core.datamodel.columns import WIDEST, Column, fields_of, reachable, width
from core.datamodel.physical import (
    FIELDS_ONLY,
    PAIR_COLUMNS,
    Place,
    Tables,
    has_column,
    link_column,
    pair_table,
    references,
    table_named,
    table_of,
)
from core.datamodel.records import FILLED_KINDS, Entity, FieldKind, Link, LinkKind, Model, OnDelete
from core.datamodel.rules import a_kind, check_name
from core.errors import Conflict, Invalid

MAX_LINKS = 50  # of one entity
MAX_JOINED = 5  # fields of one link
PAIR_NAMES = 58  # characters: more do not fit into the name of a table
_NOT_EQUAL = FILLED_KINDS | {FieldKind.JSON, FieldKind.POINT}
_FIXED = ("target", "kind", "reverse_name", "source_fields", "target_fields")


def check_link(link: Link) -> None:
    """What a link says of itself. Raises Invalid."""
    check_name(link.name)
    check_label(link.label)
    check_name(link.reverse_name, "reverse_name")
    check_label(link.reverse_label, "reverse_label")
    if len(link.source_fields) != len(link.target_fields):
        raise Invalid(
            "each field of the one has one of the other", code="BAD_FIELDS", path="target_fields",
            hint="Name as many target fields as source fields, or none of both.",
        )  # fmt: skip
    if len(link.source_fields) > MAX_JOINED:
        raise Invalid(f"a link has up to {MAX_JOINED} fields", code="TOO_MANY_FIELDS", path="source_fields")
    for path in ("source_fields", "target_fields"):
        names = getattr(link, path)
        if len(set(names)) < len(names):
            raise Invalid("a field is named twice", code="BAD_FIELDS", path=path, hint="Name it once.")
    if link.kind is LinkKind.MANY_TO_MANY and link.source_fields:
        raise Invalid("a link between many and many is a table of pairs", code="BAD_FIELDS", path="source_fields",
                      hint="Leave the fields out.")  # fmt: skip
    _check_on_delete(link)


def _check_on_delete(link: Link) -> None:
    if link.source_fields and link.on_delete is not OnDelete.CLEAR:
        raise Invalid(
            "a link by fields holds no key: nothing becomes of its rows when the other one goes", code="BAD_ON_DELETE",
            path="on_delete", hint="Choose clear, or a link without fields.",
        )  # fmt: skip
    if link.kind is LinkKind.MANY_TO_MANY and link.on_delete is OnDelete.DELETE:
        raise Invalid(
            "a row that is linked to many does not go with one of them", code="BAD_ON_DELETE", path="on_delete",
            hint="Choose clear, by which the pair goes, or refuse.",
        )  # fmt: skip


def check_links(model: Model, published: Model, tables: Tables) -> None:
    """All links, beside what is published and what lies in the database. Raises Conflict, Invalid."""
    pairs: dict[str, str] = {}
    for entity in model.entities:
        if len(entity.links) > MAX_LINKS:
            raise Invalid(f"{entity.name} may have {MAX_LINKS} links", code="TOO_MANY_LINKS", hint="Remove some.")
        before = published.find(entity.name)
        for link in entity.links:
            _check_fixed(entity, link, before.find_link(link.name) if before else None)
            _check_ends(model, entity, link)
            if link.kind is LinkKind.MANY_TO_MANY:
                _check_pair_name(entity, link, pairs)
            if has_column(link):
                _check_column(entity, link, tables)
    _check_targets(model, tables)


def _check_fixed(entity: Entity, link: Link, before: Link | None) -> None:
    changed = [name for name in _FIXED if before is not None and getattr(before, name) != getattr(link, name)]
    if changed:
        raise Conflict(
            f"the {changed[0].replace('_', ' ')} of {entity.name}.{link.name} is published, and cannot change",
            code="LINK_FIXED", path=changed[0], hint="Add a link of another name, then remove this one.",
        )  # fmt: skip


def _check_ends(model: Model, entity: Entity, link: Link) -> None:
    for path, name in (("dataset", entity.name), ("target", link.target)):
        if name in FIELDS_ONLY:
            raise Invalid(
                f"{name} has no links of teams", code="NO_LINKS", path=path,
                hint="Link the dataset to profiles, to whom it belongs.",
            )  # fmt: skip
    target = model.find(link.target)
    if target is None:
        raise Invalid(
            f"there is no dataset {link.target[:80]!r}, to which {entity.name}.{link.name} leads",
            code="DATASET_NOT_FOUND", path="target", hint="Remove the link first, or name another dataset.",
        )  # fmt: skip
    ours, theirs = fields_of(entity), reachable(target)
    for path, names, found in (("source_fields", link.source_fields, ours), ("target_fields", link.target_fields, theirs)):
        _check_known(entity if found is ours else target, link, path, names, found)
    for source, other in zip(link.source_fields, link.target_fields, strict=True):
        if ours[source].kind is not theirs[other].kind:
            raise Invalid(
                f"{source} is {a_kind(ours[source].kind)} and {other} is {a_kind(theirs[other].kind)}: they are never equal",
                code="BAD_FIELDS", path="target_fields", hint="Choose fields of one kind.",
            )  # fmt: skip
    if max(_wide(link.source_fields, ours), _wide(link.target_fields, theirs)) > WIDEST:
        raise Invalid(
            f"the texts of {entity.name}.{link.name} may be {WIDEST // 4} characters long together, so that they can be found",
            code="TOO_WIDE", path="source_fields", hint="Choose shorter texts.",
        )  # fmt: skip


def _check_known(entity: Entity, link: Link, path: str, names: Sequence[str], found: Mapping[str, Column]) -> None:
    for name in names:
        if name not in found:
            raise Invalid(
                f"{entity.name} has no field {name[:80]!r} for the link {link.name}", code="UNKNOWN_FIELD", path=path,
                hint=f"Choose of {', '.join(list(found)[:20])}. Who removes a field removes the link first.",
            )  # fmt: skip
        if found[name].kind in _NOT_EQUAL:
            raise Invalid(f"{a_kind(found[name].kind)} equals nothing", code="BAD_FIELDS", path=path)


def _wide(names: Sequence[str], found: Mapping[str, Column]) -> int:
    return sum(width(found[name]) for name in names)


def _check_pair_name(entity: Entity, link: Link, pairs: dict[str, str]) -> None:
    table, name = pair_table(entity, link), f"{entity.name}.{link.name}"
    if len(entity.name) + len(link.name) > PAIR_NAMES:
        raise Invalid(f"{name} is too long for a table of pairs", code="NAME_TOO_LONG", path="name",
                      hint=f"The two names have {PAIR_NAMES} characters together.")  # fmt: skip
    if pairs.setdefault(table, name) != name:
        raise Conflict(f"{name} has the table of {pairs[table]}", code="NAME_TAKEN", path="name",
                       hint="Choose another name.")  # fmt: skip


def _check_column(entity: Entity, link: Link, tables: Tables) -> None:
    place = table_of(entity), link_column(link.name)
    if tables.type_of(*place) is not None and place not in tables.references:
        raise _hidden(entity, link, "another field")


def _check_targets(model: Model, tables: Tables) -> None:
    """Hidden keys are those of one table, and stay so."""
    links = {place: (entity, link) for entity in model.entities for link in entity.links for place in _places(entity, link)}
    for place, one in references(model).items():
        lying = tables.references.get(place)
        if lying is not None and lying.target != one.target:
            raise _hidden(*links[place], f"keys of {lying.target}")


def _places(entity: Entity, link: Link) -> list[Place]:
    if link.kind is LinkKind.MANY_TO_MANY:
        return [(pair_table(entity, link), column) for column in PAIR_COLUMNS]
    return [(table_of(entity), link_column(link.name))]


def _hidden(entity: Entity, link: Link, what: str) -> Conflict:
    return Conflict(
        f"{entity.name}.{link.name} is the name of hidden data: {what}, not keys of {table_named(link.target)}",
        code="HIDDEN_DATA", path="name", hint="Drop the hidden data first, or choose another name.",
    )  # fmt: skip
