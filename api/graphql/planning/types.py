"""GraphQL types of planning, read off its records."""

from __future__ import annotations

from datetime import date, datetime

import strawberry

from api.graphql.leaf import leaf
from api.graphql.nodes import Node, global_id, record_of
from api.graphql.profiles.types import AddressKind
from api.graphql.rows.linked import LinkedConnection, linked_field
from api.graphql.scalars import JSON
from api.graphql.team_fields import TEAM_VALUES, team_fields_field
from channels.contract import ConfigType as ConfigTypeEnum
from core.planning import records
from core.profiles.team_rows import Extended

ConfigType = strawberry.enum(ConfigTypeEnum, name="ConfigType", description="Types of a channel's settings.")
UnknownPolicy = strawberry.enum(
    records.UnknownPolicy,
    name="UnknownPolicy",
    description="What becomes of messages whose provider answer was lost: PARK waits for a receipt or an operator.",
)


@strawberry.type(description="Deliveries that belong together.")
class Campaign(Node):
    """A campaign."""

    is_type_of = record_of(records.Campaign)

    id: strawberry.ID = global_id("Campaign")
    name: str
    label: str
    starts_on: date | None
    ends_on: date | None
    team_fields = team_fields_field(Extended.CAMPAIGN)
    version: int
    created_at: datetime
    updated_at: datetime
    created_by: str
    linked: LinkedConnection = linked_field("campaign")


@strawberry.type(description="An account at a provider, through which messages leave. Secrets are never read back.")
class ChannelAccount(Node):
    """A channel account."""

    is_type_of = record_of(records.ChannelAccount)

    id: strawberry.ID = global_id("ChannelAccount")
    name: str
    label: str
    channel: str
    config: JSON = strawberry.field(description="Every public setting, defaults filled in.")
    secret_names: list[str] = strawberry.field(description="The secrets that are set.")
    version: int
    paused_at: datetime | None = strawberry.field(description="Since when nothing is sent through it, until resumed.")
    pause_reason: str | None
    retry_at: datetime | None = strawberry.field(description="The provider is down: nothing is sent before.")
    failures: int = strawberry.field(description="Failures of the provider in a row.")
    created_at: datetime
    updated_at: datetime
    created_by: str


@strawberry.type(description="One setting of a channel's accounts.")
class ConfigField:
    """A setting."""

    name: str
    type: ConfigType  # type: ignore[valid-type]
    description: str
    required: bool
    secret: bool = strawberry.field(description="Stored encrypted, never read back.")
    default: JSON | None
    choices: list[str]
    minimum: float | None
    maximum: float | None


@strawberry.type(description="One authored part of a message.")
class ContentField:
    """A part."""

    name: str
    description: str
    required: bool
    template: bool = strawberry.field(description="Whether Liquid is rendered in it.")


@strawberry.type(description="A channel of this installation, as its plugin describes it.")
class Channel:
    """A channel's manifest."""

    name: str
    label: str
    address_kind: AddressKind  # type: ignore[valid-type]
    config: list[ConfigField]
    content: list[ContentField]
    tracking: bool = leaf(lambda manifest: manifest.capabilities.tracking)
    receipts: list[str] = leaf(
        lambda manifest: sorted(manifest.capabilities.receipts),
        description="What it can report after a message was accepted.",
    )
    inbound: bool = leaf(lambda manifest: manifest.capabilities.inbound)
    largest_message: int = leaf(lambda manifest: manifest.limits.max_bytes, description="In bytes.")
    most_attachments: int = leaf(lambda manifest: manifest.limits.attachments, description="Files of one message.")


@strawberry.input(description="A new campaign. The name is its handle: a-z, 0-9, _ and -.")
class CreateCampaignInput:
    """Input of createCampaign."""

    name: str
    label: str
    starts_on: date | None = None
    ends_on: date | None = None
    team_fields: strawberry.Maybe[JSON | None] = strawberry.field(description=TEAM_VALUES)


@strawberry.input(description="What is to change; fields left out stay.")
class UpdateCampaignInput:
    """Input of updateCampaign."""

    id: strawberry.ID
    expected_version: int | None = None
    name: strawberry.Maybe[str]
    label: strawberry.Maybe[str]
    starts_on: strawberry.Maybe[date | None]
    ends_on: strawberry.Maybe[date | None]
    team_fields: strawberry.Maybe[JSON | None] = strawberry.field(description=TEAM_VALUES)


@strawberry.input(description="A new channel account; `config` as the channel describes it, secrets included.")
class CreateChannelAccountInput:
    """Input of createChannelAccount."""

    name: str
    label: str
    channel: str
    config: JSON


@strawberry.input(description="What is to change; `config` holds only the settings to change, null takes one out.")
class UpdateChannelAccountInput:
    """Input of updateChannelAccount."""

    id: strawberry.ID
    expected_version: int | None = None
    name: strawberry.Maybe[str]
    label: strawberry.Maybe[str]
    config: strawberry.Maybe[JSON]


@strawberry.input
class PauseChannelAccountInput:
    """Input of pauseChannelAccount."""

    id: strawberry.ID
    reason: str
