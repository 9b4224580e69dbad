"""People and deliveries for the tests of this room."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from channels.contract import FailureReason
from core.access import SYSTEM
from core.db import Connection
from core.delivery import lifecycle, reading
from core.delivery.engine import Engine
from core.delivery.records import DeliveryState, LedgerCounts, LedgerState
from core.delivery.store import ledger
from core.runtime import Runtime
from loadtests.campaign import make_delivery


class Times:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime):
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, **delta: float) -> None:
        """Move on by so much."""
        self.now += timedelta(**delta)


async def add_person(conn: Connection, email: str | None, **more: Any) -> int:
    """One profile; returns its id."""
    values = {"email": email, "email_key": email.lower() if email else None, **more}
    names = ", ".join(values)
    marks = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    profile_id: int = await conn.fetchval(f"INSERT INTO profile ({names}) VALUES ({marks}) RETURNING id", *values.values())
    return profile_id


async def add_people(conn: Connection, count: int) -> None:
    """Many ordinary profiles."""
    await conn.execute(
        """
        INSERT INTO profile (email, email_key, first_name)
        SELECT 'P' || n || '@mail.example', 'p' || n || '@mail.example', 'Name' || n FROM generate_series(1, $1::int) AS n
        """,
        count,
    )


async def new_delivery(
    runtime: Runtime, conn: Connection, *, name: str = "spring", config: dict[str, Any] | None = None,
    audience: str = "id > 0", html: str = "<p>Hello {{ profile.first_name }}</p>", **authored: Any,
) -> int:  # fmt: skip
    """A delivery over the memory channel; returns its id."""
    return await make_delivery(
        runtime.settings, conn, name, channel="memory", config={"store": name, **(config or {})}, html=html,
        audience=audience, keyring=runtime.keyring, authored=authored,
    )  # fmt: skip


async def prepared(engine: Engine, runtime: Runtime, conn: Connection, delivery_id: int) -> LedgerCounts:
    """Ask for a preparation and do it."""
    async with conn.transaction():
        await lifecycle.prepare(conn, SYSTEM, delivery_id, runtime.clock())
    await engine.preparation.run(delivery_id)
    run = await lifecycle.get_run(conn, delivery_id)
    assert run.state is DeliveryState.READY, run.error
    return await reading.counts(conn, delivery_id)


async def confirmed(conn: Connection, runtime: Runtime, delivery_id: int) -> None:
    """Release it."""
    async with conn.transaction():
        await lifecycle.confirm(conn, SYSTEM, delivery_id, runtime.clock())


async def outcome_of(conn: Connection, delivery_id: int, profile_id: int) -> tuple[LedgerState, FailureReason]:
    """Where one person's row stands."""
    row = await reading.find_row(conn, delivery_id, profile_id)
    assert row is not None
    return (row.state, row.reason)


async def check_equation(conn: Connection, delivery_id: int) -> None:
    """The counters equal a recount of the rows."""
    kept = [(row.state, row.reason, row.after_hand_over, row.n) for row in await ledger.get_counts(conn, delivery_id)]
    assert sorted(kept) == sorted(await ledger.recount(conn, delivery_id))
