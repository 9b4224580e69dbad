"""SQL of the search where fields of a team are searched too: the same two ways, over all words of a person.

Who has something in such a field is in an index of all their words, which this room knows as SQL of the data model; everybody
else is in that of our own words alone. The words of the former are computed where a walk meets them. That takes a
while, so that a walk is worth it where many have the words alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.datamodel.searchable import Words
from core.db import Connection


async def walk(
    conn: Connection, fields: Words, query: str, without: Sequence[int], after: int, limit: int, steps: int
) -> list[int]:
    """Those of the next profiles for whose words a query holds."""
    rows = await conn.fetch(
        f"""
        SELECT id
          FROM (SELECT id, CASE WHEN {fields.condition} THEN {fields.sql} ELSE search_words END AS words
                  FROM profile WHERE id > $3 ORDER BY id LIMIT $5) AS next
         WHERE words @@ $1::text::tsquery AND id <> ALL($2::bigint[])
         ORDER BY id LIMIT $4
        """,
        query, without, after, limit, steps,
    )  # fmt: skip
    return [row["id"] for row in rows]


async def look_up(conn: Connection, fields: Words, query: str, without: Sequence[int], after: int, limit: int) -> list[int]:
    """The same among all profiles behind one, by the two indexes on words."""
    rows = await conn.fetch(
        f"""
        SELECT id
          FROM (SELECT id FROM profile
                 WHERE search_words @@ (SELECT $1::text::tsquery) AND NOT ({fields.condition})
                   AND id > $3 AND id <> ALL($2::bigint[])
                UNION ALL
                SELECT id FROM profile
                 WHERE {fields.sql} @@ (SELECT $1::text::tsquery) AND {fields.condition}
                   AND id > $3 AND id <> ALL($2::bigint[])) AS found
         ORDER BY id + 0 LIMIT $4  -- the sum keeps the planner from walking over everybody
        """,
        query, without, after, limit,
    )  # fmt: skip
    return [row["id"] for row in rows]
