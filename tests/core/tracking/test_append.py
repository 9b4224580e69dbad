"""Uniques, counters and corrections: after any history they equal a recount from the events themselves."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta

import pytest

from core.db import Connection
from core.tracking import reading
from core.tracking.folding import fold_counts
from core.tracking.records import ANYTHING, TrackingCount, TrackingEvent, TrackingKind
from core.tracking.store import count_rows
from core.tracking.stream import read
from tests.core.tracking.people import BROWSER, NOON, ROBOT, hit, store_groups


async def counts(conn: Connection, delivery: int = 7) -> dict[tuple[int, int, bool], tuple[int, int]]:
    """(kind, link, machine) → (total, uniques), checked against a recount."""
    kept = await reading.counts(conn, delivery)
    assert _without_zeros(kept) == _without_zeros(await count_rows.recount(conn, delivery))
    return {(one.kind, one.link, one.machine): (one.total, one.uniques) for one in _without_zeros(kept)}


def _without_zeros(found: list[TrackingCount]) -> list[TrackingCount]:
    return [one for one in found if one.total or one.uniques]


def has_no_gap(events: Sequence[TrackingEvent]) -> bool:
    """Whether positions follow one another, as they do where nothing was rolled back."""
    first = events[0].position
    return [one.position for one in events] == list(range(first, first + len(events)))


def taken_back(events: Sequence[TrackingEvent]) -> list[int]:
    """Which events, counted from 1, later ones took back."""
    return [one.corrects - events[0].position + 1 for one in events if one.corrects is not None]


async def test_repeats_add_to_totals_never_to_uniques(conn: Connection) -> None:
    # Given two people who click, one of them three times and on two links, across groups and inside one
    await store_groups(
        conn,
        [hit(link=1), hit(link=1, after=20), hit(recipient=2, link=1)],
        [hit(link=2, after=40)],
    )
    # Then link 1 has three clicks by two, link 2 one by one, the delivery four by two
    assert await counts(conn) == {
        (TrackingKind.CLICK, 1, False): (3, 2),
        (TrackingKind.CLICK, 2, False): (1, 1),
        (TrackingKind.CLICK, 0, False): (4, 2),
        (ANYTHING, 0, False): (0, 2),
    }


async def test_a_recipient_who_did_several_things_counts_once_for_anything(conn: Connection) -> None:
    await store_groups(
        conn, [hit(TrackingKind.OPEN)], [hit(link=1, after=60)], [hit(TrackingKind.MIRROR, after=120)],
        [hit(TrackingKind.UNSUBSCRIBE, after=180)], [hit(TrackingKind.OPEN, recipient=2)],
    )  # fmt: skip
    found = await counts(conn)
    assert found[ANYTHING, 0, False] == (0, 2)
    assert found[TrackingKind.OPEN, 0, False] == (2, 2)
    assert found[TrackingKind.MIRROR, 0, False] == found[TrackingKind.UNSUBSCRIBE, 0, False] == (1, 1)


async def test_machines_are_counted_apart_and_give_way_to_people(conn: Connection) -> None:
    # Given a robot that clicks, and only then the person
    await store_groups(conn, [hit(link=1, agent=ROBOT)])
    assert await counts(conn) == {
        (TrackingKind.CLICK, 1, True): (1, 1),
        (TrackingKind.CLICK, 0, True): (1, 1),
        (ANYTHING, 0, True): (0, 1),
    }
    await store_groups(conn, [hit(link=1, after=3600)])
    # Then both totals stand and the unique is the person's
    assert await counts(conn) == {
        (TrackingKind.CLICK, 1, True): (1, 0),
        (TrackingKind.CLICK, 0, True): (1, 0),
        (TrackingKind.CLICK, 1, False): (1, 1),
        (TrackingKind.CLICK, 0, False): (1, 1),
        (ANYTHING, 0, False): (0, 1),
    }
    # And a robot that comes after a person takes nothing away
    await store_groups(conn, [hit(link=1, agent=ROBOT, after=7200)])
    assert (await counts(conn))[TrackingKind.CLICK, 1, False] == (1, 1)


async def test_every_link_within_seconds_is_taken_back(conn: Connection) -> None:
    # Given a browser-like agent that opens and clicks all three links within two seconds, in four groups
    await store_groups(
        conn,
        [hit(TrackingKind.OPEN)],
        [hit(link=1, after=0.5)],
        [hit(link=2, after=1)],
        [hit(link=3, after=2)],
    )
    # Then nothing of it counts as a person's any more
    assert await counts(conn) == {
        (TrackingKind.OPEN, 0, True): (1, 1),
        (TrackingKind.CLICK, 1, True): (1, 1),
        (TrackingKind.CLICK, 2, True): (1, 1),
        (TrackingKind.CLICK, 3, True): (1, 1),
        (TrackingKind.CLICK, 0, True): (3, 1),
        (ANYTHING, 0, True): (0, 1),
    }
    # And the stream says so: four events, then four corrections that name them and the rule
    events = await read(conn, 0, 100)
    assert len(events) == 8
    assert has_no_gap(events)
    assert [(one.corrects, one.machine_rule, one.kind) for one in events[4:]] == [
        (earlier.position, 7, earlier.kind) for earlier in events[:4]
    ]


async def test_a_burst_inside_one_group_and_its_stragglers(conn: Connection) -> None:
    await store_groups(
        conn,
        [hit(link=1), hit(link=2, after=0.1), hit(link=3, after=0.2)],
        [hit(TrackingKind.OPEN, after=1), hit(link=2, after=2)],
    )
    assert {key for key in await counts(conn) if not key[2]} == set()


async def test_slow_readers_and_partial_readers_are_people(conn: Connection) -> None:
    # Given somebody who clicks every link over a minute, and somebody who clicks two of three at once
    await store_groups(
        conn,
        [hit(link=1)], [hit(link=2, after=20)], [hit(link=3, after=40)],
        [hit(recipient=2, link=1), hit(recipient=2, link=2, after=0.1)],
        [hit(delivery=8, link=1)],  # a message with a single link: one click is not a burst
    )  # fmt: skip
    assert not any(machine for _, _, machine in await counts(conn))
    assert not any(machine for _, _, machine in await counts(conn, 8))


async def test_a_burst_takes_back_only_what_lies_within_it(conn: Connection) -> None:
    # Given a person who clicked link 1 an hour before a scanner followed every link of the same message
    await store_groups(conn, [hit(link=1)], [hit(link=1, after=3600), hit(link=2, after=3600.1), hit(link=3, after=3600.2)])
    # Then the person's click stays, with its unique
    assert await counts(conn) == {
        (TrackingKind.CLICK, 1, False): (1, 1),
        (TrackingKind.CLICK, 0, False): (1, 1),
        (ANYTHING, 0, False): (0, 1),
        (TrackingKind.CLICK, 1, True): (1, 0),
        (TrackingKind.CLICK, 2, True): (1, 1),
        (TrackingKind.CLICK, 3, True): (1, 1),
        (TrackingKind.CLICK, 0, True): (3, 0),
    }


async def test_a_burst_is_found_whatever_came_after_it(conn: Connection) -> None:
    # Given all that a message did in two minutes, looked at together: a burst, then a person who opens it and clicks
    history = [hit(link=1), hit(link=2, after=0.1), hit(link=3, after=0.2), hit(TrackingKind.OPEN, after=2),
               hit(TrackingKind.OPEN, after=60), hit(link=2, after=120)]  # fmt: skip
    await store_groups(conn, history)
    # Then what lies around the burst is a machine's, and only that
    found = await read(conn, 0, 100)
    assert taken_back(found) == [1, 2, 3, 4]
    assert (await counts(conn))[TrackingKind.CLICK, 2, False] == (1, 1)
    assert (await counts(conn))[TrackingKind.OPEN, 0, False] == (1, 1)


async def test_bursts_that_overlap_and_a_hidden_link_take_an_event_back_once(conn: Connection) -> None:
    history = [hit(link=link, after=after) for after in (0, 2, 4, 6) for link in (1, 2, 3)]
    await store_groups(conn, [*history, hit(link=9, after=3)])
    found = await read(conn, 0, 100)
    assert taken_back(found) == list(range(1, 13))
    assert [one.machine_rule for one in found[13:]] == [8] * 9 + [8] * 3  # the first rule that says so


async def test_a_hidden_link_speaks_for_what_is_around_it(conn: Connection) -> None:
    await store_groups(
        conn,
        [hit(TrackingKind.OPEN)],
        [hit(link=1, after=1)],
        [hit(link=9, after=2)],
        [hit(link=2, after=3)],
        [hit(link=3, after=60)],
    )
    found = await counts(conn)
    assert {key: value for key, value in found.items() if not key[2]} == {
        (TrackingKind.CLICK, 3, False): (1, 1),
        (TrackingKind.CLICK, 0, False): (1, 1),
        (ANYTHING, 0, False): (0, 1),
    }
    rules = [one.machine_rule for one in await read(conn, 0, 100) if one.is_machine]
    assert rules == [8, 8, 8, 8]  # the hidden click itself, the open and click before it, the click after it


async def test_unsubscribing_is_never_a_machines_doing(conn: Connection) -> None:
    await store_groups(
        conn,
        [hit(TrackingKind.UNSUBSCRIBE, agent="")],
        [hit(link=1, after=1), hit(link=2, after=1), hit(link=3, after=1)],
    )
    found = await counts(conn)
    assert found[TrackingKind.UNSUBSCRIBE, 0, False] == (1, 1)
    assert found[ANYTHING, 0, False] == (0, 1)


@pytest.mark.parametrize("seed", range(12))
async def test_counters_equal_a_recount_after_any_history(conn: Connection, seed: int) -> None:
    """Random people, robots, bursts and hidden links in random groups."""
    chance = random.Random(seed)
    at = 0.0
    for _ in range(40):
        group = []
        for _ in range(chance.choice([1, 1, 2, 5, 12])):
            at += chance.choice([0, 0.01, 0.5, 2, 30])
            kind = chance.choice([TrackingKind.CLICK] * 6 + [TrackingKind.OPEN, TrackingKind.MIRROR, TrackingKind.UNSUBSCRIBE])
            link = chance.choice([1, 1, 2, 3, 9]) if kind is TrackingKind.CLICK else 0
            group.append(
                hit(kind, recipient=chance.randint(1, 4), link=link, after=at - chance.choice([0, 0, 3]),
                    agent=chance.choice([BROWSER, BROWSER, BROWSER, ROBOT, ""]), delivery=chance.choice([7, 7, 8]))
            )  # fmt: skip
        await store_groups(conn, group)
    before = await counts(conn), await counts(conn, 8)
    assert all(before)
    # And folding the slots in which they were moved changes nothing but the number of rows
    assert await fold_counts(conn, NOON + timedelta(seconds=at / 2)) + await fold_counts(conn, NOON + timedelta(days=1))
    assert (await counts(conn), await counts(conn, 8)) == before
    assert await conn.fetchval("SELECT max(slot) FROM tracking_count") == 0
    events = await read(conn, 0, 100_000)
    assert has_no_gap(events)
    corrected = [one.corrects for one in events if one.corrects is not None]
    assert len(corrected) == len(set(corrected)), "an event is taken back once"
    assert any(corrected), "the history must contain corrections to be worth anything"
