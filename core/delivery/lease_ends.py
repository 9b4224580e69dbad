"""The end of leases: let go by their holders, or reaped after a crash from what their holders had stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.db import Connection
from core.delivery import settling
from core.delivery.store import journal, leases
from core.delivery.store.leases import Ended
from core.log import get_logger

log = get_logger(__name__)

_SLOT = 0  # of the counters


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaped:
    """What became of a dead lease's rows."""

    lease_id: int
    delivery_id: int
    released: int
    unknown: int


async def end(conn: Connection, lease_id: int, *, settled: int, invalid: int, refused: int, now: datetime) -> tuple[int, int]:
    """Let go of a lease whose outcomes are written: claimed rows go back, rows in doubt become unknown or go back.

    Returns (released, unknown). Does nothing to a lease that was reaped before.
    """
    ended = await leases.end(conn, lease_id, settled=settled, invalid=invalid, refused=refused, now=now)
    if ended is None:
        return (0, 0)
    if await leases.has_claimed(conn, ended):
        # One may have been handed over after the last look: its plugin was told to end, and has not yet.
        done = await journal.read(conn, lease_id)
        await settling.write(conn, ended.delivery_id, ended.address_kind or "", _SLOT, done.intents, [], now)
    return await _let_go(conn, ended, now)


async def reap(conn: Connection, now: datetime) -> list[Reaped]:
    """End the leases of workers that gave no sign of life, after writing down what they had done.

    One that cannot be ended does not keep the others: it is logged, and tried again the next time.
    """
    reaped = []
    for lease_id in await leases.lock_silent(conn, now):  # a handful after a crash, never one per recipient
        try:
            async with conn.transaction():
                ended = await leases.end(conn, lease_id, settled=0, invalid=0, refused=0, now=now)
                if ended is not None:
                    reaped.append(await _reap(conn, ended, now))
        except Exception:
            log.exception("lease of a silent worker not ended; trying again later", lease_id=lease_id)
    return reaped


async def _reap(conn: Connection, ended: Ended, now: datetime) -> Reaped:
    done = await journal.read(conn, ended.lease_id)
    settled = {one.key for one in done.settlements}
    handed_over = [one for one in done.intents if one.key not in settled]
    await settling.write(conn, ended.delivery_id, ended.address_kind or "", _SLOT, handed_over, done.settlements, now)
    released, unknown = await _let_go(conn, ended, now)
    return Reaped(lease_id=ended.lease_id, delivery_id=ended.delivery_id, released=released, unknown=unknown)


async def _let_go(conn: Connection, ended: Ended, now: datetime) -> tuple[int, int]:
    done = await leases.let_go(conn, ended, now)
    await journal.forget(conn, ended.lease_id)
    return done
