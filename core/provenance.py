"""Who acts and from where, told to the database for what its triggers write. Its own store.

A change of an opt-out flag leaves an entry in the ledger of consent, whichever statement makes it. Who makes such a change says
so first, in the same transaction; of a change without a word the ledger says that it came by SQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from core.db import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What is known of an act. `proof` is personal."""

    actor: str
    now: datetime
    origin: str  # "import:12", "preference page"
    happened_at: datetime | None = None  # None: now
    wording_id: int | None = None
    proof: Mapping[str, Any] | None = field(default=None, repr=False)
    by_person: bool = False  # their own act


async def tell_provenance(conn: Connection, act: Provenance) -> None:
    """Of the changes that follow in this transaction, until it is told anew."""
    await conn.execute("SELECT set_config('clarion.provenance', $1::jsonb::text, true)", asdict(act))
