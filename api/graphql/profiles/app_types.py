"""GraphQL types of subscriptions to apps."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry

from api.context import RequestContext
from api.errors import public_path
from api.graphql.business_events.types import ProfileReferenceInput
from api.graphql.connections import ForwardPage
from api.graphql.leaf import leaf
from api.graphql.nodes import Node, aligned, global_id, record_of
from api.graphql.scalars import JSON
from api.graphql.team_fields import sent_values, team_fields_field
from core.ids import to_global_id
from core.profiles import app_records as records
from core.profiles import app_subscriptions
from core.profiles.team_rows import Extended

AppPlatform = strawberry.enum(records.Platform, name="AppPlatform", description="What a device is reached through.")
AppOutcome = strawberry.enum(
    records.AppOutcome,
    name="AppSubscriptionOutcome",
    description="What became of a row. REJECTED: nothing, for the reason that the row tells.",
)


async def load_app_subscriptions(context: RequestContext, ids: list[int]) -> list[Any]:
    """Devices by id."""
    async with context.lease.use() as conn:
        return aligned(ids, await app_subscriptions.find_app_subscriptions(conn, ids))


async def load_devices_of(context: RequestContext, profile_ids: list[int]) -> list[Any]:
    """Devices of profiles, by the profile."""
    async with context.lease.use() as conn:
        found = await app_subscriptions.list_of_profiles(conn, profile_ids)
    return [found.get(one, []) for one in profile_ids]


@strawberry.type(description="A device that an app may send to.")
class AppSubscription(Node):
    """A device."""

    is_type_of = record_of(records.AppSubscription)

    id: strawberry.ID = global_id("AppSubscription")
    app: str
    registration_token: str
    platform: AppPlatform  # type: ignore[valid-type]
    opted_out: bool
    profile_id: strawberry.ID | None = leaf(
        lambda one: None if one.profile_id is None else to_global_id("Profile", one.profile_id),
        description="Whose it is, maybe merged since. Null: nobody knows.",
    )
    created_at: datetime
    updated_at: datetime
    team_fields = team_fields_field(Extended.APP_SUBSCRIPTION)


@strawberry.type(description="Devices that apps may send to, the oldest first. They are not counted.")
class AppSubscriptionConnection(ForwardPage[AppSubscription]):
    """A page of devices."""


@strawberry.type(description="A row of a call and what became of it.")
class AppSubscriptionResult:
    """A result."""

    index: int = strawberry.field(description="Its place in the call, from 0.")
    outcome: AppOutcome  # type: ignore[valid-type]
    code: str | None = leaf(lambda result: result.error and result.error.code, description="Of a rejected row.")
    message: str | None = leaf(lambda result: result.error and result.error.message)
    path: str | None = leaf(lambda result: result.error and public_path(result.error.path))
    hint: str | None = leaf(lambda result: result.error and result.error.hint)


@strawberry.input(description="A device as it shall be. App and token say which.")
class AppSubscriptionInput:
    """A device."""

    app: str = strawberry.field(description="The id of the app: letters, digits, dots, hyphens and underscores.")
    registration_token: str
    platform: AppPlatform  # type: ignore[valid-type]
    opted_out: bool | None = strawberry.field(default=None, description="Left out: as it was.")
    profile: strawberry.Maybe[ProfileReferenceInput | None] = strawberry.field(
        description="Whose it is. Left out: as it was; null: nobody's."
    )
    team_fields: strawberry.Maybe[JSON | None] = strawberry.field(
        description="An object with values of fields that the team published for devices, by their names. What is left out "
        "stays; null clears."
    )

    def sent(self, path: str) -> records.SentAppSubscription:
        """Raises Invalid (BAD_ID, WRONG_TYPE)."""
        owner = None if self.profile is None else self.profile.value
        return records.SentAppSubscription(
            app=self.app, registration_token=self.registration_token, platform=self.platform, opted_out=self.opted_out,
            profile=None if owner is None else owner.reference(f"{path}.profile.id"),
            forget_profile=self.profile is not None and owner is None, team=sent_values(self, f"{path}.teamFields"),
        )  # fmt: skip


@strawberry.input(description="Which device.")
class AppSubscriptionKeyInput:
    """A device's key."""

    app: str
    registration_token: str
