"""Deliveries as authored: which content goes to which audience over which account, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from datetime import timedelta
from typing import Any

import asyncpg

from core.access import Actor, Permission, require
from core.audit import difference, record
from core.authored import changed, check_label, check_name, check_version, name_taken, not_found
from core.consent.purposes import get_purpose
from core.consent.services import get_service
from core.content.contents import get_content
from core.datamodel.refusals import REFUSED, Refused, refusal
from core.db import Connection
from core.errors import Conflict, Invalid, NotFound
from core.paging import Page, PageRequest, cut
from core.planning.campaigns import get_campaign
from core.planning.channel_accounts import get_account
from core.planning.columns import check_columns
from core.planning.records import Delivery, DeliveryDraft
from core.planning.store import deliveries as store
from core.profiles import team_rows
from core.profiles.suppression import find_lists
from core.profiles.team_rows import NO_VALUES, Extended, Values
from core.targeting.expiry import check_is_target, check_lasts

LONGEST = timedelta(days=30)
MOST_LISTS = 20  # suppression lists of one delivery


async def create_delivery(conn: Connection, actor: Actor, draft: DeliveryDraft, team: Values = NO_VALUES) -> Delivery:
    """A new delivery; `team` are values of the team's fields.

    Raises Invalid (BAD_NAME, BAD_LABEL, BAD_DURATION, BAD_CONTACT_DATE, CHANNEL_MISMATCH, AUDIENCE_EXPIRES, ROW_TOO_BIG),
    FieldsInvalid, NotFound for what it refers to, Conflict (NAME_TAKEN, VALUE_TAKEN, AUDIENCE_NOT_RECONCILED).
    """
    require(actor, Permission.EDIT)
    await _check(conn, draft)
    columns = await team_rows.clean_new(conn, Extended.DELIVERY, team)
    try:
        async with conn.transaction():
            delivery = await store.insert_delivery(conn, draft, actor.name)
            if delivery is not None:
                delivery = await _with_lists(conn, delivery, draft)
                await team_rows.write(conn, Extended.DELIVERY, delivery.id, columns)
    except REFUSED as error:
        raise await team_rows.refused(conn, error) or _refused(error, draft) from None
    if delivery is None:
        raise name_taken("delivery", draft.name)
    told = difference({}, asdict(draft)) | team_rows.told_apart(team, columns)
    await record(conn, actor, "delivery.create", "delivery", delivery.id, told)
    return delivery


async def update_delivery(
    conn: Connection,
    actor: Actor,
    delivery_id: int,
    changes: Mapping[str, Any],
    team: Values = NO_VALUES,
    *,
    expected_version: int | None = None,
) -> Delivery:
    """Change the fields given, `team` those of the team. Raises as `create_delivery`, Stale (VERSION_CHANGED).

    Whether it may still be edited is for `core.delivery` to say, before.
    """
    require(actor, Permission.EDIT)
    delivery = await lock_delivery(conn, delivery_id)
    check_version("delivery", delivery.version, expected_version)
    before = _draft(delivery)
    draft = changed(before, changes)
    columns = await team_rows.clean_changed(conn, Extended.DELIVERY, delivery_id, team)
    if draft == before and not columns:
        return delivery
    await _check(conn, draft)
    try:
        async with conn.transaction():
            updated = await _with_lists(conn, await store.update_delivery(conn, delivery_id, draft), draft)
            await team_rows.write(conn, Extended.DELIVERY, delivery_id, columns)
    except REFUSED as error:
        raise await team_rows.refused(conn, error) or _refused(error, draft) from None
    told = difference(asdict(before), asdict(draft)) | team_rows.told_apart(team, columns)
    await record(conn, actor, "delivery.update", "delivery", delivery_id, told)
    return updated


async def delete_delivery(conn: Connection, actor: Actor, delivery_id: int) -> None:
    """Raises NotFound, Conflict (LINKED) where rows of a dataset are linked to it by a link that refuses.

    Whether it may be deleted is for `core.delivery` to say, before.
    """
    require(actor, Permission.EDIT)
    delivery = await lock_delivery(conn, delivery_id)
    try:
        async with conn.transaction():
            await store.delete_delivery(conn, delivery_id)
    except REFUSED as error:
        raise await refusal(conn, error) or error from None
    await record(conn, actor, "delivery.delete", "delivery", delivery_id, {"name": {"from": delivery.name}})


async def get_delivery(conn: Connection, delivery_id: int) -> Delivery:
    """Raises NotFound (DELIVERY_NOT_FOUND)."""
    delivery = await store.find_delivery(conn, delivery_id)
    if delivery is None:
        raise not_found("delivery", delivery_id)
    return delivery


async def find_delivery(conn: Connection, delivery_id: int) -> Delivery | None:
    """The delivery, or None."""
    return await store.find_delivery(conn, delivery_id)


async def find_deliveries(conn: Connection, ids: Sequence[int]) -> list[Delivery]:
    """Those of the ids that exist, in any order."""
    return await store.find_deliveries(conn, ids)


async def find_delivery_by_name(conn: Connection, name: str) -> Delivery | None:
    """The delivery, or None."""
    return await store.find_delivery_by_name(conn, name)


async def lock_delivery(conn: Connection, delivery_id: int) -> Delivery:
    """The delivery, locked until the end of the transaction. Raises NotFound (DELIVERY_NOT_FOUND)."""
    delivery = await store.lock_delivery(conn, delivery_id)
    if delivery is None:
        raise not_found("delivery", delivery_id)
    return delivery


async def list_deliveries(conn: Connection, page: PageRequest, *, campaign_id: int | None = None) -> Page[Delivery]:
    """A page in the order of ids, of one campaign or of all."""
    return cut(await store.list_deliveries(conn, campaign_id, page.after, page.first + 1), page)


async def count_deliveries(conn: Connection, *, campaign_id: int | None = None) -> int:
    """How many there are, of one campaign or of all."""
    return await store.count_deliveries(conn, campaign_id)


async def _with_lists(conn: Connection, delivery: Delivery, draft: DeliveryDraft) -> Delivery:
    wanted = tuple(sorted(set(draft.suppression_list_ids)))
    if delivery.suppression_list_ids != wanted:
        await store.name_suppression_lists(conn, delivery.id, wanted)
    return replace(delivery, suppression_list_ids=wanted)


def _draft(delivery: Delivery) -> DeliveryDraft:
    return DeliveryDraft(**{field.name: getattr(delivery, field.name) for field in fields(DeliveryDraft)})


async def _check(conn: Connection, draft: DeliveryDraft) -> None:
    check_name(draft.name)
    check_label(draft.label)
    if not timedelta(minutes=1) <= draft.duration <= LONGEST:
        raise Invalid(
            f"a delivery lasts 1 minute to {LONGEST.days} days", code="BAD_DURATION", path="duration",
            hint="It is how long sending and its retries may go on after the start.",
        )  # fmt: skip
    if draft.contact_at is not None and draft.contact_at.tzinfo is None:
        raise Invalid(
            "the contact date has no time zone", code="BAD_CONTACT_DATE", path="contact_at",
            hint="Write it with an offset, such as 2030-01-31T09:00:00+01:00.",
        )  # fmt: skip
    await _check_references(conn, draft)


async def _check_references(conn: Connection, draft: DeliveryDraft) -> None:
    try:
        path = "channel_account_id"
        account = await get_account(conn, draft.channel_account_id)
        path = "audience_id"
        audience = await check_is_target(conn, draft.audience_id)
        path = "content_id"
        content = await get_content(conn, draft.content_id)
        path = "campaign_id"
        if draft.campaign_id is not None:
            await get_campaign(conn, draft.campaign_id)
        path = "suppression_list_ids"
        await _check_lists(conn, draft.suppression_list_ids)
        path = "service_id"
        if draft.service_id is not None:
            await get_service(conn, draft.service_id)
        path = "purpose_id"
        if draft.purpose_id is not None:
            await get_purpose(conn, draft.purpose_id)
    except NotFound as error:
        raise NotFound(error.message, code=error.code, path=path, hint=error.hint) from None
    await check_columns(conn, content.id, audience)
    if draft.contact_at is not None:
        check_lasts(audience, draft.contact_at)
    if content.channel != account.channel:
        raise Invalid(
            f"the content {content.name!r} is for {content.channel!r}, "
            f"the account {account.name!r} sends {account.channel!r}",
            code="CHANNEL_MISMATCH", path="content_id", hint="Choose both of the same channel.",
        )  # fmt: skip


async def _check_lists(conn: Connection, list_ids: Sequence[int]) -> None:
    if len(list_ids) > MOST_LISTS:
        message = f"a delivery names up to {MOST_LISTS} suppression lists"
        raise Invalid(message, code="BAD_VALUE", path="suppression_list_ids", hint="Put their entries into fewer lists.")
    found = {one.id for one in await find_lists(conn, list_ids)}
    if gone := [one for one in list_ids if one not in found]:
        raise not_found("suppression list", gone[0])


def _refused(error: Refused, draft: DeliveryDraft) -> Exception:
    """Why the database does not take a delivery, where it is nothing of the team's."""
    if isinstance(error, asyncpg.UniqueViolationError):
        return name_taken("delivery", draft.name)
    return _vanished() if isinstance(error, asyncpg.ForeignKeyViolationError) else error


def _vanished() -> Conflict:
    return Conflict(
        "something that the delivery refers to was deleted meanwhile",
        code="REFERENCE_GONE",
        hint="Read it again.",
    )
