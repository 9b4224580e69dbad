"""Many entries put right at once, as after a provider's breakdown that looked like bad addresses (feature map 2.64)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from core.access import Actor, Permission, require
from core.db import Connection
from core.errors import Invalid, Stale
from core.profiles.quarantine import record_changes, where
from core.profiles.quarantine_records import Corrected, Correction, QuarantineFilter, QuarantineStatus
from core.profiles.store import quarantine as store
from core.secrets import Keyring

AT_ONCE = 5_000  # entries of one call
CORRECTED = (QuarantineStatus.ERRONEOUS, QuarantineStatus.QUARANTINE)
"""What is corrected where the filter names no status: what errors did, never what people refused or decided."""


async def count_matching(
    conn: Connection, actor: Actor, filter: QuarantineFilter, correction: Correction, *, region: str = "US"
) -> int:
    """How many entries a correction would change, in all its calls together. Raises as `correct`."""
    require(actor, Permission.ADMINISTER)
    return await store.count_entries(conn, where(_meant(filter, correction), region))


async def correct(
    conn: Connection,
    actor: Actor,
    keyring: Keyring,
    filter: QuarantineFilter,
    correction: Correction,
    *,
    expected: int | None = None,
    now: datetime,
    region: str = "US",
    limit: int = AT_ONCE,
) -> Corrected:
    """Correct up to `limit` of the entries; call it again while some remain. `expected`: how many the caller counted.

    Raises Invalid (EMPTY_FILTER, BAD_EMAIL, …), Stale (COUNT_CHANGED) where others match than were counted.
    """
    require(actor, Permission.ADMINISTER)
    meant = where(_meant(filter, correction), region)
    matching = await store.count_entries(conn, meant)
    if expected is not None and expected != matching:
        raise Stale(
            f"{matching} entries match now, not {expected}", code="COUNT_CHANGED", path="expected_count",
            hint="Count again, and look at what has changed.",
        )  # fmt: skip
    if correction is Correction.SET_VALID:
        done = await store.set_valid(conn, meant, now, limit)
    else:
        done = await store.delete_some(conn, meant, limit)
    await record_changes(conn, actor, keyring, "correct", done, {"correction": correction.value})
    return Corrected(corrected=len(done), remaining=await store.count_entries(conn, meant) if done else 0)


def _meant(filter: QuarantineFilter, correction: Correction) -> QuarantineFilter:
    if filter == QuarantineFilter():
        raise Invalid(
            "a correction needs a filter", code="EMPTY_FILTER", path="filter",
            hint="Say which entries: by their text, reason, status, or the time of their last change.",
        )  # fmt: skip
    statuses = CORRECTED if filter.statuses is None else filter.statuses
    if correction is Correction.SET_VALID:
        statuses = [one for one in statuses if one is not QuarantineStatus.VALID]
    return replace(filter, statuses=statuses)
