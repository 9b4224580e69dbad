"""SQL on who is on lists. Somebody is on a list by any profile that is theirs by a merge: they are put there once, counted
once, and taken off whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    ColumnElement,
    Select,
    Text,
    case,
    column,
    delete,
    distinct,
    func,
    literal,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from core.db import Connection
from core.targeting.linked import ONE, named
from core.targeting.one_person import PROFILE
from core.targeting.records import AudienceMember
from core.targeting.sql import compile_statement

_MEMBER = table("audience_member", column("audience_id"), column("profile_id"), column("added_at"), column("data"))


async def add_members(
    conn: Connection, audience_id: int, population: Select[Any], now: datetime, data: ColumnElement[Any] | None = None
) -> int:
    """Put a population of people who stand for themselves on a list, with what its members bring along; returns how many were
    not on it."""
    columns = population.add_columns(literal(audience_id, BigInteger()), literal(now, TIMESTAMP(timezone=True)))
    names = ["profile_id", "audience_id", "added_at"]
    if data is not None:
        columns, names = columns.add_columns(data), [*names, "data"]
    rows = columns.subquery()
    member, alias = named(_MEMBER), named(PROFILE)
    by_alias = select(ONE).where(
        member.c.audience_id == audience_id, alias.c.id == member.c.profile_id, alias.c.merged_into == next(iter(rows.c))
    )
    found = select(rows).where(~by_alias.correlate(rows).exists())
    added = compile_statement(upsert(_MEMBER).from_select(names, found).on_conflict_do_nothing())
    return _affected(await conn.execute(added.text, *added.args))


async def add_people(conn: Connection, audience_id: int, profile_ids: Sequence[int], now: datetime) -> int:
    """Put those of these people who exist on a list, by the profiles that stand for them; returns how many were not on it."""
    done = await conn.execute(
        """
        INSERT INTO audience_member (audience_id, profile_id, added_at)
        SELECT $1, person, $3 FROM (SELECT DISTINCT coalesce(merged_into, id) AS person FROM profile WHERE id = ANY ($2)) p
         WHERE NOT EXISTS (SELECT FROM profile a JOIN audience_member m ON m.audience_id = $1 AND m.profile_id = a.id
                            WHERE a.merged_into = person)
        ON CONFLICT DO NOTHING
        """,
        audience_id, list(profile_ids), now,
    )  # fmt: skip
    return _affected(done)


async def add_by_code(
    conn: Connection, split: Select[Any], lists: Mapping[str, int], now: datetime, *, column: str
) -> None:  # fmt: skip
    """Put the keys of each code on the new list of the code, with the code in a column of the list."""
    rows = split.subquery()
    chosen = case(*((rows.c.code == code, literal(key, BigInteger())) for code, key in lists.items()))
    data = func.jsonb_build_object(literal(column, Text()), rows.c.code)
    columns = select(rows.c.key, chosen, literal(now, TIMESTAMP(timezone=True)), data)
    added = compile_statement(
        upsert(_MEMBER).from_select(["profile_id", "audience_id", "added_at", "data"], columns).on_conflict_do_nothing()
    )
    await conn.execute(added.text, *added.args)


async def remove_members(conn: Connection, audience_id: int, population: Select[Any]) -> int:
    """Take a population off a list; returns how many people were on it."""
    asked, member, profile, whose = named(PROFILE), named(_MEMBER), named(PROFILE), named(PROFILE)
    people = select(func.coalesce(asked.c.merged_into, asked.c.id)).where(asked.c.id.in_(population))
    theirs = select(member.c.profile_id).where(
        member.c.audience_id == audience_id,
        profile.c.id == member.c.profile_id,
        func.coalesce(profile.c.merged_into, profile.c.id).in_(people),
    )
    gone = (
        delete(_MEMBER)
        .where(_MEMBER.c.audience_id == audience_id, _MEMBER.c.profile_id.in_(theirs))
        .returning(_MEMBER.c.profile_id)
        .cte("gone")
    )
    person = func.coalesce(whose.c.merged_into, whose.c.id)
    counted = compile_statement(select(func.count(distinct(person))).where(whose.c.id == gone.c.profile_id))
    return int(await conn.fetchval(counted.text, *counted.args))


async def remove_people(conn: Connection, audience_id: int, profile_ids: Sequence[int]) -> int:
    """Take these people off a list; returns how many were on it."""
    removed: int = await conn.fetchval(
        """
        WITH people AS (
            SELECT DISTINCT coalesce(merged_into, id) AS person FROM profile WHERE id = ANY ($2)
        ), family AS (
            SELECT person AS id, person FROM people
             UNION ALL SELECT a.id, person FROM people JOIN profile a ON a.merged_into = person
        ), gone AS (
            DELETE FROM audience_member m USING family f WHERE m.audience_id = $1 AND m.profile_id = f.id RETURNING f.person
        )
        SELECT count(DISTINCT person) FROM gone
        """,
        audience_id, list(profile_ids),
    )  # fmt: skip
    return removed


async def list_members(conn: Connection, audience_id: int, *, after: int | None, limit: int) -> list[AudienceMember]:
    """Who is on a list, by number; of several profiles that are one person, the first that was there."""
    rows = await conn.fetch(
        """
        SELECT m.profile_id, m.added_at, coalesce(m.data, '{}') AS data
          FROM audience_member m JOIN profile p ON p.id = m.profile_id
         WHERE m.audience_id = $1 AND m.profile_id > coalesce($2::bigint, 0)
           AND NOT EXISTS (
                SELECT FROM audience_member o
                 WHERE o.audience_id = $1 AND (o.added_at, o.profile_id) < (m.added_at, m.profile_id)
                   AND o.profile_id = ANY (array(SELECT coalesce(p.merged_into, p.id) UNION ALL
                                                 SELECT id FROM profile WHERE merged_into = coalesce(p.merged_into, p.id))))
         ORDER BY m.profile_id LIMIT $3
        """,
        audience_id, after, limit,
    )  # fmt: skip
    return [AudienceMember(**row) for row in rows]


async def count_members(conn: Connection, audience_id: int) -> int:
    """How many people are on a list."""
    # Few are merged: all rows less those of who is, and once each who is there only so.
    counted: int = await conn.fetchval(
        """
        WITH merged AS (
            SELECT a.merged_into FROM audience_member m JOIN profile a ON a.id = m.profile_id
             WHERE m.audience_id = $1 AND a.merged_into IS NOT NULL
        )
        SELECT (SELECT count(*) FROM audience_member WHERE audience_id = $1) - (SELECT count(*) FROM merged)
             + (SELECT count(DISTINCT merged_into) FROM merged
                 WHERE NOT EXISTS (SELECT FROM audience_member WHERE audience_id = $1 AND profile_id = merged_into))
        """,
        audience_id,
    )
    return counted


def _affected(status: str) -> int:
    return int(status.rpartition(" ")[2])
