"""What a preparation computes of each recipient besides the message, as SQL expressions of the profile.

The code of a segment and what the sending log keeps are written for whoever is targeted, also for those who are excluded.
Traps have neither, for they count for nothing; when they get the message is computed of them like of everybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, FromClause, String, Text, case, cast, column, func, literal, null, select, table
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP

from core.clock import UTC_ZONE
from core.content.readable import Readable, ReadableField
from core.datamodel.records import FieldKind
from core.db import Connection
from core.delivery.recipient_values import worded
from core.delivery.store import ledger
from core.errors import Invalid
from core.planning import computed
from core.planning.records import Delivery
from core.targeting.audiences import open_value
from core.targeting.catalogue import Kind
from core.targeting.checked import CheckedExpression, CheckedValue
from core.targeting.listed import Brought, brought_along, brought_object
from core.targeting.objects import object_of, without_nulls
from core.targeting.sql import value

SEGMENT = "segment"  # the column of an audience that has the code, as segmentation fills it
LONGEST_CODE = 100  # characters
FARTHEST = timedelta(days=366)  # from the contact date to a send date
_KNOWN = table("pg_timezone_names", column("name"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SendAt:
    """When each gets the message."""

    date: CheckedValue
    zone: ZoneInfo
    of_recipient: bool
    contact_at: datetime  # `now` in it, and when who has no date gets the message

    @property
    def latest(self) -> datetime:
        """No date may be later."""
        return self.contact_at + FARTHEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """What is computed, checked against the present data model."""

    segment_code: CheckedValue | None = None
    segment: Brought | None = None  # the audience's column that has the code, where no expression says it
    logged: Sequence[ReadableField] = ()
    send_at: SendAt | None = None
    zone: ZoneInfo = UTC_ZONE  # of the delivery's questions

    def of_traps(self) -> Computed:
        """What is computed of traps."""
        return Computed(send_at=self.send_at)


NOTHING = Computed()


async def open_computed(
    conn: Connection, delivery: Delivery, asked: CheckedExpression, readable: Readable, at: datetime
) -> Computed:  # fmt: skip
    """`asked` is the delivery's audience, `at` when it is prepared. Raises ExpressionError, Invalid (UNKNOWN_FIELD)."""
    delivery_id = delivery.id
    kept = (await computed.get_sending_logs(conn, [delivery_id])).get(delivery_id)
    code = None if kept is None or kept.segment_code is None else await open_value(conn, kept.segment_code)
    column = brought_along(asked).get(SEGMENT) if code is None else None
    return Computed(
        segment_code=code,
        segment=column if column is not None and column.kind is Kind.TEXT else None,
        logged=[computed.find_field(readable, name) for name in kept.fields] if kept else (),
        send_at=await _open_dates(conn, delivery, at),
        zone=ZoneInfo(delivery.time_zone),
    )


async def _open_dates(conn: Connection, delivery: Delivery, at: datetime) -> SendAt | None:
    dates = (await computed.get_send_dates(conn, [delivery.id])).get(delivery.id)
    if dates is None:
        return None
    return SendAt(
        date=await open_value(conn, dates.expression), zone=ZoneInfo(dates.zone), of_recipient=dates.of_recipient,
        contact_at=max(at, delivery.contact_at or at),
    )  # fmt: skip


def due_at(wanted: Computed, profile: FromClause, at: datetime) -> ColumnElement[Any]:
    """When a profile gets the message: not before the preparation, `at`, which is what stands where nothing is computed."""
    prepared = cast(literal(at), TIMESTAMP(timezone=True))
    dates = wanted.send_at
    if dates is None:
        return prepared
    contact = cast(literal(dates.contact_at), TIMESTAMP(timezone=True))
    return func.greatest(func.coalesce(_date(dates, profile), contact), prepared)


def _date(dates: SendAt, profile: FromClause) -> ColumnElement[Any]:
    """What is computed, or what its clock shows, in the recipient's own zone; in the delivery's where that is not known."""
    zone = cast(literal(dates.zone.key), Text)
    found = value(dates.date, at=dates.contact_at, zone=dates.zone, source=profile)
    clock = cast(found, TIMESTAMP()) if dates.date.kind is Kind.DATE else func.timezone(zone, found, type_=TIMESTAMP())
    if not dates.of_recipient:
        return func.timezone(zone, clock) if dates.date.kind is Kind.DATE else found
    own = profile.c.time_zone
    return func.timezone(case((own.in_(select(_KNOWN.c.name)), own), else_=zone), clock)


async def check_dates(conn: Connection, delivery_id: int, wanted: Computed) -> None:
    """Raises Invalid (SEND_DATE_TOO_LATE) where somebody would get the message later than any delivery goes on."""
    dates = wanted.send_at
    late = 0 if dates is None else await ledger.count_later(conn, delivery_id, dates.latest)
    if late:
        raise Invalid(
            f"{late} people would get it more than {FARTHEST.days} days after its contact date", code="SEND_DATE_TOO_LATE",
            path="expression", hint="Bound the send date: least(…, add_days(now, 30)).",
        )  # fmt: skip


def segment_code(wanted: Computed, profile: FromClause, at: datetime, *, merged: bool) -> ColumnElement[Any]:
    """The code of a profile's segment, cut to what a code may be long; NULL: it has none."""
    if wanted.segment_code is not None:
        code: ColumnElement[Any] = cast(value(wanted.segment_code, at=at, zone=wanted.zone, source=profile), Text)
    elif wanted.segment is not None:
        brought = brought_object([wanted.segment], profile.c.id, merged=merged)
        code = brought.op("->>")(cast(literal(SEGMENT), String))
    else:
        return cast(null(), Text)
    return func.nullif(func.left(func.btrim(code), LONGEST_CODE), "")


def logged(wanted: Computed, profile: FromClause) -> ColumnElement[Any]:
    """A jsonb object with the values of the fields that are kept, where there is one; NULL where none is asked for."""
    if not wanted.logged:
        return cast(null(), JSONB)
    return without_nulls(object_of([(one.name, _as_logged(one, profile)) for one in wanted.logged]))


def _as_logged(one: ReadableField, profile: FromClause) -> ColumnElement[Any]:
    """Codes are words, and decimals numbers that questions can read."""
    return profile.c[one.column] if one.kind is FieldKind.DECIMAL else worded(one, profile)
