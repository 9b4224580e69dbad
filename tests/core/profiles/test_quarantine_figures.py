"""The statements that count errors against a slow reading of feature map 2.56-2.60, under any settings and any events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.contract import AddressKind, FailureReason
from core.access import SYSTEM, Actor, Permission
from core.audit import list_entries as list_audit
from core.db import Connection
from core.errors import Forbidden, Invalid, Stale
from core.profiles import quarantine, quarantine_settings, refusals
from core.profiles.quarantine import AddressError
from core.profiles.quarantine_records import QuarantineStatus as Status
from core.secrets import new_key_text, parse_keyring

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
KEYRING = parse_keyring(new_key_text(1))
ADDRESSES = ("ann@mail.example", "bob@mail.example")
REASONS = (FailureReason.UNREACHABLE, FailureReason.MAILBOX_FULL, FailureReason.ERROR_IGNORED)
HAND = (Status.VALID, Status.UNKNOWN, Status.ALLOWLISTED, Status.DENYLISTED, Status.QUARANTINE)


@dataclass(frozen=True)
class Figures:
    """The settings of a run."""

    most: int
    between: timedelta
    forget: timedelta
    full: timedelta


@dataclass(frozen=True)
class Known:
    """What the slow reading keeps of an address."""

    status: Status = Status.UNKNOWN
    count: int = 0
    last: datetime | None = None
    reason: FailureReason = FailureReason.NOT_DEFINED
    since: datetime = NOW


@dataclass(frozen=True)
class Event:
    """Something that happens to an address, some hours after the event before."""

    what: str
    address: int
    hours: int
    reason: FailureReason
    by_hand: Status


EVENTS = st.builds(
    Event,
    what=st.sampled_from(["soft", "soft", "soft", "soft", "hard", "good", "complaint", "hand", "sweep"]),
    address=st.integers(0, 1),
    hours=st.sampled_from([0, 1, 23, 24, 25, 240, 241, 720, 721]),
    reason=st.sampled_from(REASONS),
    by_hand=st.sampled_from(HAND),
)
FIGURES = st.builds(
    lambda most, between, more, full: Figures(most, between * HOUR, (between + more) * HOUR, (between + more + full) * HOUR),
    st.integers(1, 5), st.sampled_from([0, 1, 24, 48]), st.sampled_from([0, 1, 216, 240]), st.sampled_from([0, 24, 480]),
)  # fmt: skip


def is_over(known: Known, now: datetime, figures: Figures) -> bool:
    """Whether time has let an address out."""
    if known.status is Status.VALID:
        return known.since < now - figures.forget
    if known.status is not Status.ERRONEOUS or known.last is None:
        return False
    return now - known.last > (figures.full if known.reason is FailureReason.MAILBOX_FULL else figures.forget)


def after(known: Known, event: Event, now: datetime, figures: Figures) -> Known:
    """What is known after an event."""
    counts = event.reason is not FailureReason.ERROR_IGNORED
    if is_over(known, now, figures) and counts and event.what in ("soft", "hard"):  # others are told on top of what is there
        known = Known(since=now)
    listed = (Status.DENYLISTED, Status.ALLOWLISTED)
    match event.what:
        case "soft" if counts and known.status not in (*listed, Status.QUARANTINE):
            if known.last is not None and now - known.last < figures.between:
                return known
            status = Status.QUARANTINE if known.count + 1 >= figures.most else Status.ERRONEOUS
            return Known(status, known.count + 1, now, event.reason, now)
        case "hard" if counts and known.status not in listed:
            return Known(Status.QUARANTINE, known.count + 1, now, event.reason, now)
        case "good" if known.status is Status.ERRONEOUS:
            return Known(since=now)
        case "complaint" if known.status is not Status.DENYLISTED:
            return replace(known, status=Status.DENYLISTED, reason=FailureReason.DENYLISTED_ADDRESS, last=now, since=now)
        case "hand":
            if known.status is event.by_hand is not Status.UNKNOWN and known.reason is FailureReason.NOT_DEFINED:
                return known
            good = event.by_hand in (Status.VALID, Status.UNKNOWN)
            count, last = (0, None) if good else (known.count, known.last)
            return Known(event.by_hand, count, last, FailureReason.NOT_DEFINED, now)
    return known


async def apply(conn: Connection, event: Event, now: datetime) -> None:
    """The same in the database."""
    key = ADDRESSES[event.address]
    errors = [AddressError(address_key=key, reason=event.reason, text="")]
    match event.what:
        case "soft":
            await quarantine.record_soft(conn, "email", errors, delivery_id=None, now=now)
        case "hard":
            await quarantine.record_hard(conn, "email", errors, delivery_id=None, now=now)
        case "good":
            await quarantine.record_good(conn, "email", [key])
        case "complaint":
            await refusals.record_complaint(conn, SYSTEM, KEYRING, "email", [key], now=now)
        case "hand":
            await quarantine.put_in(conn, SYSTEM, KEYRING, "email", [key], status=event.by_hand, now=now)
        case _:
            await quarantine.expire(conn, now)


async def seen(conn: Connection, address: str, now: datetime, figures: Figures) -> tuple[Status, int]:
    """Status and count of an address as the team sees them; what time has let out is as if it were not there."""
    entry = await quarantine.find_entry(conn, AddressKind.EMAIL, address)
    if entry is None:
        return (Status.UNKNOWN, 0)
    known = Known(entry.status, entry.error_count, entry.last_error_at, entry.reason, entry.updated_at)
    return (Status.UNKNOWN, 0) if is_over(known, now, figures) else (entry.status, entry.error_count)


@given(events=st.lists(EVENTS, min_size=1, max_size=14), figures=FIGURES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_statements_count_as_the_rules_say(conn: Connection, events: list[Event], figures: Figures) -> None:
    savepoint = conn.transaction()
    await savepoint.start()
    try:
        changes = {
            "soft_errors": figures.most, "between_soft_errors": figures.between, "forget_soft_after": figures.forget,
            "release_full_after": figures.full,
        }  # fmt: skip
        await quarantine_settings.update_settings(conn, SYSTEM, changes, now=NOW)
        known, now = [Known(), Known()], NOW
        for event in events:
            now += event.hours * HOUR
            await apply(conn, event, now)
            known[event.address] = after(known[event.address], event, now, figures)
            if event.what == "sweep":
                known = [Known(since=now) if is_over(one, now, figures) else one for one in known]
            for one, address in zip(known, ADDRESSES, strict=True):
                wanted = (Status.UNKNOWN, 0) if is_over(one, now, figures) else (one.status, one.count)
                assert await seen(conn, address, now, figures) == wanted, (event, now)
    finally:
        await savepoint.rollback()


async def test_the_figures_are_those_of_the_feature_map_until_somebody_changes_them(conn: Connection, actor: Actor) -> None:
    found = await quarantine_settings.get_settings(conn)
    assert (found.soft_errors, found.between_soft_errors, found.forget_soft_after, found.release_full_after) == (
        5, DAY, 10 * DAY, 30 * DAY,
    )  # fmt: skip
    assert (found.version, found.changed_by) == (1, None)

    changed = await quarantine_settings.update_settings(
        conn, actor, {"soft_errors": 2, "between_soft_errors": HOUR}, expected_version=1, now=NOW
    )

    assert (changed.soft_errors, changed.between_soft_errors, changed.version) == (2, HOUR, 2)
    assert (changed.changed_by, changed.changed_at) == (actor.name, NOW)
    assert await quarantine_settings.update_settings(conn, actor, {"soft_errors": 2}, now=NOW + DAY) == changed
    (told,) = await list_audit(conn, object_type="quarantine_settings", object_ids=None, before_id=None, limit=9)
    assert told.changes == {
        "soft_errors": {"from": 5, "to": 2}, "between_soft_errors_seconds": {"from": 86_400, "to": 3_600},
        "version": {"from": 1, "to": 2},
    }  # fmt: skip
    # And they hold for what comes next
    for hour in (0, 1):
        errors = [AddressError(address_key=ADDRESSES[0], reason=FailureReason.UNREACHABLE, text="")]
        await quarantine.record_soft(conn, "email", errors, delivery_id=None, now=NOW + hour * HOUR)
    assert (await quarantine.get_entry(conn, "email", ADDRESSES[0])).status is Status.QUARANTINE


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"soft_errors": 0}, "soft_errors"), ({"soft_errors": 101}, "soft_errors"),
        ({"between_soft_errors": -HOUR}, "between_soft_errors"), ({"forget_soft_after": 3651 * DAY}, "forget_soft_after"),
        ({"forget_soft_after": HOUR}, "forget_soft_after"), ({"between_soft_errors": 11 * DAY}, "forget_soft_after"),
        ({"release_full_after": 9 * DAY}, "release_full_after"), ({"soft_errors": None}, "soft_errors"),
        ({"colour": 1}, "colour"),
    ],
)  # fmt: skip
async def test_figures_that_make_no_sense_are_refused(
    conn: Connection, actor: Actor, changes: dict[str, object], path: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await quarantine_settings.update_settings(conn, actor, changes, now=NOW)
    assert caught.value.path == path
    assert (await quarantine_settings.get_settings(conn)).version == 1


async def test_only_administrators_change_the_figures_and_nobody_those_of_somebody_else(conn: Connection, actor: Actor) -> None:
    editor = Actor(name="token:1", permissions=frozenset({Permission.READ, Permission.EDIT}))
    with pytest.raises(Forbidden):
        await quarantine_settings.update_settings(conn, editor, {"soft_errors": 2}, now=NOW)
    await quarantine_settings.update_settings(conn, actor, {"soft_errors": 2}, now=NOW)
    with pytest.raises(Stale):
        await quarantine_settings.update_settings(conn, actor, {"soft_errors": 3}, expected_version=1, now=NOW)
