"""People who opted out of the channel, or of everything."""

from __future__ import annotations

from sqlalchemy import ColumnElement, or_

from channels.contract import AddressKind, FailureReason
from core.delivery.steps import Step, StepContext

OPT_OUT_COLUMNS = {
    AddressKind.EMAIL: "opt_out_email",
    AddressKind.MOBILE: "opt_out_mobile",
    AddressKind.PHONE: "opt_out_phone",
    AddressKind.PUSH: "opt_out_push",
    AddressKind.POSTAL: "opt_out_postal",
}


def _opted_out(context: StepContext) -> ColumnElement[bool]:
    columns = context.profile.c
    return or_(columns.opt_out, columns[OPT_OUT_COLUMNS[AddressKind(context.address_kind)]])


opted_out = Step(name="opt-out", reason=FailureReason.DENYLISTED_ADDRESS, predicate=_opted_out)
