"""Reads and writes of fragments."""

from __future__ import annotations

from typing import Any

import strawberry

from api.context import Info, RequestContext
from api.graphql.connections import Connection, Listing, by_id, requested_page
from api.graphql.content.fragment_types import CreateFragmentInput, Fragment, UpdateFragmentInput, parameters_of
from api.graphql.content.types import ContentWarning
from api.graphql.leaf import field
from api.graphql.mutations import given, mutation
from api.graphql.nodes import aligned, load_one
from core.content import fragments, records
from core.content.records import FragmentDraft
from core.ids import from_global_id


async def load_fragments(context: RequestContext, ids: list[int]) -> list[Any]:
    """Fragments by id."""
    async with context.lease.use() as conn:
        return aligned(ids, await fragments.find_fragments(conn, ids))


async def _saved(context: RequestContext, fragment: records.Fragment) -> dict[str, Any]:
    return {"fragment": fragment, "warnings": await fragments.warnings_of_fragment(context.conn, fragment)}


@strawberry.type
class FragmentQuery:
    """Fragments."""

    @field(Fragment | None)
    async def fragment(self, info: Info, id: strawberry.ID) -> Any:
        """A fragment."""
        return await load_one(info.context, "Fragment", load_fragments, id)

    @field(Connection[Fragment])
    async def fragments(self, info: Info, first: int | None = None, after: str | None = None) -> Listing:
        """Fragments, oldest first."""
        page = requested_page(info, first, after)
        async with info.context.lease.use() as conn:
            rows = await fragments.list_fragments(conn, page)
        return Listing(rows, info.context.counted(fragments.count_fragments), by_id, page.after)


@strawberry.type
class FragmentMutation:
    """Fragments."""

    @mutation(fragment=Fragment, warnings=list[ContentWarning])
    async def create_fragment(self, info: Info, input: CreateFragmentInput) -> Any:
        """Save a fragment; what it says is checked as far as that goes without content."""
        draft = FragmentDraft(
            name=input.name,
            label=input.label,
            html=input.html,
            text=input.text,
            parameters=parameters_of(input.parameters),
        )
        return await _saved(info.context, await fragments.create_fragment(info.context.conn, info.context.actor, draft))

    @mutation(fragment=Fragment, warnings=list[ContentWarning])
    async def update_fragment(self, info: Info, input: UpdateFragmentInput) -> Any:
        """Change a fragment; refused where contents that use it could not be sent any more."""
        context = info.context
        changes = given(name=input.name, label=input.label, html=input.html, text=input.text, parameters=input.parameters)
        if "parameters" in changes:
            changes["parameters"] = parameters_of(changes["parameters"])
        key = from_global_id("Fragment", input.id, "id")
        fragment = await fragments.update_fragment(
            context.conn, context.actor, context.channels, key, changes, expected_version=input.expected_version
        )
        return await _saved(context, fragment)

    @mutation(deleted_id=strawberry.ID)
    async def delete_fragment(self, info: Info, id: strawberry.ID) -> Any:
        """Delete a fragment that neither content nor fragments use."""
        key = from_global_id("Fragment", id, "id")
        await fragments.delete_fragment(info.context.conn, info.context.actor, key)
        return id
