"""SQL on the samples of columns' values that the database keeps for its plans."""

from __future__ import annotations

from collections.abc import Sequence

from core.db import Connection

PATIENCE = "2s"  # for a table whose samples or indexes somebody else is making


async def list_quoting(conn: Connection, patterns: Sequence[str]) -> list[str]:
    """The tables, quoted as SQL needs them, of whose columns or indexes a sample matches one of the patterns (`~*`)."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT coalesce(i.indrelid, c.oid)::regclass::text AS name
          FROM pg_stats s JOIN pg_class c ON c.relname = s.tablename AND c.relnamespace = s.schemaname::regnamespace
          LEFT JOIN pg_index i ON i.indexrelid = c.oid
         WHERE s.schemaname = current_schema()
           AND concat_ws(' ', s.most_common_vals::text, s.histogram_bounds::text, s.most_common_elems::text) ~* ANY($1::text[])
         ORDER BY name
        """,
        patterns,
    )
    return [row["name"] for row in rows]


async def sample_again(conn: Connection, table: str) -> None:
    """Take another sample of a table, given as `list_quoting` does. Raises asyncpg.LockNotAvailableError."""
    await conn.execute("SELECT set_config('lock_timeout', $1, true)", PATIENCE)
    await conn.execute(f"ANALYZE {table}")
