"""Writes of deliveries: parse, call one operation, return its record."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import strawberry

from api.context import Info
from api.graphql.delivery.loaders import DeliveryView, view
from api.graphql.delivery.types import CreateDeliveryInput, Delivery, UpdateDeliveryInput
from api.graphql.mutations import given, mutation
from api.graphql.nodes import optional_id
from api.graphql.planning.computed import SetDeliverySendDatesInput, SetDeliverySendingLogInput
from api.graphql.planning.seeds import SetDeliveryControlGroupInput, SetDeliveryTrapsInput
from api.graphql.targeting.types import zone_of
from api.graphql.team_fields import team_values_of
from core.delivery import doubt, lifecycle
from core.errors import Invalid
from core.ids import from_global_id
from core.planning import deliveries
from core.planning.records import DEFAULT_DURATION, DeliveryDraft
from core.profiles.team_rows import Extended

_REFERENCES = {
    "campaign_id": "Campaign",
    "channel_account_id": "ChannelAccount",
    "audience_id": "Audience",
    "content_id": "Content",
    "service_id": "Service",
    "purpose_id": "Purpose",
}


def duration(seconds: int | None) -> timedelta:
    """Raises Invalid (BAD_DURATION)."""
    if seconds is None:
        return DEFAULT_DURATION
    if seconds < 0:
        raise Invalid("a duration cannot be negative", code="BAD_DURATION", path="durationSeconds")
    return timedelta(seconds=seconds)


def _changes(sent: UpdateDeliveryInput) -> dict[str, Any]:
    changes = given(
        name=sent.name,
        label=sent.label,
        campaign_id=sent.campaign_id,
        channel_account_id=sent.channel_account_id,
        audience_id=sent.audience_id,
        content_id=sent.content_id,
        contact_at=sent.contact_at,
        unknown_policy=sent.unknown_policy,
        suppression_list_ids=sent.suppression_list_ids,
        service_id=sent.service_id,
        purpose_id=sent.purpose_id,
        ignores_holdout=sent.ignores_holdout,
        time_zone=sent.time_zone,
    )
    if changes.get("suppression_list_ids") is not None:
        changes["suppression_list_ids"] = _lists(changes["suppression_list_ids"])
    for name in changes.keys() & _REFERENCES.keys():
        changes[name] = optional_id(_REFERENCES[name], changes[name], name)
    if sent.time_zone is not None:
        changes["time_zone"] = zone_of(sent.time_zone.value).key
    if sent.duration_seconds is not None:
        changes["duration"] = duration(sent.duration_seconds.value)
    return changes


def _lists(ids: Sequence[str]) -> tuple[int, ...]:
    return tuple(sorted({from_global_id("SuppressionList", one, "suppression_list_ids") for one in ids}))


async def _move(info: Info, id: str, move: Callable[..., Awaitable[Any]], **more: Any) -> DeliveryView:
    context = info.context
    key = from_global_id("Delivery", id, "id")
    await move(context.conn, context.actor, key, context.now, **more)
    return await view(context.conn, key)


@strawberry.type
class DeliveryMutation:
    """Deliveries and their life."""

    @mutation(delivery=Delivery)
    async def create_delivery(self, info: Info, input: CreateDeliveryInput) -> Any:
        """Plan a delivery. Nothing is prepared or sent."""
        context = info.context
        draft = DeliveryDraft(
            name=input.name,
            label=input.label,
            campaign_id=optional_id("Campaign", input.campaign_id, "campaign_id"),
            channel_account_id=from_global_id("ChannelAccount", input.channel_account_id, "channel_account_id"),
            audience_id=from_global_id("Audience", input.audience_id, "audience_id"),
            content_id=from_global_id("Content", input.content_id, "content_id"),
            contact_at=input.contact_at,
            duration=duration(input.duration_seconds),
            suppression_list_ids=_lists(input.suppression_list_ids),
            unknown_policy=input.unknown_policy,
            service_id=optional_id("Service", input.service_id, "service_id"),
            purpose_id=optional_id("Purpose", input.purpose_id, "purpose_id"),
            ignores_holdout=input.ignores_holdout,
            time_zone=zone_of(input.time_zone).key,
        )
        made = await deliveries.create_delivery(
            context.conn, context.actor, draft, await team_values_of(info, Extended.DELIVERY, input)
        )
        return await view(context.conn, made.id)

    @mutation(delivery=Delivery)
    async def update_delivery(self, info: Info, input: UpdateDeliveryInput) -> Any:
        """Change a delivery that is not being prepared or sent. One that was prepared or confirmed must be prepared again."""
        context = info.context
        key = from_global_id("Delivery", input.id, "id")
        await lifecycle.update(
            context.conn, context.actor, key, _changes(input), await team_values_of(info, Extended.DELIVERY, input),
            expected_version=input.expected_version, now=context.now,
        )  # fmt: skip
        return await view(context.conn, key)

    @mutation(delivery=Delivery)
    async def set_delivery_traps(self, info: Info, input: SetDeliveryTrapsInput) -> Any:
        """Test profiles that get the real messages of a delivery: these and no others. It must be prepared again."""
        context = info.context
        key = from_global_id("Delivery", input.id, "id")
        await lifecycle.set_traps(context.conn, context.actor, key, input.traps(), context.now)
        return await view(context.conn, key)

    @mutation(delivery=Delivery)
    async def set_delivery_control_group(self, info: Info, input: SetDeliveryControlGroupInput) -> Any:
        """Who is held back from a delivery, so that others can be compared with them. It must be prepared again."""
        context = info.context
        key = from_global_id("Delivery", input.id, "id")
        group = None if input.control_group is None else input.control_group.group()
        await lifecycle.set_control_group(context.conn, context.actor, key, group, context.now)
        return await view(context.conn, key)

    @mutation(delivery=Delivery)
    async def set_delivery_sending_log(self, info: Info, input: SetDeliverySendingLogInput) -> Any:
        """What the ledger keeps of each recipient: a segment code, and fields of the profile. It must be prepared again."""
        context = info.context
        key = from_global_id("Delivery", input.id, "id")
        await lifecycle.set_sending_log(context.conn, context.actor, key, input.kept(), context.now)
        return await view(context.conn, key)

    @mutation(delivery=Delivery)
    async def set_delivery_send_dates(self, info: Info, input: SetDeliverySendDatesInput) -> Any:
        """When each recipient gets the message, computed of their data. It must be prepared again."""
        context = info.context
        key = from_global_id("Delivery", input.id, "id")
        dates = None if input.send_dates is None else input.send_dates.dates()
        await lifecycle.set_send_dates(context.conn, context.actor, key, dates, context.now)
        return await view(context.conn, key)

    @mutation(deleted_id=strawberry.ID)
    async def delete_delivery(self, info: Info, id: strawberry.ID) -> Any:
        """Delete a delivery that is not being prepared or sent."""
        context = info.context
        key = from_global_id("Delivery", id, "id")
        await lifecycle.discard(context.conn, key)
        await deliveries.delete_delivery(context.conn, context.actor, key)
        return id

    @mutation(delivery=Delivery)
    async def prepare_delivery(self, info: Info, id: strawberry.ID) -> Any:
        """Have the ledger computed: who gets it, who does not and why. Nothing is sent."""
        return await _move(info, id, lifecycle.prepare)

    @mutation(delivery=Delivery)
    async def stop_preparation(self, info: Info, id: strawberry.ID) -> Any:
        """Stop a running preparation."""
        return await _move(info, id, lifecycle.stop_preparation)

    @mutation(delivery=Delivery)
    async def confirm_delivery(self, info: Info, id: strawberry.ID) -> Any:
        """Release a prepared delivery: it starts at its contact date, or at once."""
        return await _move(info, id, lifecycle.confirm)

    @mutation(delivery=Delivery)
    async def pause_delivery(self, info: Info, id: strawberry.ID, reason: str | None = None) -> Any:
        """Hand nothing more over until resumed."""
        return await _move(info, id, lifecycle.pause, reason=reason)

    @mutation(delivery=Delivery)
    async def resume_delivery(self, info: Info, id: strawberry.ID) -> Any:
        """Go on where it paused."""
        return await _move(info, id, lifecycle.resume)

    @mutation(delivery=Delivery)
    async def stop_delivery(self, info: Info, id: strawberry.ID) -> Any:
        """End it for good; what is still pending becomes cancelled."""
        return await _move(info, id, lifecycle.stop)

    @mutation(delivery=Delivery, settled=int)
    async def settle_doubtful(self, info: Info, id: strawberry.ID, decision: doubt.Decision) -> Any:
        """Say what became of the messages whose answer was lost, as the provider told you."""
        context = info.context
        key = from_global_id("Delivery", id, "id")
        settled = await doubt.settle_doubtful(context.conn, context.actor, key, decision, context.now)
        return {"delivery": await view(context.conn, key), "settled": settled}
