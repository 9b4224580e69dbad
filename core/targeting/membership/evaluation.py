"""Kept audiences as statements: about some people, or about everybody. Made once for a day of a zone, as all questions are."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import FromClause, Select, TableClause, column, select, table

from core.recent import Recent
from core.targeting.checked import CheckedExpression
from core.targeting.compiled import Plan
from core.targeting.linked import entity_table
from core.targeting.membership.due import POPULATION, RANKS, due_of
from core.targeting.membership.due_rows import due_rows
from core.targeting.membership.records import Kept, NotedChange, Upkeep
from core.targeting.membership.sharing import theirs_of
from core.targeting.membership.sources import Sources, Way
from core.targeting.membership.store.members import PEOPLE, Question
from core.targeting.moments import Asked, today
from core.targeting.sql import Statement, compile_statement, condition, predicate

_REMEMBERED: Recent[tuple[Any, ...], tuple[CheckedExpression, Question | Statement | None]] = Recent(2_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A kept audience, its question as it is now, and what follows from it."""

    kept: Kept
    checked: CheckedExpression
    zone: ZoneInfo
    sources: Sources
    stamp: bytes  # another one: the members are others, whatever the data
    upkeep: Upkeep
    reasons: tuple[str, ...]

    @property
    def tables(self) -> set[str]:
        """That it reads."""
        return {source.table for source in self.sources.values()}

    @property
    def of_population(self) -> bool:
        """Whether somebody's answer depends on everybody else's rows."""
        return POPULATION in self.reasons or RANKS in self.reasons

    def concerns(self, change: NotedChange) -> bool:
        """Whether a change of somebody's rows may change an answer of theirs."""
        if change.entity == "profile":
            read = self.sources[Way.PROFILE, "profile"].columns
            return change.columns is None or not change.columns.isdisjoint(read)
        return (Way.OWNED, change.entity) in self.sources

    def may_concern_all(self, change: NotedChange) -> bool:
        """Whether a change of rows that are nobody's may change somebody's answer."""
        return any(entity == change.entity for _, entity in self.sources)


def question_about_people(one: Opened, at: datetime) -> Question:
    """What asks about the people of `PEOPLE`: who is a member, and when each answer may be another by time alone."""
    day = today(at, one.zone)
    key = id(one.checked), one.zone.key, day, PEOPLE
    known = _REMEMBERED.get(key) or _REMEMBERED.keep(key, (one.checked, _question(one, day)))
    made = known[1]
    assert isinstance(made, Question)
    return made.known(one.kept.id, at)


def due_of_everybody(one: Opened, at: datetime) -> Statement | None:
    """Who is due when, of all people; None where time alone changes nothing that can be told row by row."""
    day = today(at, one.zone)
    key = id(one.checked), one.zone.key, day, "profile"
    _, made = _REMEMBERED.get(key) or _REMEMBERED.keep(key, (one.checked, _everybody(one, day)))
    assert not isinstance(made, Question)
    return made.known(at) if made else None


def everybody(keys: Select[Any]) -> Select[Any]:
    """The keys of a population as they are: a shape of statements."""
    return keys


def _question(one: Opened, day: date) -> Question:
    people = _people(one.checked)
    asked = Asked(at=None, zone=one.zone, today=day)
    holds = select(people.c.id).where(condition(one.checked, asked=asked, source=people))
    return Question(
        kept_id=one.kept.id, columns=frozenset(one.sources[Way.PROFILE, "profile"].columns), holds=compile_statement(holds),
        dues=_dues(one, asked, people, some=True), theirs=theirs_of(one.checked, one.sources),
    )  # fmt: skip


def _everybody(one: Opened, day: date) -> Statement | None:
    asked = Asked(at=None, zone=one.zone, today=day)
    return _dues(one, asked, entity_table(one.checked.entity), some=False)


def _dues(one: Opened, asked: Asked, people: FromClause, *, some: bool) -> Statement | None:
    plan = Plan.OF_THESE if some else Plan.ALL_AT_ONCE
    windows = [] if one.of_population else due_of(one.checked, asked=asked, source=people, plan=plan).windows
    return compile_statement(due_rows(windows, people, some=some)) if windows else None


def _people(checked: CheckedExpression) -> TableClause:
    return table(PEOPLE, *(column(one.name) for one in entity_table(checked.entity).c))


def stamp_of(checked: CheckedExpression, zone: ZoneInfo) -> bytes:
    """A digest of what members depend on besides the data: the SQL with its values as of one instant, and the zone."""
    at = datetime(2000, 1, 1, tzinfo=UTC)
    rows = entity_table(checked.entity)
    asked = compile_statement(select(rows.c.id).where(predicate(checked, at=at, zone=zone, source=rows)))
    return hashlib.sha256(repr((asked.text, asked.args, zone.key)).encode()).digest()
