"""Writes of accounts: parse, call one operation, return its record."""

from __future__ import annotations

from typing import Any

import strawberry

from api.context import Info
from api.graphql.accounts.types import ApiToken, CreateTokenInput
from api.graphql.mutations import mutation
from core.accounts import tokens
from core.ids import from_global_id


@strawberry.type
class AccountsMutation:
    """API tokens."""

    @mutation(api_token=ApiToken, secret=str)
    async def create_api_token(self, info: Info, input: CreateTokenInput) -> Any:
        """Create an API token. `secret` is the token itself; it is shown this once."""
        context = info.context
        token, secret = await tokens.create_token(
            context.conn,
            context.actor,
            context.runtime.keyring,
            name=input.name,
            roles=input.roles,
            scopes=input.scopes,
            expires_at=input.expires_at,
            now=context.now,
        )
        return {"api_token": token, "secret": secret}

    @mutation(api_token=ApiToken)
    async def revoke_api_token(self, info: Info, id: strawberry.ID) -> Any:
        """End an API token for good."""
        context = info.context
        token = await tokens.revoke_token(context.conn, context.actor, from_global_id("ApiToken", id, "id"), context.now)
        context.after_commit.append(context.forget_tokens)
        return token
