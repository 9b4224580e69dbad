"""`teamFields`: what something of ours has in the fields that the team published, read and sent as one object."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import strawberry

from api.context import Info, RequestContext
from api.graphql.leaf import field
from api.graphql.scalars import JSON, plain_value
from core.errors import Invalid
from core.profiles.team_rows import Extended, Linked, get_team_values
from core.rows.identities import linked_id
from core.rows.team_links import find_linked

TEAM_VALUES = (
    "An object with values of fields that the team published, by their names, and links as the id of the other row or an "
    'object with what it is known by, such as {"code": "S1"}; null clears.'
)


async def load_team_values(context: RequestContext, keys: list[tuple[Extended, int]]) -> list[Any]:
    """What rows have in the fields of the team, by what they are and their number."""
    by_kind: dict[Extended, list[int]] = defaultdict(list)
    for of, key in keys:
        by_kind[of].append(key)
    found = {}
    async with context.lease.use() as conn:
        for of, ids in by_kind.items():
            found.update({(of, key): values for key, values in (await get_team_values(conn, of, ids)).items()})
    return [found.get(key, {}) for key in keys]


def team_fields_field(of: Extended) -> Any:
    """The field of something that has fields of the team."""

    @field(JSON)
    async def team_fields(root: strawberry.Parent[Any], info: Info) -> Any:
        """What it has in the fields that the team published, by their names. Decimals are texts, as exact as they were
        written; links that hold a key are ids."""
        values = await info.context.loader(load_team_values).load((of, root.id))
        return {name: plain_team_value(value) for name, value in values.items()}

    return team_fields


def plain_team_value(value: Any) -> Any:
    """A value of a field or link as JSON has it."""
    return linked_id(value.entity, value.key) if isinstance(value, Linked) else plain_value(value)


async def team_values_of(info: Info, of: Extended, sent: Any) -> dict[str, Any]:
    """The values of the team's fields that a client sent, with the numbers of rows in the place of links. Raises Invalid
    (WRONG_TYPE) and as `find_linked`."""
    return await find_linked(info.context.conn, of, sent_values(sent))


def sent_values(sent: Any, path: str = "team_fields") -> dict[str, Any]:
    """The values of the team's fields as a client sent them. Raises Invalid (WRONG_TYPE)."""
    given = {} if sent.team_fields is None or sent.team_fields.value is None else sent.team_fields.value
    if not isinstance(given, dict):
        raise Invalid("teamFields is no object", code="WRONG_TYPE", path=path, hint='Write it like {"tier": "gold"}.')
    return given
