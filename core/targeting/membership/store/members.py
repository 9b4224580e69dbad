"""SQL that brings members up to date: those of some people in many audiences, or all of one audience.

Whoever calls it holds `UPKEEP_LOCK`. Each is one statement: who is a member now, who was, who enters, who leaves, what is
written of that in the log, and who is due when.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from core.db import Connection
from core.targeting.sql import Statement

PEOPLE = "person_asked"  # what questions call the people they are about, with their columns under the names of `profile`

_NUMBERED = re.compile(r"'(?:[^']|'')*'|\$(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A kept audience as it is asked about the people of `PEOPLE`. `holds` gives the numbers of those who are members, `dues`
    `profile_id` and `due_at` of those who are due at all; None: nobody ever is."""

    kept_id: int
    columns: frozenset[str]  # of profiles, that it reads
    holds: Statement
    dues: Statement | None

    def known(self, kept_id: int, at: datetime) -> Question:
        """The same of a kept audience, asked at this time."""
        dues = self.dues.known(at) if self.dues else None
        return replace(self, kept_id=kept_id, holds=self.holds.known(at), dues=dues)


_ENTER_AND_LEAVE = """
entered AS (
    INSERT INTO kept_member (profile_id, kept_id, entered_at)
    SELECT a.profile_id, a.kept_id, $1::timestamptz FROM asked a
     WHERE NOT EXISTS (SELECT FROM members m WHERE m.profile_id = a.profile_id AND m.kept_id = a.kept_id)
     ORDER BY a.kept_id, a.profile_id
    RETURNING profile_id, kept_id
), gone AS (
    DELETE FROM kept_member k
     USING (SELECT profile_id, kept_id FROM members m
             WHERE NOT EXISTS (SELECT FROM asked a WHERE m.profile_id = a.profile_id AND m.kept_id = a.kept_id)) AS old
     WHERE k.profile_id = old.profile_id AND k.kept_id = old.kept_id
    RETURNING k.profile_id, k.kept_id
), moved AS (
    SELECT profile_id, kept_id, true AS entered FROM entered UNION ALL SELECT profile_id, kept_id, false FROM gone
), logged AS (
    INSERT INTO membership_log (kept_id, position, profile_id, entered, at)
    SELECT kept_id, nextval('membership_position'), profile_id, entered, $1 FROM moved
)"""

_DUE = """,
due AS (
    INSERT INTO kept_due (profile_id, kept_id, due_at)
    SELECT a.profile_id, a.kept_id, a.due_at FROM dues a
     WHERE NOT EXISTS (SELECT FROM known_dues k WHERE k.profile_id = a.profile_id AND k.kept_id = a.kept_id)
     ORDER BY a.kept_id, a.profile_id
), due_otherwise AS (
    UPDATE kept_due d SET due_at = a.due_at
      FROM dues a JOIN known_dues k ON k.profile_id = a.profile_id AND k.kept_id = a.kept_id AND k.due_at <> a.due_at
     WHERE d.profile_id = a.profile_id AND d.kept_id = a.kept_id
), never_due AS (
    DELETE FROM kept_due d
     USING (SELECT profile_id, kept_id FROM known_dues k
             WHERE NOT EXISTS (SELECT FROM dues a WHERE k.profile_id = a.profile_id AND k.kept_id = a.kept_id)) AS old
     WHERE d.profile_id = old.profile_id AND d.kept_id = old.kept_id
)"""

_COUNT_MEMBERS = """
UPDATE kept_audience k SET members = members + g.by
  FROM (SELECT kept_id, sum(CASE WHEN entered THEN 1 ELSE -1 END)::bigint AS by FROM moved GROUP BY kept_id) AS g
 WHERE k.id = g.kept_id
"""


async def ask_about(conn: Connection, questions: Sequence[Question], profile_ids: Sequence[int], now: datetime) -> None:
    """Make those of these people members of whom a question says so, and the others not."""
    writing = _Writing(now, list(profile_ids), [one.kept_id for one in questions])
    columns = sorted({"id", "merged_into"}.union(*(one.columns for one in questions)))
    dated = [one for one in questions if one.dues is not None]
    parts = [
        f"""{PEOPLE} AS MATERIALIZED (
            SELECT {", ".join(f'"{name}"' for name in columns)} FROM profile
             WHERE id = ANY($2::bigint[]) AND merged_into IS NULL
        )""",
        f"asked AS MATERIALIZED ({writing.together([(one.kept_id, one.holds) for one in questions], 'profile_id')})",
        *_known("members", "kept_member", "profile_id, kept_id"),
        _ENTER_AND_LEAVE,
    ]
    due = ""
    if dated:
        dues = writing.together([(one.kept_id, one.dues) for one in dated if one.dues], "profile_id, due_at")
        parts[-1:] = [
            f"dues AS MATERIALIZED ({dues})",
            *_known("known_dues", "kept_due", "profile_id, kept_id, due_at"),
            parts[-1],
        ]
        due = _DUE
    await conn.execute(f"WITH {', '.join(parts)}{due} {_COUNT_MEMBERS}", *writing.args)


def _known(name: str, table: str, columns: str) -> Iterator[str]:
    """What was found of these people before: first all of theirs, by the index, then those of the audiences."""
    yield f"all_{name} AS MATERIALIZED (SELECT {columns} FROM {table} WHERE profile_id = ANY($2))"
    yield f"{name} AS MATERIALIZED (SELECT {columns} FROM all_{name} WHERE kept_id = ANY($3::bigint[]))"


async def count_everybody(conn: Connection, kept_id: int, holds: Statement, dues: Statement | None, now: datetime) -> None:
    """Make those members whom a question finds, and nobody else. `dues` is asked of everybody."""
    writing = _Writing(now)
    known_dues = "SELECT profile_id, kept_id, due_at FROM kept_due WHERE kept_id = {kept_id}"
    empty = "SELECT NULL::bigint AS profile_id, NULL::bigint AS kept_id, NULL::timestamptz AS due_at WHERE false"
    parts = [
        f"asked AS MATERIALIZED ({writing.together([(kept_id, holds)], 'profile_id')})",
        f"members AS MATERIALIZED (SELECT profile_id, kept_id FROM kept_member WHERE kept_id = {kept_id:d})",
        f"dues AS MATERIALIZED ({writing.together([(kept_id, dues)], 'profile_id, due_at') if dues else empty})",
        f"known_dues AS MATERIALIZED ({known_dues.format(kept_id=int(kept_id))})",
        _ENTER_AND_LEAVE,
    ]
    await conn.execute(f"WITH {', '.join(parts)}{_DUE} {_COUNT_MEMBERS}", *writing.args)


class _Writing:
    """Statements put into one, with the values of all: its own come first."""

    def __init__(self, *args: object) -> None:
        self.args = list(args)

    def together(self, statements: Sequence[tuple[int, Statement]], columns: str) -> str:
        """What each gives, with the number of its audience before it."""
        return " UNION ALL ".join(
            f"SELECT {kept_id:d}::bigint AS kept_id, f.* FROM ({self._add(one)}) AS f ({columns})"
            for kept_id, one in statements
        )

    def _add(self, statement: Statement) -> str:
        before = len(self.args)
        self.args += statement.args
        return _NUMBERED.sub(lambda found: f"${before + int(found[1])}" if found[1] else found[0], statement.text)
