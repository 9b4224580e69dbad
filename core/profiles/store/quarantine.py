"""SQL on `quarantine`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from core.db import Connection

if TYPE_CHECKING:
    from core.profiles.quarantine import AddressError


async def record_hard(
    conn: Connection, kind: str, errors: Sequence[AddressError], delivery_id: int | None, now: datetime
) -> None:
    """Quarantine addresses, in the order of their keys so that two writers never wait for each other in a circle."""
    await conn.execute(
        """
        INSERT INTO quarantine AS q (address_kind, address_key, status, reason, error_count, first_error_at, last_error_at,
                                     error_text, last_delivery_id, created_at, updated_at)
        SELECT DISTINCT ON (e.address_key) $1, e.address_key, 'quarantine', e.reason, 1, $6, $6, e.error_text, $5, $6, $6
          FROM unnest($2::text[], $3::smallint[], $4::text[]) AS e (address_key, reason, error_text)
         ORDER BY e.address_key
        ON CONFLICT (address_kind, address_key) DO UPDATE
           SET status = CASE WHEN q.status IN ('denylisted', 'allowlisted') THEN q.status ELSE 'quarantine' END,
               reason = excluded.reason, error_count = q.error_count + 1, error_text = excluded.error_text,
               first_error_at = coalesce(q.first_error_at, $6), last_error_at = $6, last_delivery_id = $5, updated_at = $6
        """,
        kind, *_columns(errors), delivery_id, now,
    )  # fmt: skip


async def record_soft(
    conn: Connection,
    kind: str,
    errors: Sequence[AddressError],
    delivery_id: int | None,
    now: datetime,
    significant: timedelta,
    quiet: timedelta,
    bound: int,
) -> None:
    """Count soft errors: one a day at most, anew after quiet days, quarantine at the bound."""
    await conn.execute(
        """
        INSERT INTO quarantine AS q (address_kind, address_key, status, reason, error_count, first_error_at, last_error_at,
                                     error_text, last_delivery_id, created_at, updated_at)
        SELECT DISTINCT ON (e.address_key) $1, e.address_key, 'erroneous', e.reason, 1, $6, $6, e.error_text, $5, $6, $6
          FROM unnest($2::text[], $3::smallint[], $4::text[]) AS e (address_key, reason, error_text)
         ORDER BY e.address_key
        ON CONFLICT (address_kind, address_key) DO UPDATE
           SET error_count = CASE WHEN q.last_error_at < $6 - $8::interval THEN 1 ELSE q.error_count + 1 END,
               status = CASE WHEN q.status NOT IN ('erroneous', 'unknown', 'valid') THEN q.status
                             WHEN q.last_error_at >= $6 - $8::interval AND q.error_count + 1 >= $9 THEN 'quarantine'
                             ELSE 'erroneous' END,
               reason = excluded.reason, error_text = excluded.error_text, last_error_at = $6, last_delivery_id = $5,
               updated_at = $6
         WHERE q.last_error_at IS NULL OR q.last_error_at <= $6 - $7::interval
        """,
        kind, *_columns(errors), delivery_id, now, significant, quiet, bound,
    )  # fmt: skip


def _columns(errors: Sequence[AddressError]) -> tuple[list[str], list[int], list[str]]:
    return ([one.address_key for one in errors], [one.reason for one in errors], [one.text for one in errors])
