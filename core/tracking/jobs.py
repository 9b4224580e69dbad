"""What the tracking room does on a schedule."""

from __future__ import annotations

from core.db import transaction
from core.runtime import Runtime
from core.tracking.partitions import ensure_partitions


async def sweep(runtime: Runtime) -> None:
    """Make the months of tracking events ahead."""
    async with transaction(runtime.pool) as conn:
        await ensure_partitions(conn, runtime.clock())
