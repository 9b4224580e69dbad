"""The published model as every process reads it: one small statement, then what is remembered of that version."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from core.datamodel.records import Model
from core.datamodel.store import model as store
from core.db import Connection

Seen = TypeVar("Seen")
Made = TypeVar("Made")

_MOST_KEPT = 16
_KEPT: OrderedDict[store.Stamp, Model] = OrderedDict()


async def present_model(conn: Connection) -> Model:
    """The model that counts in this transaction. What is published is seen by the next one that begins, in any process."""
    model = _KEPT.get(await store.find_stamp(conn))
    if model is None:
        # Statements that this process has prepared may be of columns that have other types now.
        await conn.reload_schema_state()
        stamp, model = await store.find_stamped(conn)
        _KEPT[stamp] = model
        while len(_KEPT) > _MOST_KEPT:
            _KEPT.popitem(last=False)
    return model


async def hold_model(conn: Connection) -> Model:
    """The same, and nobody publishes another until this transaction ends: for what is saved because of it."""
    await store.hold_published(conn)
    return await present_model(conn)


def per_model(make: Callable[[Seen], Made]) -> Callable[[Seen], Made]:
    """Make something of a model once, or of all event types. It is known by its identity: comparing takes as long as making."""
    kept: OrderedDict[int, tuple[Seen, Made]] = OrderedDict()

    def remembered(model: Seen) -> Made:
        found = kept.get(id(model))
        if found is None:
            found = kept[id(model)] = model, make(model)  # the model is kept alive, so its identity stays its own
            while len(kept) > _MOST_KEPT:
                kept.popitem(last=False)
        return found[1]

    return remembered
