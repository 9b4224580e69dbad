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


# Whether somebody who is one with the person of this service and profile has left: looked up for each row, by index.
_HAS_LEFT = """
(SELECT bool_or(f.state = 'unsubscribed') FROM person_subscription f
  WHERE f.service_id = {service} AND f.profile_id = {profile})"""


async def list_subscribers(
    conn: Connection, service_id: int, now: datetime, after: int | None, limit: int
) -> list[Subscription]:
    """Of each person who is subscribed to a service, in the order of profiles, after one: their own if it is active, else the
    one of those who are merged into them that began last."""
    columns = ", ".join(f"s.{one.name}" for one in fields(Subscription) if one.name != "profile_id")
    rows = await conn.fetch(
        f"""
        (SELECT s.profile_id, {columns} FROM subscription s
          WHERE s.service_id = $1 AND s.profile_id > coalesce($3::bigint, 0)
            AND s.state = 'active' AND (s.expires_at IS NULL OR s.expires_at > $2)
            AND (SELECT p.merged_into IS NULL FROM profile p WHERE p.id = s.profile_id)
            AND {_HAS_LEFT.format(service="s.service_id", profile="s.profile_id")} IS NOT true
          ORDER BY s.profile_id LIMIT $4)
        UNION ALL
        (SELECT DISTINCT ON (p.merged_into) p.merged_into AS profile_id, {columns}
           FROM profile p JOIN subscription s ON s.service_id = $1 AND s.profile_id = p.id
           LEFT JOIN subscription o ON o.service_id = $1 AND o.profile_id = p.merged_into
          WHERE p.merged_into > coalesce($3::bigint, 0)
            AND s.state = 'active' AND (s.expires_at IS NULL OR s.expires_at > $2)
            AND (o.state = 'active' AND (o.expires_at IS NULL OR o.expires_at > $2)) IS NOT true
            AND {_HAS_LEFT.format(service="s.service_id", profile="p.merged_into")} IS NOT true
          ORDER BY p.merged_into, s.since DESC, s.profile_id LIMIT $4)
        ORDER BY profile_id LIMIT $4
        """,
        service_id, now, after, limit,
    )  # fmt: skip
    return [subscription_of(row) for row in rows]


async def count_subscribers(conn: Connection, service_ids: Sequence[int], now: datetime) -> dict[int, int]:
    """People who are subscribed, by service; services without any are left out.

    All active rows are counted, less what merged people have more than one of, or have though one has left: only merged people
    are looked at one by one.
    """
    rows = await conn.fetch(
        f"""
        WITH every AS (
            SELECT service_id, count(*) AS n FROM subscription
             WHERE service_id = ANY($1::bigint[]) AND state = 'active' AND (expires_at IS NULL OR expires_at > $2)
             GROUP BY service_id
        ), family AS (
            SELECT id, merged_into AS person_id FROM profile WHERE merged_into IS NOT NULL
            UNION ALL
            SELECT DISTINCT merged_into, merged_into FROM profile WHERE merged_into IS NOT NULL
        ), merged AS (
            SELECT s.service_id, f.person_id, count(*) AS n FROM family f JOIN subscription s ON s.profile_id = f.id
             WHERE s.service_id = ANY($1::bigint[]) AND s.state = 'active' AND (s.expires_at IS NULL OR s.expires_at > $2)
             GROUP BY s.service_id, f.person_id
        ), person AS (
            SELECT m.service_id, m.n,
                   {_HAS_LEFT.format(service="m.service_id", profile="m.person_id")} AS has_left
              FROM merged m
        ), beside AS (
            SELECT service_id, sum(n)::bigint - count(*) FILTER (WHERE has_left IS NOT true) AS n
              FROM person GROUP BY service_id
        )
        SELECT e.service_id, e.n - coalesce(b.n, 0) AS n FROM every e LEFT JOIN beside b ON b.service_id = e.service_id
         WHERE e.n > coalesce(b.n, 0)
        """,
        list(service_ids), now,
    )  # fmt: skip
    return {row["service_id"]: row["n"] for row in rows}


async def list_of_profile(conn: Connection, profile_id: int, now: datetime) -> list[Subscription]:
    """What counts of all of a person's, in the order of services; of several that are active the one that ends last."""
    rows = await conn.fetch(
        f"""
        SELECT DISTINCT ON (service_id) {COLUMNS} FROM person_subscription WHERE profile_id = $1
         ORDER BY service_id, state = 'unsubscribed' DESC, state = 'active' AND coalesce(expires_at > $2, true) DESC,
                  CASE WHEN state = 'active' THEN expires_at END DESC NULLS FIRST, since DESC
        """,
        profile_id, now,
    )  # fmt: skip
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
