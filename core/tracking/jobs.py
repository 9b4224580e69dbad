"""What the tracking room does on a schedule."""

from __future__ import annotations

from core.db import transaction
from core.runtime import Runtime
from core.tracking.folding import fold_counts
from core.tracking.partitions import ensure_partitions


async def sweep(runtime: Runtime) -> None:
    """Make the months of events ahead and fold the counters. Wanted every half minute or so."""
    async with transaction(runtime.pool) as conn:
        await ensure_partitions(conn, runtime.clock())
    async with transaction(runtime.pool) as conn:
        await fold_counts(conn, runtime.clock())
