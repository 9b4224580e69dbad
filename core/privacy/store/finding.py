"""SQL that finds whom a value names, assembled from the place where it stands. None finds more than MOST and one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    ARRAY,
    TIMESTAMP,
    UUID,
    BigInteger,
    ColumnElement,
    Date,
    Numeric,
    Text,
    cast,
    column,
    func,
    literal,
    or_,
    select,
    table,
)
from sqlalchemy.types import TypeEngine

from core.datamodel.records import FieldKind
from core.db import Connection
from core.privacy.places import PROFILE, Place, Way
from core.targeting.sql import compile_statement

MOST = 1_000  # profiles and rows of nobody that one value may name

_TYPES: Mapping[FieldKind, TypeEngine[Any]] = MappingProxyType(
    {
        FieldKind.INTEGER: BigInteger(),
        FieldKind.DECIMAL: Numeric(),
        FieldKind.DATE: Date(),
        FieldKind.INSTANT: TIMESTAMP(timezone=True),
        FieldKind.AUTOMATIC_ID: UUID(),
    }
)


async def profiles_with(conn: Connection, place: Place, value: str) -> list[int]:
    """The ids of profiles that have a value of a column of theirs."""
    rows = table(PROFILE, column("id"), column(place.column))
    statement = compile_statement(select(rows.c.id).where(_has(rows, place, value)).limit(MOST + 1))
    return [row[0] for row in await conn.fetch(statement.text, *statement.args)]


async def owners_of(conn: Connection, place: Place, value: str) -> list[int]:
    """The profiles whose rows have a value, of a table whose rows say by `profile_id` whose they are; the profiles need not be
    there. Of events this reads through all of a type."""
    rows = table(place.table, column("profile_id"), column(place.column))
    found = select(rows.c.profile_id).distinct().where(_has(rows, place, value), rows.c.profile_id.is_not(None))
    statement = compile_statement(found.limit(MOST + 1))
    return [row[0] for row in await conn.fetch(statement.text, *statement.args)]


async def nobodys_with(conn: Connection, place: Place, value: str) -> list[int]:
    """The ids of rows of such a table that have a value and no profile."""
    rows = table(place.table, column("profile_id"), *map(column, dict.fromkeys(("id", place.column))))
    found = select(rows.c.id).where(_has(rows, place, value), rows.c.profile_id.is_(None)).order_by(rows.c.id)
    statement = compile_statement(found.limit(MOST + 1))
    return [row[0] for row in await conn.fetch(statement.text, *statement.args)]


async def rows_with(conn: Connection, place: Place, value: str) -> list[int]:
    """The ids of rows of a dataset that have a value."""
    rows = table(place.table, *map(column, dict.fromkeys(("id", place.column))))
    statement = compile_statement(select(rows.c.id).where(_has(rows, place, value)).order_by(rows.c.id).limit(MOST + 1))
    return [row[0] for row in await conn.fetch(statement.text, *statement.args)]


async def linked_with(conn: Connection, place: Place, way: Way, value: str) -> list[int]:
    """The profiles to which rows of a dataset that have a value lead on one way."""
    rows = table(place.table, *map(column, dict.fromkeys((place.column, *(near for near, _ in way))))).alias("r")
    profile = table(PROFILE, *map(column, dict.fromkeys(("id", *(far for _, far in way))))).alias("p")
    equal = (profile.c[far] == rows.c[near] for near, far in way)
    found = select(profile.c.id).distinct().select_from(rows, profile).where(*equal, _has(rows, place, value))
    statement = compile_statement(found.limit(MOST + 1))
    return [row[0] for row in await conn.fetch(statement.text, *statement.args)]


async def said_of_devices(
    conn: Connection, columns: Sequence[str], device_ids: Sequence[int], profile_ids: Sequence[int]
) -> list[str]:
    """The values of columns of the team's, as texts, of these devices and of those of these profiles."""
    rows = table("app_subscription", *map(column, ("id", "profile_id", *columns)))
    theirs = or_(rows.c.id == func.any(_array(device_ids)), rows.c.profile_id == func.any(_array(profile_ids)))
    statement = compile_statement(select(*(cast(rows.c[name], Text) for name in columns)).where(theirs))
    return [value for row in await conn.fetch(statement.text, *statement.args) for value in row.values() if value]


async def said_of_rows(conn: Connection, name: str, columns: Sequence[str], row_ids: Sequence[int]) -> list[str]:
    """The values of columns, as texts, of these rows of a table."""
    rows = table(name, *map(column, ("id", *columns)))
    said = select(*(cast(rows.c[one], Text) for one in columns)).where(rows.c.id == func.any(_array(row_ids)))
    statement = compile_statement(said)
    return [value for row in await conn.fetch(statement.text, *statement.args) for value in row.values() if value]


def _array(ids: Sequence[int]) -> ColumnElement[Any]:
    return cast(literal(list(ids), ARRAY(BigInteger)), ARRAY(BigInteger))


def _has(rows: Any, place: Place, value: str) -> ColumnElement[bool]:
    said = cast(literal(value), Text)
    of_kind = _TYPES.get(place.kind)
    compared: ColumnElement[Any] = said if of_kind is None else cast(said, of_kind)
    has: ColumnElement[bool] = rows.c[place.column] == compared
    return has
