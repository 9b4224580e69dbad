"""SQL on whom a request is about, and on what is still at work on their data."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from channels.contract import AddressKind
from core.db import Connection
from core.profiles.reached_by import KINDS, key_text

_OTHERS = " UNION ALL ".join(
    f"""
    SELECT p.id, a.kind, a.key FROM unnest($1::text[], $2::text[]) AS a (kind, key)
      JOIN profile p ON {key_text(kind, "p")} = a.key AND a.kind = '{kind.value}' WHERE p.id <> ALL($3::bigint[])
    """
    for kind in sorted(KINDS)
)
_OTHERS += """
    UNION ALL
    SELECT s.profile_id, a.kind, a.key FROM unnest($1::text[], $2::text[]) AS a (kind, key)
      JOIN app_subscription s ON s.registration_token = a.key AND a.kind = 'push'
     WHERE s.profile_id IS NOT NULL AND s.profile_id <> ALL($3::bigint[])
"""


async def family_of(conn: Connection, ids: Sequence[int]) -> list[int]:
    """These profiles with all that a merge has made one person with them; nothing for those that are not there."""
    rows = await conn.fetch(
        """
        WITH whole AS (SELECT DISTINCT coalesce(merged_into, id) AS id FROM profile WHERE id = ANY($1::bigint[]))
        SELECT id FROM whole UNION SELECT a.id FROM profile a JOIN whole w ON a.merged_into = w.id ORDER BY id
        """,
        ids,
    )
    return [row["id"] for row in rows]


async def lock_family(conn: Connection, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Their rows, held until the transaction ends; in the order of ids, against deadlocks."""
    rows = await conn.fetch("SELECT * FROM profile WHERE id = ANY($1::bigint[]) ORDER BY id FOR UPDATE", ids)
    return [dict(row) for row in rows]


async def recipients_at(conn: Connection, address_key: str) -> list[int]:
    """Profiles that were written to at an address and are not there any more. Reads through all ledgers."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT l.recipient_id FROM ledger l
         WHERE l.recipient_kind = 1 AND l.address_key = $1
           AND NOT EXISTS (SELECT FROM profile p WHERE p.id = l.recipient_id)
        """,
        address_key,
    )
    return [row["recipient_id"] for row in rows]


async def addresses_written_to(conn: Connection, ids: Sequence[int]) -> list[tuple[str | None, str]]:
    """Every address at which these profiles were ever written to, with the channel; None: nobody knows it any more."""
    rows = await conn.fetch(
        """
        WITH told AS (
            SELECT DISTINCT delivery_id, address_key FROM ledger
             WHERE delivery_id IN (SELECT delivery_id FROM ledger_count) AND recipient_kind = 1
               AND recipient_id = ANY($1::bigint[]) AND address_key IS NOT NULL AND address_key <> ''
        )
        SELECT DISTINCT (SELECT p.channel FROM program p WHERE p.delivery_id = t.delivery_id LIMIT 1) AS channel, t.address_key
          FROM told t
        """,
        ids,
    )
    return [(row["channel"], row["address_key"]) for row in rows]


async def postal_addresses_of(conn: Connection, ids: Sequence[int]) -> list[str]:
    """Where these profiles live, as addresses of letters are compared."""
    key = key_text(AddressKind.POSTAL, "p")
    rows = await conn.fetch(f"SELECT DISTINCT {key} AS key FROM profile p WHERE p.id = ANY($1::bigint[])", ids)
    return [row["key"] for row in rows if row["key"]]


async def devices_of(conn: Connection, ids: Sequence[int]) -> list[str]:
    """The tokens of these profiles' devices."""
    rows = await conn.fetch("SELECT registration_token FROM app_subscription WHERE profile_id = ANY($1::bigint[])", ids)
    return [row["registration_token"] for row in rows]


async def visitors_of(conn: Connection, ids: Sequence[int]) -> list[str]:
    """The addresses that visitors gave who are these profiles."""
    rows = await conn.fetch(
        "SELECT DISTINCT email FROM visitor WHERE profile_id = ANY($1::bigint[]) AND email IS NOT NULL ORDER BY email", ids
    )
    return [row["email"] for row in rows]


async def tokens_of(conn: Connection, device_ids: Sequence[int]) -> list[str]:
    """The tokens of devices, given by their own ids."""
    rows = await conn.fetch(
        "SELECT registration_token FROM app_subscription WHERE id = ANY($1::bigint[]) ORDER BY id", device_ids
    )
    return [row["registration_token"] for row in rows]


async def said_by(conn: Connection, visitor_ids: Sequence[int]) -> list[dict[str, Any]]:
    """What visitors are known by: their ids of pages, addresses and names."""
    rows = await conn.fetch(
        "SELECT external_id, email, first_name, last_name FROM visitor WHERE id = ANY($1::bigint[]) ORDER BY id", visitor_ids
    )
    return [dict(row) for row in rows]


async def others_with(
    conn: Connection, kinds: Sequence[str], keys: Sequence[str], ids: Sequence[int]
) -> list[tuple[int, str, str]]:
    """Who else has one of these addresses: profile, kind and address."""
    rows = await conn.fetch(_OTHERS, kinds, keys, ids)
    return [(row["id"], row["kind"], row["key"]) for row in rows]


async def is_known_address(conn: Connection, kind: str, key: str) -> bool:
    """Whether something is kept of an address that no profile has."""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (SELECT FROM quarantine WHERE address_kind = $1 AND address_key = $2)
            OR EXISTS (SELECT FROM short_code_stop WHERE address_key = $2)
            OR $1 = 'email' AND EXISTS (SELECT FROM visitor WHERE email = $2 OR referrer_email = $2)
            OR EXISTS (SELECT FROM suppression_entry e JOIN suppression_list l ON l.id = e.list_id
                        WHERE l.kind = $1
                          AND (e.form = 1 AND e.value = $2
                               OR e.form = 2 AND e.value = encode(sha256(convert_to($2, 'UTF8')), 'hex')
                               OR e.form = 3 AND e.value = md5($2)))
        """,
        kind, key,
    )  # fmt: skip
    return found


async def was_written_to(conn: Connection, profile_id: int) -> bool:
    """Whether a ledger names a profile, which need not be there any more."""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (SELECT FROM ledger WHERE delivery_id IN (SELECT delivery_id FROM ledger_count) AND recipient_kind = 1
                          AND recipient_id = $1 AND address IS NOT NULL)
        """,
        profile_id,
    )
    return found


async def still_at_work(
    conn: Connection, ids: Sequence[int], address_keys: Sequence[str], erased_at: datetime, gone_at: datetime
) -> str | None:
    """What began before they were erased, may have read them, and has not ended: in a word; None: nothing."""
    found: str | None = await conn.fetchval(
        """
        SELECT CASE
            WHEN EXISTS (SELECT FROM import_run WHERE state IN ('ready', 'running') AND created_at <= $3
                         UNION ALL
                         SELECT FROM suppression_import WHERE state IN ('ready', 'running') AND created_at <= $3
                         UNION ALL
                         SELECT FROM audience_run
                          WHERE task IN ('load', 'reconcile') AND finished_at IS NULL AND created_at <= $3) THEN 'imports'
            WHEN EXISTS (SELECT FROM export_run WHERE state IN ('ready', 'running') AND created_at <= $3
                         UNION ALL
                         SELECT FROM suppression_export WHERE state IN ('ready', 'running') AND created_at <= $3
                         UNION ALL
                         -- whenever it began: what rows of files quote is blotted out at the end
                         SELECT FROM audience_run WHERE task = 'export' AND finished_at IS NULL) THEN 'exports'
            WHEN EXISTS (SELECT FROM prepare_duplicate WHERE address_key = ANY($2::text[])) THEN 'preparations'
            WHEN EXISTS (SELECT FROM ledger l
                          WHERE l.delivery_id IN (SELECT delivery_id FROM ledger_count) AND l.recipient_kind = 1
                            AND l.recipient_id = ANY($1::bigint[])
                            AND (l.state IN (2, 3) OR EXISTS (SELECT FROM lease_journal j WHERE j.lease_id = l.lease_id)))
              OR EXISTS (SELECT FROM ledger l  -- a trap with somebody's values, which the row has no more
                          WHERE l.delivery_id IN (SELECT delivery_id FROM ledger_count WHERE slot = -1)
                            AND l.recipient_kind = 4 AND l.state IN (2, 3) AND l.values IS NULL)
                 THEN 'sending'
            -- of clients only: vacuuming is a transaction too, and hands nothing on
            WHEN EXISTS (SELECT FROM pg_stat_activity
                          WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start < $4
                            AND backend_type = 'client backend')
                 THEN 'transactions'
        END
        """,
        ids, address_keys, erased_at, gone_at,
    )  # fmt: skip
    return found
