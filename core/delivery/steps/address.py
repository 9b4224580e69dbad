"""People without an address on the channel, those whose postal address is not complete (2.04), and people who share one."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, not_, or_

from channels.contract import AddressKind, FailureReason
from core.delivery.steps import Step, StepContext


def _missing(context: StepContext) -> ColumnElement[bool]:
    missing = or_(context.address_key.is_(None), context.address_key == "")
    if context.address_kind == AddressKind.POSTAL.value:
        return or_(not_(context.profile.c.address_defined), missing)
    return missing


def _duplicate(context: StepContext) -> ColumnElement[bool]:
    keeper = context.duplicate.c.keeper
    return and_(keeper.is_not(None), keeper != context.profile.c.id)


missing_address = Step(name="missing address", reason=FailureReason.ADDRESS_NOT_SPECIFIED, predicate=_missing, of_address=True)
duplicate_address = Step(name="duplicate", reason=FailureReason.DUPLICATE, predicate=_duplicate)
