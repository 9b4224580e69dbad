"""SQL on subscriptions: what changes them. Each statement decides, writes, and adds to the history and the ledger at once.

A person is a profile and all that are merged into it: what any of them has is the person's, and stays in its row.
The callers name the profiles that stand for the people, and hold them (`people.hold_people`): nobody else changes what these
people agreed to meanwhile.
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
    SELECT profile_id, service_id, outcome, state, first_time, said_at, expires_at, source, $6
      FROM decided WHERE is_event ORDER BY n
), ledger AS (
    INSERT INTO consent_entry
           (profile_id, service_id, decision, wording_id, origin, proof, actor, happened_at, recorded_at, by_person)
    SELECT profile_id, service_id, decision, $7, source, $8::jsonb, $6, said_at, $4, $9 FROM decided d
     WHERE decision IS NOT NULL
       AND (outcome <> 'late' OR NOT EXISTS (
           SELECT FROM consent_entry e
            WHERE e.profile_id = d.profile_id AND e.service_id = d.service_id AND e.decision = d.decision
              AND e.happened_at = d.said_at AND e.wording_id IS NOT DISTINCT FROM $7 AND (e.by_person OR NOT $9::boolean)))
     ORDER BY n
)
SELECT DISTINCT n, outcome, first_time FROM decided ORDER BY n
"""

# Of a statement with the rows `asked (n, service_id, profile_id, said_at, …)`: how it stands. `standing` has a row for each of
# the profiles and one for each that is merged into it, whether they have a subscription or not; `person` what they come to.
_STANDING = """
), standing AS (
    SELECT a.n, w.id AS owner_id, w.id = a.profile_id AS is_own, s.state, s.since, s.expires_at,
           s.state = 'active' AND coalesce(s.expires_at > $4::timestamptz, true) AS is_active,
           s.state = 'pending' AND s.confirm_by > $4 AS is_pending,
           -- Another end is a word of its own, though they are subscribed since before.
           greatest(s.since, (SELECT max(e.happened_at) FROM subscription_event e
                               WHERE s.state = 'active' AND e.profile_id = w.id AND e.service_id = a.service_id
                                 AND e.kind = 'renewed')) AS said_last,
           -- Who left under a profile that is merged counts as gone until the survivor says otherwise, later than that and than
           -- the merge.
           CASE WHEN s.state = 'unsubscribed' AND w.id <> a.profile_id
                THEN greatest(s.since, merged_since(w.id)) END AS out_until,
           w.id = a.profile_id AND EXISTS (
               SELECT FROM person_subscription f
                WHERE f.service_id = a.service_id AND f.profile_id = a.profile_id AND f.state = 'unsubscribed') AS has_left,
           EXISTS (SELECT FROM subscription_event e
                    WHERE e.profile_id = w.id AND e.service_id = a.service_id
                      AND e.kind IN ('subscribed', 'confirmed')) AS was_there,
           EXISTS (SELECT FROM consent_entry e
                    WHERE e.profile_id = w.id AND e.service_id = a.service_id AND e.decision = 'granted' AND e.by_person
                      AND e.happened_at >= coalesce(s.since, '-infinity')) AS was_own
      FROM asked a
     CROSS JOIN LATERAL (SELECT a.profile_id AS id
                         UNION ALL
                         SELECT f.id FROM profile f WHERE f.merged_into = a.profile_id) w
      LEFT JOIN subscription s ON s.service_id = a.service_id AND s.profile_id = w.id
), person AS (
    SELECT n, bool_or(has_left) AS has_left, max(out_until) AS out_until,
           coalesce(bool_or(is_active), false) AND NOT bool_or(has_left) AS is_active,
           bool_or(was_own) AS was_own,  -- and not only others' word
           NOT bool_or(was_there) AS first_time, bool_or(state IN ('active', 'pending')) AS is_there,
           CASE WHEN bool_or(is_active AND expires_at IS NULL) THEN NULL
                ELSE max(expires_at) FILTER (WHERE is_active) END AS active_ends,
           -- Who has left and asks anew does not lift that before confirming it, were another of them subscribed.
           CASE WHEN bool_or(is_own AND state = 'unsubscribed')
                THEN (array_agg(owner_id ORDER BY owner_id) FILTER (WHERE is_active))[1] END AS asking_id,
           -- That the time of one was over is nobody's word, as long as there is one of another.
           coalesce(max(said_last) FILTER (WHERE state <> 'expired'), max(said_last)) AS said_last,
           (array_agg(owner_id ORDER BY is_own DESC, since DESC, owner_id) FILTER (WHERE is_pending))[1] AS pending_id,
           (array_agg(expires_at ORDER BY is_own DESC, since DESC, owner_id) FILTER (WHERE is_pending))[1] AS pending_ends
      FROM standing GROUP BY n
"""

_SUBSCRIBE = (
    """
WITH asked AS (
    SELECT DISTINCT ON (service_id, profile_id) n, service_id, profile_id, said_at, source, wanted
      FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $5::text[], $10::timestamptz[])
           WITH ORDINALITY AS a (service_id, profile_id, said_at, source, wanted, n)
     ORDER BY service_id, profile_id, n
"""
    + _STANDING
    + """
), known AS (
    SELECT a.*, p.id IS NOT NULL AS has_profile, v.id IS NOT NULL AS has_service, o.said_last, o.out_until, o.is_active,
           o.first_time, o.active_ends, o.asking_id, o.pending_id, o.pending_ends, a.said_at + v.validity AS lasts,
           $9 AND NOT o.was_own AS is_news,
           coalesce(v.starts_at <= $4, true) AND coalesce(v.ends_at > $4, true) AS is_open,
           v.double_opt_in AND NOT $11 AS asks, $4 + v.confirm_within AS confirm_by,
           -- What waits under a profile that is merged was asked for before one of them left, or nobody knows.
           coalesce(o.pending_id = a.profile_id OR o.pending_id IS NOT NULL AND NOT o.has_left, false) AS is_pending
      FROM asked a
      JOIN person o ON o.n = a.n
      LEFT JOIN service v ON v.id = a.service_id
      LEFT JOIN profile p ON p.id = a.profile_id
), judged AS (
    SELECT *,
           CASE WHEN NOT has_profile THEN 'profile_not_found'
                WHEN NOT has_service THEN 'service_not_found'
                WHEN said_last > said_at OR out_until >= said_at THEN 'late'
                WHEN wanted <= $4 THEN 'expiry_in_past'
                WHEN is_active AND (wanted IS NULL OR wanted IS NOT DISTINCT FROM active_ends) THEN 'unchanged'
                WHEN is_active THEN 'renewed'
                WHEN NOT is_open THEN 'service_not_open'
                WHEN is_pending AND asks THEN 'unchanged'
                WHEN asks THEN 'requested'
                WHEN coalesce(wanted, CASE WHEN is_pending THEN pending_ends END, lasts) <= $4 THEN 'expiry_in_past'
                WHEN is_pending THEN 'confirmed'
                ELSE 'subscribed' END AS outcome
      FROM known
), decided AS (
    SELECT j.n, j.service_id, t.owner_id AS profile_id, j.said_at, j.source, j.outcome, j.first_time, t.since, j.confirm_by,
           j.outcome IN ('requested', 'subscribed', 'confirmed', 'renewed') AS is_event,
           CASE j.outcome WHEN 'requested' THEN 'pending' ELSE 'active' END AS state,
           CASE WHEN j.outcome = 'requested' THEN 'requested'
                WHEN j.outcome IN ('subscribed', 'confirmed', 'renewed', 'late') THEN 'granted'
                WHEN j.outcome = 'unchanged' AND j.is_active AND j.is_news THEN 'granted' END AS decision,
           CASE j.outcome WHEN 'requested' THEN j.wanted
                          ELSE coalesce(j.wanted, CASE WHEN j.is_pending THEN j.pending_ends END, j.lasts) END AS expires_at
      FROM judged j
      JOIN standing t ON t.n = j.n AND CASE j.outcome WHEN 'renewed' THEN t.is_active
                                                      WHEN 'confirmed' THEN t.owner_id = j.pending_id
                                                      WHEN 'requested' THEN t.owner_id = coalesce(j.asking_id, j.profile_id)
                                                      ELSE t.is_own END
), written AS (
    INSERT INTO subscription AS s (service_id, profile_id, state, since, expires_at, confirm_by, origin)
    SELECT service_id, profile_id, state, CASE outcome WHEN 'renewed' THEN since ELSE said_at END, expires_at,
           CASE outcome WHEN 'requested' THEN confirm_by END, source
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
    SELECT DISTINCT ON (service_id, profile_id) n, service_id, profile_id, said_at, source
      FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $5::text[])
           WITH ORDINALITY AS a (service_id, profile_id, said_at, source, n)
     ORDER BY service_id, profile_id, n
"""
    + _STANDING
    + """
), judged AS (
    SELECT a.*,
           CASE WHEN p.id IS NULL THEN 'profile_not_found'
                WHEN v.id IS NULL THEN 'service_not_found'
                WHEN o.said_last > a.said_at THEN 'late'
                WHEN o.is_there THEN 'unsubscribed'
                ELSE 'unchanged' END AS outcome
      FROM asked a
      JOIN person o ON o.n = a.n
      LEFT JOIN service v ON v.id = a.service_id
      LEFT JOIN profile p ON p.id = a.profile_id
), owned AS (
    SELECT j.*, t.owner_id, t.is_own, t.state AS was,
           j.outcome = 'unsubscribed' AND t.state IN ('active', 'pending') AS ends,
           -- Who leaves again has said so later: nothing older may count against it.
           j.outcome <> 'late' AND t.state IN ('unsubscribed', 'expired') AND t.since < j.said_at AS is_newer
      FROM judged j
      JOIN standing t ON t.n = j.n
), decided AS (
    SELECT n, service_id, owner_id AS profile_id, said_at, source, outcome, false AS first_time, ends AS is_event,
           'unsubscribed' AS state, NULL::timestamptz AS expires_at,
           CASE WHEN ends AND was = 'pending' THEN 'refused'
                WHEN ends OR is_newer OR outcome = 'late' AND is_own THEN 'withdrawn' END AS decision,
           CASE WHEN ends THEN 'unsubscribed' WHEN is_newer THEN was END AS becomes
      FROM owned
), written AS (
    UPDATE subscription s SET state = d.becomes, since = d.said_at, expires_at = NULL, confirm_by = NULL, origin = d.source
      FROM decided d WHERE d.becomes IS NOT NULL AND s.service_id = d.service_id AND s.profile_id = d.profile_id
"""
    + _LOGGED
)

_CONFIRM = (
    """
WITH asked AS (
    SELECT DISTINCT ON (service_id, profile_id) n, service_id, profile_id, said_at, source
      FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $5::text[])
           WITH ORDINALITY AS a (service_id, profile_id, said_at, source, n)
     ORDER BY service_id, profile_id, n
"""
    + _STANDING
    + """
), known AS (
    SELECT a.*, p.id IS NOT NULL AS has_profile, v.id IS NOT NULL AS has_service, o.pending_id, o.said_last, o.out_until,
           o.is_active, o.has_left, o.first_time, $9 AND NOT o.was_own AND o.said_last <= a.said_at AS is_news,
           coalesce(o.pending_ends, a.said_at + v.validity) AS expires_at
      FROM asked a
      JOIN person o ON o.n = a.n
      LEFT JOIN service v ON v.id = a.service_id
      LEFT JOIN profile p ON p.id = a.profile_id
), judged AS (
    SELECT *,
           CASE WHEN NOT has_profile THEN 'profile_not_found'
                WHEN NOT has_service THEN 'service_not_found'
                WHEN pending_id IS NOT NULL AND said_last <= said_at AND coalesce(out_until < said_at, true)
                     AND coalesce(expires_at > $4, true) THEN 'confirmed'
                WHEN is_active THEN 'unchanged'
                ELSE 'not_pending' END AS outcome
      FROM known
), decided AS (
    -- Whoever of them asked has it, unless one has left: only the survivor's own word counts against that.
    SELECT n, service_id, CASE WHEN has_left THEN profile_id ELSE coalesce(pending_id, profile_id) END AS profile_id,
           said_at, source, outcome, first_time, outcome = 'confirmed' AS is_event, 'active' AS state, expires_at,
           CASE WHEN outcome = 'confirmed' OR outcome = 'unchanged' AND is_news THEN 'granted' END AS decision
      FROM judged
), written AS (
    INSERT INTO subscription AS s (service_id, profile_id, state, since, expires_at, origin)
    SELECT service_id, profile_id, state, said_at, expires_at, source
      FROM decided WHERE is_event ORDER BY service_id, profile_id
        ON CONFLICT (service_id, profile_id) DO UPDATE
       SET state = excluded.state, since = excluded.since, expires_at = excluded.expires_at, confirm_by = NULL,
           origin = excluded.origin
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
    at: Sequence[datetime],
    origins: Sequence[str],
    actor: str,
    now: datetime,
) -> list[Any]:
    """Rows `n` (from 1), `outcome`, `first_time`; none for a pair that was named before in the call."""
    rows: list[Any] = await conn.fetch(
        _SUBSCRIBE, service_ids, profile_ids, at, now, origins, actor, act.wording_id, act.proof, act.by_person, expires_at,
        confirmed,
    )  # fmt: skip
    return rows


async def unsubscribe(
    conn: Connection,
    service_ids: Sequence[int],
    profile_ids: Sequence[int],
    *,
    act: Act,
    at: Sequence[datetime],
    origins: Sequence[str],
    actor: str,
    now: datetime,
) -> list[Any]:
    """As `subscribe`; all that the person has of a service ends."""
    rows: list[Any] = await conn.fetch(
        _UNSUBSCRIBE, service_ids, profile_ids, at, now, origins, actor, act.wording_id, act.proof, act.by_person
    )
    return rows


async def confirm(
    conn: Connection,
    service_ids: Sequence[int],
    profile_ids: Sequence[int],
    *,
    act: Act,
    at: Sequence[datetime],
    origins: Sequence[str],
    actor: str,
    now: datetime,
) -> list[Any]:
    """As `subscribe`; of a person what waits for it is confirmed, under whichever profile it does."""
    rows: list[Any] = await conn.fetch(
        _CONFIRM, service_ids, profile_ids, at, now, origins, actor, act.wording_id, act.proof, act.by_person
    )
    return rows


async def expire(conn: Connection, now: datetime, limit: int, actor: str) -> int:
    """End what is over; returns how many. Rows that somebody holds are left for the next time."""
    done: str = await conn.execute(_EXPIRE, now, limit, actor)
    return int(done.rpartition(" ")[2])
