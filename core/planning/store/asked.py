"""SQL on the expressions of deliveries: what their traps, control groups, sending logs and send dates ask and compute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.db import Connection
from core.planning.seed_records import Asking
from core.targeting.json_form import read_stored
from core.targeting.stored_trees import names_audience

_EXPRESSIONS = """(
    SELECT delivery_id, 'traps' AS what, question AS tree FROM delivery_trap_question
     UNION ALL SELECT delivery_id, 'control group', question FROM delivery_control_group WHERE question IS NOT NULL
     UNION ALL SELECT delivery_id, 'control group', order_by FROM delivery_control_group WHERE order_by IS NOT NULL
     UNION ALL SELECT delivery_id, 'sending log', segment_code FROM delivery_sending_log WHERE segment_code IS NOT NULL
     UNION ALL SELECT delivery_id, 'send dates', expression FROM delivery_send_dates)"""


async def list_naming(conn: Connection, audience: str, limit: int) -> list[Asking]:
    """What deliveries ask that names an audience, or reads a column of its members, the oldest delivery first; at most so many
    of each kind. What names it by a filter is not among them.
    """
    rows = await conn.fetch(
        f"""
        SELECT * FROM (
            SELECT d.id, d.name, e.what, jsonb_agg(e.tree) AS trees,
                   row_number() OVER (PARTITION BY e.what ORDER BY d.id) AS place
              FROM {_EXPRESSIONS} e JOIN delivery d ON d.id = e.delivery_id
             WHERE {names_audience("e.tree", "ARRAY[$1::text]")}
             GROUP BY d.id, e.what) f
         WHERE place <= $2 ORDER BY id, what
        """,
        audience, limit,
    )  # fmt: skip
    return [_asking(row) for row in rows]


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


def _asking(row: Any) -> Asking:
    trees = tuple(read_stored(tree).root for tree in row["trees"])
    return Asking(delivery_id=row["id"], name=row["name"], what=row["what"], asked=trees)
