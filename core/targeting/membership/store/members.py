"""SQL that brings members up to date: those of some people in many audiences, or all of one audience.

Whoever calls it holds `UPKEEP_LOCK`. Each is one statement: who is a member now, who was, who enters, who leaves, what is
written of that in the log, and who is due when.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from core.db import Connection
from core.targeting.sql import Statement

PEOPLE = "person_asked"  # what questions call the people they are about, with their columns under the names of `profile`

SHARED = 4  # statements that read the same rows of people: these are fetched once for all of them

_NUMBERED = re.compile(r"'(?:[^']|'')*'|\$(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Theirs:
    """Rows of a table that are linked to the people of `PEOPLE`: a column says whose they are."""

    table: str
    owner: str
    merged: bool  # whether those of who is merged into somebody count as the other's

    @property
    def select(self) -> str:
        """All of them."""
        whose = f"SELECT id FROM {PEOPLE}"
        if self.merged:
            whose += f" UNION ALL SELECT p.id FROM profile p JOIN {PEOPLE} a ON a.id = p.merged_into"
        return f'SELECT t.* FROM "{self.table}" t WHERE t."{self.owner}" IN ({whose})'


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A kept audience as it is asked about the people of `PEOPLE`. `holds` gives the numbers of those who are members, `dues`
    `profile_id` and `due_at` of those who are due at all; None: nobody ever is. `theirs` are all linked rows that it reads
    of them, where these may be fetched beforehand."""

    kept_id: int
    theirs: tuple[Theirs, ...]
    columns: frozenset[str]  # of profiles, that it reads
    holds: Statement
    dues: Statement | None

    def known(self, kept_id: int, at: datetime) -> Question:
        """The same of a kept audience, asked at this time."""
        dues = self.dues.known(at) if self.dues else None
        return replace(self, kept_id=kept_id, holds=self.holds.known(at), dues=dues)


# Whoever differs is found by a join of what is so now and what was known. A row that says nothing any more is dropped: so does
# one whose due date was taken off.
_WRITE = """
found AS (
    SELECT profile_id, kept_id, a.is_in IS NOT NULL AS is_in, d.due_at
      FROM (SELECT profile_id, kept_id, true AS is_in FROM asked) AS a FULL JOIN dues d USING (profile_id, kept_id)
), differing AS MATERIALIZED (
    SELECT profile_id, kept_id, coalesce(f.is_in, false) AS is_in, k.entered_at IS NOT NULL AS was_in, f.due_at,
           k.known IS NOT NULL AS known
      FROM found f FULL JOIN (SELECT profile_id, kept_id, entered_at, due_at, true AS known FROM before) AS k
           USING (profile_id, kept_id)
     WHERE f.is_in IS DISTINCT FROM (k.entered_at IS NOT NULL) OR f.due_at IS DISTINCT FROM k.due_at
), added AS (
    INSERT INTO kept_member (profile_id, kept_id, entered_at, due_at)
    SELECT profile_id, kept_id, CASE WHEN is_in THEN $1::timestamptz END, due_at
      FROM differing WHERE NOT known ORDER BY profile_id, kept_id  -- near to each other in the key, as far as they are
), changed AS (
    UPDATE kept_member k SET entered_at = CASE WHEN d.is_in THEN coalesce(k.entered_at, $1) END, due_at = d.due_at
      FROM differing d
     WHERE d.known AND (d.is_in OR d.due_at IS NOT NULL) AND k.profile_id = d.profile_id AND k.kept_id = d.kept_id
), dropped AS (
    DELETE FROM kept_member k USING differing d
     WHERE d.known AND NOT d.is_in AND d.due_at IS NULL AND k.profile_id = d.profile_id AND k.kept_id = d.kept_id
), moved AS (
    SELECT profile_id, kept_id, is_in AS entered FROM differing WHERE is_in <> was_in
), logged AS (
    INSERT INTO membership_log (kept_id, position, profile_id, entered, at)
    SELECT kept_id, nextval('membership_position'), profile_id, entered, $1 FROM moved
)"""

_BEFORE = "SELECT profile_id, kept_id, entered_at, due_at FROM kept_member"

# First all that a person is, one after the other: asked of all at once, Postgres 18 skips through the index of audiences,
# which is to read all of it. Then those of the audiences.
_BEFORE_OF_SOME = f"""
SELECT b.* FROM unnest($2::bigint[]) AS asked (id),
       LATERAL ({_BEFORE} WHERE profile_id = asked.id OFFSET 0) AS b
 WHERE b.kept_id = ANY($3::bigint[])
"""
_NOBODY_DUE = "SELECT NULL::bigint AS kept_id, NULL::bigint AS profile_id, NULL::timestamptz AS due_at WHERE false"

_COUNT_MEMBERS = """
UPDATE kept_audience k SET members = members + g.by
  FROM (SELECT kept_id, sum(CASE WHEN entered THEN 1 ELSE -1 END)::bigint AS by FROM moved GROUP BY kept_id) AS g
 WHERE k.id = g.kept_id
"""


async def ask_about(conn: Connection, questions: Sequence[Question], profile_ids: Sequence[int], now: datetime) -> None:
    """Make those of these people members of whom a question says so, and the others not."""
    writing = _Writing(now, list(profile_ids), [one.kept_id for one in questions])
    columns = sorted({"id", "merged_into"}.union(*(one.columns for one in questions)))
    dated = [(one, one.dues) for one in questions if one.dues is not None]
    asked = [(one, one.holds) for one in questions]
    shared = _shared([one for one, _ in (*asked, *dated)])
    holds = writing.together([(one.kept_id, _reading(one, shared), sql) for one, sql in asked], "profile_id")
    dues = writing.together([(one.kept_id, _reading(one, shared), sql) for one, sql in dated], "profile_id, due_at")
    parts = [
        f"""{PEOPLE} AS MATERIALIZED (
            SELECT {", ".join(f'"{name}"' for name in columns)} FROM profile
             WHERE id = ANY($2::bigint[]) AND merged_into IS NULL
        )""",
        *(f'"{name}" AS MATERIALIZED ({one.select})' for one, name in shared.items()),
        f"asked AS MATERIALIZED ({holds})",
        f"dues AS MATERIALIZED ({dues})",
        f"before AS MATERIALIZED ({_BEFORE_OF_SOME})",
        _WRITE,
    ]
    await conn.execute(f"WITH {', '.join(parts)} {_COUNT_MEMBERS}", *writing.args)


def _shared(read: Sequence[Question]) -> dict[Theirs, str]:
    """The rows that many statements read, and what they are called once they are fetched."""
    times = Counter(one for question in read for one in question.theirs)
    often = (one for one, count in times.items() if count >= SHARED)
    return {one: f"theirs_{number}" for number, one in enumerate(often)}


def _reading(question: Question, shared: Mapping[Theirs, str]) -> str:
    """Puts what is fetched in the place of the tables."""
    found = [f'"{one.table}" AS (SELECT * FROM "{shared[one]}")' for one in question.theirs if one in shared]
    return f"WITH {', '.join(found)} " if found else ""


async def count_everybody(
    conn: Connection, kept_id: int, holds: Statement, dues: Statement | None, now: datetime, seconds: float
) -> None:
    """Make those members whom a question finds, and nobody else. `dues` is asked of everybody.

    Raises TimeoutError when it takes longer; it is ended then, and nothing of it stays.
    """
    writing = _Writing(now)
    key = int(kept_id)
    parts = [
        f"asked AS ({writing.together([(key, '', holds)], 'profile_id')})",
        f"dues AS ({writing.together([(key, '', dues)] if dues else [], 'profile_id, due_at')})",
        f"before AS ({_BEFORE} WHERE kept_id = {key})",
        _WRITE,
    ]
    async with conn.transaction():
        await conn.execute(f"WITH {', '.join(parts)} {_COUNT_MEMBERS}", *writing.args, timeout=seconds)


class _Writing:
    """Statements put into one, with the values of all: its own come first."""

    def __init__(self, *args: object) -> None:
        self.args = list(args)

    def together(self, statements: Sequence[tuple[int, str, Statement]], columns: str) -> str:
        """What each gives, with the number of its audience before it; beside that what the statement begins with."""
        return (
            " UNION ALL ".join(
                f"SELECT {kept_id:d}::bigint AS kept_id, f.* FROM ({reading}{self._add(one)}) AS f ({columns})"
                for kept_id, reading, one in statements
            )
            or _NOBODY_DUE
        )

    def _add(self, statement: Statement) -> str:
        before = len(self.args)
        self.args += statement.args
        return _NUMBERED.sub(lambda found: f"${before + int(found[1])}" if found[1] else found[0], statement.text)
