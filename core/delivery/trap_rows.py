"""Traps as rows like those of profiles, so that all that is written of a profile can be written of one (2.34).

What a trap has no value for is that of a member of the target, whom chance draws by the trap's number: the same one whenever
the same people are prepared. Who a member is, how they are reached and what they refused never is a trap's.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ARRAY, BigInteger, ColumnElement, FromClause, cast, column, func, lateral, literal, null, select, table
from sqlalchemy.sql.expression import bindparam

from core.delivery.recipient_values import DRAWN
from core.delivery.records import LedgerState, RecipientKind
from core.profiles.fields import ALL, FieldType

_KEYS = frozenset({"email", "email_key", "email_domain", "mobile_phone", "phone", "fax", "merged_into"})
OWN = _KEYS | {one.name for one in ALL if one.unique or not one.settable or one.type is FieldType.BOOLEAN}
_CODES = frozenset(one.name for one in ALL if one.type is FieldType.ENUMERATION)  # where 0 says that nothing is known

NOT_MERGED = cast(null(), BigInteger)  # test profiles have no such column

_BIGINTS: ARRAY[int] = ARRAY(BigInteger())
_LEDGER = table(
    "ledger", column("delivery_id"), column("recipient_kind"), column("recipient_id", BigInteger()), column("state")
)  # fmt: skip


def trap_rows(profile: FromClause, delivery_id: int, traps: Sequence[int], kept: Collection[str], last_id: int) -> FromClause:
    """The test profiles with the columns of `profile`, completed from members who are to get the message.

    `kept` are columns of the team that are not copied, `last_id` is that of the newest profile.
    """
    names = list(dict.fromkeys(one.name for one in profile.c))
    trap = table("test_profile", *(column(name) for name in names if name != "merged_into")).alias("t")
    member = table("profile", *(column(name) for name in names)).alias("m")
    drawn = lateral(select(_member(trap, delivery_id, last_id).label("id"))).alias("drawn")
    own = OWN | set(kept)
    values = [*(_value(name, own, trap, member).label(name) for name in names), drawn.c.id.label(DRAWN)]
    joined = trap.join(drawn, literal(True)).outerjoin(member, member.c.id == drawn.c.id)
    wanted = trap.c.id == func.any(bindparam(None, list(traps), type_=_BIGINTS))
    return select(*values).select_from(joined).where(wanted).subquery("p")


def _value(name: str, own: Collection[str], trap: FromClause, member: FromClause) -> ColumnElement[Any]:
    if name == "merged_into":
        return NOT_MERGED
    return trap.c[name] if name in own else _completed(name, trap, member)


def _completed(name: str, trap: FromClause, member: FromClause) -> ColumnElement[object]:
    value = func.nullif(trap.c[name], 0) if name in _CODES else trap.c[name]
    return func.coalesce(value, member.c[name])


def _member(trap: FromClause, delivery_id: int, last_id: int) -> ColumnElement[int]:
    """The first one from a number on that chance draws, else the first of all: two probes of the ledger's key."""
    number = func.hashint8extended(trap.c.id, literal(delivery_id, BigInteger())).op("&")(literal(2**63 - 1, BigInteger()))
    start = number % literal(last_id + 1, BigInteger())
    ledger = _LEDGER.alias("l")
    first = (
        select(ledger.c.recipient_id)
        .where(
            ledger.c.delivery_id == literal(delivery_id, BigInteger()),
            ledger.c.recipient_kind == int(RecipientKind.PROFILE),
            ledger.c.state == int(LedgerState.PENDING),
        )
        .order_by(ledger.c.recipient_id)
        .limit(1)
    )
    return func.coalesce(first.where(ledger.c.recipient_id >= start).correlate(trap).scalar_subquery(), first.scalar_subquery())
