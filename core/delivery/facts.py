"""What templates read of a delivery and its campaign, as programs keep it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import column, select, table

from core.content.compile import Facts
from core.content.personalization import DELIVERY_FIELDS
from core.content.readable import Readable
from core.db import Connection
from core.delivery.recipient_values import stored
from core.planning.records import Delivery
from core.targeting.objects import object_of
from core.targeting.sql import compile_statement


async def read_facts(conn: Connection, delivery: Delivery, readable: Readable) -> Facts:
    """All that there is to read, the campaign held against change until the transaction ends."""
    known = {"delivery": await _read(conn, "delivery", delivery.id, readable)}
    if delivery.campaign_id is not None:
        known["campaign"] = await _read(conn, "campaign", delivery.campaign_id, readable)
    return known


async def _read(conn: Connection, root: str, row_id: int, readable: Readable) -> Mapping[str, Any]:
    own = DELIVERY_FIELDS if root == "delivery" else ()  # which are those of the message
    fields = [one for one in readable.roots[root].fields.values() if one.name not in own]
    row = table(root, column("id"), *(column(one.column) for one in fields))
    made = select(object_of([(one.name, stored(one, row)) for one in fields])).where(row.c.id == row_id)
    statement = compile_statement(made.with_for_update(read=True))
    values: Mapping[str, Any] = await conn.fetchval(statement.text, *statement.args)
    return values
