"""In which audiences people are: lists, files, and questions whose members are kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from core.db import Connection
from core.paging import Page, PageRequest, cut
from core.profiles import profiles
from core.targeting import person_store as store
from core.targeting.records import PersonMembership


async def list_of_person(conn: Connection, profile_id: int, page: PageRequest) -> Page[PersonMembership]:
    """Those of one, as `list_of_people`; of a profile that is merged, its survivor's. Raises NotFound (PROFILE_NOT_FOUND)."""
    person = await profiles.get_profile(conn, profile_id)
    return (await list_of_people(conn, [person.id], page))[person.id]


async def list_of_people(conn: Connection, profile_ids: Sequence[int], page: PageRequest) -> dict[int, Page[PersonMembership]]:
    """Of each profile a page in the order of audiences, with those of profiles that are merged into it; the cursor is the
    audience's id.

    Audiences whose members are not kept are not there: they would have to be asked, one by one.
    """
    found: dict[int, list[PersonMembership]] = defaultdict(list)
    for person, one in await store.list_memberships(conn, profile_ids, page.after, page.first + 1):
        found[person].append(one)
    return {person: cut(found[person], page) for person in profile_ids}
