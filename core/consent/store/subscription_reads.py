"""SQL that reads subscriptions and their history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from core.consent.records import EventKind, Evolution, Subscription, SubscriptionEvent, SubscriptionState
from core.db import Connection

COLUMNS = ", ".join(one.name for one in fields(Subscription))
EVENT_COLUMNS = ", ".join(one.name for one in fields(SubscriptionEvent))


def subscription_of(row: Any) -> Subscription:
    """The record of a row of COLUMNS."""
    values = dict(row)
    return Subscription(**{**values, "state": SubscriptionState(values["state"])})


def _event(row: Any) -> SubscriptionEvent:
    values = dict(row)
    return SubscriptionEvent(**{**values, "kind": EventKind(values["kind"]), "state": SubscriptionState(values["state"])})


async def list_subscribers(
    conn: Connection, service_id: int, now: datetime, after: int | None, limit: int
) -> list[Subscription]:
    """Active ones of a service, in the order of profiles, after one."""
    rows = await conn.fetch(
        f"""
        SELECT {COLUMNS} FROM subscription
         WHERE service_id = $1 AND profile_id > coalesce($3::bigint, 0)
           AND state = 'active' AND (expires_at IS NULL OR expires_at > $2)
         ORDER BY profile_id LIMIT $4
        """,
        service_id, now, after, limit,
    )  # fmt: skip
    return [subscription_of(row) for row in rows]


async def count_subscribers(conn: Connection, service_ids: Sequence[int], now: datetime) -> dict[int, int]:
    """Active ones by service; services without any are left out."""
    rows = await conn.fetch(
        """
        SELECT service_id, count(*) AS n FROM subscription
         WHERE service_id = ANY($1::bigint[]) AND state = 'active' AND (expires_at IS NULL OR expires_at > $2)
         GROUP BY service_id
        """,
        list(service_ids), now,
    )  # fmt: skip
    return {row["service_id"]: row["n"] for row in rows}


async def list_of_profile(conn: Connection, profile_id: int) -> list[Subscription]:
    """What counts of all of a person's, in the order of services."""
    rows = await conn.fetch(
        f"""
        SELECT DISTINCT ON (service_id) {COLUMNS} FROM person_subscription WHERE profile_id = $1
         ORDER BY service_id, state = 'unsubscribed' DESC, state = 'active' DESC, since DESC
        """,
        profile_id,
    )
    return [subscription_of(row) for row in rows]


async def list_events_of_profile(
    conn: Connection, profile_ids: Sequence[int], service_id: int | None, before: int | None, limit: int
) -> list[SubscriptionEvent]:
    """The history of profiles with one service or with all, newest first, before one."""
    rows = await conn.fetch(
        f"""
        SELECT {EVENT_COLUMNS} FROM subscription_event
         WHERE profile_id = ANY($1::bigint[]) AND ($2::bigint IS NULL OR service_id = $2)
           AND id < coalesce($3, 9223372036854775807)
         ORDER BY id DESC LIMIT $4
        """,
        profile_ids, service_id, before, limit,
    )  # fmt: skip
    return [_event(row) for row in rows]


async def evolution(conn: Connection, service_id: int, start: datetime, end: datetime, zone: str) -> list[Evolution]:
    """What happened on each day of a zone on which anything did, from … to before …"""
    rows = await conn.fetch(
        """
        SELECT (happened_at AT TIME ZONE $4)::date AS day,
               count(*) FILTER (WHERE kind = 'requested')::int AS requested,
               count(*) FILTER (WHERE kind IN ('subscribed', 'confirmed'))::int AS subscribed,
               count(*) FILTER (WHERE kind = 'unsubscribed')::int AS unsubscribed,
               count(*) FILTER (WHERE kind = 'expired')::int AS expired
          FROM subscription_event
         WHERE service_id = $1 AND happened_at >= $2 AND happened_at < $3
         GROUP BY 1 ORDER BY 1
        """,
        service_id, start, end, zone,
    )  # fmt: skip
    return [Evolution(**dict(row)) for row in rows]
