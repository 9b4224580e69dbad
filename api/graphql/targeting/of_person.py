"""The audiences of a person as a field of theirs, read for all people of an answer together."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated, Any, ForwardRef, TypeAlias

import strawberry

from api.context import Info, RequestContext
from api.graphql.connections import Listing, requested_page
from api.graphql.leaf import field
from core.paging import PageRequest
from core.targeting.person_memberships import list_of_people

Asked: TypeAlias = tuple[int, PageRequest]  # a profile, and which page
# Audiences lead to people, who lead to audiences.
_CONNECTION = ForwardRef("PersonMembershipConnection")
_Memberships: Any = Annotated[_CONNECTION, strawberry.lazy("api.graphql.targeting.person_types")]


async def load_memberships_of(context: RequestContext, asked: list[Asked]) -> list[Any]:
    """Pages of memberships; those that differ by the profile alone are read together."""
    alike: dict[PageRequest, list[int]] = defaultdict(list)
    for profile_id, page in asked:
        alike[page].append(profile_id)
    found = {}
    async with context.lease.use() as conn:
        for page, ids in alike.items():
            of_each = await list_of_people(conn, ids, page)
            found.update({(one, page): rows for one, rows in of_each.items()})
    return [found[one] for one in asked]


@field(_Memberships)
async def memberships(root: strawberry.Parent[Any], info: Info, first: int | None = None, after: str | None = None) -> Any:
    """In which lists, files and kept audiences the person is, also under profiles that are merged into this one. Audiences
    whose members are not kept are not there."""
    page = requested_page(info, first, after)
    rows = await info.context.loader(load_memberships_of).load((root.id, page))
    return Listing(rows, None, lambda one: one.audience_id, page.after)
