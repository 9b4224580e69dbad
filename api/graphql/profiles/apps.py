"""Subscriptions to apps: reads and writes."""

from __future__ import annotations

from typing import Any

import strawberry

from api.context import Info
from api.graphql.connections import Listing, by_id, requested_page
from api.graphql.leaf import field
from api.graphql.mutations import mutation
from api.graphql.profiles.app_types import (
    AppSubscriptionConnection,
    AppSubscriptionInput,
    AppSubscriptionKeyInput,
    AppSubscriptionResult,
)
from core.profiles import app_subscriptions


@strawberry.type
class AppsQuery:
    """Devices."""

    @field(AppSubscriptionConnection)
    async def app_subscriptions(
        self, info: Info, app: str | None = None, first: int | None = None, after: str | None = None
    ) -> Listing:
        """Devices that an app, or any, may send to."""
        page = requested_page(info, first, after)
        async with info.context.lease.use() as conn:
            rows = await app_subscriptions.list_app_subscriptions(conn, page, app=app)
        return Listing(rows, None, by_id, page.after)


@strawberry.type
class AppsMutation:
    """Devices."""

    @mutation(results=list[AppSubscriptionResult])
    async def save_app_subscriptions(self, info: Info, subscriptions: list[AppSubscriptionInput]) -> Any:
        """Add devices, or change those that are there, each with a result of its own: one bad row never fails the others."""
        context = info.context
        sent = [one.sent(f"subscriptions.{n}") for n, one in enumerate(subscriptions)]
        return await app_subscriptions.save_app_subscriptions(context.conn, context.actor, sent, now=context.now)

    @mutation(results=list[AppSubscriptionResult])
    async def remove_app_subscriptions(self, info: Info, subscriptions: list[AppSubscriptionKeyInput]) -> Any:
        """Remove devices; as saveAppSubscriptions."""
        keys = [(one.app, one.registration_token) for one in subscriptions]
        return await app_subscriptions.remove_app_subscriptions(info.context.conn, info.context.actor, keys)
