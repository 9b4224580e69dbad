"""The audit log, newest first."""

from __future__ import annotations

from datetime import datetime

import strawberry

from api.context import Info
from api.graphql.connections import ForwardPage, Listing, by_id, requested_page
from api.graphql.leaf import field
from api.graphql.nodes import global_id
from api.graphql.scalars import JSON
from core import audit
from core.paging import cut


@strawberry.type(description="One change. Secrets are never in it; of people, only the names of the changed fields.")
class AuditEntry:
    """An entry."""

    id: strawberry.ID = global_id("AuditEntry")
    at: datetime
    actor: str
    action: str
    object_type: str
    object_id: str
    changes: JSON
    request_id: str | None


@strawberry.type(description="The audit log. It is not counted.")
class AuditConnection(ForwardPage[AuditEntry]):
    """A page of it."""


@strawberry.type
class AuditQuery:
    """The audit log."""

    @field(AuditConnection)
    async def audit_log(
        self,
        info: Info,
        object_type: str | None = None,
        object_ids: list[str] | None = None,
        first: int | None = None,
        after: str | None = None,
    ) -> Listing:
        """Who changed what, newest first. `objectType` and `objectIds` are as they stand in the log; for quarantined addresses
        see `auditReferences`."""
        page = requested_page(info, first, after)
        async with info.context.lease.use() as conn:
            rows = await audit.list_entries(
                conn, object_type=object_type, object_ids=object_ids, before_id=page.after, limit=page.first + 1
            )
        return Listing(cut(rows, page), None, by_id, page.after)
