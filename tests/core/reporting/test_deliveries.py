"""A report adds up, at every moment of a delivery, and reads counters only."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.access import SYSTEM
from core.db import Pool, transaction
from core.delivery import lifecycle
from core.delivery.records import DeliveryState, LedgerCounts
from core.errors import NotFound
from core.reporting.deliveries import progress, report
from core.tracking.machines import RuleBook
from core.tracking.records import TrackingKind
from core.tracking.store import rule_rows
from tests.core.tracking.campaign import add_profile, prepared_campaign
from tests.core.tracking.people import append_hits, hit


def adds_up(counts: LedgerCounts) -> bool:
    """The equation of the ledger."""
    parts = (
        counts.excluded, counts.pending, counts.accepted, counts.failed, counts.unknown, counts.withdrawn, counts.expired,
        counts.cancelled,
    )  # fmt: skip
    return counts.targeted == sum(parts)


async def test_a_report_from_preparation_to_clicks(pool: Pool, database_url: str, tmp_path: Path) -> None:
    # Given three people, one of whom opted out
    async with pool.acquire() as conn:
        anna, otto, ivo = [await add_profile(conn, name) for name in ("Anna", "Otto", "Ivo")]
        await conn.execute("UPDATE profile SET opt_out_email = true WHERE id = $1", ivo)
    async with prepared_campaign(pool, database_url, tmp_path) as campaign:
        async with pool.acquire() as conn:
            found = await report(conn, campaign.delivery_id)
            assert adds_up(found.counts)
            assert (found.counts.targeted, found.counts.excluded, found.counts.pending) == (3, 1, 2)
            assert [(one.reason.name, one.count) for one in found.excluded] == [("DENYLISTED_ADDRESS", 1)]
            assert found.metrics["open_rate"] is None

        # When two are delivered, one clicks twice on two links, the other opens, a robot clicks as well
        async with transaction(pool) as conn:
            await conn.execute("UPDATE ledger_count SET state = 4 WHERE state = 1")
            await conn.execute("UPDATE ledger SET state = 4 WHERE state = 1")
            hits = [
                hit(recipient=anna, link=1, delivery=campaign.delivery_id),
                hit(recipient=anna, link=1, after=60, delivery=campaign.delivery_id),
                hit(recipient=anna, link=3, after=90, delivery=campaign.delivery_id),
                hit(TrackingKind.OPEN, recipient=otto, delivery=campaign.delivery_id),
                hit(recipient=otto, link=2, delivery=campaign.delivery_id, agent="LinkBot/1.0"),
            ]
            book = RuleBook(await rule_rows.list_rules(conn))
            await append_hits(conn, hits, book)

        # Then the links say which, without the one that no person sees
        async with pool.acquire() as conn:
            found = await report(conn, campaign.delivery_id)
            assert [(one.number, one.label, one.total, one.unique) for one in found.links] == [
                (1, "our spring offer", 2, 1), (2, "For France", 0, 0), (3, "for you", 1, 1),
            ]  # fmt: skip
            wanted = ("opens", "unique_opens", "clicks", "unique_clicks", "click_through_rate")
            assert [found.metrics[name] for name in wanted] == [2, 2, 3, 1, 0.5]
            # And with machines the robot's click is there too
            whole = await report(conn, campaign.delivery_id, include_machines=True)
            assert [one.total for one in whole.links] == [2, 1, 1]
            assert [whole.metrics[name] for name in wanted] == [2, 2, 4, 2, 1.0]


async def test_progress_moves_with_the_delivery(pool: Pool, database_url: str, tmp_path: Path) -> None:
    async with pool.acquire() as conn:
        for name in ("Anna", "Otto"):
            await add_profile(conn, name)
    async with prepared_campaign(pool, database_url, tmp_path) as campaign:
        async with pool.acquire() as conn:
            found = await progress(conn, campaign.delivery_id)
            assert (found.run.state, found.prepared, found.settled) == (DeliveryState.READY, 1.0, 0.0)
            async with conn.transaction():
                await lifecycle.confirm(conn, SYSTEM, campaign.delivery_id, campaign.runtime.clock())
            await conn.execute("UPDATE ledger_count SET state = 4 WHERE state = 1")
            found = await progress(conn, campaign.delivery_id)
            assert (found.run.state, found.settled) == (DeliveryState.START_PENDING, 1.0)
            assert adds_up(found.counts)


async def test_reports_read_counters_only(pool: Pool, database_url: str, tmp_path: Path) -> None:
    """No statement of a report touches events or ledger rows: a report of a million costs what one of ten does."""
    async with prepared_campaign(pool, database_url, tmp_path) as campaign, pool.acquire() as conn:
        asked: list[str] = []
        conn.add_query_logger(lambda query: asked.append(query.query))
        await report(conn, campaign.delivery_id)
        await progress(conn, campaign.delivery_id)
        assert len(asked) <= 8
        assert not any("FROM tracking_event" in query or "FROM ledger " in query for query in asked)


async def test_a_delivery_that_is_not_there(pool: Pool) -> None:
    async with pool.acquire() as conn:
        with pytest.raises(NotFound):
            await report(conn, 404)
        with pytest.raises(NotFound):
            await progress(conn, 404)
