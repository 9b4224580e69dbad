"""Which deliveries need a column of their audience."""

from __future__ import annotations

from core.db import Connection
from core.delivery.records import DeliveryRun
from core.delivery.state import EDITABLE, PREPARING
from core.delivery.store import runs
from core.planning.columns import check_columns_kept
from core.planning.uses import list_uses
from core.targeting.records import Audience

_UNSENT = frozenset({*EDITABLE, *PREPARING})
MOST = 10_000  # deliveries of one audience that are looked at


async def check_columns_in_use(conn: Connection, audience: Audience) -> None:
    """Call it after the question of an audience was changed, in the same transaction.

    Raises Conflict (IN_USE) where a delivery that may yet be sent reads a column which its recipients bring along no longer.
    """
    uses = await list_uses(conn, audience_id=audience.id, limit=MOST)
    if uses:
        found = await runs.list_runs(conn, [one.delivery_id for one in uses])
        unsent = {one.delivery_id: one.name for one in uses if _is_unsent(found.get(one.delivery_id))}
        await check_columns_kept(conn, audience, unsent)


def _is_unsent(run: DeliveryRun | None) -> bool:
    return run is None or run.state in _UNSENT
