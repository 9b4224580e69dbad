"""What this room keeps of people: what they did elsewhere. Which types of events there are, and so which tables, is the team's
to say."""

from __future__ import annotations

from datetime import datetime

from core.datamodel.physical import column_of
from core.db import Connection
from core.events.forgetting import forget_events
from core.events.physical import OWN_COLUMNS, table_of
from core.events.present import present_event_types
from core.events.store import types as store
from core.personal import Goes, Kept, Person, of_profile

TABLES = (
    Kept(
        table="event_type", authored="name label description fields",
        other="id unknown_fields retention_days version created_by created_at changed_by changed_at",
    ),
    Kept(table="event_types_version", other="is_only version"),
    Kept(table="event_key", other="type_id key digest occurred_at"),  # goes with its event
    Kept(table="event_forgetting", other="profile_id"),
    Kept(table="event_change", other="position at events type_ids profile_ids"),
)  # fmt: skip


async def team_tables(conn: Connection) -> list[Kept]:
    """The table of each type of event: all that a payload says is taken for personal, whatever its marks."""
    found = []
    for one in (await present_event_types(conn)).by_name.values():
        table = table_of(one.name)
        fields = [name for name in await store.read_columns(conn, table) if name.startswith(column_of(""))]
        own = [name for name in OWN_COLUMNS if name != "key"]
        found.append(
            Kept(table=table, rows=of_profile(), goes=Goes.ELSEWHERE, personal=" ".join(["key", *fields]), other=" ".join(own))
        )
    return found


async def erase(conn: Connection, person: Person, now: datetime) -> dict[str, int]:
    """Their events go with the keys under which they were told."""
    return await forget_events(conn, person.profile_ids)
