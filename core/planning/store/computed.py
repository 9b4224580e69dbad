"""SQL on what deliveries compute of each recipient."""

from __future__ import annotations

from collections.abc import Sequence

from core.db import Connection
from core.planning.computed_records import SendDates, SendingLog
from core.planning.store.seeds import read_expression
from core.targeting.json_form import to_json
from core.targeting.json_parse import read_stored
from core.targeting.language import Expression


async def get_sending_logs(conn: Connection, delivery_ids: Sequence[int]) -> dict[int, SendingLog]:
    """By delivery; one that says nothing of it is left out."""
    rows = await conn.fetch(
        """
        SELECT delivery_id, segment_code, segment_text, fields FROM delivery_sending_log
         WHERE delivery_id = ANY ($1::bigint[])
        """,
        list(delivery_ids),
    )
    return {
        row["delivery_id"]: SendingLog(
            segment_code=read_expression(row["segment_code"], row["segment_text"]), fields=tuple(row["fields"])
        )
        for row in rows
    }


async def set_sending_log(conn: Connection, delivery_id: int, kept: SendingLog, reads: Sequence[str]) -> None:
    """The delivery's only one; `reads`: what it reads."""
    code = kept.segment_code
    await conn.execute(
        """
        INSERT INTO delivery_sending_log (delivery_id, segment_code, segment_text, fields, reads) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (delivery_id) DO UPDATE
           SET segment_code = excluded.segment_code, segment_text = excluded.segment_text, fields = excluded.fields,
               reads = excluded.reads
        """,
        delivery_id, None if code is None else to_json(code), code and code.text, list(kept.fields), list(reads),
    )  # fmt: skip


async def delete_sending_log(conn: Connection, delivery_id: int) -> None:
    """The ledger keeps what it always does."""
    await conn.execute("DELETE FROM delivery_sending_log WHERE delivery_id = $1", delivery_id)


async def get_send_dates(conn: Connection, delivery_ids: Sequence[int]) -> dict[int, SendDates]:
    """By delivery; one that has none is left out."""
    rows = await conn.fetch(
        """
        SELECT delivery_id, expression, text, zone, of_recipient FROM delivery_send_dates
         WHERE delivery_id = ANY ($1::bigint[])
        """,
        list(delivery_ids),
    )
    return {
        row["delivery_id"]: SendDates(
            expression=Expression(root=read_stored(row["expression"]).root, text=row["text"]),
            zone=row["zone"], of_recipient=row["of_recipient"],
        )
        for row in rows
    }  # fmt: skip


async def set_send_dates(conn: Connection, delivery_id: int, dates: SendDates, reads: Sequence[str]) -> None:
    """The delivery's only ones; `reads`: what they read."""
    await conn.execute(
        """
        INSERT INTO delivery_send_dates (delivery_id, expression, text, zone, of_recipient, reads)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (delivery_id) DO UPDATE
           SET expression = excluded.expression, text = excluded.text, zone = excluded.zone,
               of_recipient = excluded.of_recipient, reads = excluded.reads
        """,
        delivery_id, to_json(dates.expression), dates.expression.text, dates.zone, dates.of_recipient, list(reads),
    )  # fmt: skip


async def delete_send_dates(conn: Connection, delivery_id: int) -> None:
    """Everybody gets the message at the delivery's contact date."""
    await conn.execute("DELETE FROM delivery_send_dates WHERE delivery_id = $1", delivery_id)
