"""What a person was sent and did, in numbers (feature map 2.12): of many people at once, read through merges."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core.db import Connection
from core.events.history import count_events
from core.profiles import merging
from core.reporting import person_figures_store as store
from core.reporting.metrics import CLICKS
from core.reporting.records import PersonFigures


async def get_figures(
    conn: Connection, profile_ids: Sequence[int], *, since: datetime | None = None
) -> dict[int, PersonFigures]:
    """The figures of each profile, with those of whoever is merged into it; `since`: of what happened from then on.

    A machine's opens and clicks are none of the person's, as in the reports of deliveries.
    """
    aliases = await merging.get_aliases(conn, profile_ids)
    people = [(person, one) for person in dict.fromkeys(profile_ids) for one in (person, *aliases.get(person, ()))]
    found = await store.count_messages(conn, people, since, CLICKS)
    events = await count_events(conn, profile_ids, since=since)
    return {
        person: PersonFigures(**figures, events=events[person].number, last_event_at=events[person].last_at)
        for person, figures in found.items()
    }
