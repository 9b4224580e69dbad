"""What was sent to a person, what they did and said, and what was told of them."""

from __future__ import annotations

from datetime import datetime

import strawberry

from api.context import Info
from api.graphql.business_events.types import BusinessEvent
from api.graphql.connections import ForwardPage, Listing, requested_page
from api.graphql.consent.loaders import load_purposes, load_services
from api.graphql.consent.types import ConsentDecision, OptOutChannel, Purpose, Service, SubscriptionEventKind
from api.graphql.delivery.loaders import load_deliveries
from api.graphql.delivery.types import Delivery, LedgerState
from api.graphql.leaf import field, leaf
from api.graphql.nodes import link
from api.graphql.profiles.types import FailureReason
from core.ids import from_global_id, to_global_id
from core.public_urls import PublicUrls
from core.reporting import people, records

HistoryKind = strawberry.enum(
    records.HistoryKind,
    name="HistoryKind",
    description="A message, what a person did with it, what they said, or what another system told.",
)


@strawberry.type(description="A message to a person, or something that the person did or said, or that was told of them.")
class HistoryEntry:
    """An entry."""

    at: datetime = strawberry.field(
        description="Of a message: when it was settled, or is due. Of what was said: when it is said to have happened."
    )
    kind: HistoryKind  # type: ignore[valid-type]
    profile_id: strawberry.ID = leaf(
        lambda entry: to_global_id("Profile", entry.profile_id),
        description="The profile that it was about, maybe merged since.",
    )
    delivery: Delivery | None = link(load_deliveries, lambda entry: entry.delivery_id)
    service: Service | None = link(load_services, lambda entry: entry.service_id, description="Of a subscription.")
    purpose: Purpose | None = link(load_purposes, lambda entry: entry.purpose_id, description="Of a decision on a purpose.")
    state: LedgerState | None = strawberry.field(description="Of a message.")  # type: ignore[valid-type]
    reason: FailureReason | None = strawberry.field(description="Why a message was not sent.")  # type: ignore[valid-type]
    address: str | None = strawberry.field(description="Of a message.")
    answer: str | None = strawberry.field(description="The provider's last words about a message.")
    mirror_url: str | None = strawberry.field(
        description="Of a message that was handed over, if it can be shown: its mirror page. Visits by this address are not "
        "counted, but what the page links to is the person's, unsubscribing too."
    )
    link: int | None = strawberry.field(description="Of a click: the link's number.")
    url: str | None = strawberry.field(description="Of a click: the address as its author wrote it.")
    machine: bool | None = strawberry.field(description="Of what was done: a rule took it for a machine's doing.")
    subscription: SubscriptionEventKind | None = strawberry.field(description="What became of it.")  # type: ignore[valid-type]
    channel: OptOutChannel | None = strawberry.field(description="Of a decision on a channel.")  # type: ignore[valid-type]
    decision: ConsentDecision | None = strawberry.field(description="What the person said to it.")  # type: ignore[valid-type]
    event: BusinessEvent | None = strawberry.field(description="What another system told.")


@strawberry.type(description="A person's history, the newest first. It is not counted.")
class HistoryConnection(ForwardPage[HistoryEntry]):
    """A page of a history."""


@strawberry.type
class ReportingQuery:
    """Histories."""

    @field(HistoryConnection)
    async def profile_history(
        self, info: Info, profile_id: strawberry.ID, first: int | None = None, after: str | None = None
    ) -> Listing:
        """What was sent to a person, what they did and said, and what was told of them; newest first."""
        size = requested_page(info, first, None).first
        key = from_global_id("Profile", profile_id, "profile_id")
        urls = PublicUrls(info.context.runtime.settings, info.context.runtime.keyring)
        async with info.context.lease.use() as conn:
            page = await people.history(conn, key, urls=urls, first=size, after=after)
        return Listing(page, None, people.cursor_of, after)
