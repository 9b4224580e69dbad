"""People who opted out of the channel, or of everything.

The claim asks the same again (`core/delivery/store/claim_text.py`).
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, or_, true

from channels.contract import AddressKind, FailureReason
from core.consent.opt_outs import FLAGS
from core.delivery.steps import Step, StepContext


def _opted_out(context: StepContext) -> ColumnElement[bool]:
    """Everybody, for a kind of address that nobody can refuse: what cannot be asked is taken for a no."""
    flag = FLAGS.get(AddressKind(context.address_kind))
    return true() if flag is None else or_(context.profile.c.opt_out, context.profile.c[flag])


opted_out = Step(name="opt-out", reason=FailureReason.DENYLISTED_ADDRESS, predicate=_opted_out)
