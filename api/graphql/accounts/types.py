"""GraphQL types of accounts."""

from __future__ import annotations

from datetime import datetime

import strawberry

from api.graphql.leaf import leaf
from api.graphql.nodes import Node, global_id, record_of
from core import access
from core.accounts import records

Role = strawberry.enum(access.Role, name="Role", description="A set of permissions; several roles add up.")
Permission = strawberry.enum(access.Permission, name="Permission", description="What a field may require.")


@strawberry.type(description="An API token. Its secret was shown once, when it was created.")
class ApiToken(Node):
    """A token."""

    is_type_of = record_of(records.TokenRecord)

    id: strawberry.ID = global_id("ApiToken")
    name: str
    roles: list[Role] = leaf(lambda token: sorted(token.roles))  # type: ignore[valid-type]
    scopes: list[Permission] | None = leaf(  # type: ignore[valid-type]
        lambda token: None if token.scopes is None else sorted(token.scopes),
        description="What its roles are narrowed to; null: all of it.",
    )
    permissions: list[Permission] = leaf(  # type: ignore[valid-type]
        lambda token: sorted(token.permissions), description="What its bearer may do."
    )
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None = strawberry.field(description="To about a minute.")


@strawberry.type(description="Who is asking.")
class Viewer:
    """The actor of the request."""

    name: str = strawberry.field(description="As it stands in the audit log.")
    label: str
    permissions: list[Permission] = leaf(  # type: ignore[valid-type]
        lambda actor: sorted(actor.permissions)
    )


@strawberry.input(description="A new token; nobody hands out more than he may do himself.")
class CreateTokenInput:
    """Input of createToken."""

    name: str
    roles: list[Role]  # type: ignore[valid-type]
    scopes: list[Permission] | None = None  # type: ignore[valid-type]
    expires_at: datetime | None = None
