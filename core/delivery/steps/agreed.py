"""People who are not subscribed to what the delivery is for, or did not agree to what their data is used for in it."""

from __future__ import annotations

from sqlalchemy import ColumnElement, false

from channels.contract import FailureReason
from core.delivery.steps import Step, StepContext


def _not_subscribed(context: StepContext) -> ColumnElement[bool]:
    """Only active subscriptions are joined."""
    return false() if context.subscription is None else context.subscription.c.profile_id.is_(None)


def _not_agreed(context: StepContext) -> ColumnElement[bool]:
    """Where consent is needed, no word is a refusal; elsewhere only a refusal is one."""
    if context.purpose_consent is None:
        return false()
    decision = context.purpose_consent.c.decision
    return decision.is_distinct_from("granted") if context.needs_consent else decision != "granted"


not_subscribed = Step(name="no subscriber", reason=FailureReason.LEFT_AUDIENCE, predicate=_not_subscribed)
not_agreed = Step(name="purpose", reason=FailureReason.EXCLUDED_BY_RULE, predicate=_not_agreed)
