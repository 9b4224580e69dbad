"""The statements of one chunk of an import into a dataset: staging, match, upsert.

Their text is put together from the names of columns of the data model only: no header, no cell and no option becomes text of a
statement. Joins are nested loops over an index on purpose, as in `core/profiles/store/import_chunks.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.db import Connection
from core.profiles.import_columns import Plan
from core.profiles.import_options import ImportMode
from core.profiles.import_repeats import Rows
from core.profiles.import_target import Written
from core.profiles.run_records import EmptyCells
from core.profiles.store.chunk_columns import compared, said, staged_names

STAGING = "import_staging"
LOCK = 0x636C_6172_0501  # the advisory lock of imports into datasets
ASLEEP_MS = 15_000  # milliseconds after which the server ends a connection that holds the lock and asks nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """The name of the actor, and the columns into which it goes: of rows that are added, and of rows that are changed."""

    actor: str
    created: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


class RowChunks:
    """The statements for one plan on one table."""

    def __init__(self, table: str, plan: Plan, audited: Audited):
        self.table = table
        self.plan = plan
        self._columns = plan.staged
        self._args: list[str] = []
        self._takes_time = not plan.options.dry_run and plan.options.mode is not ImportMode.DELETE
        if not self._takes_time:
            self._finish = _count(table, plan) if plan.options.dry_run else _delete_rows(table, plan)
            return
        mode = plan.options.mode
        written = audited.changed if mode is ImportMode.UPDATE else audited.created  # who creates a row also changed it last
        self._finish = _STATEMENTS[mode](table, plan, audited)
        self._args = [audited.actor] if written else []

    async def stage(self, conn: Connection, lines: Sequence[int], columns: Sequence[Sequence[Any]]) -> None:
        """Put a chunk into a table of this transaction."""
        known = ", 0::bigint AS known" if len(self.plan.keys) > 1 else ""
        await conn.execute(
            f"CREATE TEMPORARY TABLE {STAGING} ON COMMIT DROP AS"
            f" SELECT 0::bigint AS line{known}, {staged_names(self.plan)} FROM {self.table} WITH NO DATA"
        )
        await self._copy(conn, lines, columns)

    async def lock(self, conn: Connection) -> None:
        """Wait for other imports into datasets. Held until the commit; a worker that falls asleep with it is cut off."""
        await conn.execute(
            """
            SELECT pg_advisory_xact_lock($1), set_config('idle_in_transaction_session_timeout', $2, true),
                   set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)
            """,
            LOCK,
            str(ASLEEP_MS),
        )

    async def take_out_unknown(self, conn: Connection, columns: Sequence[str]) -> list[int]:
        """Remove staged rows with a key of nothing; returns their lines."""
        said = " AND ".join(f"s.{column} IS NOT NULL" for column in columns)
        rows = await conn.fetch(
            f"""
            DELETE FROM {STAGING} s
             WHERE {said} AND NOT EXISTS (SELECT FROM {self.table} t WHERE {_equal("t", columns)}) RETURNING line
            """
        )
        return [row["line"] for row in rows]

    async def take_out_taken(self, conn: Connection, columns: Sequence[str]) -> list[int]:
        """Remove staged rows whose values of columns that are unique together are another row's; returns their lines."""
        rows = await conn.fetch(
            f"""
            DELETE FROM {STAGING} s
             WHERE EXISTS (SELECT FROM {self.table} o
                            WHERE {_equal("o", columns)} AND o.id IS DISTINCT FROM
                                  (SELECT f.target FROM (SELECT) one {_match(self.table, self.plan)}))
            RETURNING line
            """
        )
        return [row["line"] for row in rows]

    async def take_out_merged(self, conn: Connection) -> dict[int, tuple[int, int]]:
        """None: rows of datasets are not merged."""
        return {}

    async def list_same(self, conn: Connection) -> dict[int, tuple[int, int]]:
        """Lines whose row another staged one is about too, by whichever key: the row, and the number of the key."""
        rows = await conn.fetch(
            f"""
            SELECT line, target, by FROM (
                SELECT s.line, f.target, f.by, count(*) OVER (PARTITION BY f.target) AS times
                  FROM {STAGING} s {_match(self.table, self.plan)} WHERE f.target IS NOT NULL
            ) found WHERE times > 1
            """
        )
        return {row["line"]: (row["target"], row["by"]) for row in rows}

    async def find(self, conn: Connection, lines: Sequence[int]) -> dict[int, tuple[int, int]]:
        """The rows of those of these lines that have one, each with the number of the key that found it."""
        rows = await conn.fetch(
            f"""
            SELECT s.line, f.target, f.by FROM {STAGING} s {_match(self.table, self.plan)}
             WHERE s.line = ANY($1::bigint[]) AND f.target IS NOT NULL
            """,
            lines,
        )
        return {row["line"]: (row["target"], row["by"]) for row in rows}

    async def replace(self, conn: Connection, lines: Sequence[int], rows: Rows, targets: Sequence[int] | None) -> None:
        """Put rows into the place of staged lines; `targets`: the row of each, 0 for a new one; None: by the key."""
        await conn.execute(f"DELETE FROM {STAGING} WHERE line = ANY($1::bigint[])", lines)
        if rows.lines and targets is None:
            await self._copy(conn, rows.lines, rows.columns)
        elif rows.lines:
            await conn.copy_records_to_table(
                STAGING, records=zip(rows.lines, targets or (), *rows.columns, strict=True),
                columns=("line", "known", *self._columns),
            )  # fmt: skip

    async def leave(self, conn: Connection, lines: Sequence[int]) -> None:
        """Take out all staged rows but these."""
        await conn.execute(f"DELETE FROM {STAGING} WHERE line <> ALL($1::bigint[])", lines)

    async def finish(self, conn: Connection, now: datetime) -> Written:
        """Do what the import's mode says, or count what it would do. Raises UniqueViolationError when somebody was faster."""
        return Written(**dict(await conn.fetchrow(self._finish, *([now, *self._args] if self._takes_time else []))))

    async def list_ambiguous(self, conn: Connection) -> list[tuple[int, int, list[int]]]:
        """None: no two rows have one key."""
        return []

    async def _copy(self, conn: Connection, lines: Sequence[int], columns: Sequence[Sequence[Any]]) -> None:
        await conn.copy_records_to_table(STAGING, records=zip(lines, *columns, strict=True), columns=("line", *self._columns))


def _equal(row: str, columns: Sequence[str]) -> str:
    """That a row has the key of a staged one; `row`: its name in the statement."""
    return " AND ".join(f"{row}.{column} = s.{column}" for column in columns)


def _match(table: str, plan: Plan) -> str:
    """What a staged row is about, as `f (target, by)`: each key is looked at when those before found nothing.

    Of several keys, rows that were made one out of several know it: their keys may be those of another by now.
    """
    joins: list[str] = []
    for number, columns in enumerate(plan.key_columns):
        before = "".join(f"m{one}.id IS NULL AND " for one in range(number))
        joins.append(f"LEFT JOIN {table} m{number} ON {before}{_equal(f'm{number}', columns)}")
    ids = [f"m{number}.id" for number in range(len(joins))]
    target = f"coalesce({', '.join(ids)})" if len(ids) > 1 else ids[0]
    by = " ".join(f"WHEN {one} IS NOT NULL THEN {number}" for number, one in enumerate(ids))
    if len(ids) > 1:
        target = f"CASE WHEN s.known IS NULL THEN {target} ELSE (SELECT id FROM {table} WHERE id = s.known) END"
    return f"{' '.join(joins)} CROSS JOIN LATERAL (SELECT {target} AS target, CASE {by} END AS by) f"


def _found(table: str, plan: Plan) -> str:
    """The common table of what is found: no copy of the rows, which most often nobody needs again."""
    if len(plan.keys) == 1:  # one look finds the row and all of it
        joins, target = f"LEFT JOIN {table} t ON {_equal('t', plan.keys[0].columns)}", "t.id"
    else:
        joins, target = f"{_match(table, plan)} LEFT JOIN {table} t ON t.id = f.target", "f.target"
    return f"""
        found AS MATERIALIZED (
            SELECT s.ctid AS place, s.line, {target} AS target, t.id IS NOT NULL AND {_differs(plan)} AS differs
              FROM {STAGING} s {joins}
        )
    """


def _differs(plan: Plan) -> str:
    if not plan.written or plan.options.mode in (ImportMode.INSERT, ImportMode.DELETE):
        return "false"
    before = ", ".join(compared(plan, column, f"t.{column}") for column in plan.written)
    return f"({before}) IS DISTINCT FROM ({', '.join(compared(plan, one, _after(plan, one)) for one in plan.written)})"


def _after(plan: Plan, column: str) -> str:
    """What a column of a row that exists becomes."""
    if len(plan.keys) == 1 and column in plan.columns_of_keys:
        return f"t.{column}"  # it found the row
    if plan.options.empty is EmptyCells.KEEP or column in plan.kept_keys:
        return f"coalesce({said(plan, column)}, t.{column})"
    return said(plan, column)


_KNOWN = "count(*) FILTER (WHERE target IS NOT NULL)"
_NEW = "count(*) FILTER (WHERE target IS NULL)"
_CHANGED = "count(*) FILTER (WHERE differs)"
_SAME = "count(*) FILTER (WHERE target IS NOT NULL AND NOT differs)"


def _update(table: str, plan: Plan, audited: Audited) -> str:
    changes = "".join(f", {column} = {_after(plan, column)}" for column in plan.written)
    changes += "".join(f", {column} = $2::text" for column in audited.changed)
    return f"""
        updated AS (
            UPDATE {table} t SET updated_at = $1{changes}
              FROM found f JOIN {STAGING} s ON s.ctid = f.place WHERE f.differs AND t.id = f.target
            RETURNING 1
        )
    """


def _insert(table: str, plan: Plan, audited: Audited) -> str:
    who = ["$2::text"] * len(audited.created)
    return f"""
        inserted AS (
            INSERT INTO {table} ({", ".join(("created_at", "updated_at", *plan.written, *audited.created))})
            SELECT {", ".join(("$1::timestamptz", "$1", *(said(plan, column) for column in plan.written), *who))}
              FROM found f JOIN {STAGING} s ON s.ctid = f.place WHERE f.target IS NULL ORDER BY s.line
            RETURNING 1
        )
    """


def _upsert_rows(table: str, plan: Plan, audited: Audited) -> str:
    return f"""
        WITH {_found(table, plan)}, {_update(table, plan, audited)}, {_insert(table, plan, audited)},
        counted AS (SELECT {_CHANGED} AS changed, {_SAME} AS same FROM found),
        done AS (SELECT (SELECT count(*) FROM inserted) AS inserted, (SELECT count(*) FROM updated) AS updated)
        SELECT d.inserted, d.updated, c.same AS unchanged, c.changed - d.updated AS missed FROM counted c, done d
    """


def _insert_rows(table: str, plan: Plan, audited: Audited) -> str:
    return f"""
        WITH {_found(table, plan)}, {_insert(table, plan, audited)}
        SELECT (SELECT count(*) FROM inserted) AS inserted, (SELECT {_KNOWN} FROM found) AS skipped
    """


def _update_rows(table: str, plan: Plan, audited: Audited) -> str:
    return f"""
        WITH {_found(table, plan)}, {_update(table, plan, audited)},
        counted AS (SELECT {_CHANGED} AS changed, {_SAME} AS same, {_NEW} AS new FROM found),
        done AS (SELECT count(*) AS updated FROM updated)
        SELECT d.updated, c.same AS unchanged, c.new AS skipped, c.changed - d.updated AS missed FROM counted c, done d
    """


def _delete_rows(table: str, plan: Plan) -> str:
    return f"""
        WITH {_found(table, plan)},
        gone AS (DELETE FROM {table} t USING found f WHERE t.id = f.target RETURNING 1),
        counted AS (SELECT {_KNOWN} AS known, {_NEW} AS new FROM found),
        done AS (SELECT count(*) AS deleted FROM gone)
        SELECT d.deleted, c.new AS skipped, c.known - d.deleted AS missed FROM counted c, done d
    """


_STATEMENTS = {
    ImportMode.INSERT_OR_UPDATE: _upsert_rows,
    ImportMode.INSERT: _insert_rows,
    ImportMode.UPDATE: _update_rows,
}
_COUNTS = {
    ImportMode.INSERT_OR_UPDATE: f"{_NEW} AS inserted, {_CHANGED} AS updated, {_SAME} AS unchanged",
    ImportMode.INSERT: f"{_NEW} AS inserted, {_KNOWN} AS skipped",
    ImportMode.UPDATE: f"{_CHANGED} AS updated, {_SAME} AS unchanged, {_NEW} AS skipped",
    ImportMode.DELETE: f"{_KNOWN} AS deleted, {_NEW} AS skipped",
}


def _count(table: str, plan: Plan) -> str:
    """What a dry run asks: nothing is written."""
    return f"WITH {_found(table, plan)} SELECT {_COUNTS[plan.options.mode]} FROM found"
