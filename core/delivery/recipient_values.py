"""What a ledger row carries of a profile, as one SQL expression. The same for previews."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Double,
    FromClause,
    String,
    TableClause,
    Text,
    case,
    cast,
    column,
    func,
    literal,
    null,
    select,
    table,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import ARRAY

from core.authored import not_found
from core.clock import UTC_ZONE
from core.content.dynamic import VARIANTS, variant_number
from core.content.personalization import COLUMNS, linked_key
from core.content.readable import OURS, Read, Readable, ReadableField
from core.datamodel.records import FieldKind
from core.db import Connection
from core.errors import Invalid
from core.targeting.catalogue import PROFILE, CatalogueLink, Entity
from core.targeting.linked import entity_table
from core.targeting.listed import Brought, brought_object
from core.targeting.objects import object_of
from core.targeting.sql import compile_statement

DRAWN = "#drawn"  # of traps' rows, and among their values: the member from whom they have what they lack; no field is called so


def profile_table(entity: Entity = PROFILE, readable: Readable = OURS) -> TableClause:
    """The profile table with every column that the entity names or templates read, and the address as the person spells it."""
    asked = entity_table(entity).c
    read = (field.column for field in readable.roots["profile"].fields.values())
    near = (column for link in readable.roots["profile"].links.values() for column, _ in link.on)
    names = dict.fromkeys(["id", "birth_date", *(one.name for one in asked), *read, *near])
    return table("profile", *(column(name) for name in names))


def values_expression(fields: Sequence[str], profile: FromClause, readable: Readable = OURS) -> ColumnElement[Any]:
    """A jsonb object of the named profile columns, codes as they are; of those of linked rows an object each.

    Raises Invalid (UNKNOWN_FIELD).
    """
    found = [_find(name, readable) for name in sorted(set(fields))]
    pairs = [(one.name, stored(one.field, profile)) for one in found if not one.steps]
    for steps in dict.fromkeys(one.steps for one in found if one.steps):
        path = ".".join(step.name for step in steps)
        pairs.append((linked_key(path), _linked(steps, [one.field for one in found if one.steps == steps], profile, readable)))
    return object_of(pairs)


def _find(name: str, readable: Readable) -> Read:
    found = readable.find(("profile", *name.split(".")))
    if found is None:
        raise Invalid(f"a template cannot read the profile field {name!r}", code="UNKNOWN_FIELD", path=f"profile.{name}")
    return found


def stored(field: ReadableField, rows: FromClause) -> ColumnElement[Any]:
    """A value as programs and rows of the ledger keep it: what JSON would not keep exactly is a text, as `seen` reads it."""
    column = rows.c[field.column]
    match field.kind:
        case FieldKind.DECIMAL | FieldKind.JSON:
            return cast(column, Text)
        case FieldKind.POINT:
            pair: ColumnElement[Any] = type_coerce(column, ARRAY(Double()))
            return case((column.is_not(None), object_of([("longitude", pair[0]), ("latitude", pair[1])])))
        case _:
            return column


def _linked(
    steps: tuple[CatalogueLink, ...], fields: Sequence[ReadableField], profile: FromClause, readable: Readable
) -> ColumnElement[Any]:
    """The values of the row at the end of links; where data makes it several, of the first."""
    near = profile
    rows: list[FromClause] = []
    ties: list[ColumnElement[bool]] = []
    for step in steps:
        far = _rows(step, readable).alias()
        ties += [near.c[here] == far.c[there] for here, there in step.on]
        rows.append(far)
        near = far
    pairs = [(one.name, worded(one, near)) for one in fields]
    first = select(object_of(pairs)).select_from(*rows).where(*ties).order_by(*(row.c["id"] for row in rows)).limit(1)
    return first.correlate(profile).scalar_subquery()


def _rows(step: CatalogueLink, readable: Readable) -> TableClause:
    """The table that a link leads to, with all columns that are read of it or lead on."""
    entity = readable.entities[step.target]
    read = (one.column for one in entity.fields.values())
    further = (column for link in entity.links.values() for column, _ in link.on)
    names = dict.fromkeys(["id", *read, *(there for _, there in step.on), *further])
    return table(readable.catalogue.entities[step.target].table, *(column(name) for name in names))


def worded(field: ReadableField, rows: FromClause) -> ColumnElement[Any]:
    """The same with words in the place of codes: as values of linked rows are kept."""
    value = stored(field, rows)
    return case(*((value == code, cast(literal(word), String)) for code, word in field.words.items())) if field.words else value


def variants_expression(
    dynamic: Mapping[str, Sequence[str]],
    profile: FromClause,
    at: datetime,
    readable: Readable = OURS,
    zone: ZoneInfo = UTC_ZONE,
) -> ColumnElement[Any]:
    """A jsonb object with the numbers of the variants that a profile sees, as a ledger row carries them.

    `dynamic` are the conditions of each dynamic content, `at` is `now` in them.
    """
    catalogue, audiences = readable.catalogue, readable.audiences
    numbers: list[ColumnElement[Any]] = []
    for name, conditions in sorted(dynamic.items()):
        number = variant_number(conditions, at=at, zone=zone, profile=profile, catalogue=catalogue, audiences=audiences)
        numbers += [cast(literal(name), String), number]
    return func.jsonb_build_object(cast(literal(VARIANTS), String), func.jsonb_build_object(*numbers))


def columns_expression(columns: Sequence[Brought], person: ColumnElement[Any], *, merged: bool) -> ColumnElement[Any]:
    """A jsonb object with what a person brings along as a member of the audience, as a ledger row carries it."""
    return func.jsonb_build_object(cast(literal(COLUMNS), String), brought_object(columns, person, merged=merged))


def row_expression(
    fields: Sequence[str],
    dynamic: Mapping[str, Sequence[str]],
    profile: FromClause,
    at: datetime,
    readable: Readable = OURS,
    columns: Sequence[Brought] = (),
    *,
    zone: ZoneInfo = UTC_ZONE,
) -> ColumnElement[Any]:
    """All that a ledger row carries for its message; `columns` are those of the audience."""
    built = values_expression(fields, profile, readable)
    if dynamic:
        built = built.op("||")(variants_expression(dynamic, profile, at, readable, zone))
    if columns:
        person = profile.c.get(DRAWN, profile.c.id)
        built = built.op("||")(columns_expression(columns, person, merged=readable.catalogue.merged))
    return built


async def fetch_values(
    conn: Connection,
    profile_id: int,
    fields: Sequence[str],
    dynamic: Mapping[str, Sequence[str]],
    at: datetime,
    readable: Readable = OURS,
    *,
    columns: Sequence[Brought] = (),
    is_test: bool = False,
    zone: ZoneInfo = UTC_ZONE,
) -> Mapping[str, Any]:
    """The same values for one profile, or test profile, which brings no columns along.

    Raises NotFound (PROFILE_NOT_FOUND, TEST_PROFILE_NOT_FOUND).
    """
    profile: FromClause = profile_table(readable.catalogue.entities["profile"], readable)
    if is_test:  # its table has the same columns
        rows = table("test_profile", *(column(one.name) for one in profile.c if one.name != "merged_into"))
        profile = select(*rows.c, cast(null(), BigInteger).label("merged_into")).subquery("profile")
    carried = row_expression(fields, dynamic, profile, at, readable, () if is_test else columns, zone=zone)
    statement = compile_statement(select(carried.label("values")).where(profile.c.id == profile_id))
    row = await conn.fetchrow(statement.text, *statement.args)
    if row is None:
        raise (
            not_found("test profile", profile_id, "testProfileId") if is_test else not_found("profile", profile_id, "profileId")
        )
    values: Mapping[str, Any] = row["values"]
    return values
