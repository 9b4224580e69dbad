"""What unique keys and indexes may be. Pure; raises Invalid, and Conflict for a name or a meaning that another has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches

from core.datamodel.columns import WIDEST, Column, columns_of, width
from core.datamodel.physical import FIELDS_ONLY
from core.datamodel.records import AUDIT_KINDS, Entity, FieldKind, Index, Key, Model
from core.datamodel.rules import a_kind, check_name
from core.errors import Conflict, Invalid

MAX_KEYS = 30  # keys and indexes of one entity: each is written with every row
MAX_PARTS = 8  # fields of one
_NOT_UNIQUE = frozenset({FieldKind.JSON, FieldKind.POINT})
_NOT_ORDERED = frozenset({FieldKind.JSON})  # a place is ordered by its latitude, then by its longitude


def check_keys(model: Model) -> None:
    """All keys and indexes. Raises Invalid, Conflict."""
    for entity in model.entities:
        if len(entity.keys) + len(entity.indexes) > MAX_KEYS:
            raise Invalid(
                f"{entity.name} may have {MAX_KEYS} keys and indexes", code="TOO_MANY_INDEXES",
                hint="Remove some: each is written with every row.",
            )  # fmt: skip
        if entity.keys and entity.name in FIELDS_ONLY:
            raise Invalid(
                f"{entity.name} has no keys of teams", code="NO_KEYS", path="dataset", hint="Add an index instead."
            )  # fmt: skip
        columns = columns_of(entity)
        for one in _all(entity):
            _check_parts(entity, one, columns)
        _check_different(entity, columns)


def check_index(one: Key | Index) -> None:
    """What it says of itself. Raises Invalid."""
    check_name(one.name)
    if not 1 <= len(one.fields) <= MAX_PARTS:
        raise Invalid(f"{_a(one)} has 1 to {MAX_PARTS} fields", code="BAD_FIELDS", path="fields")
    if len(set(one.fields)) < len(one.fields):
        raise Invalid("a field is named twice", code="BAD_FIELDS", path="fields", hint="Name it once.")


def would_serve(entity: Entity, fields: Sequence[str]) -> bool:
    """Whether an index of these fields can be made, and none that there is begins with the first of them."""
    columns = columns_of(entity)
    if any(one.fields[0] == fields[0] and (isinstance(one, Index) or not _is_text(columns[fields[0]])) for one in _all(entity)):
        return False
    made = replace(entity, indexes=(*entity.indexes, Index(name="", fields=tuple(fields))))
    try:
        check_keys(Model(entities=(made,)))
    except (Invalid, Conflict):
        return False
    return True


def _is_text(column: Column) -> bool:
    return column.max_length is not None


def _check_parts(entity: Entity, one: Key | Index, columns: dict[str, Column]) -> None:
    for name in one.fields:
        column = columns.get(name)
        if column is None:
            near = get_close_matches(name, columns, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Choose of {', '.join(list(columns)[:30])}."
            raise Invalid(
                f"{entity.name} has no field {name[:80]!r} that {_a(one)} could have, and {one.name} names it",
                code="UNKNOWN_FIELD", path="fields", hint=f"{hint} Who removes a field removes {one.name} first.",
            )  # fmt: skip
        if column.kind in (_NOT_UNIQUE if isinstance(one, Key) else _NOT_ORDERED):
            raise Invalid(
                f"{name} is {a_kind(column.kind)}, which has no order", code="NOT_INDEXABLE", path="fields",
                hint="Choose fields of other kinds.",
            )  # fmt: skip
        if isinstance(one, Key) and column.kind in AUDIT_KINDS:
            raise Invalid(
                f"{name} is {a_kind(column.kind)}, by which no row is known", code="NOT_INDEXABLE", path="fields",
                hint="Choose other fields.",
            )  # fmt: skip
    if isinstance(one, Key) and all(columns[name].ours for name in one.fields):
        raise Invalid(
            f"{one.name} has no field or link of yours", code="BAD_FIELDS", path="fields",
            hint="Add one: what is unique of Clarion's own columns is known.",
        )  # fmt: skip
    if isinstance(one, Index) and len(one.fields) == 1 and columns[one.fields[0]].indexed:
        raise Conflict(
            f"Clarion has an index of {one.fields[0]} alone", code="DUPLICATE_INDEX", path="fields",
            hint=f"Leave {one.name} out, or add a field.",
        )  # fmt: skip
    if sum(width(columns[name]) for name in one.fields) > WIDEST:
        raise Invalid(
            f"the texts of {one.name} may have {WIDEST // 4} characters together", code="TOO_WIDE", path="fields",
            hint="Choose shorter texts, or fewer.",
        )  # fmt: skip


def _check_different(entity: Entity, columns: dict[str, Column]) -> None:
    names: set[str] = set()
    meanings: dict[tuple[object, ...], str] = {}
    for one in _all(entity):
        if one.name in names:
            raise Conflict(
                f"{entity.name} has a key or an index of the name {one.name!r}", code="NAME_TAKEN", path="name",
                hint="Choose another name.",
            )  # fmt: skip
        names.add(one.name)
        for meaning in _meanings(one, columns):
            other = meanings.setdefault(meaning, one.name)
            if other != one.name:
                raise Conflict(
                    f"{other} has these fields already", code="DUPLICATE_INDEX", path="fields",
                    hint=f"Leave {one.name} out, or choose other fields.",
                )  # fmt: skip


def _meanings(one: Key | Index, columns: dict[str, Column]) -> list[tuple[object, ...]]:
    """What another one must not say. A key serves as an index of its fields, unless that would compare texts without case."""
    if isinstance(one, Index):
        return [one.fields]
    whole: tuple[object, ...] = (frozenset(one.fields),)
    return [whole] if any(_is_text(columns[name]) for name in one.fields) else [whole, one.fields]


def _all(entity: Entity) -> tuple[Key | Index, ...]:
    return (*entity.keys, *entity.indexes)


def _a(one: Key | Index) -> str:
    return "a key" if isinstance(one, Key) else "an index"
