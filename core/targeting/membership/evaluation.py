"""Kept audiences as they can be asked about some people: one statement for many audiences."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import ARRAY, TIMESTAMP, BigInteger, and_, any_, bindparam, cast, null, select, true
from sqlalchemy.dialects.postgresql import array

from core.targeting.checked import CheckedExpression
from core.targeting.compiled import Sql
from core.targeting.linked import entity_table
from core.targeting.membership.due import POPULATION, due_of
from core.targeting.membership.records import Kept, NotedChange, Upkeep
from core.targeting.membership.sources import Sources, Way
from core.targeting.sql import Statement, compile_statement, predicate

_INSTANT = TIMESTAMP(timezone=True)


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
        return POPULATION in self.reasons

    def concerns(self, change: NotedChange) -> bool:
        """Whether a change of somebody's rows may change an answer of theirs."""
        if change.entity == "profile":
            read = self.sources[Way.PROFILE, "profile"].columns
            return change.columns is None or not change.columns.isdisjoint(read)
        return (Way.OWNED, change.entity) in self.sources

    def may_concern_all(self, change: NotedChange) -> bool:
        """Whether a change of rows that are nobody's may change somebody's answer."""
        return any(entity == change.entity for _, entity in self.sources)


def asking(opened: Sequence[Opened], profile_ids: Sequence[int], at: datetime) -> Statement:
    """A row for each of these people who is there: `profile_id`, and in the order of the audiences, whether each `holds`, and
    when the answer may be another by time alone (`dues`)."""
    rows = entity_table(opened[0].checked.entity)
    living = rows.c.merged_into.is_(None)
    holds = [and_(living, predicate(one.checked, at=at, zone=one.zone, source=rows)).is_(true()) for one in opened]
    dues = [_due(one, at) for one in opened]
    people = bindparam(None, list(profile_ids), ARRAY(BigInteger()))
    return compile_statement(
        select(rows.c.id.label("profile_id"), array(holds).label("holds"), array(dues).label("dues")).where(
            rows.c.id == any_(people)
        )
    )


def _due(one: Opened, at: datetime) -> Sql:
    found = None if one.of_population else due_of(one.checked, at=at, zone=one.zone).at
    return cast(null() if found is None else found, _INSTANT)


def stamp_of(checked: CheckedExpression, zone: ZoneInfo) -> bytes:
    """A digest of what members depend on besides the data: the SQL with its values as of one instant, and the zone."""
    at = datetime(2000, 1, 1, tzinfo=ZoneInfo("UTC"))
    rows = entity_table(checked.entity)
    asked = compile_statement(select(rows.c.id).where(predicate(checked, at=at, zone=zone, source=rows)))
    return hashlib.sha256(repr((asked.text, asked.args, zone.key)).encode()).digest()
