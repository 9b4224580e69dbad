"""What this room keeps of people: to which address they were written, with which values, and what became of it.

Rows of the ledger stay, and with them every total: what is left of a row is a number that leads to nobody.
"""

from __future__ import annotations

from datetime import datetime

from core.db import Connection
from core.delivery.recipient_values import DRAWN
from core.delivery.store import ledger
from core.personal import BLOT, Goes, Kept, Person, of_profile, of_recipient

TABLES = (
    Kept(
        table="ledger", rows=of_recipient("ledger_count"), goes=Goes.VALUES,
        personal="address address_key values provider_id answer segment_code logged",
        other="delivery_id recipient_id occurrence program_id lease_id due_at settled_at recipient_kind state reason attempt"
        " after_hand_over",
    ),
    Kept(table="delivery_log", texts={"message": BLOT, "details": {}}, other="id delivery_id at level code"),
    Kept(
        table="delivery_run",
        texts={"error": {"code": "ERASED", "message": BLOT}},
        other="delivery_id state versions prepare_id prepare_from prepare_to prepared_at contact_at deadline confirmed_at"
        " started_at finished_at pause_reason heartbeat_at updated_at",
    ),
    Kept(
        table="program",
        authored="config content",
        other="id delivery_id variant channel fields token_key_id base_url engine_version created_at",
    ),
    Kept(table="tracked_link", authored="url label category", other="program_id link mode"),
    # Both live as long as their preparation or their lease, which an erasure waits for.
    Kept(table="prepare_duplicate", other="delivery_id address_key keeper"),
    Kept(table="prepare_target", rows=of_profile(), other="delivery_id profile_id"),
    Kept(table="lease_journal", other="lease_id handed_over settled"),
    Kept(table="ledger_count", other="delivery_id slot state reason after_hand_over n"),
    Kept(
        table="lease",
        other="id delivery_id account_id worker connections claimed_at expires_at ended_at recipient_low recipient_high"
        " settled invalid refused address_kind",
    ),
)  # fmt: skip


async def erase(conn: Connection, person: Person, now: datetime) -> dict[str, int]:
    """Rows of traps that were completed with the person's values, or went to an address of theirs, are what is left of one."""
    addresses = [key for _, key in person.addresses]
    return {"ledger": await ledger.blank_traps(conn, DRAWN, person.profile_ids, addresses)}
