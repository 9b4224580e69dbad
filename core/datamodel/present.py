"""The published model as every process reads it: one small statement, then what is remembered of that version."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from core.datamodel.records import Model
from core.datamodel.store import model as store
from core.db import Connection
from core.recent import Recent, per_object

Seen = TypeVar("Seen")
Made = TypeVar("Made")

_MOST_KEPT = 16
_KEPT: Recent[str, Model] = Recent(_MOST_KEPT)


async def present_model(conn: Connection) -> Model:
    """The model that counts in this transaction. What is published is seen by the next one that begins, in any process."""
    return await model_of(conn, await store.find_stamp(conn))


async def model_of(conn: Connection, stamp: str) -> Model:
    """The same for whoever has asked for its stamp (`store.model.STAMP`) together with others."""
    model = _KEPT.get(stamp)
    if model is None:
        # Statements that this process has prepared may be of columns that have other types now.
        await conn.reload_schema_state()
        model = _KEPT.keep(*await store.find_stamped(conn))
    return model


async def hold_model(conn: Connection) -> Model:
    """As `present_model`, and nobody publishes another until this transaction ends: for what is saved because of it."""
    await store.hold_published(conn)
    return await present_model(conn)


def per_model(make: Callable[[Seen], Made]) -> Callable[[Seen], Made]:
    """Make something of a model once, or of all event types."""
    return per_object(_MOST_KEPT)(make)
