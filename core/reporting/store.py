"""SQL of a person's history. It reads the tables of consent, delivery and tracking; nothing here writes.

The ledger is kept by delivery. A person's rows are looked up delivery by delivery, each by the primary key: an index by person
would cost every preparation and every message sent, for a page that people open now and then.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from channels.contract import FailureReason
from core.consent.records import Decision, EventKind
from core.db import Connection
from core.delivery.records import LedgerState, RecipientKind
from core.profiles.records import Channel
from core.public_urls import PublicUrls
from core.reporting.records import HistoryEntry, HistoryKind, MergeWarning

# The messages of people, as `message`. OFFSET keeps the planner from reading whole partitions.
_MESSAGES = """
    message AS MATERIALIZED (
        SELECT l.* FROM delivery_run r
         CROSS JOIN LATERAL (
            SELECT delivery_id, recipient_id, occurrence, state, reason, address, answer, coalesce(settled_at, due_at) AS at,
                   CASE WHEN (state IN (3, 4, 6) OR after_hand_over) AND values IS NOT NULL AND address IS NOT NULL
                        THEN program_id END AS shown_by
              FROM ledger
             WHERE delivery_id = r.delivery_id AND recipient_kind = 1 AND recipient_id = ANY($1::bigint[]) OFFSET 0) l
    )
"""
_EVENTS = """
    event AS MATERIALIZED (
        SELECT e.* FROM (SELECT DISTINCT delivery_id, recipient_id FROM message) m
         CROSS JOIN LATERAL (
            SELECT at, position, kind, delivery_id, recipient_id, occurrence, link, url, machine_rule, corrects
              FROM tracking_event
             WHERE delivery_id = m.delivery_id AND recipient_id = m.recipient_id AND recipient_kind = 1 OFFSET 0) e
    )
"""


async def count_messages(conn: Connection, ids: Sequence[int]) -> int:
    """How many ledger rows profiles have."""
    found: int = await conn.fetchval(f"WITH {_MESSAGES} SELECT count(*) FROM message", ids)
    return found


async def count_events(conn: Connection, ids: Sequence[int]) -> int:
    """How many events profiles have, without corrections of them."""
    found: int = await conn.fetchval(f"WITH {_MESSAGES}, {_EVENTS} SELECT count(*) FROM event WHERE corrects IS NULL", ids)
    return found


async def list_open_deliveries(conn: Connection, ids: Sequence[int]) -> list[MergeWarning]:
    """Deliveries that have still to write to any of these profiles, with how many of them."""
    rows = await conn.fetch(
        f"""
        WITH {_MESSAGES}
        SELECT m.delivery_id, d.name, count(*) AS recipients
          FROM message m JOIN delivery d ON d.id = m.delivery_id
         WHERE m.state IN (1, 2, 3) GROUP BY m.delivery_id, d.name ORDER BY m.delivery_id
        """,
        ids,
    )
    return [MergeWarning(**dict(row)) for row in rows]


# What people said: of services what became of their subscriptions, else the entries of the ledger.
_SAID = """
    said AS MATERIALIZED (
        SELECT happened_at AS at, 2 AS rank, id, profile_id, 100::smallint AS kind, service_id, kind AS subscription,
               NULL::text AS channel, NULL::bigint AS purpose_id, NULL::text AS decision
          FROM subscription_event WHERE profile_id = ANY($1::bigint[])
        UNION ALL
        SELECT happened_at, 3, id, profile_id, 101, NULL, NULL, channel, purpose_id, decision
          FROM consent_entry WHERE profile_id = ANY($1::bigint[]) AND service_id IS NULL
    )
"""


async def list_history(
    conn: Connection, ids: Sequence[int], after: tuple[datetime, int, int, int] | None, limit: int, urls: PublicUrls
) -> list[HistoryEntry]:
    """What was sent to profiles, what they did and said, the newest first, behind (time, rank, first key, second key).

    `urls` makes the addresses of mirror pages.
    """
    rows = await conn.fetch(
        f"""
        WITH {_MESSAGES}, {_EVENTS}, {_SAID}, corrected AS (
            SELECT DISTINCT ON (corrects) corrects, machine_rule FROM event
             WHERE corrects IS NOT NULL ORDER BY corrects, position DESC
        ), entry AS (
            SELECT at, 0 AS rank, delivery_id AS key, recipient_id * 1000000 + occurrence AS second, 0::smallint AS kind,
                   delivery_id, recipient_id, occurrence, state, reason, address, answer, NULL::integer AS link,
                   NULL::text AS url, NULL::boolean AS machine, NULL::bigint AS service_id, NULL::text AS subscription,
                   NULL::text AS channel, NULL::bigint AS purpose_id, NULL::text AS decision, shown_by
              FROM message
            UNION ALL
            SELECT e.at, 1, e.position, e.recipient_id, e.kind, e.delivery_id, e.recipient_id, e.occurrence, NULL, NULL, NULL,
                   NULL, nullif(e.link, 0), e.url,
                   coalesce(c.machine_rule, e.machine_rule) <> 0, NULL, NULL, NULL, NULL, NULL, NULL
              FROM event e LEFT JOIN corrected c ON c.corrects = e.position WHERE e.corrects IS NULL
            UNION ALL
            SELECT at, rank, id, profile_id, kind, NULL, profile_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
                   service_id, subscription, channel, purpose_id, decision, NULL
              FROM said
        )
        SELECT e.*, p.token_key_id, p.base_url
          FROM (SELECT * FROM entry
                 WHERE $2::timestamptz IS NULL OR (at, rank, key, second) < ($2, $3::integer, $4::bigint, $5::bigint)
                 ORDER BY at DESC, rank DESC, key DESC, second DESC LIMIT $6) e
          LEFT JOIN program p ON p.id = e.shown_by
         ORDER BY e.at DESC, e.rank DESC, e.key DESC, e.second DESC
        """,
        ids, *(after or (None, 0, 0, 0)), limit,
    )  # fmt: skip
    return [_entry(row, urls) for row in rows]


def _entry(row: Any, urls: PublicUrls) -> HistoryEntry:
    values = dict(row)
    del values["shown_by"]
    key_id, base_url = values.pop("token_key_id"), values.pop("base_url")
    if key_id is not None:
        recipient = (row["delivery_id"], RecipientKind.PROFILE, row["recipient_id"], row["occurrence"])
        values["mirror_url"] = urls.uncounted_mirror(key_id, base_url, *recipient)
    values["cursor"] = (values["at"], values.pop("rank"), values.pop("key"), values.pop("second"))
    values["kind"] = HistoryKind(values["kind"])
    values["profile_id"] = values.pop("recipient_id")
    values["state"] = None if values["state"] is None else LedgerState(values["state"])
    values["reason"] = FailureReason(values["reason"]) if values["reason"] else None
    for name, known in (("subscription", EventKind), ("channel", Channel), ("decision", Decision)):
        values[name] = None if values[name] is None else known(values[name])
    return HistoryEntry(**values)
