"""SQL on test profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from core.db import Connection
from core.profiles.fields import WRITTEN_COLUMNS
from core.profiles.store.profiles import COLUMNS, profile_of
from core.profiles.test_profile_records import TestProfile, TestProfileDraft, TestProfileUse

# Statements are completed with the columns of the table of fields: constants of this house, never a caller's text.
_OWN = ("label", "uses", "app_token", "event_type", "event_payload", "built_in", "version", "created_by")
_ALL = f"{COLUMNS}, {', '.join(_OWN)}"
_FOUND_BY = "concat_ws(' ', label, email_key, first_name, last_name)"


def _test_profile(row: Any) -> TestProfile:
    values = {name: row[name] for name in _OWN}
    return TestProfile(
        **{**values, "uses": tuple(use for use in TestProfileUse if use in values["uses"])},
        person=profile_of(tuple(row)[: -len(_OWN)]),
    )


def _written(draft: TestProfileDraft, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Every column that is written, the team's last."""
    own = {
        "label": draft.label, "uses": [use.value for use in draft.uses], "app_token": draft.app_token,
        "event_type": draft.event_type,
        "event_payload": None if draft.event_payload is None else dict(draft.event_payload),
    }  # fmt: skip
    return {**own, **columns}


async def insert_test_profile(
    conn: Connection, draft: TestProfileDraft, columns: Mapping[str, Any], created_by: str, now: datetime
) -> TestProfile:
    """`columns` has every written column of a profile, and those of the team, whose names are the published model's."""
    values = _written(draft, columns)
    places = ", ".join(f"${n}" for n in range(3, len(values) + 3))
    row = await conn.fetchrow(
        f"""
        INSERT INTO test_profile (created_by, created_at, updated_at, {", ".join(values)}) VALUES ($1, $2, $2, {places})
        RETURNING {_ALL}
        """,
        created_by, now, *values.values(),
    )  # fmt: skip
    return _test_profile(row)


async def update_test_profile(
    conn: Connection, test_profile_id: int, draft: TestProfileDraft, columns: Mapping[str, Any], now: datetime
) -> TestProfile:
    """The test profile with its next version. `columns` as of `insert_test_profile`."""
    values = _written(draft, columns)
    changes = ", ".join(f"{column} = ${n}" for n, column in enumerate(values, start=3))
    row = await conn.fetchrow(
        f"UPDATE test_profile SET version = version + 1, updated_at = $2, {changes} WHERE id = $1 RETURNING {_ALL}",
        test_profile_id, now, *values.values(),
    )  # fmt: skip
    return _test_profile(row)


async def delete_test_profile(conn: Connection, test_profile_id: int) -> None:
    """It goes from the traps of deliveries, too."""
    await conn.execute("DELETE FROM test_profile WHERE id = $1", test_profile_id)


async def lock_test_profile(conn: Connection, test_profile_id: int) -> TestProfile | None:
    """By id, locked until the end of the transaction."""
    row = await conn.fetchrow(f"SELECT {_ALL} FROM test_profile WHERE id = $1 FOR NO KEY UPDATE", test_profile_id)
    return _test_profile(row) if row else None


async def find_test_profiles(conn: Connection, ids: Sequence[int]) -> list[TestProfile]:
    """Those of the ids that exist."""
    rows = await conn.fetch(f"SELECT {_ALL} FROM test_profile WHERE id = ANY($1::bigint[]) ORDER BY id", list(ids))
    return [_test_profile(row) for row in rows]


async def list_test_profiles(
    conn: Connection, use: str | None, text: str | None, after: int | None, limit: int
) -> list[TestProfile]:
    """In the order of their ids, after one; of one use or of all, with the text in label, email or name."""
    rows = await conn.fetch(
        f"""
        SELECT {_ALL} FROM test_profile
         WHERE id > coalesce($3::bigint, 0) AND ($1::text IS NULL OR $1 = ANY (uses))
           AND ($2::text IS NULL OR strpos(fold_text({_FOUND_BY}), fold_text($2)) > 0)
         ORDER BY id LIMIT $4
        """,
        use, text, after, limit,
    )  # fmt: skip
    return [_test_profile(row) for row in rows]


async def count_test_profiles(conn: Connection, use: str | None, text: str | None) -> int:
    """How many those are."""
    found: int = await conn.fetchval(
        f"""
        SELECT count(*) FROM test_profile
         WHERE ($1::text IS NULL OR $1 = ANY (uses))
           AND ($2::text IS NULL OR strpos(fold_text({_FOUND_BY}), fold_text($2)) > 0)
        """,
        use, text,
    )  # fmt: skip
    return found


def written(person: Any) -> dict[str, Any]:
    """What a test profile has in the columns that are written of a profile."""
    return {column: getattr(person, column) for column in WRITTEN_COLUMNS}
