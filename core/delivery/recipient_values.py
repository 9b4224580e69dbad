"""What a ledger row carries of a profile, as one SQL expression. The same for previews."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    String,
    TableClause,
    cast,
    column,
    func,
    literal,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import JSONB

from core.content.dynamic import VARIANTS, variant_number
from core.content.personalization import FIELDS
from core.db import Connection
from core.errors import Invalid, NotFound
from core.targeting.catalogue import PROFILE, Entity
from core.targeting.sql import compile_statement

PAIRS_PER_CALL = 50  # Postgres takes at most 100 arguments


def profile_table(entity: Entity = PROFILE) -> TableClause:
    """The profile table with every column that the entity names, and the address as the person spells it."""
    named = (field.column for field in entity.fields.values() if field.derived is None)
    names = dict.fromkeys(["id", "birth_date", *named, *FIELDS])
    return table("profile", *(column(name) for name in names))


def values_expression(fields: Sequence[str], profile: FromClause) -> ColumnElement[Any]:
    """A jsonb object of the named profile columns, codes as they are. Raises Invalid (UNKNOWN_FIELD)."""
    pairs = [(name, _value(name, profile)) for name in sorted(set(fields))]
    built: ColumnElement[Any] = cast(literal("{}", String), JSONB)
    for start in range(0, len(pairs), PAIRS_PER_CALL):
        flat = [part for name, value in pairs[start : start + PAIRS_PER_CALL] for part in (cast(literal(name), String), value)]
        made = func.jsonb_build_object(*flat)
        built = made if start == 0 else built.op("||")(made)
    return built


def variants_expression(dynamic: Mapping[str, Sequence[str]], profile: FromClause, at: datetime) -> ColumnElement[Any]:
    """A jsonb object with the numbers of the variants that a profile sees, as a ledger row carries them.

    `dynamic` are the conditions of each dynamic content, `at` is `now` in them.
    """
    numbers = [
        part
        for name, conditions in sorted(dynamic.items())
        for part in (cast(literal(name), String), variant_number(conditions, at=at, profile=profile))
    ]
    return func.jsonb_build_object(cast(literal(VARIANTS), String), func.jsonb_build_object(*numbers))


def _value(name: str, profile: FromClause) -> ColumnElement[Any]:
    if name not in FIELDS:
        raise Invalid(f"a template cannot read the profile field {name!r}", code="UNKNOWN_FIELD", path=f"profile.{name}")
    return profile.c[name]


def row_expression(
    fields: Sequence[str], dynamic: Mapping[str, Sequence[str]], profile: FromClause, at: datetime
) -> ColumnElement[Any]:
    """All that a ledger row carries for its message."""
    built = values_expression(fields, profile)
    return built.op("||")(variants_expression(dynamic, profile, at)) if dynamic else built


async def fetch_values(
    conn: Connection, profile_id: int, fields: Sequence[str], dynamic: Mapping[str, Sequence[str]], at: datetime
) -> Mapping[str, Any]:
    """The same values for one profile. Raises NotFound."""
    profile = profile_table()
    carried = row_expression(fields, dynamic, profile, at)
    statement = compile_statement(select(carried.label("values")).where(profile.c.id == profile_id))
    row = await conn.fetchrow(statement.text, *statement.args)
    if row is None:
        raise NotFound("there is no such profile", code="PROFILE_NOT_FOUND", path="profileId")
    values: Mapping[str, Any] = row["values"]
    return values
