"""Addresses and domains on suppression lists that apply to the delivery, and phones that answered STOP to its short code.

Each form of entry that some list holds is one probe of the lists' primary key; where all lists are empty nothing is asked.
`core/delivery/store/leases.py` asks the same again when rows are claimed.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, FromClause, and_, column, exists, false, func, or_, select, table

from channels.contract import FailureReason
from core.delivery.steps import Step, StepContext
from core.profiles.suppression_records import EntryForm

_ENTRY = table("suppression_entry", column("list_id"), column("form"), column("value"), column("expires_at"))
_STOP = table("short_code_stop", column("short_code"), column("address_key"))


def _suppressed(context: StepContext) -> ColumnElement[bool]:
    lists = context.suppression.lists
    return or_(false(), *(_in_lists(context, form, ids) for form, ids in lists.items()))


def _in_lists(context: StepContext, form: EntryForm, ids: Sequence[int]) -> ColumnElement[bool]:
    entry, key = _ENTRY.alias("s"), context.address_key
    domain = func.split_part(key, "@", 2)
    match form:
        case EntryForm.PLAIN:
            is_meant = entry.c.value == key
        case EntryForm.SHA256:
            is_meant = entry.c.value == func.encode(func.sha256(func.convert_to(key, "UTF8")), "hex")
        case EntryForm.MD5:
            is_meant = entry.c.value == func.md5(key)
        case EntryForm.DOMAIN:
            is_meant = entry.c.value == domain
        case EntryForm.SUBDOMAINS:
            is_meant = entry.c.value.in_(_with_those_above(domain, context.profile))
    counts = or_(entry.c.expires_at.is_(None), entry.c.expires_at > context.at)
    return exists(select(1).select_from(entry).where(entry.c.list_id.in_(ids), entry.c.form == int(form), is_meant, counts))


def _with_those_above(domain: ColumnElement[str], profile: FromClause) -> ColumnElement[str]:
    """A domain and all it lies in: what begins with it or behind one of its dots."""
    place = func.generate_series(1, func.length(domain)).column_valued("place")
    begins = or_(place == 1, func.substr(domain, place - 1, 1) == ".")
    return select(func.substr(domain, place)).where(begins).correlate(profile).scalar_subquery()


def _stopped(context: StepContext) -> ColumnElement[bool]:
    if context.short_code is None:
        return false()
    is_meant = and_(_STOP.c.short_code == context.short_code, _STOP.c.address_key == context.address_key)
    return exists(select(1).select_from(_STOP).where(is_meant))


suppressed = Step(name="suppression lists", reason=FailureReason.SUPPRESSED_ADDRESS, predicate=_suppressed, of_address=True)
stopped = Step(name="short code", reason=FailureReason.DENYLISTED_ADDRESS, predicate=_stopped, of_address=True)
