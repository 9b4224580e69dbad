"""Suppression lists: reads and writes."""

from __future__ import annotations

from typing import Any

import strawberry

from api.context import Info
from api.graphql.connections import Connection, Listing, by_id, requested_page
from api.graphql.leaf import field
from api.graphql.mutations import given, mutation
from api.graphql.nodes import load_one
from api.graphql.profiles.suppression_types import (
    CreateSuppressionListInput,
    SuppressionEntriesInput,
    SuppressionList,
    SuppressionMatch,
    SuppressionResult,
    UpdateSuppressionListInput,
    load_suppression_lists,
)
from api.graphql.profiles.types import AddressKind
from core.ids import from_global_id
from core.profiles import suppression, suppression_entries
from core.profiles.suppression_records import SuppressionListDraft


@strawberry.type
class SuppressionQuery:
    """Suppression lists."""

    @field(SuppressionList | None)
    async def suppression_list(self, info: Info, id: strawberry.ID) -> Any:
        """A suppression list."""
        return await load_one(info.context, "SuppressionList", load_suppression_lists, id)

    @field(Connection[SuppressionList])
    async def suppression_lists(self, info: Info, first: int | None = None, after: str | None = None) -> Listing:
        """Suppression lists, oldest first."""
        page = requested_page(info, first, after)
        async with info.context.lease.use() as conn:
            rows = await suppression.list_lists(conn, page)
        return Listing(rows, info.context.counted(suppression.count_lists), by_id, page.after)

    @field(list[SuppressionMatch])
    async def suppressed_by(
        self,
        info: Info,
        address_kind: AddressKind,  # type: ignore[valid-type]
        address: str,
    ) -> Any:
        """The entries of any list that suppress an address, in any spelling."""
        context, region = info.context, info.context.runtime.settings.default_country
        async with context.lease.use() as conn:
            return await suppression.find_matches(conn, address_kind, address, now=context.now, region=region)


@strawberry.type
class SuppressionMutation:
    """Suppression lists."""

    @mutation(suppression_list=SuppressionList)
    async def create_suppression_list(self, info: Info, input: CreateSuppressionListInput) -> Any:
        """Create an empty suppression list."""
        draft = SuppressionListDraft(name=input.name, label=input.label, kind=input.kind, scope=input.scope)
        return await suppression.create_list(info.context.conn, info.context.actor, draft)

    @mutation(suppression_list=SuppressionList)
    async def update_suppression_list(self, info: Info, input: UpdateSuppressionListInput) -> Any:
        """Change a suppression list. The kind of its entries stays."""
        changes = given(name=input.name, label=input.label, scope=input.scope)
        key = from_global_id("SuppressionList", input.id, "id")
        return await suppression.update_list(
            info.context.conn, info.context.actor, key, changes, expected_version=input.expected_version
        )

    @mutation(deleted_id=strawberry.ID)
    async def delete_suppression_list(self, info: Info, id: strawberry.ID) -> Any:
        """Delete a suppression list that no delivery names, with its entries: who stood in it can be written to again."""
        key = from_global_id("SuppressionList", id, "id")
        await suppression.delete_list(info.context.conn, info.context.actor, key)
        return id

    @mutation(results=list[SuppressionResult])
    async def add_suppression_entries(self, info: Info, input: SuppressionEntriesInput) -> Any:
        """Add entries to a list, or give those that are there another comment, origin and end. A bad row costs only itself."""
        context = info.context
        return await suppression_entries.add_entries(
            context.conn,
            context.actor,
            context.runtime.keyring,
            from_global_id("SuppressionList", input.list_id, "list_id"),
            [one.record() for one in input.entries],
            now=context.now,
            region=context.runtime.settings.default_country,
        )

    @mutation(results=list[SuppressionResult])
    async def remove_suppression_entries(self, info: Info, input: SuppressionEntriesInput) -> Any:
        """Take entries out of a list; an address takes its hashes with it. A bad row costs only itself."""
        context = info.context
        return await suppression_entries.remove_entries(
            context.conn,
            context.actor,
            context.runtime.keyring,
            from_global_id("SuppressionList", input.list_id, "list_id"),
            [one.record() for one in input.entries],
            region=context.runtime.settings.default_country,
        )
