"""Reads of the data model."""

from __future__ import annotations

from typing import Any

import strawberry

from api.context import Info
from api.graphql.connections import ForwardPage, Listing, by_id, requested_page
from api.graphql.datamodel.builds import DataModelBuild
from api.graphql.datamodel.types import DataModel, DataModelDraft, DataModelPreview, DataModelRepair, HiddenData
from api.graphql.leaf import field
from core.datamodel import builds, drafts, hidden, publication, repair


@strawberry.type
class DataModelQuery:
    """The data model."""

    @field(DataModel)
    async def data_model(self, info: Info) -> Any:
        """The data model that counts now."""
        async with info.context.lease.use() as conn:
            return await publication.get_published(conn)

    @field(ForwardPage[DataModel])
    async def data_model_versions(self, info: Info, first: int | None = None, after: str | None = None) -> Listing:
        """What was published, the newest first."""
        page = requested_page(info, first, after)
        async with info.context.lease.use() as conn:
            rows = await publication.list_published(conn, page)
        return Listing(rows, None, lambda row: int(row.version), page.after)

    @field(DataModelDraft)
    async def data_model_draft(self, info: Info) -> Any:
        """The data model that is being edited; the same as the published one until somebody changes it."""
        async with info.context.lease.use() as conn:
            return await drafts.get_draft(conn)

    @field(DataModelPreview)
    async def data_model_preview(self, info: Info) -> Any:
        """What publishing the draft would change, run and lock."""
        async with info.context.lease.use() as conn:
            return await publication.preview(conn)

    @field(DataModelRepair)
    async def data_model_repair(self, info: Info) -> Any:
        """What is missing in the database, or different from what is published, and what repairing it would run and lock."""
        async with info.context.lease.use() as conn:
            return await repair.preview_repair(conn)

    @field(ForwardPage[DataModelBuild])
    async def data_model_builds(self, info: Info, first: int | None = None, after: str | None = None) -> Listing:
        """Indexes and checks that follow from publications, and how far they are."""
        page = requested_page(info, first, after)
        async with info.context.lease.use() as conn:
            rows = await builds.list_builds(conn, page)
        return Listing(rows, None, by_id, page.after)

    @field(list[HiddenData])
    async def hidden_data(self, info: Info) -> Any:
        """Fields, links and datasets that were taken out of the model, with their values still there."""
        async with info.context.lease.use() as conn:
            return await hidden.list_hidden(conn)
