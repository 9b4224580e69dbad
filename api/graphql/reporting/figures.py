"""The figures of a person as a field of theirs, read for all people of an answer together."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any, TypeAlias

import strawberry

from api.context import Info, RequestContext
from api.graphql.leaf import field, leaf
from core.reporting import person_figures

Asked: TypeAlias = tuple[int, datetime | None]  # a profile, and since when


async def load_figures(context: RequestContext, asked: list[Asked]) -> list[Any]:
    """Figures; those since one moment are read together."""
    alike: dict[datetime | None, list[int]] = defaultdict(list)
    for profile_id, since in asked:
        alike[since].append(profile_id)
    found = {}
    async with context.lease.use() as conn:
        for since, ids in alike.items():
            of_each = await person_figures.get_figures(conn, ids, since=since)
            found.update({(one, since): figures for one, figures in of_each.items()})
    return [found[one] for one in asked]


@strawberry.type(
    description="What a person was sent and did, in numbers that add up to the reports of deliveries. What a rule takes for a "
    "machine's doing is not counted."
)
class ProfileFigures:
    """The figures."""

    sent: int = strawberry.field(description="Messages: delivered, and refused after they were handed over.")
    delivered: int = strawberry.field(description="Messages that the provider accepted.")
    failed: int = strawberry.field(description="Messages that failed for good, before or after they were handed over.")
    excluded: int = strawberry.field(description="Messages from which a preparation kept the person.")
    opens: int = strawberry.field(
        description="Opens that were seen, and one for each message with which only something else was done."
    )
    clicks: int
    unsubscribes: int = strawberry.field(description="From messages.")
    opened_deliveries: int = strawberry.field(
        description="Deliveries of which the person opened a message, or did anything else with one: pictures may be off."
    )
    clicked_deliveries: int
    last_contacted_at: datetime | None = strawberry.field(description="When the last message that was sent was settled.")
    last_opened_at: datetime | None = strawberry.field(description="Or did anything else with a message.")
    last_clicked_at: datetime | None
    business_events: int = leaf(lambda figures: figures.events, description="Events that other systems told, of all types.")
    last_business_event_at: datetime | None = leaf(lambda figures: figures.last_event_at)


@field(ProfileFigures)
async def figures(root: strawberry.Parent[Any], info: Info, since: datetime | None = None) -> Any:
    """What the person was sent and did, in numbers, also under profiles that are merged into this one. `since`: messages
    settled, and what was done and told, from then on."""
    return await info.context.loader(load_figures).load((root.id, since))
