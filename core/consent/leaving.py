"""What a person leaves by the link of a message: one service, or one purpose. Their own act, so it asks for no permission.

It holds for all profiles that are one person by a merge, also after the merge is undone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core.access import Actor
from core.audit import record_many
from core.consent.purposes import decide_each
from core.consent.records import CHANGED, Act, Choice, Chosen, Done, Wish
from core.consent.store import people
from core.consent.subscriptions import unsubscribe_own
from core.db import Connection


async def leave_service(
    conn: Connection, actor: Actor, profile_id: int, service_id: int, act: Act, *, now: datetime
) -> list[Done]:
    """End the person's subscription, or its request; who has none is left as they are.

    Raises Invalid (BAD_ORIGIN, BAD_PROOF, BAD_MOMENT), NotFound (CONSENT_WORDING_NOT_FOUND).
    """
    (person, *_) = await people.whole_person(conn, profile_id)
    done = await unsubscribe_own(conn, actor, [Wish(service_id=service_id, profile_id=person)], act, now=now)
    await _record(conn, actor, "profile.leave_service", done, f"service:{service_id}")
    return done


async def withdraw_purpose(
    conn: Connection, actor: Actor, profile_id: int, purpose_id: int, act: Act, *, now: datetime
) -> list[Chosen]:
    """Refuse the purpose, whether the person had agreed to it or said nothing. Raises as `leave_service`."""
    whole = await people.whole_person(conn, profile_id)
    choices = [Choice(purpose_id=purpose_id, profile_id=one, granted=False) for one in whole]
    done = await decide_each(conn, actor, choices, act, now=now)
    await _record(conn, actor, "profile.withdraw_purpose", done, f"purpose:{purpose_id}")
    return done


async def _record(conn: Connection, actor: Actor, action: str, done: Sequence[Done] | Sequence[Chosen], subject: str) -> None:
    changed = sorted(one.profile_id for one in done if one.outcome in CHANGED)
    await record_many(conn, actor, action, "profile", changed, {"fields": [subject]})
