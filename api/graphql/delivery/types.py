"""GraphQL types of deliveries."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import strawberry

from api.context import Info
from api.graphql.connections import ForwardPage, Listing, by_id, requested_page
from api.graphql.consent.loaders import load_purposes, load_services
from api.graphql.consent.types import Purpose, Service
from api.graphql.content.loaders import load_contents
from api.graphql.content.types import Content
from api.graphql.delivery.loaders import DeliveryView, load_counts, load_trap_counts
from api.graphql.leaf import field, leaf
from api.graphql.nodes import Node, global_id, link, record_of
from api.graphql.planning.computed import SendDates, SendingLog, load_send_dates, load_sending_logs
from api.graphql.planning.loaders import load_accounts, load_campaigns
from api.graphql.planning.seeds import ControlGroup, Traps, load_control_groups, load_traps
from api.graphql.planning.types import Campaign, ChannelAccount, UnknownPolicy
from api.graphql.profiles.loaders import load_profiles
from api.graphql.profiles.suppression_types import SuppressionList, load_suppression_lists
from api.graphql.profiles.test_profiles import TestProfile, load_test_profiles
from api.graphql.profiles.types import FailureReason, Profile
from api.graphql.reporting.comparison import Comparison, ConversionInput
from api.graphql.reporting.types import DeliveryReport, LedgerCounts
from api.graphql.rows.linked import LinkedConnection, linked_field
from api.graphql.scalars import JSON
from api.graphql.targeting.loaders import load_audiences
from api.graphql.targeting.types import Audience, zone_of
from api.graphql.team_fields import TEAM_VALUES, team_fields_field
from core.delivery import doubt, reading, records, state
from core.delivery.lifecycle import allowed_moves
from core.delivery.programs import Programs
from core.delivery.showing import show_messages
from core.ids import from_global_id, to_global_id
from core.planning.records import UnknownPolicy as UnknownPolicyEnum
from core.profiles.team_rows import Extended
from core.public_urls import PublicUrls
from core.reporting import deliveries as reports
from core.reporting.comparison import compare

DeliveryState = strawberry.enum(
    records.DeliveryState, name="DeliveryState", description="The life cycle of a delivery (feature map A.1)."
)
LedgerState = strawberry.enum(
    records.LedgerState, name="LedgerState", description="What became of one recipient in one delivery."
)
RecipientKind = strawberry.enum(records.RecipientKind, name="RecipientKind", description="What a recipient is.")
Span = strawberry.enum(records.Span, name="Span", description="By which pieces of time send dates are counted.")
LogLevel = strawberry.enum(records.LogLevel, name="LogLevel", description="Warnings do not block, errors do.")
DoubtDecision = strawberry.enum(doubt.Decision, name="DoubtDecision", description="What became of messages in doubt.")
DeliveryMove = strawberry.enum(state.Move, name="DeliveryMove", description="What may be done to a delivery.")

TEST_KINDS = (records.RecipientKind.TEST_PROFILE, records.RecipientKind.TRAP)


def planned(read: Callable[[Any], Any], description: str | None = None) -> Any:
    """A field of the delivery as planned."""
    return leaf(lambda view: read(view.plan), description=description)


def happened(read: Callable[[records.DeliveryRun], Any], description: str | None = None) -> Any:
    """A field of what happens to it."""
    return leaf(lambda view: read(view.run), description=description)


@strawberry.type(description="Why something of the house's own went wrong.")
class Problem:
    """A named error with a place and advice."""

    code: str | None = leaf(lambda problem: problem.get("code"))
    message: str | None = leaf(lambda problem: problem.get("message"))
    path: str | None = leaf(lambda problem: problem.get("path"))
    hint: str | None = leaf(lambda problem: problem.get("hint"))


@strawberry.type(description="One line of the preparation and sending log.")
class LogEntry:
    """A line."""

    id: strawberry.ID = global_id("LogEntry")
    at: datetime
    level: LogLevel  # type: ignore[valid-type]
    code: str
    message: str
    details: JSON


@strawberry.type(description="The log of a delivery. It is not counted.")
class LogConnection(ForwardPage[LogEntry]):
    """A page of the log."""


@strawberry.type(description="One recipient of one delivery.")
class LedgerRow:
    """A row of the ledger."""

    recipient_kind: RecipientKind  # type: ignore[valid-type]
    recipient_id: strawberry.ID = leaf(lambda row: _recipient(row), description="The id of a profile or of a test profile.")
    occurrence: int
    state: LedgerState  # type: ignore[valid-type]
    reason: FailureReason  # type: ignore[valid-type]
    attempt: int = strawberry.field(description="How often it was tried.")
    after_hand_over: bool = strawberry.field(description="Whether the provider may have seen it.")
    due_at: datetime = strawberry.field(description="When it is tried next, while it is pending.")
    settled_at: datetime | None
    address: str | None = strawberry.field(description="Null once the person was erased.")
    provider_id: str | None
    answer: str | None = strawberry.field(description="The provider's last words.")
    segment_code: str | None = strawberry.field(description="Of the recipient's segment, as the delivery was prepared.")
    logged: JSON | None = strawberry.field(description="The fields that the sending log keeps, as they were then, by name.")
    is_test: bool = leaf(lambda row: row.recipient_kind in TEST_KINDS, description="A test profile's: it counts for nothing.")
    profile: Profile | None = link(
        load_profiles, lambda row: row.recipient_id if row.recipient_kind == records.RecipientKind.PROFILE else None
    )
    test_profile: TestProfile | None = link(
        load_test_profiles, lambda row: row.recipient_id if row.recipient_kind in TEST_KINDS else None
    )


@strawberry.type(description="Recipients of a delivery, in the order of their ids, traps last. Their number is in `counts`.")
class LedgerConnection(ForwardPage[LedgerRow]):
    """A page of the ledger."""


@strawberry.type(description="How many people are to get a message in an hour or on a day.")
class DueCount:
    """A piece of time."""

    at: datetime = strawberry.field(description="Its beginning.")
    people: int


@strawberry.type(description="What one recipient gets, as the preparation has frozen it. Links show where they lead.")
class ShownMessage:
    """A message to be looked at."""

    row: LedgerRow
    language: str | None = strawberry.field(description="Of the variant. Null: the recipient gets nothing, or was erased.")
    subject: str | None
    html: str | None
    text: str | None
    failure: str | None = strawberry.field(description="Why the message cannot be rendered for this recipient.")


@strawberry.type(description="Why somebody did, or did not, get a delivery.")
class Explanation:
    """One sentence, and the row behind it."""

    targeted: bool
    summary: str
    row: LedgerRow | None


@strawberry.type(description="One content to one audience over one account: as planned, and what happens to it.")
class Delivery(Node):
    """A delivery."""

    is_type_of = record_of(DeliveryView)

    id: strawberry.ID = global_id("Delivery")
    linked: LinkedConnection = linked_field("delivery")
    name: str = planned(lambda plan: plan.name)
    label: str = planned(lambda plan: plan.label)
    duration_seconds: int = planned(lambda plan: int(plan.duration.total_seconds()), "How long retries go on after the start.")
    unknown_policy: UnknownPolicy = planned(lambda plan: plan.unknown_policy)  # type: ignore[valid-type]
    planned_contact_at: datetime | None = planned(
        lambda plan: plan.contact_at, "When it is to be sent; null: as soon as it is confirmed."
    )
    team_fields = team_fields_field(Extended.DELIVERY)
    version: int = planned(lambda plan: plan.version)
    created_at: datetime = planned(lambda plan: plan.created_at)
    updated_at: datetime = planned(lambda plan: plan.updated_at)
    created_by: str = planned(lambda plan: plan.created_by)
    campaign: Campaign | None = link(load_campaigns, lambda view: view.plan.campaign_id)
    channel_account: ChannelAccount = link(load_accounts, lambda view: view.plan.channel_account_id)
    audience: Audience = link(load_audiences, lambda view: view.plan.audience_id)
    content: Content = link(load_contents, lambda view: view.plan.content_id)
    service: Service | None = link(load_services, lambda view: view.plan.service_id, description="Only its subscribers get it.")
    purpose: Purpose | None = link(
        load_purposes,
        lambda view: view.plan.purpose_id,
        description="Only who agreed to it gets it; where it needs no consent, only who did not refuse it.",
    )

    @field(list[SuppressionList])
    async def suppression_lists(root: strawberry.Parent[Any], info: Info) -> Any:
        """The suppression lists that it names; those that apply to all deliveries apply to it too."""
        found: DeliveryView = root
        lists = info.context.loader(load_suppression_lists)
        return [one for one in await lists.load_many(found.plan.suppression_list_ids) if one is not None]

    traps: Traps = link(load_traps, lambda view: view.id)
    control_group: ControlGroup | None = link(load_control_groups, lambda view: view.id)
    sending_log: SendingLog = link(load_sending_logs, lambda view: view.id)
    send_dates: SendDates | None = link(load_send_dates, lambda view: view.id)
    ignores_holdout: bool = planned(
        lambda plan: plan.ignores_holdout, "Whether it goes to people who are held out of all others: service messages."
    )
    time_zone: str = planned(
        lambda plan: plan.time_zone,
        "Whose days its audience, control group, traps, segment code, dynamic content and comparison mean.",
    )
    state: DeliveryState = happened(lambda run: run.state)  # type: ignore[valid-type]
    allowed_moves: list[DeliveryMove] = happened(  # type: ignore[valid-type]
        lambda run: allowed_moves(run), "What may be asked of it now."
    )
    prepared_at: datetime | None = happened(lambda run: run.prepared_at)
    confirmed_at: datetime | None = happened(lambda run: run.confirmed_at)
    contact_at: datetime | None = happened(
        lambda run: run.contact_at, "When sending may start, with send dates the first of them; set when it is confirmed."
    )
    started_at: datetime | None = happened(lambda run: run.started_at)
    deadline: datetime | None = happened(lambda run: run.deadline, "When retries end; set when it starts.")
    finished_at: datetime | None = happened(lambda run: run.finished_at)
    pause_reason: str | None = happened(lambda run: run.pause_reason)
    error: Problem | None = happened(lambda run: run.error)
    counts: LedgerCounts = link(load_counts, lambda view: view.id, description="The equation's columns, now.")
    trap_counts: LedgerCounts = link(load_trap_counts, lambda view: view.id, description="The same of its traps.")

    @field(LogConnection)
    async def log(root: strawberry.Parent[Any], info: Info, first: int | None = None, after: str | None = None) -> Listing:
        """The preparation and sending log, oldest first."""
        page = requested_page(info, first, after)
        async with info.context.lease.use() as conn:
            rows = await reading.list_log(conn, root.id, page)
        return Listing(rows, None, by_id, page.after)

    @field(LedgerConnection)
    async def ledger(
        root: strawberry.Parent[Any],
        info: Info,
        states: list[LedgerState] | None = None,  # type: ignore[valid-type]
        first: int | None = None,
        after: str | None = None,
    ) -> Listing:
        """Its recipients, of some states or of all."""
        page = requested_page(info, first, after)
        async with info.context.lease.use() as conn:
            rows = await reading.list_rows(conn, root.id, states, page)
        return Listing(rows, None, lambda row: row.recipient_id, page.after)

    @field(list[ShownMessage])
    async def messages(root: strawberry.Parent[Any], info: Info, profile_ids: list[strawberry.ID]) -> Any:
        """The messages of up to 20 people of its target, once it is prepared: real people in the place of test profiles.
        Nothing is sent, and nothing is counted."""
        keys = [from_global_id("Profile", one, "profileIds") for one in profile_ids]
        context = info.context
        urls = PublicUrls(context.runtime.settings, context.runtime.keyring)
        async with context.lease.use() as conn:
            return await show_messages(conn, Programs(context.channels, urls, sends=False), root.id, keys)

    @field(list[DueCount])
    async def due(
        root: strawberry.Parent[Any],
        info: Info,
        by: Span = records.Span.HOUR,  # type: ignore[valid-type]
        time_zone: str | None = None,
    ) -> Any:
        """How many people are still to get it in which hour or on which day of a zone (UTC if left out), by what is prepared.
        Hours and days with nobody are left out; the first 1000 are told."""
        zone = zone_of(time_zone)
        async with info.context.lease.use() as conn:
            return await reading.count_due(conn, root.plan, by, zone)

    @field(DeliveryReport)
    async def report(root: strawberry.Parent[Any], info: Info, include_machines: bool = False) -> Any:
        """What became of it. Opens and clicks of machines are left out unless asked for."""
        async with info.context.lease.use() as conn:
            return await reports.report(conn, root.id, include_machines)

    @field(Comparison)
    async def comparison(root: strawberry.Parent[Any], info: Info, conversion: ConversionInput) -> Any:
        """What its target did since it started, beside what those did who were held back from it."""
        wanted = conversion.conversion()
        async with info.context.lease.ask() as conn:
            return await compare(conn, root.id, wanted)

    @field(Explanation)
    async def explain(root: strawberry.Parent[Any], info: Info, profile_id: strawberry.ID) -> Any:
        """Why this person did, or did not, get it."""
        key = from_global_id("Profile", profile_id, "profileId")
        async with info.context.lease.use() as conn:
            return await reading.explain(conn, root.id, key)


def _recipient(row: records.LedgerRow) -> str:
    if row.recipient_kind in TEST_KINDS:
        return to_global_id("TestProfile", row.recipient_id)
    return to_global_id(row.recipient_kind.name.title().replace("_", ""), row.recipient_id)


@strawberry.input(description="A new delivery. The name is its handle: a-z, 0-9, _ and -.")
class CreateDeliveryInput:
    """Input of createDelivery."""

    name: str
    label: str
    campaign_id: strawberry.ID | None = None
    channel_account_id: strawberry.ID
    audience_id: strawberry.ID
    content_id: strawberry.ID
    contact_at: datetime | None = None
    duration_seconds: int | None = None
    unknown_policy: UnknownPolicy = UnknownPolicyEnum.PARK  # type: ignore[valid-type]
    suppression_list_ids: list[strawberry.ID] = strawberry.field(
        default_factory=list, description="Lists that apply to it besides those that apply to all."
    )
    service_id: strawberry.ID | None = None
    purpose_id: strawberry.ID | None = None
    ignores_holdout: bool = False
    time_zone: str | None = strawberry.field(default=None, description="As in Europe/Paris; UTC if left out.")
    team_fields: strawberry.Maybe[JSON | None] = strawberry.field(description=TEAM_VALUES)


@strawberry.input(description="What is to change; fields left out stay.")
class UpdateDeliveryInput:
    """Input of updateDelivery."""

    id: strawberry.ID
    expected_version: int | None = None
    name: strawberry.Maybe[str]
    label: strawberry.Maybe[str]
    campaign_id: strawberry.Maybe[strawberry.ID | None]
    channel_account_id: strawberry.Maybe[strawberry.ID]
    audience_id: strawberry.Maybe[strawberry.ID]
    content_id: strawberry.Maybe[strawberry.ID]
    contact_at: strawberry.Maybe[datetime | None]
    duration_seconds: strawberry.Maybe[int]
    unknown_policy: strawberry.Maybe[UnknownPolicy]  # type: ignore[valid-type]
    suppression_list_ids: strawberry.Maybe[list[strawberry.ID]]
    service_id: strawberry.Maybe[strawberry.ID | None]
    purpose_id: strawberry.Maybe[strawberry.ID | None]
    ignores_holdout: strawberry.Maybe[bool]
    time_zone: strawberry.Maybe[str]
    team_fields: strawberry.Maybe[JSON | None] = strawberry.field(description=TEAM_VALUES)
