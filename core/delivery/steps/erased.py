"""Addresses of people who were erased and have not opted in again.

Each master key under which some are kept is one probe of their primary key; where nobody was erased nothing is asked.
`core/delivery/store/claim_text.py` asks the same again when rows are claimed.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    ColumnElement,
    LargeBinary,
    and_,
    cast,
    column,
    exists,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    table,
)

from channels.contract import FailureReason
from core.delivery.steps import Step, StepContext

_ERASED = table("erased_address", *map(column, ("address_kind", "key_id", "hash", "erased_at", "spared")))
_ENTRY = table("consent_entry", *map(column, ("profile_id", "decision", "happened_at")), column("by_person", Boolean))


def _erased(context: StepContext) -> ColumnElement[bool]:
    if not context.erased:
        return false()
    gone, said, person = _ERASED.alias("gone"), _ENTRY.alias("said"), context.profile.c.id
    address = func.convert_to(context.address_key, "UTF8")
    hashed = (
        and_(
            gone.c.key_id == key.key_id,
            gone.c.hash == func.sha256(_joined(key.outer, func.sha256(_joined(key.inner, address)))),
        )
        for key in context.erased
    )
    opted_in = exists(
        select(1)
        .select_from(said)
        .where(
            said.c.profile_id == person,
            said.c.decision == "granted",
            said.c.happened_at > gone.c.erased_at,
            said.c.by_person,
        )
        .correlate(gone, context.profile)  # of its own accord it looks one level up only
    )
    kept = and_(gone.c.address_kind == context.address_kind, or_(*hashed), person != func.all(gone.c.spared), not_(opted_in))
    return exists(select(1).select_from(gone).where(kept).correlate(context.profile))


def _joined(half: bytes, rest: ColumnElement[bytes]) -> ColumnElement[bytes]:
    return cast(literal(half, LargeBinary), LargeBinary).op("||")(rest)


erased = Step(name="erased", reason=FailureReason.ERASED, predicate=_erased, of_address=True)
