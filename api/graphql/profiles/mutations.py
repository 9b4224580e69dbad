"""Writes of people: parse, call one operation, return its record."""

from __future__ import annotations

from typing import Any

import strawberry

from api.context import Info
from api.graphql.mutations import mutation
from api.graphql.profiles.types import (
    CreateProfileInput,
    Profile,
    QuarantineEntry,
    QuarantineInput,
    ReleaseQuarantineInput,
    UpdateProfileInput,
    values_of,
)
from api.graphql.team_fields import team_values_of
from core.ids import from_global_id
from core.profiles import profiles, quarantine
from core.profiles.team_rows import Extended


@strawberry.type
class ProfilesMutation:
    """Profiles and the quarantine."""

    @mutation(profile=Profile)
    async def create_profile(self, info: Info, input: CreateProfileInput) -> Any:
        """Create a profile."""
        context = info.context
        return await profiles.create_profile(
            context.conn,
            context.actor,
            values_of(input),
            await team_values_of(info, Extended.PROFILE, input),
            now=context.now,
            default_country=_country(info),
        )

    @mutation(profile=Profile)
    async def update_profile(self, info: Info, input: UpdateProfileInput) -> Any:
        """Change a profile."""
        context = info.context
        key = from_global_id("Profile", input.id, "id")
        return await profiles.update_profile(
            context.conn,
            context.actor,
            key,
            values_of(input),
            await team_values_of(info, Extended.PROFILE, input),
            now=context.now,
            default_country=_country(info),
        )

    @mutation(deleted_id=strawberry.ID)
    async def delete_profile(self, info: Info, id: strawberry.ID) -> Any:
        """Delete a profile; what was sent to it stays in the totals."""
        await profiles.delete_profile(info.context.conn, info.context.actor, from_global_id("Profile", id, "id"))
        return id

    @mutation(entries=list[QuarantineEntry])
    async def quarantine_addresses(self, info: Info, input: QuarantineInput) -> Any:
        """Give addresses a status by hand, whatever they had before."""
        context = info.context
        return await quarantine.put_in(
            context.conn,
            context.actor,
            context.runtime.keyring,
            input.address_kind,
            input.addresses,
            status=input.status,
            reason=input.reason,
            text=input.text,
            now=context.now,
            region=_country(info),
        )

    @mutation(released=int)
    async def release_addresses(self, info: Info, input: ReleaseQuarantineInput) -> Any:
        """Let addresses out of the quarantine; tells how many were in."""
        context = info.context
        return await quarantine.release(
            context.conn,
            context.actor,
            context.runtime.keyring,
            input.address_kind,
            input.addresses,
            region=_country(info),
        )


def _country(info: Info) -> str:
    country: str = info.context.runtime.settings.default_country
    return country
