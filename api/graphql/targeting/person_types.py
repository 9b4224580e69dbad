"""GraphQL types of the audiences of a person."""

from __future__ import annotations

from datetime import datetime

import strawberry

from api.graphql.connections import ForwardPage
from api.graphql.leaf import leaf
from api.graphql.nodes import link
from api.graphql.scalars import JSON
from api.graphql.targeting.loaders import load_audiences
from api.graphql.targeting.types import Audience
from core.ids import to_global_id


@strawberry.type(description="An audience that a person is in: a list, a file, or a question whose members are kept.")
class PersonMembership:
    """One of them."""

    audience: Audience | None = link(load_audiences, lambda one: one.audience_id)
    profile_id: strawberry.ID = leaf(
        lambda one: to_global_id("Profile", one.profile_id), description="Who stands there, maybe merged since."
    )
    added_at: datetime
    columns: JSON = leaf(lambda one: dict(one.data), description="What the person brings along there, by the names of columns.")


@strawberry.type(description="Audiences of a person. They are not counted.")
class PersonMembershipConnection(ForwardPage[PersonMembership]):
    """A page of them."""
