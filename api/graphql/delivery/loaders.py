"""Batch loaders of deliveries. A delivery is shown together with its run: two statements, however many there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from api.context import RequestContext
from api.graphql.nodes import aligned
from core.db import Connection
from core.delivery import lifecycle, reading
from core.delivery.records import DeliveryRun
from core.planning import deliveries
from core.planning.records import Delivery


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """A delivery as planned, and what happens to it."""

    id: int
    plan: Delivery
    run: DeliveryRun


async def view(conn: Connection, delivery_id: int) -> DeliveryView:
    """One delivery. Raises NotFound (DELIVERY_NOT_FOUND)."""
    (seen,) = await views(conn, [await deliveries.get_delivery(conn, delivery_id)])
    return seen


async def views(conn: Connection, plans: Sequence[Delivery]) -> list[DeliveryView]:
    """Deliveries with their runs, in one statement."""
    runs = await lifecycle.runs_of(conn, plans)
    return [DeliveryView(plan.id, plan, runs[plan.id]) for plan in plans]


async def load_deliveries(context: RequestContext, ids: list[int]) -> list[Any]:
    """Deliveries by id."""
    async with context.lease.use() as conn:
        return aligned(ids, await views(conn, await deliveries.find_deliveries(conn, ids)))


async def load_trap_counts(context: RequestContext, ids: list[int]) -> list[Any]:
    """The same of their traps."""
    async with context.lease.use() as conn:
        found = await reading.trap_counts_of(conn, ids)
    return [found[one] for one in ids]


async def load_counts(context: RequestContext, ids: list[int]) -> list[Any]:
    """The equation's columns by delivery id."""
    async with context.lease.use() as conn:
        found = await reading.counts_of(conn, ids)
    return [found[one] for one in ids]
