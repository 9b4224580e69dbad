"""Which audiences ask about a field, and the refusal to hide what is asked about."""

from __future__ import annotations

from collections.abc import Sequence

from core.datamodel.records import Action, Change
from core.db import Connection
from core.errors import Conflict
from core.targeting import store

SHOWN = 5


async def check_hidden_unused(conn: Connection, changes: Sequence[Change]) -> None:
    """Raises Conflict (FIELD_IN_USE), naming the audiences which ask about what would be hidden or lose values."""
    hidden = [read for one in changes if one.action is Action.HIDE or one.lost_choices for read in _reads(one)]
    found = await store.list_readers(conn, hidden, SHOWN + 1) if hidden else []
    if not found:
        return
    names = ", ".join(f"{name!r} ({', '.join(fields)})" for name, fields in found[:SHOWN])
    raise Conflict(
        f"audiences ask about what would be hidden or lose values: {names}{' and others' if len(found) > SHOWN else ''}",
        code="FIELD_IN_USE", hint="Change or delete those audiences first.",
    )  # fmt: skip


def _reads(change: Change) -> list[str]:
    """How what is hidden is told among what questions read."""
    if change.field is None:
        return [f"{change.entity}.*"]
    return [change.field if change.entity == "profile" else f"{change.entity}.{change.field}"]
