"""The statements of one chunk of an import: staging, match, upsert.

Their text depends on the columns of the file. It is put together from the columns of fields only: no header, no
cell and no option ever becomes text of a statement.

All run in one transaction. The joins are nested loops over an index on purpose: a chunk is small beside the table, and the
planner, which knows nothing of a table made a moment ago, would read the whole of it instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from core.db import Connection
from core.profiles.fields import EMAIL_COLUMNS
from core.profiles.import_columns import Plan
from core.profiles.import_options import ImportMode
from core.profiles.import_repeats import Rows
from core.profiles.import_target import Written
from core.profiles.run_records import EmptyCells
from core.profiles.store.chunk_columns import compared, said, staged_names

STAGING = "import_staging"
LOCK = 0x636C_6172_0100  # the advisory lock of imports
ASLEEP_MS = 15_000  # milliseconds after which the server ends a connection that holds the lock and asks nothing
OTHERS_NAMED = 10  # further matches of an email or a number that a remark names

# Whom a row is about: the survivor of a profile that is merged.
_WHOLE = "coalesce(merged_into, id)"


class ChunkStore:
    """The statements for one plan: profiles as the target of an import."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self._columns = plan.staged
        self._staging = _staging(plan)
        self._finish = _count(plan) if plan.options.dry_run else _STATEMENTS[plan.options.mode](plan)
        self._takes_time = not plan.options.dry_run and plan.options.mode is not ImportMode.DELETE

    async def stage(self, conn: Connection, lines: Sequence[int], columns: Sequence[Sequence[Any]]) -> None:
        """Put a chunk into a table of this transaction."""
        await conn.execute(self._staging)
        await self._copy(conn, lines, columns)

    async def replace(self, conn: Connection, lines: Sequence[int], rows: Rows, targets: Sequence[int] | None) -> None:
        """Put rows into the place of staged lines; `targets`: the profile of each, 0 for somebody new; None: by the key."""
        await conn.execute(f"DELETE FROM {STAGING} WHERE line = ANY($1::bigint[])", lines)
        if rows.lines and targets is None:
            await self._copy(conn, rows.lines, rows.columns)
        elif rows.lines:
            await conn.copy_records_to_table(
                STAGING, records=zip(rows.lines, targets or (), *rows.columns, strict=True),
                columns=("line", "known", *self._columns),
            )  # fmt: skip

    async def lock(self, conn: Connection) -> None:
        """Wait for other imports. Held until the commit.

        An email is not unique, so nothing else would keep two imports from adding the same person twice; and two chunks that
        insert and update the same people in turns, by whatever keys, would wait for each other in a circle. A worker that
        falls asleep with it is cut off by the server.
        """
        await conn.execute(
            """
            SELECT pg_advisory_xact_lock($1), set_config('idle_in_transaction_session_timeout', $2, true),
                   set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)
            """,
            LOCK,
            str(ASLEEP_MS),
        )

    async def take_out_taken(self, conn: Connection, columns: Sequence[str]) -> list[int]:
        """Remove staged rows whose values of columns that are unique together are another profile's; returns their lines."""
        return [row["line"] for row in await conn.fetch(_taken(self.plan, columns))]

    async def take_out_unknown(self, conn: Connection, columns: Sequence[str]) -> list[int]:
        """Remove staged rows with a key of nobody; returns their lines."""
        said = " AND ".join(f"s.{column} IS NOT NULL" for column in columns)
        rows = await conn.fetch(
            f"""
            DELETE FROM {STAGING} s
             WHERE {said} AND NOT EXISTS (SELECT FROM profile p WHERE {_equal("p", columns)})
            RETURNING line
            """
        )
        return [row["line"] for row in rows]

    async def take_out_merged(self, conn: Connection) -> dict[int, tuple[int, int]]:
        """Remove staged rows whose key is that of a merged profile alone: the survivor, and the number of the key, by line."""
        cases = " ".join(f"WHEN {by} THEN {_equal('o', columns)}" for by, columns in enumerate(self.plan.key_columns))
        rows = await conn.fetch(
            f"""
            WITH old AS (
                SELECT s.ctid AS place, f.target, f.by FROM {STAGING} s {_match(self.plan)}
                 WHERE NOT EXISTS (SELECT FROM profile o WHERE o.id = f.target AND CASE f.by {cases} END)
                   AND f.target IS NOT NULL
            )
            DELETE FROM {STAGING} s USING old WHERE s.ctid = old.place RETURNING s.line, old.target, old.by
            """
        )
        return {row["line"]: (row["target"], row["by"]) for row in rows}

    async def list_same(self, conn: Connection) -> dict[int, tuple[int, int]]:
        """Lines whose profile another staged row is about too, by whichever key: the profile, and the number of the key."""
        rows = await conn.fetch(
            f"""
            SELECT line, target, by FROM (
                SELECT s.line, f.target, f.by, count(*) OVER (PARTITION BY f.target) AS times
                  FROM {STAGING} s {_match(self.plan)}
                 WHERE f.target IS NOT NULL
            ) found WHERE times > 1
            """
        )
        return {row["line"]: (row["target"], row["by"]) for row in rows}

    async def find(self, conn: Connection, lines: Sequence[int]) -> dict[int, tuple[int, int]]:
        """The profiles of those of these lines that have one, each with the number of the key that found it."""
        rows = await conn.fetch(
            f"""
            SELECT s.line, f.target, f.by FROM {STAGING} s {_match(self.plan)}
             WHERE s.line = ANY($1::bigint[]) AND f.target IS NOT NULL
            """,
            lines,
        )
        return {row["line"]: (row["target"], row["by"]) for row in rows}

    async def leave(self, conn: Connection, lines: Sequence[int]) -> None:
        """Take out all staged rows but these."""
        await conn.execute(f"DELETE FROM {STAGING} WHERE line <> ALL($1::bigint[])", lines)

    async def finish(self, conn: Connection, now: datetime) -> Written:
        """Do what the import's mode says, or count what it would do. Raises UniqueViolationError when somebody was faster."""
        row = await conn.fetchrow(self._finish, *([now] if self._takes_time else []))
        return Written(**dict(row))

    async def list_ambiguous(self, conn: Connection) -> list[tuple[int, int, list[int]]]:
        """Lines whose key several profiles have: the line, the oldest profile, the others (not all of many)."""
        cases = " ".join(
            f"WHEN {by} THEN array(SELECT DISTINCT {_WHOLE} AS id FROM profile"
            f" WHERE {_equal('profile', columns)} ORDER BY id LIMIT $1)"
            for by, columns in enumerate(self.plan.key_columns)
        )
        rows = await conn.fetch(
            f"""
            SELECT s.line, a.ids[1] AS oldest, a.ids[2:] AS others
              FROM {STAGING} s
              {_match(self.plan)}
              JOIN LATERAL (SELECT CASE f.by {cases} END AS ids) a ON cardinality(a.ids) > 1
             WHERE f.matches > 1
             ORDER BY s.line
            """,
            OTHERS_NAMED + 1,
        )
        return [(row["line"], row["oldest"], row["others"]) for row in rows]

    async def _copy(self, conn: Connection, lines: Sequence[int], columns: Sequence[Sequence[Any]]) -> None:
        await conn.copy_records_to_table(STAGING, records=zip(lines, *columns, strict=True), columns=("line", *self._columns))


def _staging(plan: Plan) -> str:
    known = ", 0::bigint AS known" if len(plan.keys) > 1 else ""
    return (
        f"CREATE TEMPORARY TABLE {STAGING} ON COMMIT DROP AS"
        f" SELECT 0::bigint AS line{known}, {staged_names(plan)} FROM profile WITH NO DATA"
    )


def _match(plan: Plan) -> str:
    """The profile of a staged row, as `f (target, by, matches)`: each key is looked at when those before found nobody.

    Of several keys, rows that were made one out of several know their profile: their keys may be those of another by now.
    """
    found: list[str] = []
    names: list[str] = []
    for number, columns in enumerate(plan.key_columns):
        before = "".join(f"{name}.id IS NULL AND " for name in names)
        names.append(f"m{number}")
        found.append(
            f"CROSS JOIN LATERAL (SELECT min({_WHOLE}) AS id, count(DISTINCT {_WHOLE}) AS matches FROM profile"
            f" WHERE {before}{_equal('profile', columns)}) m{number}"
        )
    by = " ".join(f"WHEN m{number}.id IS NOT NULL THEN {number}" for number in range(len(names)))
    target = f"coalesce({', '.join(f'{name}.id' for name in names)})"
    matches = " + ".join(f"{name}.matches" for name in names)
    if len(names) > 1:
        target = f"CASE WHEN s.known IS NULL THEN {target} ELSE (SELECT {_WHOLE} FROM profile WHERE id = s.known) END"
        matches = f"CASE WHEN s.known IS NULL THEN {matches} ELSE 1 END"
    return f"""
        {" ".join(found)}
        CROSS JOIN LATERAL (SELECT {target} AS target, CASE {by} END AS by, {matches} AS matches) f
    """


def _equal(profile: str, columns: Sequence[str]) -> str:
    """That a profile has the key of a staged row; `profile`: its name in the statement."""
    return " AND ".join(f"{profile}.{column} = s.{column}" for column in columns)


def _taken(plan: Plan, columns: Sequence[str]) -> str:
    return f"""
        DELETE FROM {STAGING} s
         WHERE EXISTS (SELECT FROM profile o
                        WHERE {_equal("o", columns)}
                          AND coalesce(o.merged_into, o.id)
                              IS DISTINCT FROM (SELECT f.target FROM (SELECT) one {_match(plan)}))
        RETURNING line
    """


def _found(plan: Plan) -> str:
    """The common table of what is found: no copy of the rows, which most often nobody needs again.

    One that `waits` is about the same profile as an earlier row, by the key of one that is merged.
    """
    seen = f"""
            SELECT s.ctid AS place, s.line, f.target, f.matches, p.id IS NOT NULL AND {_differs(plan, "p")} AS differs
              FROM {STAGING} s
              {_match(plan)}
              LEFT JOIN profile p ON p.id = f.target
    """
    if len(plan.keys) == 1 and not plan.keys[0].shared:  # one look finds the profile and all of it
        seen = f"""
            SELECT s.ctid AS place, s.line, coalesce(p.merged_into, p.id) AS target, 1 AS matches,
                   CASE WHEN p.merged_into IS NULL THEN p.id IS NOT NULL AND {_differs(plan, "p")}
                        ELSE {_differs(plan, "w")} END AS differs
              FROM {STAGING} s
              LEFT JOIN profile p ON {_equal("p", plan.keys[0].columns)}
              LEFT JOIN profile w ON w.id = p.merged_into
        """
    return f"""
        seen AS MATERIALIZED ({seen}),
        found AS MATERIALIZED (
            SELECT *, target IS NOT NULL AND row_number() OVER (PARTITION BY target ORDER BY line) > 1 AS waits
              FROM seen ORDER BY target, line
        )
    """


def _differs(plan: Plan, profile: str) -> str:
    """Whether the import changes a profile that goes by this name in the statement."""
    if not plan.written or plan.options.mode in (ImportMode.INSERT, ImportMode.DELETE):
        return "false"
    before = ", ".join(compared(plan, column, f"{profile}.{column}") for column in plan.written)
    after = ", ".join(compared(plan, column, _after(plan, column, profile)) for column in plan.written)
    return f"({before}) IS DISTINCT FROM ({after})"


_AMBIGUOUS = "count(*) FILTER (WHERE matches > 1)"
_KNOWN = "count(*) FILTER (WHERE target IS NOT NULL)"
_NEW = "count(*) FILTER (WHERE target IS NULL)"
_CHANGED = "count(*) FILTER (WHERE differs)"
_SAME = "count(*) FILTER (WHERE target IS NOT NULL AND NOT differs)"

# Without those that wait.
_CHANGED_NOW = "count(*) FILTER (WHERE differs AND NOT waits)"
_SAME_NOW = "count(*) FILTER (WHERE target IS NOT NULL AND NOT differs AND NOT waits)"
_AMBIGUOUS_NOW = "count(*) FILTER (WHERE matches > 1 AND NOT waits)"
_AGAIN = "coalesce(array_agg(line ORDER BY line) FILTER (WHERE waits), '{}') AS again"


def _update(plan: Plan) -> str:
    changes = "".join(f", {column} = {_after(plan, column, 'p')}" for column in plan.written)
    return f"""
        UPDATE profile p SET updated_at = $1{changes}
          FROM found f JOIN {STAGING} s ON s.ctid = f.place
         WHERE f.differs AND NOT f.waits AND p.id = f.target AND p.merged_into IS NULL
        RETURNING 1
    """


def _insert(plan: Plan) -> str:
    return f"""
        INSERT INTO profile (created_at, updated_at, {", ".join(plan.written)})
        SELECT $1, $1, {", ".join(_fresh(plan, column) for column in plan.written)}
          FROM found f JOIN {STAGING} s ON s.ctid = f.place WHERE f.target IS NULL ORDER BY s.line
        RETURNING 1
    """


def _upsert_rows(plan: Plan) -> str:
    return f"""
        WITH {_found(plan)}, updated AS ({_update(plan)}), inserted AS ({_insert(plan)}),
        counted AS (SELECT {_CHANGED_NOW} AS changed, {_SAME_NOW} AS same, {_AMBIGUOUS_NOW} AS ambiguous, {_AGAIN} FROM found),
        done AS (SELECT (SELECT count(*) FROM inserted) AS inserted, (SELECT count(*) FROM updated) AS updated)
        SELECT d.inserted, d.updated, c.same AS unchanged, c.changed - d.updated AS missed, c.ambiguous, c.again
          FROM counted c, done d
    """


def _insert_rows(plan: Plan) -> str:
    return f"""
        WITH {_found(plan)}, inserted AS ({_insert(plan)})
        SELECT (SELECT count(*) FROM inserted) AS inserted, (SELECT {_KNOWN} FROM found) AS skipped
    """


def _update_rows(plan: Plan) -> str:
    return f"""
        WITH {_found(plan)}, updated AS ({_update(plan)}),
        counted AS (SELECT {_CHANGED_NOW} AS changed, {_SAME_NOW} AS same, {_NEW} AS new, {_AMBIGUOUS_NOW} AS ambiguous,
                           {_AGAIN} FROM found),
        done AS (SELECT count(*) AS updated FROM updated)
        SELECT d.updated, c.same AS unchanged, c.new AS skipped, c.changed - d.updated AS missed, c.ambiguous, c.again
          FROM counted c, done d
    """


def _delete_rows(plan: Plan) -> str:
    """Who is merged into somebody goes with them, and is told as gone."""
    return f"""
        WITH {_found(plan)},
        parts AS MATERIALIZED (SELECT p.id FROM found f JOIN profile p ON p.merged_into = f.target),
        gone AS (DELETE FROM profile p USING found f WHERE p.id = f.target AND p.merged_into IS NULL RETURNING p.id),
        counted AS (SELECT {_KNOWN} AS known, {_NEW} AS new, {_AMBIGUOUS} AS ambiguous FROM found),
        done AS (SELECT count(*) AS deleted, coalesce(array_agg(id), '{{}}') AS ids FROM gone)
        SELECT d.deleted, c.new AS skipped, c.known - d.deleted AS missed, c.ambiguous,
               d.ids || array(SELECT id FROM parts) AS gone
          FROM counted c, done d
    """


_STATEMENTS = {
    ImportMode.INSERT_OR_UPDATE: _upsert_rows,
    ImportMode.INSERT: _insert_rows,
    ImportMode.UPDATE: _update_rows,
    ImportMode.DELETE: _delete_rows,
}
_COUNTS = {
    ImportMode.INSERT_OR_UPDATE: f"{_NEW} AS inserted, {_CHANGED} AS updated, {_SAME} AS unchanged, {_AMBIGUOUS} AS ambiguous",
    ImportMode.INSERT: f"{_NEW} AS inserted, {_KNOWN} AS skipped",
    ImportMode.UPDATE: f"{_CHANGED} AS updated, {_SAME} AS unchanged, {_NEW} AS skipped, {_AMBIGUOUS} AS ambiguous",
    ImportMode.DELETE: f"{_KNOWN} AS deleted, {_NEW} AS skipped, {_AMBIGUOUS} AS ambiguous",
}


def _count(plan: Plan) -> str:
    """What a dry run asks: nothing is written."""
    return f"WITH {_found(plan)} SELECT {_COUNTS[plan.options.mode]} FROM found"


def _after(plan: Plan, column: str, profile: str) -> str:
    """What a column of a profile that exists becomes; `profile`: its name in the statement."""
    before, now_said = f"{profile}.{column}", said(plan, column)
    if len(plan.keys) == 1 and column in plan.columns_of_keys and column not in EMAIL_COLUMNS:
        return before  # it found the profile, maybe through one that is merged and keeps its own
    field = plan.by_column.get(column)
    if field is not None and field.opt_out and not plan.options.lift_opt_outs:
        return f"{before} OR coalesce({now_said}, false)"
    after = _fresh(plan, column)
    if plan.options.empty is EmptyCells.KEEP or column in plan.kept_keys:
        after = f"coalesce({now_said}, {before})"  # an email's three columns are empty together
    others = [_is_anothers(plan, columns, profile) for columns in _compared(plan, column)]
    return f"CASE WHEN {' OR '.join(others)} THEN {before} ELSE {after} END" if others else after


def _compared(plan: Plan, column: str) -> list[tuple[str, ...]]:
    """The unique values and the keys that a column belongs to."""
    single = [(column,)] if column in plan.unique else []
    of = [key.columns for key in plan.keys if column in key.columns or (column in EMAIL_COLUMNS and "email_key" in key.columns)]
    return list(dict.fromkeys((*single, *of)))


def _is_anothers(plan: Plan, columns: Sequence[str], profile: str) -> str:
    """That what a row says is not the profile's own, but of one that is merged into it, where it stays."""
    own = ", ".join(f"{profile}.{column}" for column in columns)
    other = f"({', '.join(f's.{column}' for column in columns)}) IS DISTINCT FROM ({own})"
    if len(plan.keys) > 1 or columns != plan.key_columns[0]:  # otherwise the row has found it by just these
        part = f"SELECT count(*) FROM profile o WHERE {_equal('o', columns)} AND o.merged_into = {profile}.id"
        other += f" AND ({part}) > 0"  # not EXISTS, which might be looked up in a copy of the whole table
    return f"({other})"


def _fresh(plan: Plan, column: str) -> str:
    """What a column of a new profile becomes."""
    field = plan.by_column.get(column)
    if column in EMAIL_COLUMNS or field is None or not field.required:
        return said(plan, column)
    return f"coalesce(s.{column}, {'false' if field.default is False else int(field.default or 0)})"
