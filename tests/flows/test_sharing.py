"""A delivery is sent by all worker processes from its start, whichever of them fetched the wake-ups."""

from __future__ import annotations

import time
from pathlib import Path

from core.delivery.records import DeliveryState
from tests.flows.house import deadline_of, house
from tests.flows.test_crash import WORKER, recording_sink, started_delivery, state_of


async def test_every_worker_process_takes_a_share(tmp_path: Path) -> None:
    # Given processes that no sweep wakes in time, and a server that takes its time: some twelve seconds for all
    async with (
        recording_sink(tmp_path / "sink", delay=0.05) as port,
        house(tmp_path, worker_processes=3, reconcile_seconds=120, worker_threads=4) as made,
    ):
        # When a delivery starts
        delivery_id = await started_delivery(made, port, 6000, connections=6)
        # Then all of them hold connections for it before it ends
        conn = await made.connect()
        deadline = deadline_of(30)
        sharing = 0
        while sharing < 3:
            sharing = await conn.fetchval("SELECT count(DISTINCT worker) FROM lease WHERE delivery_id = $1", delivery_id)
            assert time.monotonic() < deadline, f"{sharing} of {len(made.find(WORKER))} processes take part"
        await state_of(made, delivery_id, {DeliveryState.FINISHED}, 120)
        # And their shares add up
        assert await conn.fetchval("SELECT count(*) FROM ledger WHERE delivery_id = $1 AND state = 4", delivery_id) == 6000
        await conn.close()
