"""Addresses in quarantine, whoever owns them."""

from __future__ import annotations

from sqlalchemy import ColumnElement

from channels.contract import FailureReason
from core.delivery.steps import Step, StepContext


def _quarantined(context: StepContext) -> ColumnElement[bool]:
    return context.quarantine.c.address_key.is_not(None)


quarantined = Step(name="quarantine", reason=FailureReason.QUARANTINED_ADDRESS, predicate=_quarantined, of_address=True)
