"""Brings the members of kept audiences up to date, in steps of a transaction each: one at a time in the whole installation.

What is taken off the queue, the members that change, and the entries of the log are one transaction, so whatever dies leaves
nothing half done. Each step looks at what is there, so it does not matter who makes it, or how often.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import asyncpg

from core.db import Connection
from core.db_errors import too_large
from core.targeting.membership.capture import captures_of, install
from core.targeting.membership.evaluation import Opened, due_of_everybody, everybody, question_about_people
from core.targeting.membership.opening import Failed, open_kept
from core.targeting.membership.records import LONGEST_COUNT, RECOUNT_EVERY, TRIED_AGAIN_AFTER, KeptState, Upkeep
from core.targeting.membership.sources import together
from core.targeting.membership.store import kept as store
from core.targeting.membership.store import members
from core.targeting.membership.store import upkeep as steps
from core.targeting.moments import start_of, today
from core.targeting.plans import cheaper

CHANGES = 5_000  # rows of the queue that a step takes
PEOPLE = 50_000  # about so many people, likewise
AUDIENCES = 40  # of one statement
GROUPS = 20  # sets of audiences that a step tells apart; what is beyond is put together
LOG_KEPT = timedelta(days=30)
ADVICE = "see the examination of its question for an index that would help, or narrow it down"
CLEARED = 50_000  # rows that a step clears away

T = TypeVar("T")


async def keep_up(conn: Connection, now: datetime, due_by: datetime, *, patience: timedelta = LONGEST_COUNT) -> bool:
    """Make one step; whether another one may find something to do. The transaction that it is made in is to end then.

    Who is due by then is asked about. It stays the same for the steps of a while: some are due again as soon as they are asked.
    A count that takes longer than `patience` is given up.
    """
    if not await store.try_lock(conn):
        return False  # somebody else is at it
    await store.plan_for_values(conn)
    opened, failed = await open_kept(conn)
    if await _look_after(conn, opened, failed, now):
        return True
    asked = [one for one in opened if one.kept.state is not KeptState.GIVEN_UP]
    changed = await _take_changes(conn, asked, now)
    due = await _take_due(conn, asked, now, due_by)
    counted = await _count(conn, asked, now, patience)
    return changed or due or counted or await store.clear_released(conn, CLEARED) or await _forget(conn, now)


async def _forget(conn: Connection, now: datetime) -> bool:
    before = now - LOG_KEPT
    return await store.is_log_older(conn, before) and await store.forget_log(conn, before, CLEARED) == CLEARED


async def _look_after(conn: Connection, opened: Sequence[Opened], failed: Sequence[Failed], now: datetime) -> bool:
    """See to it that all that is read is captured, and that those are counted anew whose question is another one, or whose time
    has come. Whether anything was changed that others should see first."""
    for bad in failed:
        await store.set_stamp(conn, bad.kept.id, None, Upkeep.INCREMENTAL, (), bad.trouble)
        await store.count_anew(conn, [bad.kept.id], now, state=KeptState.WAITING)
    others = [one for one in opened if one.kept.stamp != one.stamp]
    for one in others:
        await store.set_stamp(conn, one.kept.id, one.stamp, one.upkeep, one.reasons, None)
    begun, late = await install(conn, captures_of(together(one.sources for one in opened).values()))
    waiting = [one for one in opened if one in others or _waits(one, begun)]
    ready = [one.kept.id for one in waiting if not one.tables & late]
    again = [one.kept.id for one in opened if one not in waiting and _is_time(one, now)]
    await store.count_anew(conn, [one.kept.id for one in waiting if one.tables & late], now, state=KeptState.WAITING)
    await store.count_anew(conn, ready + again, now, state=KeptState.COUNTING)
    return bool(ready or again)


def _waits(one: Opened, begun: set[str]) -> bool:
    """Whether it waited for its captures, or some of them begin now. What is given up is counted anew in its time anyway."""
    return one.kept.state is KeptState.WAITING or (one.kept.state is not KeptState.GIVEN_UP and bool(one.tables & begun))


def _is_time(one: Opened, now: datetime) -> bool:
    settled = one.kept.state in (KeptState.KEPT, KeptState.GIVEN_UP)
    return settled and one.kept.recount_at is not None and one.kept.recount_at <= now


async def _take_changes(conn: Connection, opened: Sequence[Opened], now: datetime) -> bool:
    """What was noted: of each change, the audiences that read what changed are asked again about whom it concerns."""
    changes = await steps.take_changes(conn, CHANGES, PEOPLE)
    people: dict[tuple[int, ...], set[int]] = defaultdict(set)
    anybody: set[int] = set()
    for change in changes:
        if change.profile_ids is None:
            anybody |= {one.kept.id for one in opened if one.may_concern_all(change)}
        else:
            concerned = tuple(place for place, one in enumerate(opened) if one.concerns(change))
            people[concerned] |= set(change.profile_ids)
    if anybody:
        await store.count_again(conn, sorted(anybody), now)
    for concerned, found in _few(people):
        ids = sorted(found | set(await steps.survivors(conn, sorted(found))))
        await _ask(conn, [opened[place] for place in concerned], ids, now)
    return bool(changes)


def _few(people: dict[tuple[int, ...], set[int]]) -> Iterator[tuple[tuple[int, ...], set[int]]]:
    """The sets of audiences with whom to ask about; when there are many, those beyond as one."""
    found = [(concerned, ids) for concerned, ids in people.items() if concerned]
    yield from found[:GROUPS]
    rest = found[GROUPS:]
    if rest:
        yield tuple(sorted({place for concerned, _ in rest for place in concerned})), set().union(*(ids for _, ids in rest))


async def _take_due(conn: Connection, opened: Sequence[Opened], now: datetime, due_by: datetime) -> bool:
    """Those for whom time has changed the answer, or may have."""
    due = await steps.take_due(conn, due_by, PEOPLE)
    for one in opened:
        if one.kept.id in due:
            await _ask(conn, [one], due[one.kept.id], now)
    return bool(due)


async def _count(conn: Connection, opened: Sequence[Opened], now: datetime, patience: timedelta) -> bool:
    """Look at everybody for the audience that waits for it longest; not for longer than is bearable for the others."""
    counting = [one for one in opened if one.kept.state is KeptState.COUNTING]
    if not counting:
        return False
    one = min(counting, key=lambda one: (one.kept.counting_since or now, one.kept.id))
    holds = await cheaper(conn, one.checked, everybody, at=now, zone=one.zone)
    try:
        dues = due_of_everybody(one, now)
        await members.count_everybody(conn, one.kept.id, holds, dues, now, patience.total_seconds())
    except TimeoutError:
        trouble = f"the count took longer than {patience.total_seconds() / 60:g} minutes and was given up; {ADVICE}"
        await store.give_up_count(conn, one.kept.id, trouble, now + TRIED_AGAIN_AFTER)
    except asyncpg.PostgresError as error:
        limit = too_large(error)
        if limit is None:
            raise
        await store.give_up_count(conn, one.kept.id, f"{limit.message}. {limit.hint}", now + TRIED_AGAIN_AFTER)
    else:
        await store.finish_count(conn, one.kept.id, now, _recount_at(one, now))
    return True


def _recount_at(one: Opened, now: datetime) -> datetime | None:
    match one.upkeep:
        case Upkeep.INCREMENTAL:
            return None
        case Upkeep.RECOUNTED_DAILY:
            return start_of(today(now, one.zone) + timedelta(days=1), one.zone)
        case Upkeep.RECOUNTED:
            return now + RECOUNT_EVERY


async def _ask(conn: Connection, opened: Sequence[Opened], profile_ids: Sequence[int], now: datetime) -> None:
    """Ask audiences about some people, and make members of those who are. Between two counts an audience that ranks everybody
    loses those who are gone, and waits with the others."""
    ranking = [one.kept.id for one in opened if one.of_population]
    if ranking:
        await steps.remove_gone(conn, ranking, profile_ids, now)
    questions = [question_about_people(one, now) for one in opened if not one.of_population]
    for some in _cut(questions, AUDIENCES):
        for ids in _cut(profile_ids, PEOPLE):
            await members.ask_about(conn, some, ids, now)


def _cut(given: Sequence[T], size: int) -> Iterable[Sequence[T]]:
    return (given[start : start + size] for start in range(0, len(given), size))
