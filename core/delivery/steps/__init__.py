"""The steps of a preparation. Each contributes one predicate and the one reason it excludes for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, FromClause

from channels.contract import FailureReason
from core.profiles.erased import HashKey
from core.profiles.suppression import SuppressionReach


@dataclass(frozen=True, slots=True, kw_only=True)
class StepContext:
    """What the predicates of a preparation may read: the rows of one range, joined."""

    profile: FromClause
    quarantine: FromClause  # left-joined on the address
    duplicate: FromClause  # left-joined on the address
    address_kind: str
    address: ColumnElement[str]
    address_key: ColumnElement[str]
    suppression: SuppressionReach  # the suppression lists to look into
    short_code: str | None  # that messages are sent from
    at: datetime
    zone: ZoneInfo  # of the delivery's questions
    erased: Sequence[HashKey] = ()  # under which addresses of erased people are kept
    subscription: FromClause | None = None  # active ones to the delivery's service, left-joined; None: it names none
    purpose_consent: FromClause | None = None  # what was said to the delivery's purpose, left-joined; None: it names none
    needs_consent: bool = False  # the delivery's purpose does


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One exclusion. `predicate` is true for rows to leave out."""

    name: str
    reason: FailureReason
    predicate: Callable[[StepContext], ColumnElement[bool]]
    of_address: bool = False  # it asks about the address alone, whoever has it: of traps too


def of_addresses(steps: Sequence[Step]) -> list[Step]:
    """Those that are asked of recipients who are no people."""
    return [step for step in steps if step.of_address]
