"""Subscribing people and letting them go: many in one statement, each with its own result (feature map 2.41, E.34).

One bad row never fails the others. What the person said last counts, by when it was said: a form of last week that is entered
today does not undo what somebody clicked yesterday, and is recorded all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from core.access import SYSTEM, Actor, Permission, require
from core.audit import record
from core.consent.acts import check_act
from core.consent.records import (
    CHANGED,
    UNKNOWN,
    Act,
    Confirmation,
    Done,
    Evolution,
    Outcome,
    Service,
    Subscription,
    SubscriptionEvent,
    Wish,
)
from core.consent.store import people, subscription_reads
from core.consent.store import services as service_store
from core.consent.store import subscriptions as store
from core.db import Connection
from core.errors import Invalid
from core.paging import Page, PageRequest, cut

MOST_AT_ONCE = 10_000  # rows of one call
EXPIRE_AT_ONCE = 10_000
LONGEST_EVOLUTION = timedelta(days=3_660)

_BEGINS = frozenset({Outcome.SUBSCRIBED, Outcome.CONFIRMED})


async def subscribe(
    conn: Connection, actor: Actor, wishes: Sequence[Wish], act: Act = UNKNOWN, *, now: datetime, confirmed: bool = False
) -> list[Done]:
    """Subscribe people; the results are in the order of the wishes. Who is merged into another is that one.

    Where the service asks for double opt-in they wait for their confirmation, unless the caller says that it was given.
    Who is subscribed stays so, with the end that the wish names, if it names one.
    Raises Invalid (TOO_MANY, BAD_ORIGIN, BAD_PROOF, BAD_MOMENT), NotFound (CONSENT_WORDING_NOT_FOUND).
    """
    require(actor, Permission.EDIT)
    done = await subscribe_own(conn, actor, wishes, act, now=now, confirmed=confirmed)
    await _record(conn, actor, "service.subscribe", done)
    return done


async def unsubscribe(
    conn: Connection, actor: Actor, wishes: Sequence[Wish], act: Act = UNKNOWN, *, now: datetime
) -> list[Done]:
    """End subscriptions; as `subscribe`. Who has none is left as he is.

    All of a person end, also those of profiles that are merged into theirs.
    """
    require(actor, Permission.EDIT)
    done = await unsubscribe_own(conn, actor, wishes, act, now=now)
    await _record(conn, actor, "service.unsubscribe", done)
    return done


async def subscribe_own(
    conn: Connection, actor: Actor, wishes: Sequence[Wish], act: Act, *, now: datetime, confirmed: bool = False
) -> list[Done]:
    """`subscribe` as a person's own act: asks for no permission, and leaves the audit to its caller."""

    async def write(conn: Connection, services: list[int], profiles: list[int], **more: Any) -> list[Any]:
        ends = [one.expires_at for one in wishes]
        return await store.subscribe(conn, services, profiles, ends, confirmed=confirmed, **more)

    return await _apply(conn, actor, wishes, act, now, write)


async def unsubscribe_own(conn: Connection, actor: Actor, wishes: Sequence[Wish], act: Act, *, now: datetime) -> list[Done]:
    """`unsubscribe` as a person's own act: asks for no permission, and leaves the audit to its caller."""
    return await _apply(conn, actor, wishes, act, now, store.unsubscribe)


async def confirm_own(conn: Connection, actor: Actor, wishes: Sequence[Wish], act: Act, *, now: datetime) -> list[Done]:
    """Make subscriptions active that wait for it, as a person's own act: asks for no permission, and leaves the audit.

    One whose time to confirm is over is not pending any more.
    """
    return await _apply(conn, actor, wishes, act, now, store.confirm)


async def expire(conn: Connection, now: datetime) -> int:
    """End what is over (2.40); returns how many. Where more are due, call it again."""
    return await store.expire(conn, now, EXPIRE_AT_ONCE, SYSTEM.name)


async def list_subscribers(conn: Connection, service_id: int, page: PageRequest, *, now: datetime) -> Page[Subscription]:
    """Who is subscribed now, each person once, in the order of profiles; the cursor is the profile's id."""
    return cut(await subscription_reads.list_subscribers(conn, service_id, now, page.after, page.first + 1), page)


async def count_subscribers(conn: Connection, service_ids: Sequence[int], *, now: datetime) -> dict[int, int]:
    """How many people are subscribed now, by service; 0 is left out."""
    return await subscription_reads.count_subscribers(conn, service_ids, now)


async def list_events(
    conn: Connection, profile_id: int, page: PageRequest, *, service_id: int | None = None
) -> Page[SubscriptionEvent]:
    """A person's history with one service or with all, newest first, also under profiles that are merged into theirs."""
    ids = await people.whole_person(conn, profile_id)
    rows = await subscription_reads.list_events_of_profile(conn, ids, service_id, page.after, page.first + 1)
    return cut(rows, page)


async def evolution(conn: Connection, service_id: int, start: datetime, end: datetime, zone: ZoneInfo) -> list[Evolution]:
    """What happened on each day on which anything did. Raises Invalid (BAD_PERIOD) for more than ten years."""
    if start.tzinfo is None or end.tzinfo is None or not timedelta(0) < end - start <= LONGEST_EVOLUTION:
        raise Invalid(
            "the evolution is told for up to ten years, from one time with a zone to a later one", code="BAD_PERIOD",
            path="start", hint="Ask for a shorter time.",
        )  # fmt: skip
    return await subscription_reads.evolution(conn, service_id, start, end, zone.key)


async def _apply(
    conn: Connection, actor: Actor, wishes: Sequence[Wish], act: Act, now: datetime, write: Callable[..., Any]
) -> list[Done]:
    if len(wishes) > MOST_AT_ONCE:
        raise Invalid(
            f"at most {MOST_AT_ONCE:,} in one call, not {len(wishes):,}", code="TOO_MANY", path="profile_ids",
            hint="Call it several times.",
        )  # fmt: skip
    at = await check_act(conn, act, now)
    if not wishes:
        return []
    services = {one.id: one for one in await service_store.hold_services(conn, list({one.service_id for one in wishes}))}
    survivors = await people.hold_people(conn, [one.profile_id for one in wishes])
    rows = await write(
        conn, [one.service_id for one in wishes], [survivors.get(one.profile_id, one.profile_id) for one in wishes],
        act=act, at=[one.happened_at or at for one in wishes],
        origins=[act.origin if one.origin is None else one.origin for one in wishes], actor=actor.name, now=now,
    )  # fmt: skip
    found = {row["n"]: row for row in rows}
    return [_done(wish, services.get(wish.service_id), found.get(n)) for n, wish in enumerate(wishes, 1)]


def _done(wish: Wish, service: Service | None, row: Any) -> Done:
    if row is None:
        return Done(service_id=wish.service_id, profile_id=wish.profile_id, outcome=Outcome.REPEATED)
    outcome = Outcome(row["outcome"])
    return Done(
        service_id=wish.service_id,
        profile_id=wish.profile_id,
        outcome=outcome,
        first_time=outcome in _BEGINS and row["first_time"],
        confirmation=_confirmation(service, outcome, row["first_time"]),
    )


def _confirmation(service: Service | None, outcome: Outcome, first_time: bool) -> Confirmation:
    """The message that is due by the service: of subscriptions only for the first one (2.39)."""
    if service is not None and outcome in _BEGINS and first_time:
        return service.subscribe_confirmation
    if service is not None and outcome is Outcome.UNSUBSCRIBED:
        return service.unsubscribe_confirmation
    return Confirmation.NONE


async def _record(conn: Connection, actor: Actor, action: str, done: Sequence[Done]) -> None:
    """One entry for each service; who it was stands in the history."""
    counts: dict[int, int] = {}
    for one in done:
        if one.outcome in CHANGED or one.outcome is Outcome.LATE:
            counts[one.service_id] = counts.get(one.service_id, 0) + 1
    for service_id, number in counts.items():
        await record(conn, actor, action, "service", service_id, {"profiles": number})
