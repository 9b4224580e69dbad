"""The published model as every process reads it: one small statement, then what is remembered of that version."""

from __future__ import annotations

from collections import OrderedDict

from core.datamodel import store
from core.datamodel.records import Model
from core.db import Connection

_MOST_KEPT = 16
_KEPT: OrderedDict[store.Stamp, Model] = OrderedDict()


async def present_model(conn: Connection) -> Model:
    """The model that counts in this transaction. What is published is seen by the next one that begins, in any process."""
    stamp = await store.find_stamp(conn)
    model = _KEPT.get(stamp)
    if model is None:
        model = (await store.find_published(conn)).model
        while len(_KEPT) >= _MOST_KEPT:
            _KEPT.popitem(last=False)
        _KEPT[stamp] = model
    return model
