"""What can be asked about in this installation at this moment."""

from __future__ import annotations

from dataclasses import replace

from core.datamodel.present import hold_model, model_of
from core.datamodel.records import Model
from core.db import Connection
from core.events.present import hold_event_types, types_of
from core.events.records import EventTypes
from core.recent import Recent
from core.targeting import store
from core.targeting.catalogue import Catalogue
from core.targeting.datasets import extended, with_events

_MOST_KEPT = 16
_KEPT: Recent[tuple[int, int, bool], tuple[Model, EventTypes, Catalogue]] = Recent(_MOST_KEPT)


async def hold_catalogue(conn: Connection) -> Catalogue:
    """The same as `present_catalogue`, kept as it is until this transaction ends."""
    return _made(await hold_model(conn), await hold_event_types(conn), merged=False)


async def present_catalogue(conn: Connection) -> Catalogue:
    """Our fields, those that the team has published, and its types of events: the same object as long as none has changed."""
    model, types, merged = await store.find_stamps(conn)
    return _made(await model_of(conn, model), await types_of(conn, types), merged=merged)


def _made(model: Model, types: EventTypes, *, merged: bool) -> Catalogue:
    """Made once of a model and types, which are known by their identity and kept alive."""
    key = id(model), id(types), merged
    made = _KEPT.get(key)
    if made is None:
        made = _KEPT.keep(key, (model, types, replace(with_events(extended(model), types), merged=merged)))
    return made[2]
