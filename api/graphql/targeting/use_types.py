"""GraphQL types of who uses an audience."""

from __future__ import annotations

from typing import Any

import strawberry

from api.graphql.leaf import leaf
from core.ids import to_global_id
from core.targeting import audience_users
from core.targeting.audience_users import AudienceUser as Kind

AudienceUser = strawberry.enum(audience_users.AudienceUser, name="AudienceUser", description="What uses an audience.")

_NODES = {
    Kind.CONTENT: "Content", Kind.AUDIENCE: "Audience", Kind.FILTER: "TargetFilter",
}  # fmt: skip


def _id(use: Any) -> str:
    return to_global_id(_NODES.get(use.kind, "Delivery"), use.id)


@strawberry.type(description="Something that uses an audience.")
class AudienceUse:
    """One of them."""

    kind: AudienceUser  # type: ignore[valid-type]
    id: strawberry.ID = leaf(_id, description="Of what belongs to a delivery, that of the delivery.")
    name: str
    columns: list[str] = leaf(lambda use: list(use.columns), description="The columns of its members that are read.")
