"""What a preparation computes of each recipient besides the message, as SQL expressions of the profile.

The code of a segment and what the sending log keeps are written for whoever is targeted, also for those who are excluded.
Traps have neither: they count for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, FromClause, String, Text, cast, func, literal, null
from sqlalchemy.dialects.postgresql import JSONB

from core.content.readable import Readable, ReadableField
from core.datamodel.records import FieldKind
from core.db import Connection
from core.delivery.recipient_values import worded
from core.planning import computed
from core.targeting.audiences import open_value
from core.targeting.catalogue import Kind
from core.targeting.checked import CheckedExpression, CheckedValue
from core.targeting.listed import Brought, brought_along, brought_object
from core.targeting.objects import object_of, without_nulls
from core.targeting.sql import value

SEGMENT = "segment"  # the column of an audience that has the code, as segmentation fills it
LONGEST_CODE = 100  # characters
_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """What is computed, checked against the present data model."""

    segment_code: CheckedValue | None = None
    segment: Brought | None = None  # the audience's column that has the code, where no expression says it
    logged: Sequence[ReadableField] = ()


NOTHING = Computed()


async def open_computed(conn: Connection, delivery_id: int, asked: CheckedExpression, readable: Readable) -> Computed:
    """`asked` is the delivery's audience. Raises ExpressionError, Invalid (UNKNOWN_FIELD)."""
    kept = (await computed.get_sending_logs(conn, [delivery_id])).get(delivery_id)
    code = None if kept is None or kept.segment_code is None else await open_value(conn, kept.segment_code)
    column = brought_along(asked).get(SEGMENT) if code is None else None
    return Computed(
        segment_code=code,
        segment=column if column is not None and column.kind is Kind.TEXT else None,
        logged=[computed.find_field(readable, name) for name in kept.fields] if kept else (),
    )


def segment_code(wanted: Computed, profile: FromClause, at: datetime, *, merged: bool) -> ColumnElement[Any]:
    """The code of a profile's segment, cut to what a code may be long; NULL: it has none."""
    if wanted.segment_code is not None:
        code: ColumnElement[Any] = cast(value(wanted.segment_code, at=at, zone=_UTC, source=profile), Text)
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
