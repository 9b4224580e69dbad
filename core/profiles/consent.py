"""What people refuse: a flag per channel, and one for all (feature map 2.06)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core.access import Actor
from core.audit import record_many
from core.db import Connection
from core.profiles.records import Channel
from core.profiles.store import profiles as store

OPT_OUT_COLUMNS: dict[Channel, str] = {
    Channel.ALL: "opt_out",
    Channel.EMAIL: "opt_out_email",
    Channel.MOBILE: "opt_out_mobile",
    Channel.PHONE: "opt_out_phone",
    Channel.FAX: "opt_out_fax",
    Channel.POSTAL: "opt_out_postal",
    Channel.PUSH: "opt_out_push",
}


async def opt_out(conn: Connection, actor: Actor, profile_ids: Sequence[int], channel: Channel, *, now: datetime) -> list[int]:
    """Stop writing to these people by a channel; the ids of those that had not refused before.

    Asks for no permission: it is the person's own act, whoever carries it out.
    """
    column = OPT_OUT_COLUMNS[channel]
    changed = await store.opt_out(conn, column, profile_ids, now) if profile_ids else []
    await record_many(conn, actor, "profile.opt_out", "profile", changed, {"fields": [column]})
    return changed
