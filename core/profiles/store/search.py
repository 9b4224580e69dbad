"""SQL of the search.

People are found in two ways, and neither reads the whole table. A walk goes through some profiles in the order of ids: it
fills a page at once with what many have. What it does not find few have, and the index on words finds them: it knows no
order, so all that it finds are sorted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.datamodel.store.model import STAMP
from core.db import Connection


async def read_text(
    conn: Connection, texts: Sequence[str], email: str, external_ids: Sequence[str], limit: int
) -> tuple[list[list[str]], list[int], str]:
    """The words of texts as they are compared; who has just this email or external id, or has such a profile merged in; the
    stamp of the data model that counts."""
    row = await conn.fetchrow(
        f"""
        SELECT {STAMP} AS stamp,
               (SELECT jsonb_agg(folded_words(text) ORDER BY n)
                  FROM unnest($1::text[]) WITH ORDINALITY AS t (text, n)) AS words,
               array(SELECT DISTINCT coalesce(merged_into, id) AS id FROM profile
                      WHERE email_key = $2 OR external_id = ANY($3::text[]) ORDER BY id LIMIT $4) AS exact
        """,
        texts, email, external_ids, limit,
    )  # fmt: skip
    return row["words"] or [], row["exact"], row["stamp"]


async def email_begins(conn: Connection, email: str, without: Sequence[int], after: int, limit: int) -> list[int]:
    """Whose email begins so; a range of one index (`~>=~` compares bytes, as `text_pattern_ops` sorts)."""
    rows = await conn.fetch(
        """
        SELECT id FROM profile
         WHERE email_key ~>=~ $1 AND email_key ~<~ ($1 || chr(1114111)) AND merged_into IS NULL
           AND id > $3 AND id <> ALL($2::bigint[])
         ORDER BY id + 0 LIMIT $4  -- the sum keeps the planner from walking over everybody
        """,
        email, without, after, limit,
    )  # fmt: skip
    return _ids(rows)


async def walk(
    conn: Connection, words: str, but: str | None, without: Sequence[int], after: int, limit: int, steps: int
) -> list[int]:
    """Those of the next profiles who have the words; `but`: and not these."""
    rows = await conn.fetch(
        """
        SELECT id FROM (SELECT id, search_words FROM profile WHERE id > $4 ORDER BY id LIMIT $6) AS next
         WHERE search_words @@ $1::text::tsquery AND NOT coalesce(search_words @@ $2::text::tsquery, false)
           AND id <> ALL($3::bigint[])
         ORDER BY id LIMIT $5
        """,
        words, but, without, after, limit, steps,
    )  # fmt: skip
    return _ids(rows)


async def look_up(conn: Connection, words: str, but: str | None, without: Sequence[int], after: int, limit: int) -> list[int]:
    """The same among all profiles behind one, by the index on words."""
    rows = await conn.fetch(
        """
        SELECT id FROM profile
         WHERE search_words @@ (SELECT $1::text::tsquery) AND NOT coalesce(search_words @@ $2::text::tsquery, false)
           AND id > $4 AND id <> ALL($3::bigint[])
         ORDER BY id + 0 LIMIT $5
        """,
        words, but, without, after, limit,
    )  # fmt: skip
    return _ids(rows)


def _ids(rows: Sequence[Any]) -> list[int]:
    return [row["id"] for row in rows]
