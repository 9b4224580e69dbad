"""What a delivery was for: what its target did then, beside what those did who were held back from it.

Everybody who was not kept away by something else is compared, whatever became of the message: who was held back was chosen
before anything was sent, and so those who would not have been reached are on both sides.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from math import erfc, sqrt
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, Numeric, Select, case, cast, column, func, literal, null, or_, select, table

from channels.contract import FailureReason
from core.db import Connection
from core.delivery import lifecycle
from core.delivery.records import LedgerState, RecipientKind
from core.errors import Conflict, Invalid, LimitReached
from core.planning.deliveries import get_delivery
from core.reporting.records import Comparison, Conversion, Group, GroupResult, Lift
from core.targeting.audiences import open_question, open_value
from core.targeting.catalogue import CatalogueLink, Entity, Kind
from core.targeting.checked import CheckedExpression, CheckedValue
from core.targeting.language import (
    Aggregate,
    And,
    Condition,
    Exists,
    Expression,
    Field,
    Literal,
    Measure,
    Operation,
    Operator,
    Selection,
)
from core.targeting.linked import entity_table
from core.targeting.published import present_catalogue
from core.targeting.sql import Statement, compile_statement, population, value
from core.targeting.text_form import to_text

LONGEST = 365  # days
PATIENCE = 30.0  # seconds
CERTAINTY = 1.959964  # standard errors on either side: 95 %
_LEDGER = table(
    "ledger", column("delivery_id"), column("recipient_kind"), column("recipient_id"), column("state"), column("reason")
)  # fmt: skip
_PROFILE = table("profile", column("id", BigInteger()), column("merged_into", BigInteger()))


async def compare(conn: Connection, delivery_id: int, conversion: Conversion) -> Comparison:
    """What became of people since the delivery started, within the conversion's days. Facts of somebody who was merged since
    are those of whom they became part of.

    Raises NotFound, Conflict (NOT_STARTED), Invalid (BAD_CONVERSION), ExpressionError, LimitReached (QUESTION_TOO_SLOW).
    """
    run = await lifecycle.get_run(conn, delivery_id)
    if run.started_at is None:
        raise Conflict("the delivery has not started", code="NOT_STARTED", hint="Compare once it was sent.")
    if not 1 <= conversion.days <= LONGEST:
        raise _bad(f"people are given 1 to {LONGEST} days", "days")
    ends_at = run.started_at + timedelta(days=conversion.days)
    selection = await _selection(conn, conversion, run.started_at, ends_at)
    converted = await open_question(conn, _expression(Exists(selection)))
    amount = None if conversion.value is None else await _amount(conn, conversion.value, selection)
    zone = ZoneInfo((await get_delivery(conn, delivery_id)).time_zone)
    statement = compile_statement(_compared(delivery_id, converted, amount, ends_at, zone))
    results = [_result(row, with_value=amount is not None) for row in await _fetch(conn, statement)]
    target = next((one for one in results if one.group is Group.TARGET), None)
    others = [one for one in results if one.group is not Group.TARGET]
    return Comparison(
        delivery_id=delivery_id, starts_at=run.started_at, ends_at=ends_at,
        groups=tuple(sorted(results, key=lambda one: list(Group).index(one.group))),
        lifts=tuple(lift(target, one) for one in others if target is not None),
    )  # fmt: skip


def lift(target: GroupResult, baseline: GroupResult) -> Lift:
    """How much more the target did than those held back, and between what and what that lies in 95 of 100 cases. Pure.

    The difference of two shares, by the normal approximation; the test of equal shares takes them as one.
    """
    here, there = target.rate, baseline.rate
    if here is None or there is None:
        return Lift(baseline=baseline.group, difference=None, low=None, high=None, relative=None, p_value=None, additional=None)
    difference = here - there
    spread = sqrt(here * (1 - here) / target.people + there * (1 - there) / baseline.people)
    pooled = (target.converted + baseline.converted) / (target.people + baseline.people)
    error = sqrt(pooled * (1 - pooled) * (1 / target.people + 1 / baseline.people))
    return Lift(
        baseline=baseline.group,
        difference=difference,
        low=difference - CERTAINTY * spread,
        high=difference + CERTAINTY * spread,
        relative=difference / there if there else None,
        p_value=erfc(abs(difference) / error / sqrt(2)) if error else None,
        additional=difference * target.people,
    )


async def _selection(conn: Connection, conversion: Conversion, since: datetime, until: datetime) -> Selection:
    """The rows that count: those of the link in the time, for which the condition holds."""
    catalogue = await present_catalogue(conn)
    profile = catalogue.entities["profile"]
    link = profile.links.get(conversion.link)
    if link is None or not link.many:
        hint = f"There are {', '.join(sorted(name for name, one in profile.links.items() if one.many))}."
        raise _bad(f"people have no rows {conversion.link[:80]!r}", "link", hint)
    time = _time(conversion, link, catalogue.entities[link.target])
    when = Field((time,))
    terms: list[Condition] = [
        Operation(Operator.AT_LEAST, (when, Literal(since))),
        Operation(Operator.LESS, (when, Literal(until))),
    ]
    if conversion.where is not None:
        terms.append(conversion.where.root)
    return Selection((conversion.link,), And(tuple(terms)))


def _time(conversion: Conversion, link: CatalogueLink, entity: Entity) -> str:
    name = conversion.time or entity.time
    if name is None:
        raise _bad(f"rows of {link.target} have no time that counts", "time", "Name their field that says when it was.")
    field = entity.fields.get(name)
    if field is None or field.kind not in (Kind.DATE, Kind.INSTANT):
        raise _bad(f"{name[:80]!r} is no time of {link.target}", "time", "Name a field that holds a date or an instant.")
    return name


async def _amount(conn: Connection, name: str, selection: Selection) -> CheckedValue:
    """Raises ExpressionError, Invalid (BAD_CONVERSION) for what is no number."""
    total = Aggregate(Measure.SUM, selection, Field((name,)))
    amount = await open_value(conn, _expression(total))
    if amount.kind not in (Kind.INTEGER, Kind.DECIMAL):
        raise _bad(f"{name[:80]!r} is no number", "value")
    return amount


def _expression(root: Condition) -> Expression:
    return Expression(root=root, text=to_text(root))


def _compared(
    delivery_id: int, converted: CheckedExpression, amount: CheckedValue | None, at: datetime, zone: ZoneInfo
) -> Select[Any]:
    """People, converted people and their amounts of each group, in one statement."""
    side, person = _sides(delivery_id).subquery("side"), entity_table(converted.entity).alias("p")
    did = population(converted, at=at, zone=zone).subquery("did")
    (done,) = did.c
    made = null() if amount is None else case((done.is_not(None), value(amount, at=at, zone=zone, source=person)))
    return (
        select(side.c.reason, func.count().label("people"), func.count(done).label("converted"),
               func.sum(cast(made, Numeric())).label("value"))
        .select_from(side.join(person, person.c.id == side.c.person).outerjoin(did, done == person.c.id))
        .group_by(side.c.reason)
    )  # fmt: skip


def _sides(delivery_id: int) -> Select[Any]:
    """People, each once, by the reason of their row: 0 is the target's, which counts for who has a row on another side too."""
    row, known = _LEDGER.alias("l"), _PROFILE.alias("k")
    person = func.coalesce(known.c.merged_into, known.c.id)
    side = case((row.c.state == int(LedgerState.EXCLUDED), row.c.reason), else_=0)
    held_back = row.c.reason.in_([int(FailureReason.CONTROL_GROUP), int(FailureReason.GLOBAL_HOLDOUT)])
    return (
        select(person.label("person"), func.min(side).label("reason"))
        .select_from(row.join(known, known.c.id == row.c.recipient_id))
        .where(
            row.c.delivery_id == literal(delivery_id, BigInteger()),
            row.c.recipient_kind == int(RecipientKind.PROFILE),
            or_(row.c.state != int(LedgerState.EXCLUDED), held_back),
        )
        .group_by(person)
    )


async def _fetch(conn: Connection, statement: Statement) -> list[Any]:
    try:
        found: list[Any] = await conn.fetch(statement.text, *statement.args, timeout=PATIENCE)
    except TimeoutError:
        raise LimitReached(
            f"the comparison takes longer than {PATIENCE:g} seconds", code="QUESTION_TOO_SLOW",
            hint="Count what is simpler, or in fewer days.",
        ) from None  # fmt: skip
    return found


_GROUPS = {
    0: Group.TARGET,
    int(FailureReason.CONTROL_GROUP): Group.CONTROL_GROUP,
    int(FailureReason.GLOBAL_HOLDOUT): Group.GLOBAL_HOLDOUT,
}


def _result(row: Any, *, with_value: bool) -> GroupResult:
    total = None if not with_value else float(row["value"] or 0)
    return GroupResult(group=_GROUPS[row["reason"]], people=row["people"], converted=row["converted"], value=total)


def _bad(message: str, path: str, hint: str | None = None) -> Invalid:
    return Invalid(message, code="BAD_CONVERSION", path=path, hint=hint)
