"""Statements of questions, made once for a day of a zone: what is relative to now is bound each time they are asked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from sqlalchemy import Select

from core.recent import Recent
from core.targeting.check import CheckedExpression
from core.targeting.compiled import Plan
from core.targeting.moments import Asked, today
from core.targeting.sql import Statement, compile_statement, keys

# What is wanted of the keys of a population, as a new select; equal ones want the same.
Shape: TypeAlias = Callable[[Select[Any]], Select[Any]]

_MOST_KEPT = 500
_Key: TypeAlias = tuple[int, Plan, Shape, str, date]
_KEPT: Recent[_Key, tuple[CheckedExpression, Statement]] = Recent(_MOST_KEPT)


def statement_of(checked: CheckedExpression, shape: Shape, plan: Plan, *, at: datetime, zone: ZoneInfo) -> Statement:
    """What asks a question at a time. It is known by the identity of what was checked, which is kept alive."""
    day = today(at, zone)
    key = id(checked), plan, shape, zone.key, day
    _, made = _KEPT.get(key) or _KEPT.keep(key, (checked, _made(checked, shape, plan, zone, day)))
    return made.known(at)


def _made(checked: CheckedExpression, shape: Shape, plan: Plan, zone: ZoneInfo, day: date) -> Statement:
    return compile_statement(shape(keys(checked, Asked(at=None, zone=zone, today=day), plan)))
