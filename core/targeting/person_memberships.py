"""In which audiences a person is: lists, files, and questions whose members are kept."""

from __future__ import annotations

from core.db import Connection
from core.paging import Page, PageRequest, cut
from core.profiles import merging, profiles
from core.targeting import person_store as store
from core.targeting.records import PersonMembership


async def list_of_person(conn: Connection, profile_id: int, page: PageRequest) -> Page[PersonMembership]:
    """In the order of audiences, also those of profiles that are merged into the person's; the cursor is the audience's id.

    Audiences whose members are not kept are not there: they would have to be asked, one by one. Raises NotFound
    (PROFILE_NOT_FOUND).
    """
    person = await profiles.get_profile(conn, profile_id)
    aliases = (await merging.get_aliases(conn, [person.id])).get(person.id, [])
    return cut(await store.list_memberships(conn, [person.id, *aliases], page.after, page.first + 1), page)
