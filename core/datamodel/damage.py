"""What is missing in the database, or different, from what the publications of a model have made there. Pure.

Tables, columns, foreign keys and what the database fills in are made again by statements of the catalogue alone, as a
publication makes them; indexes and checks by jobs. What would rewrite or read a table under its lock, and a column of another
type, is named for a person.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from core.datamodel.physical import (
    MIRRORS,
    PAIR_COLUMNS,
    Lying,
    Place,
    Reference,
    Tables,
    automatic_columns,
    column_of,
    constraint_of,
    link_column,
    pair_table,
    references,
    table_of,
)
from core.datamodel.records import Build, BuildKind, BuildState, Damage, DamageKind, Entity, Link, LinkKind, Model, Step
from core.datamodel.statements import (
    WRITTEN_COLUMNS,
    adding,
    model_columns,
    new_pairs,
    new_reference,
    new_table,
    other_reference,
)
from core.datamodel.store.numbering import numbering_behind
from core.datamodel.wanted import Wanted, reference_object, wanted

BACKUP = "Bring it back from a backup."


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """What there is: the tables that take a team's columns, their mirrors, and what holds them together."""

    tables: Tables
    mirrors: Mapping[str, Mapping[str, str]]  # columns with their types
    filled: frozenset[Place]  # by a default, or numbered
    primary: Mapping[str, tuple[str, ...]]  # the columns of primary keys
    led: frozenset[Place]  # columns by which an index that is whole begins
    indexes: Mapping[str, bool]  # of models, by name; False: not whole
    builds: Mapping[str, Build]  # what was asked for, by object

    def type_of(self, table: str, column: str) -> str | None:
        """The type of a column; None where there is none."""
        return self.mirrors.get(table, {}).get(column) or self.tables.type_of(table, column)

    def is_settled(self, object_: str) -> bool:
        """Whether a build is not on its way, and has not failed: then what it made is to be there."""
        found = self.builds.get(object_)
        return found is None or (found.state is BuildState.DONE and not found.dropping)


def damages(model: Model, lying: Structure) -> Iterator[Damage]:
    """In an order in which they can be mended."""
    for entity in model.entities:
        if table_of(entity) not in lying.tables.columns:
            yield _lost_table(model, entity, lying)
            continue
        yield from _columns(entity, lying)
        if not entity.built_in:
            yield from _own_columns(entity, table_of(entity), lying)
    for entity in model.entities:
        for link in entity.links:
            if link.kind is LinkKind.MANY_TO_MANY:
                yield from _pairs(entity, link, lying)
    for entity, link, place, reference in _wanted_references(model):
        yield from _reference(entity, link, place, reference, lying)
    yield from _indexes(model, lying)


# ---- tables and columns --------------------------------------------------------------------------


def _lost_table(model: Model, entity: Entity, lying: Structure) -> Damage:
    """The numbers of its rows are not given again: what is linked to one of them is not to be linked to another."""
    table = table_of(entity)
    steps = [new_table(entity, table)]
    holding = [place for place, one in references(model).items() if one.target == table and lying.type_of(*place) == "bigint"]
    if holding:
        steps.append(Step(sql=numbering_behind(table, holding)))
    return Damage(
        kind=DamageKind.TABLE, entity=entity.name, table=table, steps=tuple(steps),
        message=f"the table {table} is not there; it is made again without rows",
        hint=f"Its rows are in a backup only.{' What is linked to them leads nowhere.' if holding else ''}",
    )  # fmt: skip


def _columns(entity: Entity, lying: Structure) -> Iterator[Damage]:
    """Of fields and links, in the table and in the one that has the same."""
    names = {column_of(one.name): one.name for one in entity.fields} | {link_column(one.name): one.name for one in entity.links}
    filled = automatic_columns(entity)
    for column, type_ in model_columns(entity).items():
        for table in filter(None, (table_of(entity), MIRRORS.get(table_of(entity)))):
            there = lying.type_of(table, column)
            if there is None:
                yield _damage(
                    DamageKind.COLUMN, entity, table, column, names[column],
                    f"the column {column} of {table} is not there; it is made again without values",
                    "Its values are in a backup only.", adding(column, type_, filled),
                )  # fmt: skip
            elif there != type_:
                yield _other_type(entity, table, column, names[column], there, type_)
            elif column in filled and (table, column) not in lying.filled:
                change = f"ALTER COLUMN {column} SET DEFAULT {filled[column]}"
                message = f"new rows of {table} get no {column}"
                yield _damage(DamageKind.FILLING, entity, table, column, names[column], message, None, change)


def _own_columns(entity: Entity, table: str, lying: Structure) -> Iterator[Damage]:
    """What every row of a dataset has."""
    for column, said in WRITTEN_COLUMNS.items():
        type_, _, default = said.partition(" NOT NULL ")
        there = lying.type_of(table, column)
        if there is None:
            yield _damage(
                DamageKind.COLUMN, entity, table, column, None,
                f"the column {column} of {table} is not there; it is made again, and all rows have the time of the repair",
                "The times are in a backup only.", f"ADD COLUMN {column} {said}",
            )  # fmt: skip
        elif there != type_:
            yield _other_type(entity, table, column, None, there, type_)
        elif (table, column) not in lying.filled:
            change = f"ALTER COLUMN {column} SET {default}"
            yield _damage(DamageKind.FILLING, entity, table, column, None, f"new rows of {table} get no {column}", None, change)
    yield from _numbers(entity, table, lying)


def _numbers(entity: Entity, table: str, lying: Structure) -> Iterator[Damage]:
    """The number of a row, by which all others know it."""
    there = lying.type_of(table, "id")
    if there is None:
        message = f"the column id of {table} is not there, and nothing tells its rows apart"
        yield _damage(DamageKind.COLUMN, entity, table, "id", None, message, BACKUP)
    elif there != "bigint":
        yield _other_type(entity, table, "id", None, there, "bigint")
    elif lying.primary.get(table) != ("id",):
        yield _no_primary_key(entity, None, table, ("id",))
    elif (table, "id") not in lying.filled:
        steps = (
            Step(sql=f"ALTER TABLE {table} ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY", locks=(table,)),
            Step(sql=numbering_behind(table, [(table, "id")]), locks=(table,)),
        )
        yield Damage(
            kind=DamageKind.FILLING, entity=entity.name, table=table, column="id", steps=steps,
            message=f"new rows of {table} get no id; they are numbered again, behind the highest",
        )  # fmt: skip


def _pairs(entity: Entity, link: Link, lying: Structure) -> Iterator[Damage]:
    table = pair_table(entity, link)
    there = lying.tables.columns.get(table)
    if there is None:
        yield Damage(
            kind=DamageKind.TABLE, entity=entity.name, name=link.name, table=table, steps=tuple(new_pairs(table)),
            message=f"the table {table} is not there; it is made again without pairs", hint="Its pairs are in a backup only.",
        )  # fmt: skip
        return
    wrong = [one for one in PAIR_COLUMNS if there.get(one) != "bigint"]
    for column in wrong:
        message = f"the column {column} of {table} is not there, or of another type than bigint"
        yield _damage(DamageKind.COLUMN, entity, table, column, link.name, message, BACKUP)
    if wrong:
        return
    if lying.primary.get(table) != PAIR_COLUMNS:
        yield _no_primary_key(entity, link.name, table, PAIR_COLUMNS)
    column = PAIR_COLUMNS[1]
    if (table, column) not in lying.led:
        hint = f"CREATE INDEX CONCURRENTLY ON {table} ({column})"
        message = f"no index of {table} begins with {column}"
        yield _damage(DamageKind.INDEX, entity, table, column, link.name, message, hint)


def _damage(
    kind: DamageKind, entity: Entity, table: str, column: str, name: str | None, message: str, hint: str | None,
    change: str | None = None,
) -> Damage:  # fmt: skip
    """`change`: of the table, by which it is mended."""
    steps = () if change is None else (Step(sql=f"ALTER TABLE {table} {change}", locks=(table,)),)
    return Damage(
        kind=kind, entity=entity.name, table=table, column=column, name=name, message=message, hint=hint, steps=steps
    )  # fmt: skip


def _other_type(entity: Entity, table: str, column: str, name: str | None, there: str, type_: str) -> Damage:
    hint = f"Its values may not fit. Look at them, then: ALTER TABLE {table} ALTER COLUMN {column} TYPE {type_}"
    return _damage(DamageKind.TYPE, entity, table, column, name, f"{column} of {table} is {there}, not {type_}", hint)


def _no_primary_key(entity: Entity, name: str | None, table: str, columns: tuple[str, ...]) -> Damage:
    """It is a unique index that is built while nobody writes, so a person has to choose the hour."""
    hint = f"When nobody writes: ALTER TABLE {table} ADD PRIMARY KEY ({', '.join(columns)})"
    message = f"{table} has no primary key of {' and '.join(columns)}"
    return Damage(kind=DamageKind.PRIMARY_KEY, entity=entity.name, name=name, table=table, message=message, hint=hint)


# ---- foreign keys and indexes --------------------------------------------------------------------


def _wanted_references(model: Model) -> Iterator[tuple[Entity, Link, Place, Reference]]:
    asked = references(model)
    for entity in model.entities:
        for link in entity.links:
            places = [(table_of(entity), link_column(link.name)), *((pair_table(entity, link), one) for one in PAIR_COLUMNS)]
            yield from ((entity, link, place, asked[place]) for place in places if place in asked)


def _reference(entity: Entity, link: Link, place: Place, asked: Reference, lying: Structure) -> Iterator[Damage]:
    table, column = place
    there = lying.tables.references.get(place)
    if there is not None and (there.target, there.on_delete) == (asked.target, asked.on_delete):
        if not there.valid and lying.is_settled(reference_object(place)):
            message = f"whether rows of {table} have a row of {asked.target} behind {column} has not been checked"
            yield _of_reference(entity, link, place, message, (), later=True)
        return
    what = "is not there" if there is None else f"is another one ({_said(there)})"
    message = f"the foreign key of {column} of {table} to {asked.target} {what}"
    if _is_blocked(place, asked, lying):
        hint = "What else is named of both tables is to be mended before."
        yield _damage(DamageKind.REFERENCE, entity, table, column, link.name, message, hint)
        return
    is_new = table not in lying.tables.columns
    step = new_reference(table, column, asked, is_new=is_new) if there is None else other_reference(table, column, asked)
    yield _of_reference(entity, link, place, message, (step,), later=not is_new)


def _of_reference(
    entity: Entity, link: Link, place: Place, message: str, steps: tuple[Step, ...], *, later: bool
) -> Damage:  # fmt: skip
    check = f"ALTER TABLE {place[0]} VALIDATE CONSTRAINT {constraint_of(place[1])}" if later else None
    return Damage(
        kind=DamageKind.REFERENCE, entity=entity.name, table=place[0], column=place[1], name=link.name, message=message,
        steps=steps, afterwards=check,
    )  # fmt: skip


def _is_blocked(place: Place, asked: Reference, lying: Structure) -> bool:
    """Whether no foreign key can be made: of a column that is not made again, or to rows without a primary key."""
    table, column = place
    there = lying.type_of(table, column)
    is_made = there is None and (table not in lying.tables.columns or column not in PAIR_COLUMNS)
    is_whole = lying.primary.get(asked.target) == ("id",) and lying.type_of(asked.target, "id") == "bigint"
    has_target = is_whole or asked.target not in lying.tables.columns
    return not has_target or not (is_made or there == "bigint")


def _said(there: Lying) -> str:
    return f"to {there.target}, on delete {there.on_delete.value}"


def _indexes(model: Model, lying: Structure) -> Iterator[Damage]:
    for one in wanted(model):
        whole = lying.indexes.get(one.object)
        if one.kind is not BuildKind.REFERENCE and not whole and lying.is_settled(one.object):
            yield _lost_index(one, is_broken=whole is False)


def _lost_index(one: Wanted, *, is_broken: bool) -> Damage:
    kind, what = (DamageKind.KEY, "unique key") if one.kind is BuildKind.KEY else (DamageKind.INDEX, "index")
    return Damage(
        kind=kind, entity=one.entity, table=one.table, name=one.name, afterwards=one.sql,
        message=f"the {what} {one.object} is {'not whole' if is_broken else 'not there'}",
    )  # fmt: skip
