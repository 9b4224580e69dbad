"""Takes the control group out of those who would get the message: when all ranges are written, so that its size is exact.

One statement moves the rows and the counters, in the transaction that ends the preparation.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Numeric,
    Select,
    SmallInteger,
    bindparam,
    cast,
    column,
    false,
    func,
    literal,
    null,
    select,
    table,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.dialects.postgresql import insert as upsert

from channels.contract import FailureReason
from core.db import Connection
from core.delivery import patience
from core.delivery.records import LedgerState, RecipientKind
from core.planning.records import Delivery
from core.planning.seed_records import ControlGroup, Extraction, SameFor
from core.targeting.audiences import get_audience, open_audience, open_question, open_value
from core.targeting.checked import CheckedExpression, CheckedValue
from core.targeting.linked import entity_table
from core.targeting.sql import Statement, compile_statement, value

_SALT = 0x636F_6E74_726F_6C00  # so that no segment of the same number draws the same people
_KEY = ("delivery_id", "slot", "state", "reason", "after_hand_over")
_LEDGER = table(
    "ledger",
    *(column(name) for name in ("delivery_id", "recipient_kind", "state", "reason", "program_id", "settled_at", "values")),
    column("recipient_id", BigInteger()),
)  # fmt: skip
_COUNT = table("ledger_count", *(column(name) for name in (*_KEY, "n")))


async def extract(conn: Connection, delivery: Delivery, group: ControlGroup | None, at: datetime) -> None:
    """Nothing happens where the group is not extracted. `at` is `now` in what orders people.

    Raises ExpressionError, LimitReached.
    """
    if group is None or group.extraction is Extraction.NONE:
        return
    by = await open_order(conn, group)
    await patience.execute(conn, extraction_statement(delivery, group, by, at), "control_group")


async def open_named(conn: Connection, group: ControlGroup) -> dict[str, CheckedExpression]:
    """What names people who are in it anyway, by its place in the group. Raises ExpressionError, NotFound."""
    named = {}
    if group.question is not None:
        named["question"] = await open_question(conn, group.question)
    if group.audience_id is not None:
        named["audience_id"] = await open_audience(conn, await get_audience(conn, group.audience_id))
    return named


async def open_order(conn: Connection, group: ControlGroup) -> CheckedValue | None:
    """What orders people where the group is extracted by a value. Raises ExpressionError."""
    if group.extraction is Extraction.NONE or group.by is None:
        return None
    return await open_value(conn, group.by)


def extraction_statement(delivery: Delivery, group: ControlGroup, by: CheckedValue | None, at: datetime) -> Statement:
    """Pure. `by` is what the group's order computes."""
    ledger = _LEDGER.alias("e")
    waiting = (
        ledger.c.delivery_id == literal(delivery.id, BigInteger()),
        ledger.c.recipient_kind == int(RecipientKind.PROFILE),
        ledger.c.state == int(LedgerState.PENDING),
    )
    held = _ordered(ledger, delivery, group, by, at).where(*waiting)
    held = held.limit(_size(group, select(func.count()).select_from(ledger).where(*waiting).scalar_subquery()))
    chosen = held.cte("held")
    moment = literal(at, TIMESTAMP(timezone=True))
    moved = (
        update(_LEDGER)
        .values(
            state=int(LedgerState.EXCLUDED), reason=int(FailureReason.CONTROL_GROUP), program_id=null(), values=null(),
            settled_at=moment,
        )
        .where(
            _LEDGER.c.delivery_id == literal(delivery.id, BigInteger()),
            _LEDGER.c.recipient_kind == int(RecipientKind.PROFILE),
            _LEDGER.c.recipient_id == chosen.c.recipient_id,
            _LEDGER.c.state == int(LedgerState.PENDING),
        )
        .returning(_LEDGER.c.recipient_id)
        .cte("moved")
    )  # fmt: skip
    number = select(func.count()).select_from(moved).scalar_subquery()
    changes = union_all(
        _change(delivery.id, LedgerState.PENDING, FailureReason.NOT_DEFINED, -number),
        _change(delivery.id, LedgerState.EXCLUDED, FailureReason.CONTROL_GROUP, number),
    )
    counting = upsert(_COUNT).from_select([*_KEY, "n"], changes)
    return compile_statement(
        counting.on_conflict_do_update(index_elements=list(_KEY), set_={"n": _COUNT.c.n + counting.excluded.n})
    )


def _ordered(ledger: Any, delivery: Delivery, group: ControlGroup, by: CheckedValue | None, at: datetime) -> Select[Any]:
    """Those who would get the message, the first ones of the order to be taken out."""
    key = ledger.c.recipient_id
    if by is None:
        return select(key).order_by(func.hashint8extended(key, bindparam(None, _seed(delivery, group), BigInteger())), key)
    profile = entity_table(by.entity).alias("p")
    order = value(by, at=at, zone=ZoneInfo(delivery.time_zone), source=profile)
    placed = order.asc().nulls_last() if group.lowest else order.desc().nulls_last()
    return select(key).select_from(ledger.join(profile, profile.c.id == key)).order_by(placed, key)


def _seed(delivery: Delivery, group: ControlGroup) -> int:
    if group.same_for is SameFor.CAMPAIGN and delivery.campaign_id is not None:
        return _SALT ^ (2 * delivery.campaign_id + 1)
    return _SALT ^ (2 * delivery.id)


def _size(group: ControlGroup, whole: ColumnElement[Any]) -> ColumnElement[Any]:
    limits: list[ColumnElement[Any]] = []
    if group.share is not None:
        share = bindparam(None, group.share / Decimal(100), Numeric())
        limits.append(cast(func.round(cast(whole, Numeric()) * share), BigInteger()))
    if group.size is not None:
        limits.append(bindparam(None, group.size, BigInteger()))
    return func.least(*limits)


def _change(delivery_id: int, state: LedgerState, reason: FailureReason, n: ColumnElement[Any]) -> Select[Any]:
    return select(
        literal(delivery_id, BigInteger()), cast(literal(0), SmallInteger), cast(literal(int(state)), SmallInteger),
        cast(literal(int(reason)), SmallInteger), false(), n,
    )  # fmt: skip
