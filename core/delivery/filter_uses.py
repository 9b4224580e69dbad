"""Which deliveries ask by saved filters, in their traps, control groups, sending logs and send dates."""

from __future__ import annotations

from core.db import Connection
from core.delivery.uses import not_over
from core.errors import Conflict
from core.planning.callers import list_callers, renew_callers
from core.planning.uses import told


async def check_no_delivery_calls(conn: Connection, name: str) -> None:
    """Raises Conflict (IN_USE) where a delivery that is not over calls a filter. Call it after the filter was deleted, in the
    same transaction: whoever saves such an expression meanwhile waits."""
    found = await not_over(conn, await list_callers(conn, name))
    if found:
        raise Conflict(
            f"the filter {name!r} is called by {told(found)}", code="IN_USE", path="name", hint="Change those first.",
        )  # fmt: skip


async def renew_deliveries_calling(conn: Connection, name: str) -> None:
    """Another version of each delivery that is not over and calls a filter, so that it is prepared again. Call it after the
    filter of this name was changed, in the same transaction.

    Raises Conflict (IN_USE) where what a delivery asks would be left without a meaning.
    """
    await renew_callers(conn, await not_over(conn, await list_callers(conn, name)))
