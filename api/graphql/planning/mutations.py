"""Writes of planning: parse, call one operation, return its record."""

from __future__ import annotations

from typing import Any

import strawberry

from api.context import Info
from api.graphql.mutations import given, mutation
from api.graphql.planning.types import (
    Campaign,
    ChannelAccount,
    CreateCampaignInput,
    CreateChannelAccountInput,
    PauseChannelAccountInput,
    UpdateCampaignInput,
    UpdateChannelAccountInput,
)
from api.graphql.scalars import json_object
from api.graphql.team_fields import team_values_of
from core.ids import from_global_id
from core.planning import campaigns, channel_accounts
from core.planning.records import AccountDraft, CampaignDraft
from core.profiles.team_rows import Extended


@strawberry.type
class PlanningMutation:
    """Campaigns and channel accounts."""

    @mutation(campaign=Campaign)
    async def create_campaign(self, info: Info, input: CreateCampaignInput) -> Any:
        """Create a campaign."""
        draft = CampaignDraft(name=input.name, label=input.label, starts_on=input.starts_on, ends_on=input.ends_on)
        return await campaigns.create_campaign(
            info.context.conn, info.context.actor, draft, await team_values_of(info, Extended.CAMPAIGN, input)
        )

    @mutation(campaign=Campaign)
    async def update_campaign(self, info: Info, input: UpdateCampaignInput) -> Any:
        """Change a campaign."""
        changes = given(name=input.name, label=input.label, starts_on=input.starts_on, ends_on=input.ends_on)
        key = from_global_id("Campaign", input.id, "id")
        return await campaigns.update_campaign(
            info.context.conn,
            info.context.actor,
            key,
            changes,
            await team_values_of(info, Extended.CAMPAIGN, input),
            expected_version=input.expected_version,
        )

    @mutation(deleted_id=strawberry.ID)
    async def delete_campaign(self, info: Info, id: strawberry.ID) -> Any:
        """Delete a campaign that has no deliveries."""
        await campaigns.delete_campaign(info.context.conn, info.context.actor, from_global_id("Campaign", id, "id"))
        return id

    @mutation(channel_account=ChannelAccount)
    async def create_channel_account(self, info: Info, input: CreateChannelAccountInput) -> Any:
        """Create a channel account; its settings are checked against the channel."""
        context = info.context
        draft = AccountDraft(
            name=input.name, label=input.label, channel=input.channel, config=json_object(input.config, "config")
        )
        return await channel_accounts.create_account(
            context.conn, context.actor, context.channels, context.runtime.keyring, draft
        )

    @mutation(channel_account=ChannelAccount)
    async def update_channel_account(self, info: Info, input: UpdateChannelAccountInput) -> Any:
        """Change a channel account."""
        context = info.context
        changes = given(name=input.name, label=input.label, config=input.config)
        if "config" in changes:
            json_object(changes["config"], "config")
        key = from_global_id("ChannelAccount", input.id, "id")
        return await channel_accounts.update_account(
            context.conn,
            context.actor,
            context.channels,
            context.runtime.keyring,
            key,
            changes,
            expected_version=input.expected_version,
        )

    @mutation(deleted_id=strawberry.ID)
    async def delete_channel_account(self, info: Info, id: strawberry.ID) -> Any:
        """Delete a channel account that no delivery uses."""
        key = from_global_id("ChannelAccount", id, "id")
        await channel_accounts.delete_account(info.context.conn, info.context.actor, key)
        return id

    @mutation(channel_account=ChannelAccount)
    async def pause_channel_account(self, info: Info, input: PauseChannelAccountInput) -> Any:
        """Send nothing through a channel account until it is resumed."""
        context = info.context
        key = from_global_id("ChannelAccount", input.id, "id")
        await channel_accounts.pause_account(context.conn, context.actor, key, input.reason, now=context.now)
        return await channel_accounts.get_account(context.conn, key)

    @mutation(channel_account=ChannelAccount)
    async def resume_channel_account(self, info: Info, id: strawberry.ID) -> Any:
        """Send through a channel account again, at once."""
        context = info.context
        key = from_global_id("ChannelAccount", id, "id")
        await channel_accounts.resume_account(context.conn, context.actor, key)
        return await channel_accounts.get_account(context.conn, key)
