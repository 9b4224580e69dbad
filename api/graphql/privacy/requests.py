"""Privacy requests: reads and writes."""

from __future__ import annotations

from functools import partial
from typing import Any

import strawberry

from api.context import Info
from api.graphql.connections import Connection, Listing, by_id, requested_page
from api.graphql.leaf import field
from api.graphql.mutations import mutation
from api.graphql.nodes import load_one
from api.graphql.privacy.types import (
    CreatePrivacyNamespaceInput,
    CreatePrivacyRequestInput,
    PrivacyNamespace,
    PrivacyRequest,
    PrivacyRequestStatus,
    PrivacyRequestType,
    load_requests,
)
from api.graphql.profiles.transfers import address
from api.graphql.scalars import JSON, json_object
from core.ids import from_global_id
from core.privacy import namespaces, proofs, requests
from core.privacy.records import NamespaceDraft, RequestDraft


@strawberry.type
class PrivacyQuery:
    """Privacy requests."""

    @field(list[PrivacyNamespace])
    async def privacy_namespaces(self, info: Info) -> Any:
        """What requests may name somebody by."""
        async with info.context.lease.use() as conn:
            return await namespaces.list_namespaces(conn)

    @field(PrivacyRequest | None)
    async def privacy_request(self, info: Info, id: strawberry.ID) -> Any:
        """A privacy request."""
        return await load_one(info.context, "PrivacyRequest", load_requests, id)

    @field(Connection[PrivacyRequest])
    async def privacy_requests(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        type: PrivacyRequestType | None = None,  # type: ignore[valid-type]
        statuses: list[PrivacyRequestStatus] | None = None,  # type: ignore[valid-type]
    ) -> Listing:
        """Privacy requests, the newest first."""
        page = requested_page(info, first, after)
        async with info.context.lease.use() as conn:
            rows = await requests.list_requests(conn, page, kind=type, states=statuses)
        count = partial(requests.count_requests, kind=type, states=statuses)
        return Listing(rows, info.context.counted(count), by_id, page.after)

    @field(bool)
    async def verify_erasure(self, info: Info, proof: JSON) -> Any:
        """Whether this installation made a proof of erasure, and nobody has altered it."""
        context = info.context
        async with context.lease.use() as conn:
            return await proofs.verify_proof(conn, context.actor, context.runtime.keyring, json_object(proof, "proof"))


@strawberry.type
class PrivacyMutation:
    """Privacy requests."""

    @mutation(privacy_namespace=PrivacyNamespace)
    async def create_privacy_namespace(self, info: Info, input: CreatePrivacyNamespaceInput) -> Any:
        """Let requests name people by a field of profiles, visitors, devices, events or a dataset."""
        draft = NamespaceDraft(name=input.name, label=input.label, entity=input.dataset, field=input.reconciliation_field)
        return await namespaces.create_namespace(info.context.conn, info.context.actor, draft)

    @mutation(deleted_id=strawberry.ID)
    async def delete_privacy_namespace(self, info: Info, id: strawberry.ID) -> Any:
        """Delete a namespace of the team's. Requests that have ended keep its name; one that has not keeps it (IN_USE)."""
        key = from_global_id("PrivacyNamespace", id, "id")
        await namespaces.delete_namespace(info.context.conn, info.context.actor, key)
        return id

    @mutation(privacy_request=PrivacyRequest)
    async def create_privacy_request(self, info: Info, input: CreatePrivacyRequestInput) -> Any:
        """Ask for all that is kept of somebody, or for its end. Every profile that has the value is meant, and every
        visitor and device of nobody."""
        context = info.context
        draft = RequestDraft(
            name=input.name, label=input.label, kind=input.type, regulation=input.regulation, namespace=input.namespace_name,
            value=input.reconciliation_value,
        )  # fmt: skip
        return await requests.create_request(context.conn, context.actor, context.runtime, draft, context.now)

    @mutation(privacy_request=PrivacyRequest)
    async def confirm_privacy_request(self, info: Info, id: strawberry.ID) -> Any:
        """Let a deletion begin that waits for it (DELETE_PENDING)."""
        key = from_global_id("PrivacyRequest", id, "id")
        return await requests.confirm_delete(info.context.conn, info.context.actor, key, info.context.now)

    @mutation(privacy_request=PrivacyRequest)
    async def retry_privacy_request(self, info: Info, id: strawberry.ID) -> Any:
        """Try again what ended in an ERROR."""
        return await requests.retry_request(info.context.conn, info.context.actor, from_global_id("PrivacyRequest", id, "id"))

    @mutation(download_url=str)
    async def create_privacy_download(self, info: Info, id: strawberry.ID) -> Any:
        """A one-time address of the file of a complete access request; audited."""
        context = info.context
        key = from_global_id("PrivacyRequest", id, "id")
        return address(info, await requests.issue_download_ticket(context.conn, context.actor, key, context.now))
