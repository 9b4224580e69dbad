"""The types of events as every process reads them: one small statement, then what is remembered of that state of them."""

from __future__ import annotations

from types import MappingProxyType

from core.db import Connection
from core.events.records import EventTypes
from core.events.store import types as store
from core.recent import Recent

_MOST_KEPT = 16
_KEPT: Recent[str, EventTypes] = Recent(_MOST_KEPT)


async def present_event_types(conn: Connection) -> EventTypes:
    """The types that count in this transaction; the same object as long as none has changed."""
    return await types_of(conn, await store.find_stamp(conn))


async def types_of(conn: Connection, stamp: str) -> EventTypes:
    """The same for whoever has asked for their stamp (`store.types.STAMP`) together with others."""
    types = _KEPT.get(stamp)
    if types is None:
        # Statements that this process has prepared may be of columns that have other types now.
        await conn.reload_schema_state()
        stamp, found = await store.find_stamped(conn)
        types = _KEPT.keep(stamp, EventTypes(MappingProxyType({one.name: one for one in found})))
    return types


async def hold_event_types(conn: Connection) -> EventTypes:
    """As `present_event_types`, and nobody changes them until this transaction ends: for what is stored because of them."""
    await store.hold_types(conn)
    return await present_event_types(conn)
