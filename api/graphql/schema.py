"""The API at a glance: every room's queries, mutations and subscriptions, added together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import strawberry
from graphql import GraphQLInputObjectType, GraphQLObjectType, GraphQLSchema, Undefined
from strawberry.schema import Schema

from api.context import Info
from api.graphql.accounts.loaders import load_tokens
from api.graphql.accounts.mutations import AccountsMutation
from api.graphql.accounts.queries import AccountsQuery
from api.graphql.audit.queries import AuditQuery
from api.graphql.business_events.mutations import BusinessEventsMutation
from api.graphql.business_events.queries import BusinessEventsQuery
from api.graphql.consent.loaders import load_purposes, load_services, load_wordings
from api.graphql.consent.mutations import ConsentMutation
from api.graphql.consent.queries import ConsentQuery
from api.graphql.content.fragments import FragmentMutation, FragmentQuery, load_fragments
from api.graphql.content.loaders import load_contents
from api.graphql.content.mutations import ContentMutation
from api.graphql.content.queries import ContentQuery
from api.graphql.datamodel.mutations import DataModelMutation
from api.graphql.datamodel.queries import DataModelQuery
from api.graphql.delivery.loaders import load_deliveries
from api.graphql.delivery.mutations import DeliveryMutation
from api.graphql.delivery.queries import DeliveryQuery
from api.graphql.leaf import field
from api.graphql.nodes import Node, NodeKind, load_nodes
from api.graphql.planning.loaders import load_accounts, load_campaigns
from api.graphql.planning.mutations import PlanningMutation
from api.graphql.planning.queries import PlanningQuery
from api.graphql.planning.seeds import HoldoutMutation, HoldoutQuery, load_holdouts
from api.graphql.privacy.requests import PrivacyMutation, PrivacyQuery
from api.graphql.privacy.types import load_namespaces, load_requests
from api.graphql.profiles.app_types import load_app_subscriptions
from api.graphql.profiles.apps import AppsMutation, AppsQuery
from api.graphql.profiles.loaders import load_profiles
from api.graphql.profiles.merges import MergesMutation, MergesQuery, load_merges
from api.graphql.profiles.mutations import ProfilesMutation
from api.graphql.profiles.quarantine import QuarantineMutation, QuarantineQuery
from api.graphql.profiles.queries import ProfilesQuery
from api.graphql.profiles.suppression import SuppressionMutation, SuppressionQuery
from api.graphql.profiles.suppression_transfers import (
    SuppressionTransfersMutation,
    SuppressionTransfersQuery,
    SuppressionTransfersSubscription,
    load_suppression_exports,
    load_suppression_imports,
)
from api.graphql.profiles.suppression_types import load_suppression_lists
from api.graphql.profiles.test_profiles import TestProfilesMutation, TestProfilesQuery, load_test_profiles
from api.graphql.profiles.transfer_types import load_templates
from api.graphql.profiles.transfers import (
    TransfersMutation,
    TransfersQuery,
    TransfersSubscription,
    load_exports,
    load_imports,
)
from api.graphql.profiles.visitor_types import load_visitors
from api.graphql.profiles.visitors import VisitorsMutation, VisitorsQuery
from api.graphql.reporting.active import ActiveProfilesQuery
from api.graphql.reporting.history import ReportingQuery
from api.graphql.reporting.subscriptions import ReportingSubscription
from api.graphql.rows.loaders import load_rows
from api.graphql.rows.mutations import RowsMutation
from api.graphql.rows.queries import RowsQuery
from api.graphql.scalars import CONFIG
from api.graphql.targeting.external import ExternalSegmentsMutation
from api.graphql.targeting.filters import FiltersMutation, FiltersQuery, load_filters
from api.graphql.targeting.loaders import load_audiences
from api.graphql.targeting.membership import MembershipMutation, MembershipSubscription
from api.graphql.targeting.mutations import TargetingMutation
from api.graphql.targeting.queries import TargetingQuery
from api.graphql.targeting.run_types import load_runs
from api.graphql.targeting.runs import AudienceRunsMutation, AudienceRunsQuery
from api.graphql.tracking.mutations import TrackingMutation
from api.graphql.tracking.queries import TrackingQuery
from api.graphql.tracking.subscriptions import TrackingSubscription
from core.access import Permission
from core.rows.identities import read_row_id

SDL_FILE = Path(__file__).parent / "schema.graphql"

_KINDS = (
    NodeKind(name="ApiToken", permission=Permission.ADMINISTER, load=load_tokens),
    NodeKind(name="Profile", permission=Permission.READ, load=load_profiles),
    NodeKind(name="TestProfile", permission=Permission.READ, load=load_test_profiles),
    NodeKind(name="AppSubscription", permission=Permission.READ, load=load_app_subscriptions),
    NodeKind(name="Visitor", permission=Permission.READ, load=load_visitors),
    NodeKind(name="DatasetRow", permission=Permission.READ, load=load_rows, read=read_row_id),
    NodeKind(name="Service", permission=Permission.READ, load=load_services),
    NodeKind(name="Purpose", permission=Permission.READ, load=load_purposes),
    NodeKind(name="ConsentWording", permission=Permission.READ, load=load_wordings),
    NodeKind(name="ProfileMerge", permission=Permission.READ, load=load_merges),
    NodeKind(name="Audience", permission=Permission.READ, load=load_audiences),
    NodeKind(name="AudienceRun", permission=Permission.READ, load=load_runs),
    NodeKind(name="TargetFilter", permission=Permission.READ, load=load_filters),
    NodeKind(name="Campaign", permission=Permission.READ, load=load_campaigns),
    NodeKind(name="ChannelAccount", permission=Permission.READ, load=load_accounts),
    NodeKind(name="Content", permission=Permission.READ, load=load_contents),
    NodeKind(name="Fragment", permission=Permission.READ, load=load_fragments),
    NodeKind(name="Holdout", permission=Permission.READ, load=load_holdouts),
    NodeKind(name="Delivery", permission=Permission.READ, load=load_deliveries),
    NodeKind(name="Import", permission=Permission.READ, load=load_imports),
    NodeKind(name="ImportTemplate", permission=Permission.READ, load=load_templates),
    NodeKind(name="Export", permission=Permission.READ, load=load_exports),
    NodeKind(name="SuppressionList", permission=Permission.READ, load=load_suppression_lists),
    NodeKind(name="SuppressionImport", permission=Permission.READ, load=load_suppression_imports),
    NodeKind(name="SuppressionExport", permission=Permission.READ, load=load_suppression_exports),
    NodeKind(name="PrivacyNamespace", permission=Permission.PRIVACY, load=load_namespaces),
    NodeKind(name="PrivacyRequest", permission=Permission.PRIVACY, load=load_requests),
)
NODES = {kind.name: kind for kind in _KINDS}


@strawberry.type
class Query(
    AccountsQuery,
    DataModelQuery,
    RowsQuery,
    ProfilesQuery,
    TestProfilesQuery,
    AppsQuery,
    VisitorsQuery,
    QuarantineQuery,
    SuppressionQuery,
    SuppressionTransfersQuery,
    MergesQuery,
    TransfersQuery,
    ConsentQuery,
    BusinessEventsQuery,
    TargetingQuery,
    AudienceRunsQuery,
    FiltersQuery,
    ContentQuery,
    FragmentQuery,
    PlanningQuery,
    HoldoutQuery,
    DeliveryQuery,
    TrackingQuery,
    ReportingQuery,
    ActiveProfilesQuery,
    PrivacyQuery,
    AuditQuery,
):
    """Reads."""

    @field(Node | None)
    async def node(self, info: Info, id: strawberry.ID) -> Any:
        """Anything by its id; null when it is gone."""
        (found,) = await load_nodes(info.context, NODES, [id])
        return found

    @field(list[Node | None])
    async def nodes(self, info: Info, ids: list[strawberry.ID]) -> Any:
        """Several things by their ids, in the same order."""
        return await load_nodes(info.context, NODES, ids)


@strawberry.type
class Mutation(
    AccountsMutation,
    DataModelMutation,
    RowsMutation,
    ProfilesMutation,
    TestProfilesMutation,
    AppsMutation,
    VisitorsMutation,
    QuarantineMutation,
    SuppressionMutation,
    SuppressionTransfersMutation,
    MergesMutation,
    TransfersMutation,
    ConsentMutation,
    BusinessEventsMutation,
    TargetingMutation,
    AudienceRunsMutation,
    ExternalSegmentsMutation,
    FiltersMutation,
    MembershipMutation,
    ContentMutation,
    FragmentMutation,
    PlanningMutation,
    HoldoutMutation,
    DeliveryMutation,
    TrackingMutation,
    PrivacyMutation,
):
    """Writes. Each takes effect as a whole or not at all; what the caller can mend comes back as `userErrors`."""


@strawberry.type
class Subscription(
    TransfersSubscription,
    SuppressionTransfersSubscription,
    MembershipSubscription,
    ReportingSubscription,
    TrackingSubscription,
):
    """Live reads, over graphql-transport-ws."""


def make_schema() -> Schema:
    """The schema of an installation."""
    schema = Schema(Query, Mutation, Subscription, config=CONFIG)
    _drop_null_defaults(schema._schema)
    return schema


def _drop_null_defaults(schema: GraphQLSchema) -> None:
    """Arguments and input fields that may be left out: that they are null then goes without saying."""
    for kind in schema.type_map.values():
        if isinstance(kind, GraphQLInputObjectType):
            places: list[Any] = list(kind.fields.values())
        elif isinstance(kind, GraphQLObjectType):
            places = [argument for one in kind.fields.values() for argument in one.args.values()]
        else:
            continue
        for place in places:
            if place.default_value is None:
                place.default_value = Undefined


def print_sdl(schema: Schema) -> str:
    """The schema as text, as it is checked in."""
    return schema.as_str().rstrip() + "\n"
