"""The versions of everything a preparation read, and whether they still stand."""

from __future__ import annotations

from core.db import Connection
from core.delivery.records import DeliveryRun
from core.delivery.store import read_versions
from core.errors import Stale

LABELS = {
    "delivery": "the delivery",
    "content": "the content",
    "audience": "the audience",
    "account": "the channel account",
    "schema": "the data model",
}


async def current_versions(conn: Connection, delivery_id: int) -> dict[str, int]:
    """The versions now, their rows held until the transaction ends."""
    return await read_versions.read_versions(conn, delivery_id)


async def changed_since(conn: Connection, run: DeliveryRun) -> list[str]:
    """What changed since the run was prepared, by name."""
    now = await current_versions(conn, run.delivery_id)
    before = run.versions or {}
    return [LABELS[name] for name in LABELS if before.get(name) != now.get(name)]


async def check_unchanged(conn: Connection, run: DeliveryRun) -> None:
    """Raises Stale when what was prepared is not what would be sent."""
    changed = await changed_since(conn, run)
    if changed:
        raise Stale(
            f"{' and '.join(changed)} changed since the delivery was prepared",
            code="STALE_PREPARATION",
            hint="Prepare it again.",
        )
