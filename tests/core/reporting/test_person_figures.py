"""What people were sent and did, in numbers: counted by hand, read through merges, adding up to the reports of deliveries."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from core.access import SYSTEM
from core.db import Connection
from core.delivery.store import ledger
from core.profiles import merging
from core.profiles.merge_records import MergePlan
from core.reporting import deliveries
from core.reporting.person_figures import get_figures
from core.reporting.records import PersonFigures
from core.runtime import Runtime
from core.tracking.records import TrackingKind
from tests.core.delivery.conftest import db, runtime, times  # noqa: F401
from tests.core.delivery.people import add_people, new_delivery
from tests.core.events import told
from tests.core.tracking.people import NOON, ROBOT, hit, store_groups

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NOTHING: dict[str, Any] = {
    "sent": 0, "delivered": 0, "failed": 0, "excluded": 0, "opens": 0, "clicks": 0, "unsubscribes": 0,
    "opened_deliveries": 0, "clicked_deliveries": 0, "last_contacted_at": None, "last_opened_at": None,
    "last_clicked_at": None, "events": 0, "last_event_at": None,
}  # fmt: skip


def figures(**some: Any) -> PersonFigures:
    """These, and nothing else."""
    return PersonFigures(**NOTHING | some)


async def people_made(db: Connection, count: int) -> list[int]:  # noqa: F811
    """The ids of new people."""
    await add_people(db, count)
    return [row["id"] for row in await db.fetch("SELECT id FROM profile ORDER BY id")]


async def delivered(runtime: Runtime, db: Connection, name: str, *rows: tuple[int, int, bool, datetime]) -> int:  # noqa: F811
    """A delivery with ledger rows: recipient, state, whether the provider had it, and when it was settled."""
    delivery_id = await new_delivery(runtime, db, name=name)
    await ledger.ensure_partition(db, delivery_id)
    await db.execute("INSERT INTO delivery_run (delivery_id) VALUES ($1)", delivery_id)
    for recipient, state, handed_over, at in rows:
        await db.execute(
            """
            INSERT INTO ledger (delivery_id, recipient_id, state, after_hand_over, due_at, settled_at)
            VALUES ($1, $2, $3::smallint, $4, $5, CASE WHEN $3 <> 0 THEN $5::timestamptz END)
            """,
            delivery_id, recipient, state, handed_over, at,
        )  # fmt: skip
    return delivery_id


async def test_figures_are_those_counted_by_hand(runtime: Runtime, db: Connection) -> None:  # noqa: F811
    # Given three people, three deliveries, and what they did
    ann, bea, cat, dan = await people_made(db, 4)
    first = await delivered(
        runtime, db, "first", (ann, 4, True, NOON), (bea, 4, True, NOON + HOUR), (cat, 4, True, NOON), (dan, 1, False, NOON)
    )
    second = await delivered(runtime, db, "second", (ann, 5, True, NOON + DAY))
    third = await delivered(runtime, db, "third", (ann, 0, False, NOON + 2 * DAY), (bea, 5, False, NOON + 2 * DAY))
    opened, clicked, left = TrackingKind.OPEN, TrackingKind.CLICK, TrackingKind.UNSUBSCRIBE
    await store_groups(
        db,
        [hit(opened, recipient=ann, delivery=first, after=60), hit(opened, recipient=cat, delivery=first, after=70)],
        [hit(opened, recipient=ann, delivery=first, after=120)],
        [hit(clicked, recipient=ann, delivery=first, link=1, after=130)],
        [hit(clicked, recipient=bea, delivery=first, link=1, after=7_200)],
        [hit(clicked, recipient=bea, delivery=first, link=1, after=7_300, agent=ROBOT)],
        [hit(left, recipient=ann, delivery=second, after=100_000)],
    )
    own = {
        ann: figures(
            sent=2, delivered=1, failed=1, excluded=1, opens=3, clicks=1, unsubscribes=1, opened_deliveries=2,
            clicked_deliveries=1, last_contacted_at=NOON + DAY, last_opened_at=NOON + timedelta(seconds=100_000),
            last_clicked_at=NOON + timedelta(seconds=130),
        ),
        bea: figures(
            sent=1, delivered=1, failed=1, opens=1, clicks=1, opened_deliveries=1, clicked_deliveries=1,
            last_contacted_at=NOON + HOUR, last_opened_at=NOON + 2 * HOUR, last_clicked_at=NOON + 2 * HOUR,
        ),
        cat: figures(
            sent=1, delivered=1, opens=1, opened_deliveries=1, last_contacted_at=NOON,
            last_opened_at=NOON + timedelta(seconds=70),
        ),
        dan: figures(),
    }  # fmt: skip
    assert await get_figures(db, [ann, bea, cat, dan]) == own

    # And they add up to the reports
    for name, delivery_id in (("first", first), ("second", second), ("third", third)):
        report = await deliveries.report(db, delivery_id)
        of_all = {"first": (4, 2, 0), "second": (1, 0, 1), "third": (0, 0, 0)}[name]
        assert tuple(report.metrics[one] for one in ("opens", "clicks", "unsubscribes")) == of_all
    assert [sum(getattr(one, name) for one in own.values()) for name in ("opens", "clicks", "unsubscribes")] == [5, 2, 1]

    # When two of them are one, their figures are those of both; distinct deliveries once
    async with db.transaction():
        done = await merging.merge_profiles(db, SYSTEM, MergePlan(survivor_id=ann, other_ids=(bea,)), now=NOON)
    both = figures(
        sent=3, delivered=2, failed=2, excluded=1, opens=4, clicks=2, unsubscribes=1, opened_deliveries=2,
        clicked_deliveries=1, last_contacted_at=NOON + DAY, last_opened_at=NOON + timedelta(seconds=100_000),
        last_clicked_at=NOON + 2 * HOUR,
    )  # fmt: skip
    assert await get_figures(db, [cat, ann]) == {cat: own[cat], ann: both}

    # And since a moment
    since = figures(
        sent=1, failed=2, excluded=1, opens=2, clicks=1, unsubscribes=1, opened_deliveries=2, clicked_deliveries=1,
        last_contacted_at=NOON + DAY, last_opened_at=NOON + timedelta(seconds=100_000), last_clicked_at=NOON + 2 * HOUR,
    )  # fmt: skip
    assert await get_figures(db, [ann, cat], since=NOON + 2 * HOUR) == {ann: since, cat: figures()}

    # And apart again
    async with db.transaction():
        await merging.undo_merge(db, SYSTEM, done.id, now=NOON)
    assert await get_figures(db, [ann, bea, cat, dan]) == own


async def test_what_is_taken_back_as_a_machine_s_is_not_counted(runtime: Runtime, db: Connection) -> None:  # noqa: F811
    (ann,) = await people_made(db, 1)
    delivery_id = await delivered(runtime, db, "first", (ann, 4, True, NOON))
    await store_groups(db, [hit(recipient=ann, delivery=delivery_id, link=1), hit(recipient=ann, delivery=delivery_id, link=2)])
    assert (await get_figures(db, [ann]))[ann].clicks == 2

    await db.execute(
        """
        INSERT INTO tracking_event (position, at, delivery_id, recipient_id, corrects, kind, link, machine_rule)
        SELECT nextval('tracking_position'), at, delivery_id, recipient_id, position, kind, link, 7 FROM tracking_event
         WHERE link = 2
        """
    )

    found = (await get_figures(db, [ann]))[ann]
    assert (found.clicks, found.opens, found.clicked_deliveries) == (1, 1, 1)


async def test_business_events_of_all_types_are_counted(pool: Any, db: Connection) -> None:  # noqa: F811
    ann, bea, cat = [await told.add_profile(db, name) for name in ("ann", "bea", "cat")]
    assert await get_figures(db, [ann]) == {ann: figures()}
    await told.save(db)
    await told.save(db, "visit", told.PRODUCT)
    moments = [("a", ann, -DAY), ("b", ann, -2 * DAY), ("c", bea, -HOUR), ("d", bea, -3 * DAY)]
    await told.tell(db, *(told.event(key, who, occurred_at=told.NOW + ago) for key, who, ago in moments))
    await told.tell(db, told.event("v", ann, {}, type="visit", occurred_at=told.NOW - 2 * HOUR))
    assert (await get_figures(db, [ann, bea, cat])) == {
        ann: figures(events=3, last_event_at=told.NOW - 2 * HOUR), bea: figures(events=2, last_event_at=told.NOW - HOUR),
        cat: figures(),
    }  # fmt: skip
    async with db.transaction():
        await merging.merge_profiles(db, SYSTEM, MergePlan(survivor_id=ann, other_ids=(bea,)), now=told.NOW)

    assert await get_figures(db, [ann]) == {ann: figures(events=5, last_event_at=told.NOW - HOUR)}
    assert await get_figures(db, [ann], since=told.NOW - DAY) == {ann: figures(events=3, last_event_at=told.NOW - HOUR)}


async def test_rows_are_looked_up_by_their_keys(runtime: Runtime, db: Connection) -> None:  # noqa: F811
    everybody = await people_made(db, 2000)
    await delivered(runtime, db, "first", *((one, 4, True, NOON) for one in everybody))
    await db.execute("ANALYZE ledger")  # of few rows, or of a table that nobody looked at, any way is as good
    people = everybody[::100]
    await get_figures(db, people)  # what the driver asks about types is asked once
    asked: list[Any] = []
    with db.query_logger(asked.append):
        await get_figures(db, people)
    await db.execute("SET enable_seqscan = off")
    (messages,) = [one for one in asked if "ledger" in one.query]
    plan = "\n".join(row[0] for row in await db.fetch(f"EXPLAIN {messages.query}", *messages.args))
    assert "Seq Scan" not in plan, plan
    assert "using tracking_first_pkey" in plan, plan
    assert "Index Cond: ((delivery_id = r.delivery_id) AND (recipient_kind = 1) AND (recipient_id = ANY" in plan, plan
