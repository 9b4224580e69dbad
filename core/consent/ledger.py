"""The ledger: what anybody agreed to or refused, when, shown what, and by which proof. Only ever added to.

What is stored elsewhere follows from it: the flags of profiles and the decisions on purposes; subscriptions follow from their
history. `find_differences` works both out anew and compares.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.access import Actor, Permission, require
from core.audit import record_many
from core.consent.records import ConsentEntry, Difference
from core.consent.store import entries as store
from core.consent.store import people
from core.db import Connection
from core.paging import Page, PageRequest, cut

MOST_ERASED = 10_000  # people of one call


async def list_entries(conn: Connection, profile_id: int, page: PageRequest) -> Page[ConsentEntry]:
    """A person's entries, newest first, also under profiles that are merged into theirs."""
    ids = await people.whole_person(conn, profile_id)
    return cut(await store.list_entries(conn, ids, page.after, page.first + 1), page)


async def find_differences(conn: Connection, low: int = 0, high: int | None = None, *, limit: int = 100) -> list[Difference]:
    """Where what is stored of the people with low < id ≤ high is not what the ledger says; of all, if none are named.

    Nothing, unless somebody changed the tables behind the house's back.
    """
    return await store.list_differences(conn, low, await store.highest_profile_id(conn) if high is None else high, limit)


async def erase(conn: Connection, actor: Actor, profile_ids: Sequence[int]) -> int:
    """Take people out of the ledger and of all that follows from it, but for the flags of their profiles.

    The one way by which entries go. Returns how many did. The profiles themselves are for the caller to erase.
    """
    require(actor, Permission.ADMINISTER)
    assert len(profile_ids) <= MOST_ERASED
    erased = await store.erase(conn, profile_ids)
    await record_many(conn, actor, "profile.erase_consent", "profile", list(profile_ids))
    return erased
