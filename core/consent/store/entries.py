"""SQL on the ledger: reading it, working out from it what should be stored, and taking people out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from core.consent.records import ConsentEntry, Decision, Difference
from core.db import Connection
from core.profiles.records import Channel

COLUMNS = ", ".join(one.name for one in fields(ConsentEntry))


def _entry(row: Any) -> ConsentEntry:
    values = dict(row)
    channel = values["channel"]
    return ConsentEntry(
        **{
            **values,
            "channel": None if channel is None else Channel(channel),
            "decision": Decision(values["decision"]),
        }
    )


async def list_entries(conn: Connection, profile_ids: Sequence[int], before: int | None, limit: int) -> list[ConsentEntry]:
    """Those of profiles, newest first, before one."""
    rows = await conn.fetch(
        f"""
        SELECT {COLUMNS} FROM consent_entry
         WHERE profile_id = ANY($1::bigint[]) AND id < coalesce($2::bigint, 9223372036854775807)
         ORDER BY id DESC LIMIT $3
        """,
        profile_ids, before, limit,
    )  # fmt: skip
    return [_entry(row) for row in rows]


# What the ledger and the history say of the people with $1 < id <= $2, beside what is stored. The newest entry counts, by when
# it happened; of two that happened at once the one recorded later.
_COMPARED = """
WITH flag AS (
    SELECT p.id AS profile_id, 'channel:' || f.channel AS subject, f.is_set::text AS stored,
           (coalesce((SELECT e.decision FROM consent_entry e WHERE e.profile_id = p.id AND e.channel = f.channel
                       ORDER BY e.happened_at DESC, e.id DESC LIMIT 1), 'granted') <> 'granted')::text AS derived
      FROM profile p,
           LATERAL (VALUES ('all', p.opt_out), ('email', p.opt_out_email), ('mobile', p.opt_out_mobile),
                           ('phone', p.opt_out_phone), ('fax', p.opt_out_fax), ('postal', p.opt_out_postal),
                           ('push', p.opt_out_push)) AS f (channel, is_set)
     WHERE p.id > $1 AND p.id <= $2
), said AS (
    SELECT DISTINCT ON (e.profile_id, e.purpose_id) e.profile_id, e.purpose_id, e.decision, e.happened_at, e.wording_id
      FROM consent_entry e JOIN profile p ON p.id = e.profile_id
     WHERE e.profile_id > $1 AND e.profile_id <= $2 AND e.purpose_id IS NOT NULL
     ORDER BY e.profile_id, e.purpose_id, e.happened_at DESC, e.id DESC
), purpose AS (
    SELECT coalesce(s.profile_id, c.profile_id) AS profile_id,
           'purpose:' || coalesce(s.purpose_id, c.purpose_id) AS subject,
           coalesce(format('%s %s %s', c.decision, c.since, c.wording_id), '') AS stored,
           coalesce(format('%s %s %s', s.decision, s.happened_at, s.wording_id), '') AS derived
      FROM said s
      FULL JOIN (SELECT * FROM purpose_consent WHERE profile_id > $1 AND profile_id <= $2) c
        ON c.profile_id = s.profile_id AND c.purpose_id = s.purpose_id
), told AS (
    SELECT DISTINCT ON (e.profile_id, e.service_id) e.profile_id, e.service_id, e.state
      FROM subscription_event e JOIN profile p ON p.id = e.profile_id
     WHERE e.profile_id > $1 AND e.profile_id <= $2
     ORDER BY e.profile_id, e.service_id, e.id DESC
), service AS (
    SELECT coalesce(t.profile_id, s.profile_id) AS profile_id,
           'service:' || coalesce(t.service_id, s.service_id) AS subject,
           coalesce(s.state, '') AS stored, coalesce(t.state, '') AS derived
      FROM told t
      FULL JOIN (SELECT * FROM subscription WHERE profile_id > $1 AND profile_id <= $2) s
        ON s.profile_id = t.profile_id AND s.service_id = t.service_id
)
"""


async def list_differences(conn: Connection, low: int, high: int, limit: int) -> list[Difference]:
    """Where what is stored of the people with low < id ≤ high is not what the ledger and the history say."""
    rows = await conn.fetch(
        _COMPARED
        + """
        SELECT profile_id, subject, stored, derived
          FROM (SELECT profile_id, subject, stored, derived FROM flag
                UNION ALL SELECT profile_id, subject, stored, derived FROM purpose
                UNION ALL SELECT profile_id, subject, stored, derived FROM service) AS every
         WHERE stored <> derived ORDER BY profile_id, subject LIMIT $3
        """,
        low, high, limit,
    )  # fmt: skip
    return [Difference(**dict(row)) for row in rows]


async def erase(conn: Connection, profile_ids: Sequence[int]) -> int:
    """Take people out of the ledger, the history and the states; returns how many entries of the ledger went."""
    await conn.execute("SELECT set_config('clarion.rewriting_consent', 'on', true)")
    row = await conn.fetchrow(
        """
        WITH states AS (DELETE FROM subscription WHERE profile_id = ANY($1::bigint[])),
             purposes AS (DELETE FROM purpose_consent WHERE profile_id = ANY($1)),
             history AS (DELETE FROM subscription_event WHERE profile_id = ANY($1)),
             entries AS (DELETE FROM consent_entry WHERE profile_id = ANY($1) RETURNING 1)
        SELECT count(*) AS n FROM entries
        """,
        list(profile_ids),
    )
    await conn.execute("SELECT set_config('clarion.rewriting_consent', '', true)")
    erased: int = row["n"]
    return erased


async def highest_profile_id(conn: Connection) -> int:
    """0 where there is nobody."""
    found: int = await conn.fetchval("SELECT coalesce(max(id), 0) FROM profile")
    return found
