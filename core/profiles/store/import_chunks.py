"""The statements of one chunk of an import: staging, match, upsert.

Their text depends on the columns of the file. It is put together from the columns of fields only: no header, no
cell and no option ever becomes text of a statement.

All run in one transaction. The joins are nested loops over an index on purpose: a chunk is small beside the table, and the
planner, which knows nothing of a table made a moment ago, would read the whole of it instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.db import Connection
from core.profiles.fields import EMAIL_COLUMNS
from core.profiles.import_columns import Plan
from core.profiles.import_repeats import Rows
from core.profiles.records import EmptyCells, MatchKey

STAGING = "import_staging"
LOCK = 0x636C_6172_0100  # one advisory lock per match key, from this number on
ASLEEP_MS = 15_000  # milliseconds after which the server ends a connection that holds the lock and asks nothing
OTHERS_NAMED = 10  # further matches of an email that a remark names


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of the rows of a chunk; `missed` were deleted by somebody between the look and the update. `again` are lines
    that wait: an earlier one is about the same person, by the key of a profile that is merged."""

    inserted: int
    updated: int
    unchanged: int
    missed: int
    ambiguous: int
    again: Sequence[int] = ()

    def __add__(self, later: Written) -> Written:
        """Both together; what waits is what waits now."""
        return Written(
            inserted=self.inserted + later.inserted, updated=self.updated + later.updated,
            unchanged=self.unchanged + later.unchanged, missed=self.missed + later.missed,
            ambiguous=self.ambiguous + later.ambiguous, again=later.again,
        )  # fmt: skip


class ChunkStore:
    """The statements for one plan."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self._columns = plan.staged
        self._staging = _staging(self._columns)
        self._upsert = _upsert(plan)

    async def stage(self, conn: Connection, lines: Sequence[int], columns: Sequence[Sequence[Any]]) -> None:
        """Put a chunk into a table of this transaction."""
        await conn.execute(self._staging)
        await self._copy(conn, lines, columns)

    async def replace(self, conn: Connection, lines: Sequence[int], rows: Rows) -> None:
        """Put rows into the place of staged lines."""
        await conn.execute(f"DELETE FROM {STAGING} WHERE line = ANY($1::bigint[])", lines)
        if rows.lines:
            await self._copy(conn, rows.lines, rows.columns)

    async def lock(self, conn: Connection) -> None:
        """Wait for other imports by the same key. Held until the commit.

        An email is not unique, so nothing else would keep two imports from adding the same person twice; and two chunks that
        insert and update the same people in turns would wait for each other in a circle. A worker that falls asleep with it
        is cut off by the server.
        """
        await conn.execute(
            """
            SELECT pg_advisory_xact_lock($1), set_config('idle_in_transaction_session_timeout', $2, true),
                   set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)
            """,
            LOCK + list(MatchKey).index(self.plan.match_key),
            str(ASLEEP_MS),
        )

    async def take_out_taken(self, conn: Connection, column: str) -> list[int]:
        """Remove staged rows whose value of a unique column is another profile's; returns their lines."""
        return [row["line"] for row in await conn.fetch(_taken(self.plan, column))]

    async def keep_own(self, conn: Connection, column: str) -> None:
        """A unique value of a profile that is merged stays there: a row about its survivor leaves the survivor's as it is."""
        await conn.execute(_keep_own(self.plan, column))

    async def leave(self, conn: Connection, lines: Sequence[int]) -> None:
        """Take out all staged rows but these."""
        await conn.execute(f"DELETE FROM {STAGING} WHERE line <> ALL($1::bigint[])", lines)

    async def upsert(self, conn: Connection, now: datetime) -> Written:
        """Update who is there and differs, insert who is not. Raises UniqueViolationError when somebody was faster."""
        row = await conn.fetchrow(self._upsert, now)
        return Written(**dict(row))

    async def list_ambiguous(self, conn: Connection) -> list[tuple[int, int, list[int]]]:
        """Lines whose email several profiles have: the line, the oldest profile, the others (not all of many)."""
        rows = await conn.fetch(
            f"""
            SELECT s.line, f.ids[1] AS oldest, f.ids[2:] AS others
              FROM {STAGING} s
              JOIN LATERAL (SELECT array(SELECT DISTINCT {_WHOLE} AS id FROM profile WHERE email_key = s.email_key
                                          ORDER BY id LIMIT $1) AS ids) f
                ON cardinality(f.ids) > 1
             ORDER BY s.line
            """,
            OTHERS_NAMED + 1,
        )
        return [(row["line"], row["oldest"], row["others"]) for row in rows]

    async def _copy(self, conn: Connection, lines: Sequence[int], columns: Sequence[Sequence[Any]]) -> None:
        await conn.copy_records_to_table(STAGING, records=zip(lines, *columns, strict=True), columns=("line", *self._columns))


def _staging(columns: Sequence[str]) -> str:
    return (
        f"CREATE TEMPORARY TABLE {STAGING} ON COMMIT DROP AS"
        f" SELECT 0::bigint AS line, {', '.join(columns)} FROM profile WITH NO DATA"
    )


# Whom a row is about: the survivor of a profile that is merged.
_WHOLE = "coalesce(merged_into, id)"


def _match(plan: Plan) -> str:
    """The profile of a staged row, as `f (target, matches)`."""
    if plan.match_key is MatchKey.EMAIL:
        found = (
            f"SELECT min({_WHOLE}) AS target, count(DISTINCT {_WHOLE}) AS matches FROM profile WHERE email_key = s.email_key"
        )
    else:
        found = f"SELECT min({_WHOLE}) AS target, 1 AS matches FROM profile WHERE {plan.key_column} = s.{plan.key_column}"
    return f"CROSS JOIN LATERAL ({found}) f"


def _taken(plan: Plan, column: str) -> str:
    return f"""
        DELETE FROM {STAGING} s
         WHERE EXISTS (SELECT FROM profile o
                        WHERE o.{column} = s.{column}
                          AND coalesce(o.merged_into, o.id) IS DISTINCT FROM ({_target(plan)}))
        RETURNING line
    """


def _keep_own(plan: Plan, column: str) -> str:
    return f"""
        UPDATE {STAGING} s SET {column} = p.{column}
          FROM profile o JOIN profile p ON p.id = o.merged_into
         WHERE o.{column} = s.{column} AND o.merged_into = ({_target(plan)})
    """


def _target(plan: Plan) -> str:
    return f"SELECT min({_WHOLE}) FROM profile WHERE {plan.key_column} = s.{plan.key_column}"


def _upsert(plan: Plan) -> str:
    columns = plan.staged
    after = {column: _after(plan, column) for column in columns}
    differs = f"({', '.join(f'p.{column}' for column in columns)}) IS DISTINCT FROM ({', '.join(after.values())})"
    changes = ", ".join(f"{column} = {value}" for column, value in after.items())
    return f"""
        WITH found AS MATERIALIZED (
            SELECT s.*, f.target, f.matches, p.id IS NOT NULL AND {differs} AS differs,
                   f.target IS NOT NULL AND row_number() OVER (PARTITION BY f.target ORDER BY s.line) > 1 AS waits
              FROM {STAGING} s
              {_match(plan)}
              LEFT JOIN profile p ON p.id = f.target
             ORDER BY f.target, s.line
        ), updated AS (
            UPDATE profile p SET updated_at = $1, {changes}
              FROM found s WHERE s.differs AND NOT s.waits AND p.id = s.target
            RETURNING 1
        ), inserted AS (
            INSERT INTO profile (created_at, updated_at, {", ".join(columns)})
            SELECT $1, $1, {", ".join(_fresh(plan, column) for column in columns)}
              FROM found s WHERE s.target IS NULL ORDER BY s.line
            RETURNING 1
        ), counted AS (
            SELECT count(*) FILTER (WHERE differs AND NOT waits) AS changed,
                   count(*) FILTER (WHERE target IS NOT NULL AND NOT differs AND NOT waits) AS same,
                   count(*) FILTER (WHERE matches > 1 AND NOT waits) AS ambiguous,
                   coalesce(array_agg(line ORDER BY line) FILTER (WHERE waits), '{{}}') AS again
              FROM found
        ), done AS (
            SELECT (SELECT count(*) FROM inserted) AS inserted, (SELECT count(*) FROM updated) AS updated
        )
        SELECT d.inserted, d.updated, c.same AS unchanged, c.changed - d.updated AS missed,
               c.ambiguous, c.again
          FROM counted c, done d
    """


def _after(plan: Plan, column: str) -> str:
    """What a column of a profile that exists becomes."""
    if column == plan.key_column and plan.match_key is not MatchKey.EMAIL:
        return f"p.{column}"  # it found the profile, maybe through one that is merged and keeps its own
    if column in EMAIL_COLUMNS and plan.match_key is MatchKey.EMAIL:
        return f"CASE WHEN p.email_key = s.email_key THEN s.{column} ELSE p.{column} END"
    field = plan.by_column.get(column)
    if field is not None and field.opt_out and not plan.options.lift_opt_outs:
        return f"p.{column} OR coalesce(s.{column}, false)"
    if plan.options.empty is EmptyCells.KEEP:
        # An email's three columns are empty together.
        return f"coalesce(s.{column}, p.{column})"
    return _fresh(plan, column)


def _fresh(plan: Plan, column: str) -> str:
    """What a column of a new profile becomes."""
    field = plan.by_column.get(column)
    if column in EMAIL_COLUMNS or field is None or not field.required:
        return f"s.{column}"
    return f"coalesce(s.{column}, {'false' if field.default is False else int(field.default or 0)})"
