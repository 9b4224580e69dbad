"""Fields that are read off a record, without a resolver call: attributes by their name, and functions of the record alone.

`plans.py` compiles selections of such fields into one Python function. A field is read this way when it is plain
(no resolver at all: the record's attribute of that name) or declared with `leaf`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import strawberry
from strawberry.types.field import StrawberryField

READ = "clarion.read"  # key of a field's metadata


def leaf(read: Callable[[Any], Any], *, description: str | None = None) -> Any:
    """A field computed by `read(record)`: fast, pure, without arguments, never awaited.

    Annotate the attribute with its GraphQL type: `id: strawberry.ID = leaf(lambda row: …)`.
    """

    def resolve(root: Any) -> Any:
        return read(root)

    return strawberry.field(resolver=resolve, description=description, metadata={READ: read})


def field(kind: Any, *, name: str | None = None) -> Callable[[Callable[..., Any]], Any]:
    """A field with a resolver, which returns records. `kind` is its GraphQL type, the docstring its description."""

    def declare(function: Callable[..., Any]) -> Any:
        return strawberry.field(resolver=function, graphql_type=kind, name=name, description=description_of(function))

    return declare


def subscription(kind: Any) -> Callable[[Callable[..., Any]], Any]:
    """A subscription: a coroutine that returns an async generator of records of this GraphQL type."""

    def declare(function: Callable[..., Any]) -> Any:
        return strawberry.subscription(resolver=function, graphql_type=kind, description=description_of(function))

    return declare


def description_of(function: Callable[..., Any]) -> str | None:
    """The docstring of a resolver, as one paragraph."""
    return " ".join((function.__doc__ or "").split()) or None


def reader_of(field: StrawberryField) -> Callable[[Any], Any] | str | None:
    """How a field is read: an attribute's name, a function of the record, or None when it needs its resolver."""
    if field.is_basic_field:
        return field.python_name
    read: Callable[[Any], Any] | None = field.metadata.get(READ)
    return read
