"""A delivery added up by what its sending log kept (feature map 2.24, 3.36): by segment code, and by the value of a field.

Both read what was written down when the delivery was prepared: a field that has gone from the data model since can still be
asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from core.content.data import is_storable
from core.content.suggestions import nearest
from core.db import Connection
from core.errors import Invalid, LimitReached
from core.planning.computed import get_sending_logs
from core.reporting import sending_log_store as store
from core.reporting.records import FieldReport, Outcome, RestOutcome, SegmentReport, ValueOutcome

MOST_SEGMENTS = 500  # of one report, the largest
PATIENCE = 60.0  # seconds
_LARGEST = 2**63 - 1

ValueCursor = tuple[int, str]  # how many were targeted, and the value as the database writes it


async def report_segments(conn: Connection, delivery_id: int, *, include_machines: bool) -> list[SegmentReport]:
    """The largest first; under None those without a code, erased people among them. Raises LimitReached (REPORT_TOO_SLOW)."""
    with _patience():
        rows = await store.count_segments(conn, delivery_id, MOST_SEGMENTS, PATIENCE, include_machines=include_machines)
    return [SegmentReport(**row) for row in rows]


async def report_field(
    conn: Connection, delivery_id: int, field: str, *, first: int, after: ValueCursor | None = None, include_machines: bool
) -> FieldReport:
    """What became of the people of each value of a field: `first` values behind a cursor, the largest first.

    Raises Invalid (UNKNOWN_FIELD, BAD_CURSOR), LimitReached (REPORT_TOO_SLOW).
    """
    await _check_field(conn, delivery_id, field)
    if after is not None and (not 0 <= after[0] <= _LARGEST or not is_storable(after[1])):
        raise Invalid("this is not a cursor", code="BAD_CURSOR", path="after", hint="Pass an `endCursor` as it came.")
    with _patience():
        rows = await store.count_values(
            conn, delivery_id, field, after, first, PATIENCE, include_machines=include_machines
        )  # fmt: skip
    values, nothing, rest = list[ValueOutcome](), Outcome(), RestOutcome()
    for row in rows:
        number, value, key = row.pop("values"), row.pop("value"), row.pop("key")
        if key is not None:
            values.append(ValueOutcome(value=value, cursor=(row["targeted"], key), **row))
        elif number:
            rest = RestOutcome(values=number, **row)
        else:
            nothing = Outcome(**row)
    return FieldReport(values=tuple(values), nothing=nothing, rest=rest)


async def _check_field(conn: Connection, delivery_id: int, field: str) -> None:
    kept = (await get_sending_logs(conn, [delivery_id])).get(delivery_id)
    fields = kept.fields if kept else ()
    if field in fields:
        return
    near = nearest(field, fields)
    listed = f"It keeps {', '.join(fields)}." if fields else "Name fields with setDeliverySendingLog, and prepare it again."
    raise Invalid(
        f"the sending log of this delivery does not keep {field[:80]!r}", code="UNKNOWN_FIELD", path="field",
        hint=f"Did you mean {near!r}?" if near else listed,
    )  # fmt: skip


@contextmanager
def _patience() -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise LimitReached(f"the report takes longer than {PATIENCE:g} seconds", code="REPORT_TOO_SLOW") from None
