"""Which contents ask about audiences, in conditions of their dynamic content."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from core.content import store
from core.content.contents import fragments_of
from core.content.dynamic import check_dynamic
from core.content.libraries import conditions_of
from core.content.records import Content
from core.content.uses import MEMBERS
from core.db import Connection
from core.errors import Conflict
from core.targeting.audience_users import AudienceUse, AudienceUser, columns_named
from core.targeting.parse import parse_text

SHOWN = 5


async def find_asked_about(conn: Connection, names: Collection[str]) -> set[str]:
    """Those of the audiences about which conditions of contents ask."""
    found = await store.list_read(conn, [MEMBERS + name for name in names]) if names else []
    return {one.removeprefix(MEMBERS) for one in found}


async def list_contents_asking(conn: Connection, name: str, limit: int) -> list[AudienceUse]:
    """The contents whose conditions ask about an audience, oldest first, with the columns of its members that these read."""
    return [
        AudienceUse(
            kind=AudienceUser.CONTENT, id=one.id, name=one.name,
            columns=columns_named([parse_text(each).root for each in conditions_of(one)], name),
        )
        for one in (await _asking(conn, name))[:limit]
    ]  # fmt: skip


async def check_audience_unasked(conn: Connection, name: str) -> None:
    """Raises Conflict (IN_USE) where conditions ask about an audience. Call it after the audience was deleted, or named
    otherwise, in the same transaction: whoever saves such a condition meanwhile waits."""
    found = await _asking(conn, name)
    if found:
        raise Conflict(
            f"the audience {name!r} is asked about by the contents {_names(found)}", code="IN_USE", path="name",
            hint="Change their conditions first.",
        )  # fmt: skip


async def check_contents_asking(conn: Connection, name: str) -> None:
    """Raises Conflict (IN_USE) where a condition would be left without a meaning. Call it after the question of an audience
    was changed."""
    found = await _asking(conn, name)
    readable = (await fragments_of(conn, *found)).readable if found else None
    for content in found:
        assert readable is not None
        wrong = next(check_dynamic(content.dynamic, readable.catalogue, readable.definitions, readable.audiences), None)
        if wrong is not None:
            raise Conflict(
                f"with this the content {content.name!r} could not be sent: {wrong.message}", code="IN_USE", path="expression",
                hint="Change its conditions first.",
            )  # fmt: skip


async def _asking(conn: Connection, name: str) -> Sequence[Content]:
    return await store.find_contents(conn, await store.list_readers_ids(conn, MEMBERS + name))


def _names(found: Sequence[Content]) -> str:
    return ", ".join(repr(one.name) for one in found[:SHOWN]) + (" and others" if found[SHOWN:] else "")
