"""The statement that finds profiles alike. One pass groups everybody by the keys; nobody is compared with everybody.

Its text depends on the keys asked for. It is put together from expressions of this house and columns of the published model.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.db import Connection
from core.profiles.merge_records import DuplicateGroup

Keys = Sequence[str]  # SQL expressions on a profile, null where somebody has nothing


async def list_groups(
    conn: Connection, keys: Keys, earlier: Sequence[Keys], rule: int, after: int, limit: int, members: int
) -> list[DuplicateGroup]:
    """Groups of profiles that have all keys in common, in the order of their oldest profile, behind one; of a group so many
    members, the oldest. Without groups that an earlier rule finds as a whole."""
    rows = await conn.fetch(
        f"""
        SELECT min(id) AS first, count(*) AS size, (array_agg(id ORDER BY id))[1:$3::int] AS ids
          FROM profile WHERE {_where(keys)} GROUP BY {", ".join(keys)}
        HAVING {_having(earlier)} AND min(id) > $1 ORDER BY min(id) LIMIT $2
        """,
        after, limit, members,
    )  # fmt: skip
    return [DuplicateGroup(rule=rule, size=row["size"], ids=tuple(row["ids"])) for row in rows]


async def count_groups(conn: Connection, keys: Keys, earlier: Sequence[Keys]) -> int:
    """How many there are."""
    found: int = await conn.fetchval(
        f"""
        SELECT count(*) FROM (SELECT FROM profile WHERE {_where(keys)} GROUP BY {", ".join(keys)} HAVING {_having(earlier)}) g
        """
    )
    return found


def _where(keys: Keys) -> str:
    return " AND ".join(("merged_into IS NULL", *(f"{key} IS NOT NULL" for key in keys)))


def _having(earlier: Sequence[Keys]) -> str:
    """More than one, and not all of them together by an earlier rule."""
    known = [
        f"NOT (bool_and({' AND '.join(f'{key} IS NOT NULL' for key in keys)})"
        f" AND count(DISTINCT ROW({', '.join(keys)})) = 1)"
        for keys in earlier
    ]  # fmt: skip
    return " AND ".join(("count(*) > 1", *known))
