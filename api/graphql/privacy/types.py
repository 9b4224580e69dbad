"""GraphQL types of privacy requests."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry

from api.context import RequestContext
from api.graphql.leaf import leaf
from api.graphql.nodes import Node, aligned, global_id, link, record_of
from api.graphql.scalars import JSON
from core.privacy import namespaces, records, requests

PrivacyRequestType = strawberry.enum(
    records.RequestKind,
    name="PrivacyRequestType",
    description="ACCESS: a file with all that is kept of somebody; DELETE: its end.",
)
Regulation = strawberry.enum(records.Regulation, name="Regulation", description="The law that a privacy request is made by.")
PrivacyRequestStatus = strawberry.enum(
    records.RequestState, name="PrivacyRequestStatus", description="How far a privacy request is (feature map 2.69)."
)

_DATASET = '"profile", "visitor", "app_subscription", "event_" and the name of a type, or a dataset'


async def load_namespaces(context: RequestContext, ids: list[int]) -> list[Any]:
    """Namespaces by id."""
    async with context.lease.use() as conn:
        return aligned(ids, await namespaces.get_namespaces(conn, ids))


async def load_requests(context: RequestContext, ids: list[int]) -> list[Any]:
    """Requests by id."""
    async with context.lease.use() as conn:
        return aligned(ids, await requests.get_requests(conn, ids))


@strawberry.type(
    description="What privacy requests name somebody by: a field of profiles, visitors, devices or events, or of a dataset."
)
class PrivacyNamespace(Node):
    """A namespace."""

    is_type_of = record_of(records.Namespace)

    id: strawberry.ID = global_id("PrivacyNamespace")
    name: str
    label: str
    dataset: str = leaf(lambda found: found.entity, description=f"{_DATASET}.")
    reconciliation_field: str = leaf(lambda found: found.field)
    built_in: bool
    created_by: str
    created_at: datetime


@strawberry.type(description="Why a privacy request ended without a result.")
class PrivacyRequestError:
    """An error."""

    code: str
    message: str
    hint: str | None


@strawberry.type(description="How many rows of a table were given, or erased.")
class PrivacyCount:
    """A count."""

    table: str = leaf(lambda pair: pair[0], description="`file` and `stored_answer` are no tables: what was removed whole.")
    rows: int = leaf(lambda pair: pair[1])


@strawberry.type(
    description="Somebody asks for what is kept of them, or for its end. The value that names them is never shown."
)
class PrivacyRequest(Node):
    """A request."""

    is_type_of = record_of(records.PrivacyRequest)

    id: strawberry.ID = global_id("PrivacyRequest")
    name: str
    label: str
    type: PrivacyRequestType = leaf(lambda found: found.kind)  # type: ignore[valid-type]
    regulation: Regulation  # type: ignore[valid-type]
    namespace: PrivacyNamespace | None = link(
        load_namespaces, lambda found: found.namespace_id, description="Null where it was deleted after the request had ended."
    )
    namespace_name: str = leaf(lambda found: found.namespace)
    value_hash: str = strawberry.field(description="A keyed hash of the value: the same for the same value.")
    status: PrivacyRequestStatus = leaf(lambda found: found.state)  # type: ignore[valid-type]
    profiles_found: int | None = strawberry.field(description="How many profiles the value names; null: nobody has looked yet.")
    waits_for: str | None = strawberry.field(description="Of a deletion in progress: what has to end before it can.")
    error: PrivacyRequestError | None
    has_file: bool = leaf(lambda found: found.file_id is not None, description="createPrivacyDownload has an address for it.")
    counts: list[PrivacyCount] = leaf(lambda found: sorted(found.counts.items()))
    proof: JSON | None = strawberry.field(
        description="Of a complete deletion: what was erased, signed. verifyErasure checks it."
    )
    confirmed_at: datetime | None
    confirmed_by: str | None
    created_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@strawberry.input
class CreatePrivacyNamespaceInput:
    """A namespace of the team's."""

    name: str
    label: str
    dataset: str = strawberry.field(default="profile", description=f"{_DATASET}.")
    reconciliation_field: str = strawberry.field(
        description="A published field of it, or one of ours: docs/privacy.md lists them. No boolean, JSON or point."
    )


@strawberry.input
class CreatePrivacyRequestInput:
    """A privacy request (feature map 2.70)."""

    name: str
    label: str
    namespace_name: str
    reconciliation_value: str
    type: PrivacyRequestType  # type: ignore[valid-type]
    regulation: Regulation  # type: ignore[valid-type]
