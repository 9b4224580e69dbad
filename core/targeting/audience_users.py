"""Which audiences and filters ask about an audience, and which columns of its members they read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from core.db import Connection
from core.targeting import audience_user_store as store
from core.targeting import filter_store
from core.targeting.audiences import stored_question
from core.targeting.json_parse import read_stored
from core.targeting.language import Condition, every_node
from core.targeting.member_columns import column_named
from core.targeting.records import Audience


class AudienceUser(StrEnum):
    """What uses an audience."""

    DELIVERY = "delivery"  # goes to it, or to an audience that brings columns of it along
    CONTROL_GROUP = "control_group"  # of a delivery: those who are on it, or what it asks
    TRAPS = "traps"  # of a delivery, as what follows: what it asks or computes
    SENDING_LOG = "sending_log"
    SEND_DATES = "send_dates"
    CONTENT = "content"  # a condition of its dynamic content
    AUDIENCE = "audience"  # its question
    FILTER = "filter"


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceUse:
    """One of those that use an audience. `columns` are those of its members that are read, by name."""

    kind: AudienceUser
    id: int
    name: str
    columns: tuple[str, ...] = ()


def columns_named(roots: Iterable[Condition], audience: str) -> tuple[str, ...]:
    """The columns of an audience that questions read, in the order of their names."""
    named = (column_named(node) for root in roots for node in every_node(root))
    return tuple(sorted({one.column for one in named if one is not None and one.audience == audience}))


async def list_asking(conn: Connection, audience: Audience, limit: int) -> Sequence[AudienceUse]:
    """The audiences, and then the filters, whose question names an audience; at most so many of each, oldest first.

    What an audience reads by a filter is told of the filter.
    """
    found = [
        AudienceUse(
            kind=AudienceUser.AUDIENCE, id=one.id, name=one.name,
            columns=columns_named([stored_question(one).root], audience.name),
        )
        for one in await store.list_audiences_naming(conn, audience.id, limit)
    ]  # fmt: skip
    for one in await filter_store.find_naming(conn, audience.name, limit):
        columns = columns_named([read_stored(one.expression).root], audience.name)
        found.append(AudienceUse(kind=AudienceUser.FILTER, id=one.id, name=one.name, columns=columns))
    return found


async def list_made_of(conn: Connection, audience_id: int, limit: int) -> list[int]:
    """The audiences whose question names an audience, or one that does, and so on."""
    return await store.list_made_of(conn, audience_id, limit)
