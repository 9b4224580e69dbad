"""What a delivery computes of each recipient. Whether it may be changed is for `core.delivery` to say, before."""

from __future__ import annotations

from collections.abc import Sequence

from core.access import Actor, Permission, require
from core.audit import record
from core.content.readable import Readable, ReadableField, present_readable
from core.content.suggestions import nearest
from core.datamodel.present import hold_model
from core.datamodel.records import FieldKind
from core.db import Connection
from core.errors import Invalid
from core.planning.computed_records import SendDates, SendingLog
from core.planning.deliveries import lock_delivery
from core.planning.store import computed as store
from core.planning.store import deliveries as delivery_store
from core.targeting.audiences import all_reads, open_value
from core.targeting.catalogue import Kind
from core.targeting.language import Expression
from core.targeting.references import hold_names

MOST_FIELDS = 20  # of the profile, in the sending log of one delivery
CODES = frozenset({Kind.TEXT, Kind.INTEGER, Kind.ENUMERATION})  # what a segment code is computed as
DATES = frozenset({Kind.INSTANT, Kind.DATE})  # what a send date is computed as


async def get_sending_logs(conn: Connection, delivery_ids: Sequence[int]) -> dict[int, SendingLog]:
    """What the sending logs of deliveries keep; of one that says nothing of it, nothing."""
    return await store.get_sending_logs(conn, delivery_ids)


async def set_sending_log(conn: Connection, actor: Actor, delivery_id: int, kept: SendingLog | None) -> bool:
    """Have the ledger keep this of each recipient, or what it always does; whether that changed anything.

    Raises NotFound (DELIVERY_NOT_FOUND), Invalid (BAD_SEGMENT_CODE, BAD_FIELD, UNKNOWN_FIELD, TOO_MANY_FIELDS),
    ExpressionError.
    """
    require(actor, Permission.EDIT)
    if kept is not None and kept.segment_code is not None:
        await hold_names(conn, kept.segment_code.root)
    await lock_delivery(conn, delivery_id)
    kept = None if kept == SendingLog() else kept
    if (await get_sending_logs(conn, [delivery_id])).get(delivery_id) == kept:
        return False
    if kept is None:
        await store.delete_sending_log(conn, delivery_id)
    else:
        await store.set_sending_log(conn, delivery_id, kept, await _check(conn, kept))
    await delivery_store.add_version(conn, delivery_id)
    told = {"segment_code": kept is not None and kept.segment_code is not None, "fields": list(kept.fields) if kept else []}
    await record(conn, actor, "delivery.set_sending_log", "delivery", delivery_id, told)
    return True


async def get_send_dates(conn: Connection, delivery_ids: Sequence[int]) -> dict[int, SendDates]:
    """The send dates of deliveries; of one that has none, nothing."""
    return await store.get_send_dates(conn, delivery_ids)


async def set_send_dates(conn: Connection, actor: Actor, delivery_id: int, dates: SendDates | None) -> bool:
    """Have the send date of each recipient computed, or not any more; whether that changed anything.

    The zone is a known one. Raises NotFound (DELIVERY_NOT_FOUND), Invalid (BAD_SEND_DATE), ExpressionError.
    """
    require(actor, Permission.EDIT)
    if dates is not None:
        await hold_names(conn, dates.expression.root)
    await lock_delivery(conn, delivery_id)
    if (await get_send_dates(conn, [delivery_id])).get(delivery_id) == dates:
        return False
    if dates is None:
        await store.delete_send_dates(conn, delivery_id)
    else:
        await hold_model(conn)  # what they read is not hidden meanwhile
        await store.set_send_dates(conn, delivery_id, dates, await _check_date(conn, dates.expression))
    await delivery_store.add_version(conn, delivery_id)
    told = {"zone": dates.zone, "of_recipient": dates.of_recipient} if dates else {"send_dates": None}
    await record(conn, actor, "delivery.set_send_dates", "delivery", delivery_id, told)
    return True


async def _check(conn: Connection, kept: SendingLog) -> list[str]:
    """What it reads."""
    await hold_model(conn)  # that is not hidden meanwhile
    if len(kept.fields) > MOST_FIELDS:
        raise Invalid(f"a sending log keeps up to {MOST_FIELDS} fields", code="TOO_MANY_FIELDS", path="fields")
    readable = await present_readable(conn)
    for name in kept.fields:
        find_field(readable, name)
    if len(set(kept.fields)) < len(kept.fields):
        raise Invalid("a field is named twice", code="BAD_FIELD", path="fields")
    code = [] if kept.segment_code is None else await _check_code(conn, kept.segment_code)
    return sorted({*kept.fields, *code})


def find_field(readable: Readable, name: str) -> ReadableField:
    """A field of profiles that a sending log can keep. Raises Invalid (UNKNOWN_FIELD, BAD_FIELD)."""
    fields = readable.roots["profile"].fields
    found = fields.get(name)
    if found is None:
        near = nearest(name, fields)
        raise Invalid(
            f"profiles have no field {name[:80]!r}", code="UNKNOWN_FIELD", path="fields",
            hint=f"Did you mean {near!r}?" if near else "A field of the profile itself can be kept, one of the team's too.",
        )  # fmt: skip
    if found.kind is FieldKind.JSON:
        raise Invalid(f"{name!r} holds JSON, which no sending log keeps", code="BAD_FIELD", path="fields")
    return found


async def _check_code(conn: Connection, code: Expression) -> list[str]:
    value = await open_value(conn, code)
    if value.kind not in CODES:
        raise Invalid(
            f"a segment code is a text, and this is of the kind {value.kind.value}", code="BAD_SEGMENT_CODE",
            path="segment_code", hint="Make a text of it: to_text(…), if(…, 'VIP', 'other').",
        )  # fmt: skip
    return all_reads(value)


async def _check_date(conn: Connection, date: Expression) -> list[str]:
    value = await open_value(conn, date)
    if value.kind not in DATES:
        raise Invalid(
            f"a send date is an instant or a day, and this is of the kind {value.kind.value}", code="BAD_SEND_DATE",
            path="expression", hint="Compute a time: now + 2 hours, to_instant(audience_column('spring', 'segment')).",
        )  # fmt: skip
    return all_reads(value)
