"""Which contents ask by saved filters, in conditions of their dynamic content."""

from __future__ import annotations

from core.content import store
from core.content.contents import fragments_of
from core.content.dynamic import check_dynamic
from core.content.libraries import conditions_of
from core.content.uses import FILTER, reads_of_condition
from core.db import Connection
from core.errors import Conflict

SHOWN = 5


async def check_filter_uncalled(conn: Connection, name: str) -> None:
    """Raises Conflict (IN_USE) where conditions call a filter. Call it after the filter was deleted, in the same transaction:
    whoever saves such a condition meanwhile waits."""
    found = await store.find_contents(conn, await store.list_ids_reading(conn, FILTER + name))
    if found:
        names = ", ".join(repr(one.name) for one in found[:SHOWN]) + (" and others" if found[SHOWN:] else "")
        raise Conflict(
            f"the filter {name!r} is called by the contents {names}", code="IN_USE", hint="Change their conditions first.",
        )  # fmt: skip


async def renew_contents_calling(conn: Connection, name: str) -> None:
    """Another version of each content whose conditions call a filter. Call it after the filter of this name was changed.

    Raises Conflict (IN_USE) where a condition would be left without a meaning.
    """
    found = await store.find_contents(conn, await store.list_ids_reading(conn, FILTER + name))
    reads: list[list[str]] = []
    readable = (await fragments_of(conn, *found)).readable
    for content in found:
        wrong = next(check_dynamic(content.dynamic, readable.catalogue, readable.definitions, readable.audiences), None)
        if wrong is not None:
            raise Conflict(
                f"with this the content {content.name!r} could not be sent: {wrong.message}", code="IN_USE", path="expression",
                hint="Change its conditions first.",
            )  # fmt: skip
        reads.append(sorted({one for each in conditions_of(content) for one in reads_of_condition(each, readable)}))
    if found:
        await store.add_reads(conn, [one.id for one in found], reads)
