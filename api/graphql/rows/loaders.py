"""Batch loaders of rows, and of what links lead to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from api.context import RequestContext
from api.graphql.consent.loaders import load_services
from api.graphql.delivery.loaders import load_deliveries
from api.graphql.nodes import Load
from api.graphql.planning.loaders import load_campaigns
from api.graphql.profiles.loaders import load_profiles
from core.errors import ClarionError
from core.rows import linked, listing
from core.rows.records import LinkedPage

_OURS: Mapping[str, Load] = MappingProxyType(
    {"profile": load_profiles, "campaign": load_campaigns, "delivery": load_deliveries, "service": load_services}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LinkedAsk:
    """What is asked of the links of one row."""

    entity: str
    link: str
    key: int
    first: int
    after: int | None = None


async def load_rows(context: RequestContext, keys: list[tuple[str, int]]) -> list[Any]:
    """Rows by dataset and number; those of a dataset are read together."""
    by_dataset: dict[str, list[int]] = defaultdict(list)
    for dataset, key in keys:
        by_dataset[dataset].append(key)
    found = {}
    async with context.lease.use() as conn:
        for dataset, ids in by_dataset.items():
            found.update({(dataset, key): row for key, row in (await listing.get_rows(conn, dataset, ids)).items()})
    return [found.get(key) for key in keys]


async def load_linked(context: RequestContext, asks: list[LinkedAsk]) -> list[LinkedPage | ClarionError]:
    """Pages of what rows are linked to; those that differ by the row alone are read together."""
    alike: dict[Any, list[int]] = defaultdict(list)
    for ask in asks:
        alike[ask.entity, ask.link, ask.first, ask.after].append(ask.key)
    found: dict[LinkedAsk, LinkedPage | ClarionError] = {}
    async with context.lease.use() as conn:
        for (entity, link, first, after), keys in alike.items():
            try:
                pages = await linked.list_linked(conn, entity, link, keys, first=first, after=after)
            except ClarionError as error:
                found.update({LinkedAsk(entity, link, key, first, after): error for key in keys})
            else:
                found.update({LinkedAsk(entity, link, key, first, after): page for key, page in pages.items()})
    return [found[ask] for ask in asks]


async def load_values(context: RequestContext, keys: list[tuple[str, int]]) -> list[Any]:
    """What rows of our tables have in the team's fields and links, by entity and number."""
    by_entity: dict[str, list[int]] = defaultdict(list)
    for entity, key in keys:
        by_entity[entity].append(key)
    found = {}
    async with context.lease.use() as conn:
        for entity, ids in by_entity.items():
            values = await linked.get_team_values(conn, entity, ids)
            found.update({(entity, key): row for key, row in values.items()})
    return [found.get(key, {}) for key in keys]


async def load_ends(context: RequestContext, entity: str, ids: Sequence[int]) -> list[Any]:
    """Rows of any entity that links lead to, by number."""
    load = _OURS.get(entity)
    if load is None:
        return await context.loader(load_rows).load_many([(entity, key) for key in ids])
    return await context.loader(load).load_many(list(ids))
