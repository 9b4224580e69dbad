"""Things with a global id: the interface, how links between them are resolved in batches, and `node(id)`."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import strawberry

from api.context import Info, RequestContext
from api.graphql.leaf import leaf
from core.access import Permission, require
from core.errors import Invalid
from core.ids import from_global_id, to_global_id

Load = Callable[[RequestContext, list[Any]], Awaitable[list[Any]]]


@strawberry.interface(description="Something with an id that stays the same for its life.")
class Node:
    """Relay's interface."""

    id: strawberry.ID


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeKind:
    """One kind of node: its GraphQL type, who may read it, and how many are read at once."""

    name: str
    permission: Permission
    load: Load
    read: Callable[[str, str], Any] | None = None  # the key in an id, where that is no number


def global_id(kind: str, key: Callable[[Any], int] = lambda row: row.id) -> Any:
    """The `id` field of a type."""
    return leaf(lambda row: to_global_id(kind, key(row)))


def record_of(*records: type) -> Any:
    """`is_type_of` for a GraphQL type whose values are these records."""

    def is_type_of(value: object, info: object) -> bool:
        return isinstance(value, records)

    return staticmethod(is_type_of)


def aligned(keys: Sequence[int], rows: Iterable[Any], key: Callable[[Any], int] = lambda row: row.id) -> list[Any]:
    """Rows in the order of the keys, None for those that are missing: what a batch loader returns."""
    found = {key(row): row for row in rows}
    return [found.get(one) for one in keys]


def link(load: Load, key: Callable[[Any], int | None], *, description: str | None = None) -> Any:
    """A field that leads to another thing by its key; all rows of an answer are loaded together."""

    async def resolve(root: Any, info: Info) -> Any:
        target = key(root)
        return None if target is None else await info.context.loader(load).load(target)

    return strawberry.field(resolver=resolve, description=description)


def optional_id(kind: str, text: str | None, path: str) -> int | None:
    """The key in an id that may be null. Raises Invalid (BAD_ID)."""
    return None if text is None else from_global_id(kind, text, path)


async def load_one(context: RequestContext, kind: str, load: Load, text: str) -> Any:
    """The thing with this id, or None. Raises Invalid (BAD_ID)."""
    return await context.loader(load).load(from_global_id(kind, text, "id"))


async def load_nodes(context: RequestContext, kinds: dict[str, NodeKind], ids: Sequence[str]) -> list[Any]:
    """The things with these ids, None where there is none. Raises Invalid (BAD_ID), Forbidden."""
    wanted = [_kind_of(kinds, text) for text in ids]
    for kind in {kind.name: kind for kind in wanted}.values():
        require(context.actor, kind.permission)
    loading = [
        context.loader(kind.load).load(kind.read(text, "id") if kind.read else from_global_id(kind.name, text, "id"))
        for kind, text in zip(wanted, ids, strict=True)
    ]
    return [await one for one in loading]


def _kind_of(kinds: dict[str, NodeKind], text: str) -> NodeKind:
    try:
        name = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)).partition(b":")[0].decode()
        return kinds[name]
    except (ValueError, binascii.Error, UnicodeError, KeyError):
        raise Invalid(f"{text[:80]!r} is not an id", code="BAD_ID", path="id", hint="Use an id that the API gave.") from None
