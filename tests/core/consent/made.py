"""Services, purposes and people for the tests of this room."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from core.access import SYSTEM
from core.consent.purposes import create_purpose
from core.consent.records import Act, Done, Outcome, PurposeDraft, ServiceDraft, Wish
from core.consent.services import create_service
from core.consent.subscriptions import subscribe, unsubscribe
from core.db import Connection
from core.profiles.profiles import create_profile

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


async def a_service(conn: Connection, name: str = "weekly", **more: Any) -> int:
    """Its id."""
    return (await create_service(conn, SYSTEM, ServiceDraft(name=name, label="Weekly", **more))).id


async def a_purpose(conn: Connection, name: str = "profiling", **more: Any) -> int:
    """Its id."""
    return (await create_purpose(conn, SYSTEM, PurposeDraft(name=name, label="Profiling", **more))).id


async def a_person(conn: Connection, **values: Any) -> int:
    """Their id."""
    return (await create_profile(conn, SYSTEM, values, now=NOW)).id


async def join(
    conn: Connection,
    service: int,
    *people: int,
    now: datetime = NOW,
    act: Act | None = None,
    expires_at: datetime | None = None,
) -> list[Outcome]:
    """Subscribe them."""
    wishes = [Wish(service_id=service, profile_id=one, expires_at=expires_at) for one in people]
    return outcomes(await subscribe(conn, SYSTEM, wishes, act or Act(), now=now))


async def leave(conn: Connection, service: int, *people: int, now: datetime = NOW, act: Act | None = None) -> list[Outcome]:
    """Unsubscribe them."""
    wishes = [Wish(service_id=service, profile_id=one) for one in people]
    return outcomes(await unsubscribe(conn, SYSTEM, wishes, act or Act(), now=now))


def outcomes(done: Sequence[Done]) -> list[Outcome]:
    """In order."""
    return [one.outcome for one in done]
