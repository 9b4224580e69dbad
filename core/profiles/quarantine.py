"""Addresses we must not write to, whoever owns them: put in, count errors, let out (feature map 2.51-2.65).

A hard error quarantines at once. Soft errors count once a day; the fifth quarantines; ten quiet days reset the count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from core.db import Connection
from core.profiles.store import quarantine as store

SIGNIFICANT = timedelta(days=1)  # least time between two soft errors that both count
MOST_SOFT_ERRORS = 5
QUIET = timedelta(days=10)  # after which the count starts anew


class QuarantineStatus(StrEnum):
    """Feature map A.9."""

    UNKNOWN = "unknown"
    ERRONEOUS = "erroneous"
    VALID = "valid"
    DENYLISTED = "denylisted"
    QUARANTINE = "quarantine"
    ALLOWLISTED = "allowlisted"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressError:
    """What one message taught about an address. `reason` is a code of `channels.contract.FailureReason`."""

    address_key: str
    reason: int
    text: str


async def record_hard(
    conn: Connection, address_kind: str, errors: Sequence[AddressError], *, delivery_id: int | None, now: datetime
) -> None:
    """Quarantine the addresses at once. Denylisted and allowlisted ones stay as they are."""
    await store.record_hard(conn, address_kind, errors, delivery_id, now)


async def record_soft(
    conn: Connection, address_kind: str, errors: Sequence[AddressError], *, delivery_id: int | None, now: datetime
) -> None:
    """Count a soft error for each address, and quarantine those that reached the bound."""
    await store.record_soft(
        conn, address_kind, errors, delivery_id, now, SIGNIFICANT, QUIET, MOST_SOFT_ERRORS
    )
