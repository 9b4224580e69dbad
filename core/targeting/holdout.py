"""Who is held back from all deliveries at a moment: a share of all people by their numbers, so that they stay the same ones.

The table is that of `core.planning`; one holdout counts at a time.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, column, false, func, or_, select, table

PLACES = 10_000  # hundredths of a per cent: as exact as a share is

_HOLDOUT = table("holdout", column("seed", BigInteger()), column("share"), column("starts_at"), column("ends_at"))


def is_held_out(profile_id: ColumnElement[Any], now: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether somebody is; never NULL. What is asked of the holdout is asked once for all rows."""
    counts = (_HOLDOUT.c.starts_at <= now, or_(_HOLDOUT.c.ends_at.is_(None), _HOLDOUT.c.ends_at > now))
    seed = select(_HOLDOUT.c.seed).where(*counts).scalar_subquery()
    share = select(_HOLDOUT.c.share * (PLACES // 100)).where(*counts).scalar_subquery()
    return func.coalesce(func.holdout_place(profile_id, seed) < share, false())
