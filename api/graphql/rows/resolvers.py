"""How fields of the published types are answered: off the record where it has them, else by a batch loader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from api.context import RequestContext
from api.graphql.connections import requested_page
from api.graphql.leaf import READ
from api.graphql.rows.linked import linked_listing
from api.graphql.rows.loaders import LinkedAsk, load_ends, load_values
from core.rows.ways import Way

Resolve = Callable[..., Any]


def _told(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value


def _reader(name: str) -> Callable[[Any], Any]:
    # A field that was hidden a moment ago is not there.
    return lambda row: _told(row.values.get(name))


def leaf_of_row(name: str) -> dict[str, Any]:
    """By which a plan reads a field off a row."""
    return {READ: _reader(name)}


def of_row(name: str) -> Resolve:
    """A field of a row of a dataset."""
    read = _reader(name)
    return lambda row, info: read(row)


def of_ours(entity: str, name: str) -> Resolve:
    """A field that a team added to a type of ours."""

    async def resolve(root: Any, info: Any) -> Any:
        return _told((await info.context.loader(load_values).load((entity, root.id))).get(name))

    return resolve


def key_of_row(entity: str, way: Way) -> Resolve:
    """The key that a link of a row holds."""

    async def key(row: Any, context: RequestContext) -> int | None:
        found: int | None = row.links.get(way.name)
        return found

    return key


def key_of_ours(entity: str, way: Way) -> Resolve:
    """The key that a link holds which a team added to a type of ours."""

    async def key(root: Any, context: RequestContext) -> int | None:
        found: int | None = (await context.loader(load_values).load((entity, root.id))).get(way.name)
        return found

    return key


def to_key(entity: str, key_of: Resolve) -> Resolve:
    """The row whose key is held."""

    async def resolve(root: Any, info: Any) -> Any:
        key = await key_of(root, info.context)
        return None if key is None else (await load_ends(info.context, entity, [key]))[0]

    return resolve


def to_one(entity: str, link: str) -> Resolve:
    """The one row at the end of a link that holds no key."""

    async def resolve(root: Any, info: Any) -> Any:
        listing = await linked_listing(info.context, LinkedAsk(entity, link, root.id, 1))
        return next(iter(listing.page.rows), None)

    return resolve


def to_many(entity: str, link: str) -> Resolve:
    """A page of the rows at the end of a link."""

    async def resolve(root: Any, info: Any, first: int | None = None, after: str | None = None) -> Any:
        page = requested_page(info, first, after)
        return await linked_listing(info.context, LinkedAsk(entity, link, root.id, page.first, page.after))

    return resolve


def within(resolve: Resolve, dataset: str) -> Resolve:
    """A static root field that is told the dataset."""
    return lambda root, info, **arguments: resolve(root, info, dataset=dataset, **arguments)
