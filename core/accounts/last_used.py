"""When tokens were last used: kept in memory, stored in one statement, so that a read never writes."""

from __future__ import annotations

from datetime import datetime, timedelta

from core.accounts import store
from core.db import Connection

FLUSH_EVERY = timedelta(minutes=1)


class LastUsed:
    """One per process. What is not flushed ends with the process: the column is true to a minute."""

    def __init__(self) -> None:
        self._uses: dict[int, datetime] = {}
        self._flushed_at: datetime | None = None

    def note(self, token_id: int, now: datetime) -> None:
        """Remember a use; no I/O."""
        known = self._uses.get(token_id)
        if known is None or known < now:
            self._uses[token_id] = now

    def is_due(self, now: datetime) -> bool:
        """Whether it is time to flush."""
        return bool(self._uses) and (self._flushed_at is None or now - self._flushed_at >= FLUSH_EVERY)

    async def flush(self, conn: Connection, now: datetime) -> None:
        """Store what was remembered, in a transaction of its own; kept for the next time when that fails."""
        uses, self._uses = self._uses, {}
        if not uses:
            return
        self._flushed_at = now
        try:
            async with conn.transaction():
                await store.note_uses(conn, uses)
        except BaseException:
            for token_id, at in uses.items():
                self.note(token_id, at)
            raise
