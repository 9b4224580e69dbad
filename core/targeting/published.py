"""What can be asked about in this installation at this moment."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

from core.datamodel.present import hold_model, present_model
from core.datamodel.records import Model
from core.db import Connection
from core.events.present import hold_event_types, present_event_types
from core.events.records import EventTypes
from core.targeting import store
from core.targeting.catalogue import Catalogue
from core.targeting.datasets import extended, with_events

_MOST_KEPT = 16
_KEPT: OrderedDict[tuple[int, int], tuple[Model, EventTypes, Catalogue]] = OrderedDict()


async def hold_catalogue(conn: Connection) -> Catalogue:
    """The same, kept as it is until this transaction ends."""
    return _made(await hold_model(conn), await hold_event_types(conn))


async def present_catalogue(conn: Connection) -> Catalogue:
    """Our fields, those that the team has published, and its types of events."""
    catalogue = _made(await present_model(conn), await present_event_types(conn))
    return replace(catalogue, merged=True) if await store.has_merged(conn) else catalogue


def _made(model: Model, types: EventTypes) -> Catalogue:
    """Made once of a model and types, which are known by their identity."""
    key = id(model), id(types)
    found = _KEPT.get(key)
    if found is None:
        found = _KEPT[key] = model, types, with_events(extended(model), types)  # both are kept alive, and so their identities
        while len(_KEPT) > _MOST_KEPT:
            _KEPT.popitem(last=False)
    return found[2]
