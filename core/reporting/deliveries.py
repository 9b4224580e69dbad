"""What became of a delivery, and how far one is."""

from __future__ import annotations

from collections.abc import Sequence

from core.db import Connection
from core.delivery import lifecycle
from core.delivery import reading as delivery
from core.delivery.records import DeliveryLink, DeliveryRun, LedgerCounts, LedgerState
from core.planning.deliveries import get_delivery
from core.reporting.metrics import compute
from core.reporting.records import (
    DeliveryProgress,
    DeliveryReport,
    Figures,
    LinkReport,
    ReasonCount,
    make_figures,
)
from core.tracking import reading as tracking
from core.tracking.records import TrackingKind


async def report(conn: Connection, delivery_id: int, include_machines: bool = False) -> DeliveryReport:
    """The report of one delivery. Machines' opens and clicks are left out unless asked for. Raises NotFound."""
    await get_delivery(conn, delivery_id)
    counts = await delivery.counts(conn, delivery_id)
    links = await delivery.list_links(conn, delivery_id)
    figures = make_figures(counts, await tracking.counts(conn, delivery_id), include_machines=include_machines)
    return DeliveryReport(
        delivery_id=delivery_id,
        include_machines=include_machines,
        counts=counts,
        excluded=_by_reason(counts, LedgerState.EXCLUDED),
        failed=_by_reason(counts, LedgerState.FAILED),
        withdrawn=_by_reason(counts, LedgerState.WITHDRAWN),
        traps=(await delivery.trap_counts_of(conn, [delivery_id]))[delivery_id],
        links=_links(links, figures),
        metrics=compute(figures),
    )


async def progress(conn: Connection, delivery_id: int) -> DeliveryProgress:
    """How far a delivery is. Cheap enough to be asked every second. Raises NotFound."""
    run = await lifecycle.get_run(conn, delivery_id)
    counts = await delivery.counts(conn, delivery_id)
    sendable = counts.targeted - counts.excluded
    return DeliveryProgress(
        delivery_id=delivery_id,
        run=run,
        counts=counts,
        prepared=_prepared(run),
        settled=(sendable - counts.pending) / sendable if sendable else None,
    )


def _prepared(run: DeliveryRun) -> float | None:
    if run.prepared_at is not None:
        return 1.0
    if run.prepare_from is None or not run.prepare_to:
        return None
    return min(1.0, run.prepare_from / run.prepare_to)


def _by_reason(counts: LedgerCounts, state: LedgerState) -> tuple[ReasonCount, ...]:
    totals: dict[int, ReasonCount] = {}
    for row in counts.by_reason:
        if row.state is state:
            before = totals[row.reason].count if row.reason in totals else 0
            totals[row.reason] = ReasonCount(reason=row.reason, count=before + row.n)
    return tuple(sorted(totals.values(), key=lambda found: (-found.count, found.reason)))


def _links(links: Sequence[DeliveryLink], figures: Figures) -> tuple[LinkReport, ...]:
    return tuple(
        LinkReport(
            number=link.number,
            url=link.url,
            label=link.label,
            category=link.category,
            mode=link.mode,
            total=figures.total(TrackingKind.CLICK, link=link.number),
            unique=figures.unique(TrackingKind.CLICK, link=link.number),
        )
        for link in links
    )
