"""SQL on the traps and control groups of deliveries, and on what they ask about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.db import Connection
from core.planning.seed_records import ControlGroup, Extraction, Insertion, Reader, SameFor, Traps
from core.targeting.json_form import to_json
from core.targeting.json_parse import read_stored
from core.targeting.language import Expression


def read_expression(stored: Any, text: str | None) -> Expression | None:
    """An expression as it is stored; None: there is none."""
    return None if stored is None else Expression(root=read_stored(stored).root, text=text or "")


async def get_traps(conn: Connection, delivery_ids: Sequence[int]) -> dict[int, Traps]:
    """By delivery; one that has none, and no place for them but the usual, is left out."""
    rows = await conn.fetch(
        """
        SELECT d.id, q.question, q.text, t.ids, d.trap_insertion
          FROM delivery d
          LEFT JOIN delivery_trap_question q ON q.delivery_id = d.id
         CROSS JOIN LATERAL (SELECT array_agg(test_profile_id ORDER BY test_profile_id) AS ids
                               FROM delivery_trap WHERE delivery_id = d.id) AS t
         WHERE d.id = ANY ($1::bigint[]) AND (q.delivery_id IS NOT NULL OR t.ids IS NOT NULL OR d.trap_insertion <> 'mixed')
        """,
        list(delivery_ids),
    )
    return {
        row["id"]: Traps(
            test_profile_ids=tuple(row["ids"] or ()),
            question=read_expression(row["question"], row["text"]),
            insertion=Insertion(row["trap_insertion"]),
        )
        for row in rows
    }


async def set_traps(conn: Connection, delivery_id: int, traps: Traps, reads: Sequence[str]) -> None:
    """These and no others; `reads`: what their question reads. Raises ForeignKeyViolationError."""
    await conn.execute(
        """
        WITH gone AS (DELETE FROM delivery_trap WHERE delivery_id = $1 AND test_profile_id <> ALL ($2::bigint[])),
             unasked AS (DELETE FROM delivery_trap_question WHERE delivery_id = $1 AND $3::jsonb IS NULL),
             asked AS (
                INSERT INTO delivery_trap_question (delivery_id, question, text, reads) SELECT $1, $3::jsonb, $4, $5
                 WHERE $3::jsonb IS NOT NULL
                ON CONFLICT (delivery_id) DO UPDATE
                   SET question = excluded.question, text = excluded.text, reads = excluded.reads),
             placed AS (UPDATE delivery SET trap_insertion = $6 WHERE id = $1 AND trap_insertion <> $6)
        INSERT INTO delivery_trap (delivery_id, test_profile_id) SELECT $1, unnest($2::bigint[]) ON CONFLICT DO NOTHING
        """,
        delivery_id, list(traps.test_profile_ids),
        None if traps.question is None else to_json(traps.question), traps.question and traps.question.text, list(reads),
        traps.insertion.value,
    )  # fmt: skip


_CONTROL = """delivery_id, extraction, share, size, order_by, order_text, lowest, same_for, audience_id, question,
              question_text"""


async def get_control_groups(conn: Connection, delivery_ids: Sequence[int]) -> dict[int, ControlGroup]:
    """By delivery; one that has none is left out."""
    rows = await conn.fetch(
        f"SELECT {_CONTROL} FROM delivery_control_group WHERE delivery_id = ANY ($1::bigint[])", list(delivery_ids)
    )
    return {row["delivery_id"]: _control_group(row) for row in rows}


def _control_group(row: Any) -> ControlGroup:
    return ControlGroup(
        extraction=Extraction(row["extraction"]), share=row["share"], size=row["size"],
        by=read_expression(row["order_by"], row["order_text"]), lowest=row["lowest"], same_for=SameFor(row["same_for"]),
        audience_id=row["audience_id"], question=read_expression(row["question"], row["question_text"]),
    )  # fmt: skip


async def set_control_group(conn: Connection, delivery_id: int, group: ControlGroup, reads: Sequence[str]) -> None:
    """The delivery's only one; `reads`: what its question and its order read. Raises ForeignKeyViolationError."""
    await conn.execute(
        f"""
        INSERT INTO delivery_control_group ({_CONTROL}, reads) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        ON CONFLICT (delivery_id) DO UPDATE
           SET extraction = excluded.extraction, share = excluded.share, size = excluded.size, order_by = excluded.order_by,
               order_text = excluded.order_text, lowest = excluded.lowest, same_for = excluded.same_for,
               audience_id = excluded.audience_id, question = excluded.question, question_text = excluded.question_text,
               reads = excluded.reads
        """,
        delivery_id, group.extraction.value, group.share, group.size, None if group.by is None else to_json(group.by),
        group.by and group.by.text, group.lowest, group.same_for.value, group.audience_id,
        None if group.question is None else to_json(group.question), group.question and group.question.text, list(reads),
    )  # fmt: skip


async def delete_control_group(conn: Connection, delivery_id: int) -> None:
    """Nobody is held back from the delivery any more."""
    await conn.execute("DELETE FROM delivery_control_group WHERE delivery_id = $1", delivery_id)


_READERS = """
SELECT d.id, d.name, q.what, f.found
  FROM (SELECT delivery_id, 'traps' AS what, reads FROM delivery_trap_question
         UNION ALL SELECT delivery_id, 'control group', reads FROM delivery_control_group
         UNION ALL SELECT delivery_id, 'sending log', reads FROM delivery_sending_log
         UNION ALL SELECT delivery_id, 'send dates', reads FROM delivery_send_dates) q
  JOIN delivery d ON d.id = q.delivery_id,
       LATERAL (SELECT array_agg(r ORDER BY r) AS found FROM unnest(q.reads) AS r WHERE {0}) AS f
 WHERE f.found IS NOT NULL ORDER BY d.id, q.what
"""


async def list_readers(conn: Connection, reads: Sequence[str]) -> list[Reader]:
    """What deliveries ask that reads any of these, the oldest delivery first."""
    return [_reader(row) for row in await conn.fetch(_READERS.format("r = ANY ($1::text[])"), list(reads))]


async def list_readers_of(conn: Connection, beginning: str) -> list[Reader]:
    """What they ask that reads something that begins so, likewise."""
    return [_reader(row) for row in await conn.fetch(_READERS.format("starts_with(r, $1)"), beginning)]


def _reader(row: Any) -> Reader:
    return Reader(delivery_id=row["id"], name=row["name"], what=row["what"], reads=tuple(row["found"]))
