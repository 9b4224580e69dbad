"""The traps and the control group of a delivery. Whether it may be changed is for `core.delivery` to say, before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import asyncpg

from core.access import Actor, Permission, require
from core.audit import record
from core.authored import not_found
from core.datamodel.present import hold_model
from core.db import Connection
from core.errors import Conflict, Invalid, NotFound
from core.planning.deliveries import lock_delivery
from core.planning.seed_records import ControlGroup, Extraction, Reader, SameFor, Traps
from core.planning.store import deliveries as delivery_store
from core.planning.store import seeds as store
from core.profiles.test_profile_records import TestProfileUse
from core.profiles.test_profiles import find_test_profiles
from core.targeting.audiences import all_reads, get_audience, open_question, open_value
from core.targeting.operators import ORDERED
from core.targeting.references import hold_names

MOST_TRAPS = 100  # of one delivery


async def get_traps(conn: Connection, delivery_ids: Sequence[int]) -> dict[int, Traps]:
    """The traps of deliveries; of one that has none, nothing."""
    return await store.get_traps(conn, delivery_ids)


async def get_control_groups(conn: Connection, delivery_ids: Sequence[int]) -> dict[int, ControlGroup]:
    """The control groups of deliveries; of one that has none, nothing."""
    return await store.get_control_groups(conn, delivery_ids)


async def set_traps(conn: Connection, actor: Actor, delivery_id: int, traps: Traps) -> bool:
    """Give a delivery these traps and no others; whether that changed anything.

    Raises NotFound (DELIVERY_NOT_FOUND, TEST_PROFILE_NOT_FOUND), Invalid (TOO_MANY_TRAPS, NO_TRAP), ExpressionError.
    """
    require(actor, Permission.EDIT)
    if traps.question is not None:
        await hold_names(conn, traps.question.root)
    await lock_delivery(conn, delivery_id)
    traps = replace(traps, test_profile_ids=tuple(sorted(set(traps.test_profile_ids))))
    if (await get_traps(conn, [delivery_id])).get(delivery_id, Traps()) == traps:
        return False
    reads = await _check_traps(conn, traps)
    try:
        async with conn.transaction():
            await store.set_traps(conn, delivery_id, traps, reads)
    except asyncpg.ForeignKeyViolationError:
        raise _vanished() from None
    await delivery_store.add_version(conn, delivery_id)
    told = {"test_profiles": list(traps.test_profile_ids), "question": traps.question is not None}
    told["insertion"] = traps.insertion.value
    await record(conn, actor, "delivery.set_traps", "delivery", delivery_id, told)
    return True


async def set_control_group(conn: Connection, actor: Actor, delivery_id: int, group: ControlGroup | None) -> bool:
    """Hold back these people from a delivery, or nobody any more; whether that changed anything.

    Raises NotFound (DELIVERY_NOT_FOUND, AUDIENCE_NOT_FOUND), Invalid (BAD_CONTROL_GROUP, BAD_SHARE, BAD_SIZE, BAD_ORDER),
    ExpressionError.
    """
    require(actor, Permission.EDIT)
    if group is not None:
        await hold_names(conn, *(one.root for one in (group.question, group.by) if one is not None))
    delivery = await lock_delivery(conn, delivery_id)
    if (await get_control_groups(conn, [delivery_id])).get(delivery_id) == group:
        return False
    if group is None:
        await store.delete_control_group(conn, delivery_id)
    else:
        reads = await _check_control_group(conn, group, delivery.campaign_id)
        try:
            async with conn.transaction():
                await store.set_control_group(conn, delivery_id, group, reads)
        except asyncpg.ForeignKeyViolationError:
            raise _vanished() from None
    await delivery_store.add_version(conn, delivery_id)
    await record(conn, actor, "delivery.set_control_group", "delivery", delivery_id, _told(group))
    return True


async def list_readers(conn: Connection, reads: Sequence[str]) -> list[Reader]:
    """The deliveries that ask about any of these besides their audience, as questions tell what they read."""
    return await store.list_readers(conn, reads)


async def list_readers_of(conn: Connection, beginning: str) -> list[Reader]:
    """Those that ask about something that begins so."""
    return await store.list_readers_of(conn, beginning)


async def _check_traps(conn: Connection, traps: Traps) -> list[str]:
    """What their question reads."""
    if len(traps.test_profile_ids) > MOST_TRAPS:
        raise Invalid(f"a delivery has up to {MOST_TRAPS} traps", code="TOO_MANY_TRAPS", path="test_profile_ids")
    found = {one.id: one for one in await find_test_profiles(conn, traps.test_profile_ids)}
    for key in traps.test_profile_ids:
        if key not in found:
            raise not_found("test profile", key, "test_profile_ids")
        if TestProfileUse.TRAP not in found[key].uses:
            raise Invalid(
                f"the test profile {found[key].label!r} is no trap", code="NO_TRAP", path="test_profile_ids",
                hint="Give it the use TRAP first.",
            )  # fmt: skip
    if traps.question is None:
        return []
    await hold_model(conn)  # what it reads is not hidden meanwhile
    return all_reads(await open_question(conn, traps.question))


async def _check_control_group(conn: Connection, group: ControlGroup, campaign_id: int | None) -> list[str]:
    """What its question and its order read."""
    extracts = group.extraction is not Extraction.NONE
    if not extracts and group.audience_id is None and group.question is None:
        raise _bad("this control group would be nobody", "Choose an extraction, an audience or a question.")
    if extracts and group.share is None and group.size is None:
        raise _bad("an extraction has a share or a size", "Give one of the two, or both.", "share")
    if not extracts and (group.share is not None or group.size is not None):
        raise _bad("a share or a size needs an extraction", "Choose RANDOM or FIRST.", "extraction")
    if (group.extraction is Extraction.FIRST) is (group.by is None):
        raise _bad("an order is for FIRST, and needed there", "Give the value that orders people, or choose RANDOM.", "by")
    if group.same_for is SameFor.CAMPAIGN and campaign_id is None:
        raise _bad("the delivery is in no campaign", "Put it into one first, or draw for the delivery.", "same_for")
    if group.share is not None and not _is_share(group.share):
        raise Invalid(
            "a share is more than 0 and less than 100 per cent, in hundredths at most", code="BAD_SHARE", path="share"
        )  # fmt: skip
    if group.size is not None and not 1 <= group.size < 2**62:
        raise Invalid("a control group has room for one at least", code="BAD_SIZE", path="size")
    return await _check_expressions(conn, group)


async def _check_expressions(conn: Connection, group: ControlGroup) -> list[str]:
    await hold_model(conn)  # what they read is not hidden meanwhile
    reads: set[str] = set()
    if group.audience_id is not None:
        try:
            await get_audience(conn, group.audience_id)
        except NotFound as error:
            raise NotFound(error.message, code=error.code, path="audience_id", hint=error.hint) from None
    if group.question is not None:
        reads.update(all_reads(await open_question(conn, group.question)))
    if group.by is not None:
        value = await open_value(conn, group.by)
        if value.kind not in ORDERED:
            raise Invalid(
                f"people cannot be put in order by a value of the kind {value.kind.value}", code="BAD_ORDER", path="by",
                hint="Use a number, a text or a time.",
            )  # fmt: skip
        reads.update(all_reads(value))
    return sorted(reads)


def _is_share(share: Decimal) -> bool:
    return share.is_finite() and 0 < share < 100 and share == share.quantize(Decimal("0.01"))


def _bad(message: str, hint: str, path: str | None = None) -> Invalid:
    return Invalid(message, code="BAD_CONTROL_GROUP", path=path, hint=hint)


def _vanished() -> Conflict:
    return Conflict(
        "something that this refers to was deleted meanwhile", code="REFERENCE_GONE", hint="Read it again."
    )  # fmt: skip


def _told(group: ControlGroup | None) -> dict[str, object]:
    """What the audit keeps. Expressions may name people, so they stay out."""
    if group is None:
        return {"control_group": None}
    return {
        "extraction": group.extraction.value, "share": None if group.share is None else str(group.share), "size": group.size,
        "same_for": group.same_for.value, "audience": group.audience_id, "question": group.question is not None,
    }  # fmt: skip
