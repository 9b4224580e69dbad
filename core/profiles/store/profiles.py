"""SQL on profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from core.db import Connection
from core.profiles.fields import WRITTEN_COLUMNS
from core.profiles.records import EmailFormat, Gender, Profile

# Statements are completed with the columns of the table of fields: constants of this house, never a caller's text.
COLUMNS = ", ".join(Profile.__dataclass_fields__)
_OF_P = ", ".join(f"p.{column}" for column in Profile.__dataclass_fields__)
_WRITTEN = ", ".join(WRITTEN_COLUMNS)
_PLACES = ", ".join(f"${n}" for n in range(2, len(WRITTEN_COLUMNS) + 2))
_SET = ", ".join(f"{column} = ${n}" for n, column in enumerate(WRITTEN_COLUMNS, start=3))


_FILL = {name: getattr(Profile, name).__set__ for name in Profile.__dataclass_fields__}
_GENDERS = {int(one): one for one in Gender}
_EMAIL_FORMATS = {int(one): one for one in EmailFormat}


def profile_of(row: Any) -> Profile:
    """The record of a row of COLUMNS.

    Its slots are filled directly: the constructor of a frozen dataclass takes four times as long, and pages have hundreds.
    """
    profile = object.__new__(Profile)
    for fill, value in zip(_FILL.values(), row, strict=True):
        fill(profile, value)
    _FILL["gender"](profile, _GENDERS[profile.gender])
    _FILL["email_format"](profile, _EMAIL_FORMATS[profile.email_format])
    return profile


def _arguments(values: Mapping[str, Any]) -> list[Any]:
    return [values[column] for column in WRITTEN_COLUMNS]


async def insert_profile(conn: Connection, values: Mapping[str, Any], now: datetime) -> Profile:
    """`values` has every written column. Raises UniqueViolationError."""
    row = await conn.fetchrow(
        f"INSERT INTO profile (created_at, updated_at, {_WRITTEN}) VALUES ($1, $1, {_PLACES}) RETURNING {COLUMNS}",
        now,
        *_arguments(values),
    )
    return profile_of(row)


async def update_profile(conn: Connection, profile_id: int, values: Mapping[str, Any], now: datetime) -> Profile:
    """`values` has every written column. Raises UniqueViolationError."""
    row = await conn.fetchrow(
        f"UPDATE profile SET updated_at = $2, {_SET} WHERE id = $1 RETURNING {COLUMNS}",
        profile_id,
        now,
        *_arguments(values),
    )
    return profile_of(row)


async def delete_profile(conn: Connection, profile_id: int) -> bool:
    """Whether there was one. Who is merged into it goes with it."""
    return await conn.fetchval("DELETE FROM profile WHERE id = $1 RETURNING true", profile_id) or False


async def find_profile(conn: Connection, profile_id: int) -> Profile | None:
    """By id; the survivor of one that is merged."""
    row = await conn.fetchrow(
        f"SELECT {COLUMNS} FROM profile WHERE id = (SELECT coalesce(merged_into, id) FROM profile WHERE id = $1)", profile_id
    )
    return profile_of(row) if row else None


async def find_profile_by(conn: Connection, column: str, value: object) -> Profile | None:
    """By a column that is unique; the survivor of one that is merged. `column` is a name of the table of fields."""
    row = await conn.fetchrow(
        f"SELECT {COLUMNS} FROM profile WHERE id = (SELECT coalesce(merged_into, id) FROM profile WHERE {column} = $1)", value
    )
    return profile_of(row) if row else None


async def lock_profile(conn: Connection, profile_id: int) -> tuple[Profile | None, int | None]:
    """By id, locked until the end of the transaction, and whom it is merged into."""
    row = await conn.fetchrow(f"SELECT {COLUMNS}, merged_into FROM profile WHERE id = $1 FOR NO KEY UPDATE", profile_id)
    return (profile_of(tuple(row)[:-1]), row["merged_into"]) if row else (None, None)


async def get_profiles(conn: Connection, ids: Sequence[int]) -> dict[int, Profile]:
    """Those that exist, by the ids asked for; the survivor of one that is merged."""
    rows = await conn.fetch(
        f"""
        SELECT {_OF_P}, asked.id FROM profile asked JOIN profile p ON p.id = coalesce(asked.merged_into, asked.id)
         WHERE asked.id = ANY($1::bigint[])
        """,
        ids,
    )
    return {row[-1]: profile_of(tuple(row)[:-1]) for row in rows}


async def list_profiles(conn: Connection, after: int | None, limit: int) -> list[Profile]:
    """In the order of their ids, after one, without those that are merged."""
    rows = await conn.fetch(
        f"""
        SELECT {COLUMNS} FROM profile WHERE id > coalesce($1::bigint, 0) AND merged_into IS NULL ORDER BY id LIMIT $2
        """,
        after, limit,
    )  # fmt: skip
    return [profile_of(row) for row in rows]


async def count_profiles(conn: Connection) -> int:
    """How many there are, without those that are merged."""
    found: int = await conn.fetchval("SELECT count(*) FROM profile WHERE merged_into IS NULL")
    return found
