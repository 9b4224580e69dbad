"""Merges: preview, merge, undo."""

from __future__ import annotations

from typing import Any

import strawberry

from api.context import Info, RequestContext
from api.graphql.connections import Connection, Listing, by_id, requested_page
from api.graphql.leaf import field
from api.graphql.mutations import mutation
from api.graphql.nodes import aligned, load_one, optional_id
from api.graphql.profiles.merge_types import (
    DuplicateGroup,
    LostValue,
    MergeInput,
    MergePreview,
    ProfileMerge,
    ProfileMergeConnection,
)
from core.ids import from_global_id
from core.profiles import duplicates, merging


async def load_merges(context: RequestContext, ids: list[int]) -> list[Any]:
    """Merges by id."""
    async with context.lease.use() as conn:
        return aligned(ids, await merging.get_merges(conn, ids))


@strawberry.type
class MergesQuery:
    """What a merge would do, and what was merged."""

    @field(MergePreview)
    async def merge_preview(self, info: Info, input: MergeInput) -> Any:
        """What a merge would do: to fields, with conflicts; what will be read as the survivor's; deliveries under way."""
        country = info.context.runtime.settings.default_country
        async with info.context.lease.use() as conn:
            return await merging.preview_merge(conn, input.plan(), now=info.context.now, default_country=country)

    @field(Connection[DuplicateGroup])
    async def duplicate_profiles(
        self, info: Info, rules: list[list[str]], first: int | None = None, after: str | None = None
    ) -> Listing:
        """Groups of profiles that may be one person. Each rule names keys that all must be the same: `email`, `mobile_phone`,
        `phone`, `name` (first and last), `birth_date`, `zip_code`, `city`, `country`, or a field that the team published."""
        size = requested_page(info, first, None).first
        async with info.context.lease.use() as conn:
            page = await duplicates.list_duplicates(conn, rules, first=size, after=after)
        count = info.context.counted(duplicates.count_duplicates, rules=rules)
        return Listing(page, count, duplicates.cursor_of, after)

    @field(ProfileMerge | None)
    async def profile_merge(self, info: Info, id: strawberry.ID) -> Any:
        """A merge."""
        return await load_one(info.context, "ProfileMerge", load_merges, id)

    @field(ProfileMergeConnection)
    async def profile_merges(
        self, info: Info, profile_id: strawberry.ID | None = None, first: int | None = None, after: str | None = None
    ) -> Listing:
        """Merges, the newest first: all, or those that a profile had a part in."""
        page = requested_page(info, first, after)
        key = optional_id("Profile", profile_id, "profile_id")
        async with info.context.lease.use() as conn:
            rows = await merging.list_merges(conn, page, key)
        return Listing(rows, None, by_id, page.after)


@strawberry.type
class MergesMutation:
    """Merging and undoing it."""

    @mutation(merge=ProfileMerge)
    async def merge_profiles(self, info: Info, input: MergeInput) -> Any:
        """Make one profile stand for others. What was sent to them and what they did is read as the survivor's; they are no
        longer found, targeted or exported. A refusal of any of them stays."""
        context = info.context
        country = context.runtime.settings.default_country
        return await merging.merge_profiles(context.conn, context.actor, input.plan(), now=context.now, default_country=country)

    @mutation(merge=ProfileMerge, kept=list[str], lost=list[LostValue])
    async def undo_merge(self, info: Info, id: strawberry.ID) -> Any:
        """Separate what a merge put together, the last merge of a person first. `kept` are fields of the survivor that were
        changed since and stay, `lost` unique values that somebody else has by now, and links to rows that are gone."""
        context = info.context
        done = await merging.undo_merge(context.conn, context.actor, from_global_id("ProfileMerge", id, "id"), now=context.now)
        return {"merge": done.merge, "kept": list(done.kept), "lost": list(done.lost)}
