"""People who are held back so that others can be compared with them: last of all, so that nothing else tells the two apart."""

from __future__ import annotations

from sqlalchemy import ColumnElement, literal, or_
from sqlalchemy.dialects.postgresql import TIMESTAMP

from channels.contract import FailureReason
from core.delivery.steps import Step, StepContext
from core.targeting.checked import CheckedExpression
from core.targeting.holdout import is_held_out
from core.targeting.sql import predicate


def _held_out(context: StepContext) -> ColumnElement[bool]:
    return is_held_out(context.profile.c.id, literal(context.at, TIMESTAMP(timezone=True)))


def in_control_group(*asked: CheckedExpression) -> Step:
    """People whom a delivery's control group names: what any of these questions finds."""

    def named(context: StepContext) -> ColumnElement[bool]:
        return or_(*(predicate(one, at=context.at, zone=context.zone, source=context.profile) for one in asked))

    return Step(name="control group", reason=FailureReason.CONTROL_GROUP, predicate=named)


held_out = Step(name="global holdout", reason=FailureReason.GLOBAL_HOLDOUT, predicate=_held_out)
