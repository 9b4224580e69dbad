"""SQL on subscriptions to apps. Rows are written in the order of their keys, so that two writers never wait in a circle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from core.db import Connection
from core.profiles.app_records import AppSubscription, Platform, SentAppSubscription
from core.profiles.fields import Field
from core.profiles.store.owned import newest_of
from core.profiles.store.told_values import after, compared, encoded, said

COLUMNS = "id, app, registration_token, platform, opted_out, profile_id, created_at, updated_at"
_SENT = """
    sent AS (
        SELECT n, app, token, platform, opted_out, profile_id, sets_profile, team::jsonb AS told
          FROM unnest($1::integer[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::bigint[], $7::boolean[], $8::text[])
            AS s (n, app, token, platform, opted_out, profile_id, sets_profile, team)
    )
"""

# Its place, whose it is, and what it says of the team's fields, by column.
Row = tuple[int, SentAppSubscription, int | None, Mapping[str, Any]]


def _subscription(row: Any) -> AppSubscription:
    return AppSubscription(**{**row, "platform": Platform(row["platform"])})


def _columns(rows: Sequence[Row], fields: Mapping[str, Field]) -> list[list[Any]]:
    told = [
        (n, one.app, one.registration_token, one.platform.value, one.opted_out, profile_id,
         one.forget_profile or profile_id is not None, encoded(team, fields))
        for n, one, profile_id, team in rows
    ]  # fmt: skip
    return [list(column) for column in zip(*told, strict=True)]


def _named(rows: Sequence[Row], fields: Mapping[str, Field]) -> list[Field]:
    """The fields of the team that any row sets."""
    named = {column for *_, team in rows for column in team}
    return [one for column, one in fields.items() if column in named]


async def insert_new(conn: Connection, rows: Sequence[Row], fields: Mapping[str, Field], now: datetime) -> set[int]:
    """Add those that are not there yet; returns the places of them. No two rows have one key. `fields`: the team's, by
    column."""
    named = _named(rows, fields)
    names, values = "".join(f", {one.column}" for one in named), "".join(f", {said(one)}" for one in named)
    found = await conn.fetch(
        f"""
        WITH {_SENT}, added AS (
            INSERT INTO app_subscription
                   (app, registration_token, platform, opted_out, profile_id, created_at, updated_at{names})
            SELECT app, token, platform, coalesce(opted_out, false), profile_id, $9, $9{values} FROM sent s ORDER BY app, token
            ON CONFLICT (app, registration_token) DO NOTHING
            RETURNING app, registration_token
        )
        SELECT s.n FROM sent s JOIN added a ON a.app = s.app AND a.registration_token = s.token
        """,
        *_columns(rows, fields), now,
    )  # fmt: skip
    return {row["n"] for row in found}


async def update_known(conn: Connection, rows: Sequence[Row], fields: Mapping[str, Field], now: datetime) -> set[int]:
    """Change those that are there and are something else; returns the places of them. `fields`: the team's, by column."""
    named = _named(rows, fields)
    wanted = "".join(f", {after(one, 'a')} AS {one.column}" for one in named)
    changes = "".join(f", {one.column} = h.{one.column}" for one in named)
    before, later = ("".join(f", {compared(one, row)}" for one in named) for row in ("a", "h"))
    found = await conn.fetch(
        f"""
        WITH {_SENT}, held AS (
            SELECT a.id, s.n, s.platform, coalesce(s.opted_out, a.opted_out) AS opted_out,
                   CASE WHEN s.sets_profile THEN s.profile_id ELSE a.profile_id END AS profile_id{wanted}
              FROM sent s JOIN app_subscription a ON a.app = s.app AND a.registration_token = s.token
             ORDER BY a.app, a.registration_token FOR UPDATE OF a
        )
        UPDATE app_subscription a
           SET platform = h.platform, opted_out = h.opted_out, profile_id = h.profile_id, updated_at = $9{changes}
          FROM held h
         WHERE a.id = h.id
           AND (a.platform, a.opted_out, a.profile_id{before}) IS DISTINCT FROM (h.platform, h.opted_out, h.profile_id{later})
        RETURNING h.n
        """,
        *_columns(rows, fields), now,
    )  # fmt: skip
    return {row["n"] for row in found}


async def delete(conn: Connection, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Remove those of these apps and tokens; returns what was there."""
    rows = await conn.fetch(
        """
        WITH held AS (
            SELECT a.id FROM app_subscription a
              JOIN unnest($1::text[], $2::text[]) AS s (app, token) ON a.app = s.app AND a.registration_token = s.token
             ORDER BY a.app, a.registration_token FOR UPDATE OF a
        )
        DELETE FROM app_subscription a USING held WHERE a.id = held.id RETURNING a.app, a.registration_token
        """,
        [app for app, _ in keys], [token for _, token in keys],
    )  # fmt: skip
    return {(row["app"], row["registration_token"]) for row in rows}


async def find(conn: Connection, ids: Sequence[int]) -> list[AppSubscription]:
    """Those that exist, by id."""
    rows = await conn.fetch(f"SELECT {COLUMNS} FROM app_subscription WHERE id = ANY($1::bigint[]) ORDER BY id", ids)
    return [_subscription(row) for row in rows]


async def list_all(conn: Connection, app: str | None, after: int | None, limit: int) -> list[AppSubscription]:
    """Of an app or of all, in the order of ids, after one."""
    rows = await conn.fetch(
        f"""
        SELECT {COLUMNS} FROM app_subscription
         WHERE id > coalesce($1::bigint, 0) AND ($2::text IS NULL OR app = $2) ORDER BY id LIMIT $3
        """,
        after, app, limit,
    )  # fmt: skip
    return [_subscription(row) for row in rows]


async def list_of(conn: Connection, profile_ids: Sequence[int], limit: int) -> list[tuple[int, AppSubscription]]:
    """Of each profile and those merged into it the newest, up to `limit`; beside the profile that was asked for."""
    rows = await newest_of(conn, "app_subscription", COLUMNS, profile_ids, limit)
    return [(person, _subscription(row)) for person, row in rows]
