"""The types of events as every process reads them: one small statement, then what is remembered of that state of them."""

from __future__ import annotations

from collections import OrderedDict
from types import MappingProxyType

from core.db import Connection
from core.events.records import EventTypes
from core.events.store import types as store

_MOST_KEPT = 16
_KEPT: OrderedDict[store.Stamp, EventTypes] = OrderedDict()


async def present_event_types(conn: Connection) -> EventTypes:
    """The types that count in this transaction; the same object as long as none has changed."""
    types = _KEPT.get(await store.find_stamp(conn))
    if types is None:
        # Statements that this process has prepared may be of columns that have other types now.
        await conn.reload_schema_state()
        stamp, found = await store.find_stamped(conn)
        types = EventTypes(MappingProxyType({one.name: one for one in found}))
        _KEPT[stamp] = types
        while len(_KEPT) > _MOST_KEPT:
            _KEPT.popitem(last=False)
    return types


async def hold_event_types(conn: Connection) -> EventTypes:
    """The same, and nobody changes them until this transaction ends: for what is stored because of them."""
    await store.hold_types(conn)
    return await present_event_types(conn)
