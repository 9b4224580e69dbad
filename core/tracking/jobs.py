"""What the tracking room does on a schedule."""

from __future__ import annotations

from core.db import transaction
from core.runtime import Runtime
from core.tracking.folding import fold_counts
from core.tracking.partitions import ensure_partitions
from core.tracking.process import sent_messages_of
from core.tracking.second_look import look_again


async def sweep(runtime: Runtime) -> None:
    """Make the months of events ahead, fold the counters, look for bursts that were missed. Wanted every half minute or so."""
    async with transaction(runtime.pool) as conn:
        await ensure_partitions(conn, runtime.clock())
    async with transaction(runtime.pool) as conn:
        await fold_counts(conn, runtime.clock())
    await look_again(runtime.pool, sent_messages_of(runtime), runtime.clock)
