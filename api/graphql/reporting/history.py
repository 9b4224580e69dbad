"""What was sent to a person and what they did."""

from __future__ import annotations

from datetime import datetime

import strawberry

from api.context import Info
from api.graphql.connections import ForwardPage, Listing, requested_page
from api.graphql.delivery.loaders import load_deliveries
from api.graphql.delivery.types import Delivery, LedgerState
from api.graphql.leaf import field, leaf
from api.graphql.nodes import link
from api.graphql.profiles.types import FailureReason
from core.ids import from_global_id, to_global_id
from core.reporting import people, records

HistoryKind = strawberry.enum(records.HistoryKind, name="HistoryKind", description="A message, or what a person did.")


@strawberry.type(description="A message to a person, or something that the person did.")
class HistoryEntry:
    """An entry."""

    at: datetime = strawberry.field(description="Of a message: when it was settled, or is due.")
    kind: HistoryKind  # type: ignore[valid-type]
    profile_id: strawberry.ID = leaf(
        lambda entry: to_global_id("Profile", entry.profile_id),
        description="The profile that it was about, maybe merged since.",
    )
    delivery: Delivery | None = link(load_deliveries, lambda entry: entry.delivery_id)
    state: LedgerState | None = strawberry.field(description="Of a message.")  # type: ignore[valid-type]
    reason: FailureReason | None = strawberry.field(description="Why a message was not sent.")  # type: ignore[valid-type]
    address: str | None = strawberry.field(description="Of a message.")
    answer: str | None = strawberry.field(description="The provider's last words about a message.")
    link: int | None = strawberry.field(description="Of a click: the link's number.")
    url: str | None = strawberry.field(description="Of a click: the address as its author wrote it.")
    machine: bool | None = strawberry.field(description="Of what was done: a rule took it for a machine's doing.")


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
        """What was sent to a person and what they did, also under profiles that are merged into theirs; the newest first."""
        size = requested_page(info, first, None).first
        key = from_global_id("Profile", profile_id, "profile_id")
        async with info.context.lease.use() as conn:
            page = await people.history(conn, key, first=size, after=after)
        return Listing(page, None, people.cursor_of, after)
