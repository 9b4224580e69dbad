"""All that a person agreed to and refused, shown and set at once: what a preference page needs.

By the profile's id, whoever may read or edit profiles. By the person's own link (the token of an unsubscribe link, or the
opt-in id), also a front end that may do nothing else (`Permission.PREFERENCES`): it is the person's own act.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from core.access import Actor, Permission, require
from core.audit import record
from core.authored import not_found
from core.consent import opt_outs
from core.consent.acts import check_act
from core.consent.purposes import decide_own
from core.consent.records import CHANGED, Act, Choice, Done, Outcome, Preferences, ServiceState, Wish
from core.consent.store import people, purposes, subscription_reads
from core.consent.store import services as service_store
from core.consent.subscriptions import confirm_own, subscribe_own, unsubscribe_own
from core.db import Connection
from core.errors import Invalid, NotFound
from core.profiles import profiles
from core.profiles.records import Channel
from core.public_urls import PublicUrls

MOST_AT_ONCE = 200  # items of one call
MOST_SHOWN = 1_000  # services
UNSUBSCRIBE_LINK = 3  # kinds of tokens and of recipients, as tokens spell them
PROFILE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whose preferences are meant, and whether they were named by the person's own link."""

    profile_id: int
    by_own_link: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferenceChanges:
    """What is to be set. What is not named stays."""

    opted_out: Mapping[Channel, bool] = field(default_factory=dict)
    purposes: Mapping[int, bool] = field(default_factory=dict)  # granted, by id
    services: Mapping[int, bool] = field(default_factory=dict)  # subscribed, by id


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferenceResult:
    """What became of one item: a channel, a purpose or a service."""

    outcome: Outcome
    channel: Channel | None = None
    purpose_id: int | None = None
    service_id: int | None = None


async def person_by_token(conn: Connection, urls: PublicUrls, token: str) -> Person:
    """Whoever got the message with this unsubscribe link.

    Raises NotFound (PERSON_NOT_FOUND) alike for what is forged, altered, of another kind, or of somebody who is gone.
    """
    read = urls.read(token)
    if read is None or read.kind != UNSUBSCRIBE_LINK or read.recipient_kind != PROFILE:
        raise _nobody()
    return await _there(conn, read.recipient_id)


async def person_by_opt_in_id(conn: Connection, opt_in_id: UUID) -> Person:
    """Whose opt-in id this is. Raises NotFound (PERSON_NOT_FOUND)."""
    profile = await profiles.find_profile_by(conn, "opt_in_id", opt_in_id)
    if profile is None:
        raise _nobody()
    return Person(profile_id=profile.id, by_own_link=True)


async def get_preferences(conn: Connection, actor: Actor, person: Person, *, now: datetime) -> Preferences:
    """All of it, as it is now; of one that is merged, its survivor's. Raises Forbidden, NotFound (PROFILE_NOT_FOUND)."""
    require(actor, Permission.PREFERENCES if person.by_own_link else Permission.READ)
    key = await _whole(conn, person)
    flags = await people.get_flags(conn, key)
    if flags is None:
        raise not_found("profile", key)
    found = await subscription_reads.list_of_profile(conn, key, now)
    subscribed = {one.service_id: replace(one, state=one.at(now)) for one in found}
    services = await service_store.list_services(conn, None, MOST_SHOWN)
    return Preferences(
        profile_id=key,
        opted_out=flags,
        purposes=await purposes.list_of_profile(conn, key),
        services=[ServiceState(service=one, subscription=subscribed.get(one.id)) for one in services],
    )


async def set_preferences(
    conn: Connection, actor: Actor, person: Person, changes: PreferenceChanges, act: Act, *, now: datetime
) -> list[PreferenceResult]:
    """Set many at once: channels, then purposes, then services, each with its own result. What is so already stays untouched.
    Of one that is merged, it is the survivor's that is set.

    Raises Forbidden, NotFound (PROFILE_NOT_FOUND, CONSENT_WORDING_NOT_FOUND),
    Invalid (TOO_MANY, BAD_ORIGIN, BAD_PROOF, BAD_MOMENT).
    """
    require(actor, Permission.PREFERENCES if person.by_own_link else Permission.EDIT)
    number = len(changes.opted_out) + len(changes.purposes) + len(changes.services)
    if not 1 <= number <= MOST_AT_ONCE:
        raise Invalid(
            f"set 1 to {MOST_AT_ONCE} preferences, not {number}",
            code="TOO_MANY",
            path="channels",
            hint="Name channels, purposes or services.",
        )
    act = _own(person, act)
    await check_act(conn, act, now)
    key = await _whole(conn, person)
    flags = await opt_outs.set_flags_own(conn, actor, key, changes.opted_out, act, now=now)
    choices = [Choice(purpose_id=one, profile_id=key, granted=granted) for one, granted in changes.purposes.items()]
    chosen = await decide_own(conn, actor, choices, act, now=now)
    wishes = {
        is_wanted: [Wish(service_id=one, profile_id=key) for one, wanted in changes.services.items() if wanted is is_wanted]
        for is_wanted in (True, False)
    }
    begun = await subscribe_own(conn, actor, wishes[True], act, now=now)
    ended = await unsubscribe_own(conn, actor, wishes[False], act, now=now)
    by_service = {one.service_id: one.outcome for one in (*begun, *ended)}
    results = [
        *(PreferenceResult(channel=channel, outcome=outcome) for channel, outcome in flags.items()),
        *(PreferenceResult(purpose_id=one.purpose_id, outcome=one.outcome) for one in chosen),
        *(PreferenceResult(service_id=one, outcome=by_service[one]) for one in changes.services),
    ]
    await _record(conn, actor, key, results)
    return results


async def try_preferences(
    conn: Connection, actor: Actor, person: Person, changes: PreferenceChanges, act: Act, *, now: datetime
) -> tuple[list[PreferenceResult], Preferences]:
    """What `set_preferences` would do and how the person would stand then; nothing of it stays. Raises as it does."""
    attempt = conn.transaction()
    await attempt.start()
    try:
        results = await set_preferences(conn, actor, person, changes, act, now=now)
        return results, await get_preferences(conn, actor, person, now=now)
    finally:
        await attempt.rollback()


async def confirm_subscription(
    conn: Connection, actor: Actor, person: Person, service_id: int, act: Act, *, now: datetime
) -> Done:
    """The second step of a double opt-in (2.48). The result says when there is nothing to confirm, or not any more.

    Raises Forbidden, NotFound (SERVICE_NOT_FOUND, CONSENT_WORDING_NOT_FOUND), Invalid (BAD_ORIGIN, BAD_PROOF, BAD_MOMENT).
    """
    require(actor, Permission.PREFERENCES if person.by_own_link else Permission.EDIT)
    wish = Wish(service_id=service_id, profile_id=await _whole(conn, person))
    (done,) = await confirm_own(conn, actor, [wish], _own(person, act), now=now)
    if done.outcome is Outcome.SERVICE_NOT_FOUND:
        raise not_found("service", service_id, "service_id")
    if done.outcome is Outcome.CONFIRMED:
        told = {"fields": [f"service:{service_id}"]}
        await record(conn, actor, "profile.confirm_subscription", "profile", wish.profile_id, told)
    return done


async def _record(conn: Connection, actor: Actor, profile_id: int, results: Sequence[PreferenceResult]) -> None:
    changed = [_subject(one) for one in results if one.outcome in CHANGED or one.outcome is Outcome.LATE]
    if changed:
        await record(conn, actor, "profile.set_preferences", "profile", profile_id, {"fields": changed})


def _subject(one: PreferenceResult) -> str:
    if one.channel is not None:
        return people.OPT_OUT_COLUMNS[one.channel]
    return f"purpose:{one.purpose_id}" if one.purpose_id is not None else f"service:{one.service_id}"


def _own(person: Person, act: Act) -> Act:
    """What comes by the person's own link is their own act; else the caller has to say so."""
    return replace(act, by_person=act.by_person or person.by_own_link)


async def _whole(conn: Connection, person: Person) -> int:
    """Who is named by a link is the survivor already. Raises NotFound (PROFILE_NOT_FOUND)."""
    if person.by_own_link:
        return person.profile_id
    survivor = await people.survivor_of(conn, person.profile_id)
    if survivor is None:
        raise not_found("profile", person.profile_id)
    return survivor


async def _there(conn: Connection, profile_id: int) -> Person:
    survivor = await people.survivor_of(conn, profile_id)
    if survivor is None:
        raise _nobody()
    return Person(profile_id=survivor, by_own_link=True)


def _nobody() -> NotFound:
    return NotFound("this link is nobody's", code="PERSON_NOT_FOUND", hint="Use the newest link that was sent.")
