"""SQL on the expressions of deliveries: what their traps, control groups, sending logs and send dates ask and compute."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from core.db import Connection
from core.planning.seed_records import Asking
from core.targeting.json_parse import read_stored
from core.targeting.language import Condition
from core.targeting.stored_trees import calls_filter, names_audience

_EXPRESSIONS = """(
    SELECT delivery_id, 'traps' AS what, question AS tree, false AS computes, '{}'::text[] AS fields
      FROM delivery_trap_question
     UNION ALL
    SELECT delivery_id, 'control group', question, false, '{}' FROM delivery_control_group WHERE question IS NOT NULL
     UNION ALL
    SELECT delivery_id, 'control group', order_by, true, '{}' FROM delivery_control_group WHERE order_by IS NOT NULL
     UNION ALL
    SELECT delivery_id, 'sending log', segment_code, true, fields FROM delivery_sending_log WHERE segment_code IS NOT NULL
     UNION ALL
    SELECT delivery_id, 'send dates', expression, true, '{}' FROM delivery_send_dates)"""


def _asking(condition: str) -> str:
    return f"""
        SELECT d.id, d.name, e.what, e.fields, jsonb_agg(e.tree) FILTER (WHERE NOT e.computes) AS questions,
               jsonb_agg(e.tree) FILTER (WHERE e.computes) AS computed
          FROM {_EXPRESSIONS} e JOIN delivery d ON d.id = e.delivery_id
         GROUP BY d.id, e.what, e.fields HAVING bool_or({condition})
        """


async def list_naming(conn: Connection, audience: str, limit: int) -> list[Asking]:
    """What deliveries ask that names an audience, or reads a column of its members, the oldest delivery first; at most so many
    of each kind. What names it by a filter is not among them.
    """
    rows = await conn.fetch(
        f"""
        SELECT * FROM (
            SELECT a.*, row_number() OVER (PARTITION BY what ORDER BY id) AS place
              FROM ({_asking(names_audience("e.tree", "ARRAY[$1::text]"))}) a) f
         WHERE place <= $2 ORDER BY id, what
        """,
        audience, limit,
    )  # fmt: skip
    return [_read(row) for row in rows]


async def list_calling(conn: Connection, filters: Sequence[str]) -> list[Asking]:
    """What deliveries ask that calls one of some filters, the oldest delivery first."""
    rows = await conn.fetch(f"{_asking(calls_filter('e.tree', '$1::text[]'))} ORDER BY d.id, e.what", list(filters))
    return [_read(row) for row in rows]


async def find_named(conn: Connection, audiences: Sequence[str]) -> set[str]:
    """Those of the audiences that something which deliveries ask names."""
    rows = await conn.fetch(
        f"""
        SELECT n.name #>> '{{}}' AS name
          FROM {_EXPRESSIONS} e,
               LATERAL (SELECT jsonb_path_query(e.tree, '$.**.audience')
                         UNION ALL SELECT jsonb_path_query(e.tree, '$.** ? (@.function == "audience_column").arguments[0]')
                       ) AS n (name)
         WHERE {names_audience("e.tree", "$1::text[]")}
        """,
        list(audiences),
    )
    return {row["name"] for row in rows} & set(audiences)


async def renew(conn: Connection, asked: Sequence[Asking], reads: Sequence[Sequence[str]]) -> None:
    """What these call has changed: another version of each delivery, with what it reads by now."""
    await conn.execute(
        """
        WITH now_read AS (
            SELECT id, what, ARRAY(SELECT jsonb_array_elements_text(reads::jsonb)) AS reads
              FROM unnest($1::bigint[], $2::text[], $3::text[]) AS n (id, what, reads)
        ), traps AS (
            UPDATE delivery_trap_question q SET reads = n.reads
              FROM now_read n WHERE n.id = q.delivery_id AND n.what = 'traps'
        ), control_groups AS (
            UPDATE delivery_control_group q SET reads = n.reads
              FROM now_read n WHERE n.id = q.delivery_id AND n.what = 'control group'
        ), sending_logs AS (
            UPDATE delivery_sending_log q SET reads = n.reads
              FROM now_read n WHERE n.id = q.delivery_id AND n.what = 'sending log'
        ), send_dates AS (
            UPDATE delivery_send_dates q SET reads = n.reads
              FROM now_read n WHERE n.id = q.delivery_id AND n.what = 'send dates'
        )
        UPDATE delivery SET version = version + 1, updated_at = now() WHERE id IN (SELECT id FROM now_read)
        """,
        [one.delivery_id for one in asked], [one.what for one in asked],
        [msgspec.json.encode(one).decode() for one in reads],
    )  # fmt: skip


def _read(row: Any) -> Asking:
    return Asking(
        delivery_id=row["id"], name=row["name"], what=row["what"], questions=tuple(_roots(row["questions"])),
        computed=tuple(_roots(row["computed"])), fields=tuple(row["fields"]),
    )  # fmt: skip


def _roots(trees: Sequence[Any] | None) -> Iterable[Condition]:
    return (read_stored(tree).root for tree in trees or ())
