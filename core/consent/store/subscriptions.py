"""SQL on subscriptions: what changes them. Each statement decides, writes, and adds to the history and the ledger at once.

The callers hold the profiles (`people.lock_profiles`): nobody else changes what these people agreed to meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from core.consent.records import Act
from core.db import Connection

# Of a statement with the rows `decided (n, service_id, profile_id, outcome, state, decision, event, expires_at)`: the rest.
_LOGGED = """
), history AS (
    INSERT INTO subscription_event (profile_id, service_id, kind, state, first_time, happened_at, expires_at, origin, actor)
    SELECT profile_id, service_id, outcome, state, first_time, $3, expires_at, $5, $6 FROM decided WHERE is_event ORDER BY n
), ledger AS (
    INSERT INTO consent_entry (profile_id, service_id, decision, wording_id, origin, proof, actor, happened_at, recorded_at)
    SELECT profile_id, service_id, decision, $7, $5, $8::jsonb, $6, $3, $4 FROM decided d
     WHERE decision IS NOT NULL
       AND (outcome <> 'late' OR NOT EXISTS (
           SELECT FROM consent_entry e
            WHERE e.profile_id = d.profile_id AND e.service_id = d.service_id AND e.decision = d.decision
              AND e.happened_at = $3 AND e.wording_id IS NOT DISTINCT FROM $7))
     ORDER BY n
)
SELECT n, outcome, first_time FROM decided ORDER BY n
"""

_SUBSCRIBE = (
    """
WITH asked AS (
    SELECT DISTINCT ON (service_id, profile_id) n, service_id, profile_id, wanted
      FROM unnest($1::bigint[], $2::bigint[], $9::timestamptz[]) WITH ORDINALITY AS a (service_id, profile_id, wanted, n)
     ORDER BY service_id, profile_id, n
), known AS (
    SELECT a.*, p.id IS NOT NULL AS has_profile, v.id IS NOT NULL AS has_service, s.since, s.expires_at AS ends,
           coalesce(v.starts_at <= $4::timestamptz, true) AND coalesce(v.ends_at > $4, true) AS is_open,
           v.double_opt_in AND NOT $10 AS asks, $4::timestamptz + v.confirm_within AS confirm_by,
           coalesce(s.state = 'active' AND coalesce(s.expires_at > $4, true), false) AND NOT EXISTS (
               SELECT FROM person_subscription f                         -- whoever is merged into the person has left
                WHERE f.service_id = a.service_id AND f.profile_id = a.profile_id AND f.state = 'unsubscribed') AS is_active,
           coalesce(s.state = 'pending' AND s.confirm_by > $4, false) AS is_pending,
           $3::timestamptz + v.validity AS lasts,
           NOT EXISTS (SELECT FROM subscription_event e
                        WHERE e.profile_id = a.profile_id AND e.service_id = a.service_id
                          AND e.kind IN ('subscribed', 'confirmed')) AS first_time
      FROM asked a
      LEFT JOIN service v ON v.id = a.service_id
      LEFT JOIN profile p ON p.id = a.profile_id
      LEFT JOIN subscription s ON s.service_id = a.service_id AND s.profile_id = a.profile_id
), judged AS (
    SELECT *,
           CASE WHEN NOT has_profile THEN 'profile_not_found'
                WHEN NOT has_service THEN 'service_not_found'
                WHEN since > $3 THEN 'late'
                WHEN wanted <= $4 THEN 'expiry_in_past'
                WHEN is_active AND (wanted IS NULL OR wanted IS NOT DISTINCT FROM ends) THEN 'unchanged'
                WHEN is_active THEN 'renewed'
                WHEN NOT is_open THEN 'service_not_open'
                WHEN is_pending AND asks THEN 'unchanged'
                WHEN asks THEN 'requested'
                WHEN coalesce(wanted, CASE WHEN is_pending THEN ends END, lasts) <= $4 THEN 'expiry_in_past'
                WHEN is_pending THEN 'confirmed'
                ELSE 'subscribed' END AS outcome
      FROM known
), decided AS (
    SELECT n, service_id, profile_id, outcome, first_time, since, confirm_by,
           outcome IN ('requested', 'subscribed', 'confirmed', 'renewed') AS is_event,
           CASE outcome WHEN 'requested' THEN 'pending' ELSE 'active' END AS state,
           CASE WHEN outcome = 'requested' THEN 'requested'
                WHEN outcome IN ('subscribed', 'confirmed', 'renewed', 'late') THEN 'granted' END AS decision,
           CASE outcome WHEN 'requested' THEN wanted
                        ELSE coalesce(wanted, CASE WHEN is_pending THEN ends END, lasts) END AS expires_at
      FROM judged
), written AS (
    INSERT INTO subscription AS s (service_id, profile_id, state, since, expires_at, confirm_by, origin)
    SELECT service_id, profile_id, state, CASE outcome WHEN 'renewed' THEN since ELSE $3 END, expires_at,
           CASE outcome WHEN 'requested' THEN confirm_by END, $5
      FROM decided WHERE is_event ORDER BY service_id, profile_id
        ON CONFLICT (service_id, profile_id) DO UPDATE
       SET state = excluded.state, since = excluded.since, expires_at = excluded.expires_at,
           confirm_by = excluded.confirm_by, origin = excluded.origin
"""
    + _LOGGED
)

_UNSUBSCRIBE = (
    """
WITH asked AS (
    SELECT DISTINCT ON (service_id, profile_id) n, service_id, profile_id
      FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS a (service_id, profile_id, n)
     ORDER BY service_id, profile_id, n
), judged AS (
    SELECT a.*, s.state AS was, s.expires_at,
           CASE WHEN p.id IS NULL THEN 'profile_not_found'
                WHEN v.id IS NULL THEN 'service_not_found'
                WHEN s.since > $3 THEN 'late'
                WHEN s.state IN ('active', 'pending') THEN 'unsubscribed'
                ELSE 'unchanged' END AS outcome,
           -- Who leaves again has said so later: nothing older may count against it.
           coalesce(s.state IN ('unsubscribed', 'expired') AND s.since < $3, false) AS is_newer
      FROM asked a
      LEFT JOIN service v ON v.id = a.service_id
      LEFT JOIN profile p ON p.id = a.profile_id
      LEFT JOIN subscription s ON s.service_id = a.service_id AND s.profile_id = a.profile_id
), decided AS (
    SELECT n, service_id, profile_id, outcome, false AS first_time, outcome = 'unsubscribed' AS is_event,
           'unsubscribed' AS state, NULL::timestamptz AS expires_at,
           CASE WHEN outcome = 'unsubscribed' AND was = 'pending' THEN 'refused'
                WHEN outcome IN ('unsubscribed', 'late') OR is_newer THEN 'withdrawn' END AS decision,
           CASE WHEN outcome = 'unsubscribed' THEN 'unsubscribed' WHEN is_newer THEN was END AS becomes
      FROM judged
), written AS (
    UPDATE subscription s SET state = d.becomes, since = $3, expires_at = NULL, confirm_by = NULL, origin = $5
      FROM decided d WHERE d.becomes IS NOT NULL AND s.service_id = d.service_id AND s.profile_id = d.profile_id
"""
    + _LOGGED
)

_CONFIRM = (
    """
WITH asked AS (
    SELECT DISTINCT ON (service_id, profile_id) n, service_id, profile_id
      FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS a (service_id, profile_id, n)
     ORDER BY service_id, profile_id, n
), judged AS (
    SELECT a.*, coalesce(s.expires_at, $3::timestamptz + v.validity) AS expires_at,
           NOT EXISTS (SELECT FROM subscription_event e
                        WHERE e.profile_id = a.profile_id AND e.service_id = a.service_id
                          AND e.kind IN ('subscribed', 'confirmed')) AS first_time,
           CASE WHEN p.id IS NULL THEN 'profile_not_found'
                WHEN v.id IS NULL THEN 'service_not_found'
                WHEN s.state = 'pending' AND s.confirm_by > $4 AND s.since <= $3
                     AND coalesce(coalesce(s.expires_at, $3::timestamptz + v.validity) > $4, true) THEN 'confirmed'
                WHEN s.state = 'active' AND coalesce(s.expires_at > $4, true) THEN 'unchanged'
                ELSE 'not_pending' END AS outcome
      FROM asked a
      LEFT JOIN service v ON v.id = a.service_id
      LEFT JOIN profile p ON p.id = a.profile_id
      LEFT JOIN subscription s ON s.service_id = a.service_id AND s.profile_id = a.profile_id
), decided AS (
    SELECT n, service_id, profile_id, outcome, first_time, outcome = 'confirmed' AS is_event, 'active' AS state, expires_at,
           CASE outcome WHEN 'confirmed' THEN 'granted' END AS decision
      FROM judged
), written AS (
    UPDATE subscription s SET state = 'active', since = $3, expires_at = d.expires_at, confirm_by = NULL, origin = $5
      FROM decided d WHERE d.is_event AND s.service_id = d.service_id AND s.profile_id = d.profile_id
"""
    + _LOGGED
)

_EXPIRE = """
WITH over AS (
    SELECT service_id, profile_id, expires_at AS ended_at FROM subscription
     WHERE state = 'active' AND expires_at IS NOT NULL AND expires_at <= $1
     ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
), unconfirmed AS (
    SELECT service_id, profile_id, confirm_by AS ended_at FROM subscription
     WHERE state = 'pending' AND confirm_by <= $1
     ORDER BY confirm_by LIMIT $2 FOR UPDATE SKIP LOCKED
), ended AS (
    UPDATE subscription s SET state = 'expired', since = d.ended_at, expires_at = NULL, confirm_by = NULL
      FROM (TABLE over UNION ALL TABLE unconfirmed) d WHERE s.service_id = d.service_id AND s.profile_id = d.profile_id
    RETURNING s.service_id, s.profile_id, s.since
)
INSERT INTO subscription_event (profile_id, service_id, kind, state, first_time, happened_at, origin, actor)
SELECT profile_id, service_id, 'expired', 'expired', false, since, '', $3 FROM ended
"""


async def subscribe(
    conn: Connection,
    service_ids: Sequence[int],
    profile_ids: Sequence[int],
    expires_at: Sequence[datetime | None],
    *,
    confirmed: bool,
    act: Act,
    at: datetime,
    actor: str,
    now: datetime,
) -> list[Any]:
    """Rows `n` (from 1), `outcome`, `first_time`; none for a pair that was named before in the call."""
    rows: list[Any] = await conn.fetch(
        _SUBSCRIBE, service_ids, profile_ids, at, now, act.origin, actor, act.wording_id, act.proof, expires_at, confirmed
    )
    return rows


async def unsubscribe(
    conn: Connection,
    service_ids: Sequence[int],
    profile_ids: Sequence[int],
    *,
    act: Act,
    at: datetime,
    actor: str,
    now: datetime,
) -> list[Any]:
    """As `subscribe`."""
    rows: list[Any] = await conn.fetch(
        _UNSUBSCRIBE, service_ids, profile_ids, at, now, act.origin, actor, act.wording_id, act.proof
    )
    return rows


async def confirm(
    conn: Connection,
    service_ids: Sequence[int],
    profile_ids: Sequence[int],
    *,
    act: Act,
    at: datetime,
    actor: str,
    now: datetime,
) -> list[Any]:
    """As `subscribe`."""
    rows: list[Any] = await conn.fetch(
        _CONFIRM, service_ids, profile_ids, at, now, act.origin, actor, act.wording_id, act.proof
    )
    return rows


async def expire(conn: Connection, now: datetime, limit: int, actor: str) -> int:
    """End what is over; returns how many. Rows that somebody holds are left for the next time."""
    done: str = await conn.execute(_EXPIRE, now, limit, actor)
    return int(done.rpartition(" ")[2])
