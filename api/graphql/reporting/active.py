"""Active profiles, month by month."""

from __future__ import annotations

from datetime import date
from typing import Any

import strawberry

from api.context import Info
from api.graphql.leaf import field
from api.graphql.targeting.types import zone_of
from core.reporting import active


@strawberry.type(description="Who was targeted in a month or in the eleven before it, by any channel, each counted once.")
class ActiveProfiles:
    """A month's figure."""

    month: date = strawberry.field(description="Its first day.")
    profiles: int
    anonymous: int = strawberry.field(description="Devices, and whom events named without a profile, by their address.")
    total: int


@strawberry.type
class ActiveProfilesQuery:
    """Active profiles."""

    @field(list[ActiveProfiles])
    async def active_profiles(self, info: Info, months: int = 12, time_zone: str | None = None) -> Any:
        """Of the last months, 1 to 24, up to the one that runs: who was targeted in the twelve months that end with it. Who was
        excluded at the preparation is left out; a delivery counts from its start."""
        zone = zone_of(time_zone)
        async with info.context.lease.ask() as conn:
            return await active.list_active_profiles(conn, months, now=info.context.now, zone=zone)
