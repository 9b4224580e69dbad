"""A delivery's segments (feature map 3.36): what became of the people of each code that the preparation wrote down."""

from __future__ import annotations

from core.db import Connection
from core.errors import LimitReached
from core.reporting import segment_store as store
from core.reporting.records import SegmentReport

MOST_SEGMENTS = 500  # of one report, the largest
PATIENCE = 60.0  # seconds


async def report_segments(conn: Connection, delivery_id: int, *, include_machines: bool) -> list[SegmentReport]:
    """The largest first; under None those without a code, erased people among them. Raises LimitReached (REPORT_TOO_SLOW)."""
    try:
        rows = await store.count_segments(conn, delivery_id, MOST_SEGMENTS, PATIENCE, include_machines=include_machines)
    except TimeoutError:
        raise LimitReached(f"the report takes longer than {PATIENCE:g} seconds", code="REPORT_TOO_SLOW") from None
    return [SegmentReport(**row) for row in rows]
