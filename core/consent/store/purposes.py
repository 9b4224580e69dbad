"""SQL on purposes, and on what people said to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from core.consent.records import Act, Decision, Purpose, PurposeDraft, PurposeState
from core.db import Connection

COLUMNS = ", ".join(one.name for one in fields(Purpose))


async def insert_purpose(conn: Connection, draft: PurposeDraft, created_by: str) -> Purpose | None:
    """The new purpose; None when the name is taken."""
    row = await conn.fetchrow(
        f"""
        INSERT INTO consent_purpose (name, label, needs_consent, created_by) VALUES ($1, $2, $3, $4)
        ON CONFLICT (name) DO NOTHING
        RETURNING {COLUMNS}
        """,
        draft.name, draft.label, draft.needs_consent, created_by,
    )  # fmt: skip
    return Purpose(**dict(row)) if row else None


async def update_purpose(conn: Connection, purpose_id: int, draft: PurposeDraft) -> Purpose:
    """The purpose with its next version. Raises UniqueViolationError."""
    row = await conn.fetchrow(
        f"""
        UPDATE consent_purpose
           SET name = $2, label = $3, needs_consent = $4, version = version + 1, updated_at = clock_timestamp()
         WHERE id = $1
        RETURNING {COLUMNS}
        """,
        purpose_id, draft.name, draft.label, draft.needs_consent,
    )  # fmt: skip
    return Purpose(**dict(row))


async def delete_purpose(conn: Connection, purpose_id: int) -> None:
    """Remove it. Raises ForeignKeyViolationError when a delivery names it or somebody decided on it."""
    await conn.execute("DELETE FROM consent_purpose WHERE id = $1", purpose_id)


async def lock_purpose(conn: Connection, purpose_id: int) -> Purpose | None:
    """By id, locked until the end of the transaction, against decisions too."""
    row = await conn.fetchrow(f"SELECT {COLUMNS} FROM consent_purpose WHERE id = $1 FOR UPDATE", purpose_id)
    return Purpose(**dict(row)) if row else None


async def hold_purposes(conn: Connection, ids: Sequence[int]) -> list[int]:
    """Those that exist, kept from being deleted until the end of the transaction."""
    rows = await conn.fetch("SELECT id FROM consent_purpose WHERE id = ANY($1::bigint[]) ORDER BY id FOR KEY SHARE", list(ids))
    return [row["id"] for row in rows]


async def find_purposes(conn: Connection, ids: Sequence[int]) -> list[Purpose]:
    """Those that exist."""
    rows = await conn.fetch(f"SELECT {COLUMNS} FROM consent_purpose WHERE id = ANY($1::bigint[])", list(ids))
    return [Purpose(**dict(row)) for row in rows]


async def list_purposes(conn: Connection, after: int | None, limit: int) -> list[Purpose]:
    """In the order of their ids, after one."""
    rows = await conn.fetch(
        f"SELECT {COLUMNS} FROM consent_purpose WHERE id > coalesce($1::bigint, 0) ORDER BY id LIMIT $2", after, limit
    )
    return [Purpose(**dict(row)) for row in rows]


async def count_purposes(conn: Connection) -> int:
    """How many there are."""
    found: int = await conn.fetchval("SELECT count(*) FROM consent_purpose")
    return found


_DECIDE = """
WITH asked AS (
    SELECT DISTINCT ON (purpose_id, profile_id) n, purpose_id, profile_id, granted
      FROM unnest($1::bigint[], $2::bigint[], $3::boolean[]) WITH ORDINALITY AS a (purpose_id, profile_id, granted, n)
     ORDER BY purpose_id, profile_id, n
), judged AS (
    SELECT a.*,
           CASE WHEN p.id IS NULL THEN 'profile_not_found'
                WHEN o.id IS NULL THEN 'purpose_not_found'
                WHEN c.since > $4::timestamptz THEN 'late'
                WHEN (c.decision = 'granted') = a.granted AND c.wording_id IS NOT DISTINCT FROM $6::bigint
                     AND NOT (a.granted AND EXISTS (                     -- what is merged into the person still says no
                         SELECT FROM person_consent f
                          WHERE f.purpose_id = a.purpose_id AND f.profile_id = a.profile_id AND f.decision <> 'granted'))
                     THEN 'unchanged'
                ELSE 'recorded' END AS outcome,
           CASE WHEN a.granted THEN 'granted'
                WHEN c.decision IN ('granted', 'withdrawn') AND c.since <= $4 THEN 'withdrawn'
                ELSE 'refused' END AS decision,
           -- Who refuses again has said so later: nothing older may count against it. Who agrees where only others had said so
           -- says so for the first time.
           coalesce(c.since < $4 AND (NOT a.granted OR $10 AND NOT EXISTS (
               SELECT FROM consent_entry e
                WHERE e.profile_id = a.profile_id AND e.purpose_id = a.purpose_id AND e.decision = 'granted' AND e.by_person
                  AND e.happened_at >= c.since)), false) AS is_newer
      FROM asked a
      LEFT JOIN consent_purpose o ON o.id = a.purpose_id
      LEFT JOIN profile p ON p.id = a.profile_id
      LEFT JOIN purpose_consent c ON c.purpose_id = a.purpose_id AND c.profile_id = a.profile_id
), counting AS (
    SELECT * FROM judged WHERE outcome = 'recorded' OR outcome = 'unchanged' AND is_newer
), ledger AS (
    INSERT INTO consent_entry
           (profile_id, purpose_id, decision, wording_id, origin, proof, actor, happened_at, recorded_at, by_person)
    SELECT profile_id, purpose_id, decision, $6, $7, $8::jsonb, $9, $4, $5, $10 FROM judged j
     WHERE n IN (SELECT n FROM counting) OR outcome = 'late' AND NOT EXISTS (
           SELECT FROM consent_entry e
            WHERE e.profile_id = j.profile_id AND e.purpose_id = j.purpose_id AND (e.decision = 'granted') = j.granted
              AND e.happened_at = $4 AND e.wording_id IS NOT DISTINCT FROM $6 AND (e.by_person OR NOT $10::boolean))
     ORDER BY n
), written AS (
    INSERT INTO purpose_consent AS c (purpose_id, profile_id, decision, since, wording_id)
    SELECT purpose_id, profile_id, decision, $4, $6 FROM counting ORDER BY purpose_id, profile_id
        ON CONFLICT (purpose_id, profile_id) DO UPDATE
       SET decision = excluded.decision, since = excluded.since, wording_id = excluded.wording_id
)
SELECT n, outcome FROM judged ORDER BY n
"""


async def decide(
    conn: Connection,
    purpose_ids: Sequence[int],
    profile_ids: Sequence[int],
    granted: Sequence[bool],
    *,
    act: Act,
    at: datetime,
    actor: str,
    now: datetime,
) -> list[Any]:
    """Rows `n` (from 1) and `outcome`; none for a pair that was named before in the call. The caller holds the profiles."""
    rows: list[Any] = await conn.fetch(
        _DECIDE, purpose_ids, profile_ids, granted, at, now, act.wording_id, act.origin, act.proof, actor, act.by_person
    )
    return rows


async def list_of_profile(conn: Connection, profile_id: int) -> list[PurposeState]:
    """Every purpose, with what counts of what a person said to it, in the order of purposes."""
    rows = await conn.fetch(
        f"""
        SELECT {", ".join(f"o.{one.name}" for one in fields(Purpose))}, c.decision, c.since, c.wording_id
          FROM consent_purpose o
          LEFT JOIN LATERAL (SELECT * FROM person_consent f WHERE f.purpose_id = o.id AND f.profile_id = $1
                              ORDER BY f.decision = 'granted', f.since DESC LIMIT 1) c ON true
         ORDER BY o.id
        """,
        profile_id,
    )
    return [_state(dict(row)) for row in rows]


def _state(values: dict[str, Any]) -> PurposeState:
    decision, since, wording_id = (values.pop(name) for name in ("decision", "since", "wording_id"))
    return PurposeState(
        purpose=Purpose(**values),
        decision=None if decision is None else Decision(decision),
        since=since,
        wording_id=wording_id,
    )
