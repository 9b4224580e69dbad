"""What deliveries ask and compute by saved filters, besides whom they go to."""

from __future__ import annotations

from collections.abc import Sequence

from core.db import Connection
from core.errors import ClarionError, Conflict
from core.planning.seed_records import Asking
from core.planning.store import asked as store
from core.planning.uses import told
from core.targeting.audiences import all_reads, open_question, open_value
from core.targeting.filters import find_callers
from core.targeting.language import Expression


async def list_callers(conn: Connection, name: str) -> list[Asking]:
    """What deliveries ask that calls a filter, also through others, the oldest delivery first."""
    return await store.list_calling(conn, sorted(await find_callers(conn, name)))


async def renew_callers(conn: Connection, callers: Sequence[Asking]) -> None:
    """Another version of each delivery. Call it after what they call was changed, in the same transaction.

    Raises Conflict (IN_USE) where one would be left without a meaning.
    """
    if callers:
        await store.renew(conn, callers, [await _reads(conn, one) for one in callers])


async def _reads(conn: Connection, one: Asking) -> list[str]:
    reads = set(one.fields)
    try:
        for root in one.questions:
            reads.update(all_reads(await open_question(conn, Expression(root=root, text=""))))
        for root in one.computed:
            reads.update(all_reads(await open_value(conn, Expression(root=root, text=""))))
    except ClarionError as error:
        raise Conflict(
            f"with this {told([one])} would have no meaning: {error.message}", code="IN_USE", path="expression",
            hint="Change that one first, or save this under another name.",
        ) from None  # fmt: skip
    return sorted(reads)
