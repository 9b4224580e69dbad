"""Which deliveries ask about a part of the data model by their traps, control groups, sending logs or send dates,
so that nobody hides it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from core.datamodel.physical import EVENT_PREFIX
from core.datamodel.records import Change
from core.datamodel.uses import User
from core.db import Connection
from core.delivery.records import DeliveryState
from core.delivery.store import runs
from core.planning import seeds
from core.planning.seed_records import Asking, Reader
from core.targeting.uses import events_gone, hidden_names

One = TypeVar("One", Reader, Asking)
_ENDED = frozenset({DeliveryState.CANCELLED, DeliveryState.FAILED, DeliveryState.FINISHED})


async def find_deliveries_using(conn: Connection, changes: Sequence[Change]) -> list[User]:
    """Those that may still be prepared, and ask about what would be hidden or lose values."""
    hidden = await hidden_names(conn, changes)
    found = await not_over(conn, await seeds.list_readers(conn, hidden)) if hidden else []
    return [User(_kind(one), one.name, one.reads) for one in found]


async def find_deliveries_without_events(conn: Connection, event_type: str) -> list[User]:
    """Those that may still be prepared, and ask about events of a type, or fields of theirs, that are there no longer."""
    found = await not_over(conn, await seeds.list_readers_of(conn, f"{EVENT_PREFIX}{event_type}."))
    return await events_gone(conn, event_type, [(_kind(one), one.name, list(one.reads)) for one in found])


async def not_over(conn: Connection, found: Sequence[One]) -> list[One]:
    """Those of deliveries that may still be prepared or sent."""
    states = {key: run.state for key, run in (await runs.list_runs(conn, [one.delivery_id for one in found])).items()}
    return [one for one in found if states.get(one.delivery_id) not in _ENDED]


def _kind(one: Reader) -> str:
    return f"{one.what} of the delivery"
