"""What all mutations share: a payload with `userErrors`, and that a refused one leaves nothing behind.

    @mutation(profile=Profile)
    async def create_profile(self, info: Info, input: CreateProfileInput) -> records.Profile:
        context = info.context
        return await profiles.create_profile(context.conn, context.actor, input.draft())

becomes `createProfile(input: CreateProfileInput!): CreateProfilePayload!` with the fields `profile` and `userErrors`.
Errors that the caller can mend (`api/errors.py` says which) become `userErrors`; others are raised and end the request.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, get_origin

import strawberry
from strawberry.types.field import StrawberryField

from api.context import Info, RequestContext
from api.errors import DETAILS, parts_of, public_path, told, translate
from api.graphql.leaf import description_of
from core.errors import ClarionError, Invalid


@strawberry.type(description="Something in the input or in the state of things that the caller can mend.")
class UserError:
    """One problem of a mutation's input."""

    code: str
    message: str
    path: str | None = strawberry.field(description="Where: an input field, a line and column, or a JSON pointer.")
    hint: str | None = strawberry.field(description="What to do next.")
    found: str | None = strawberry.field(description="Of an expression or a template: what stands there.")
    expected: str | None = strawberry.field(description="Of an expression or a template: what could stand there.")
    suggestion: str | None = strawberry.field(description="Of an expression or a template: the one replacement worth trying.")
    excerpt: str | None = strawberry.field(description="Of a template: the line that was written, and a caret under the place.")


def mutation(**results: Any) -> Callable[[Callable[..., Awaitable[Any]]], StrawberryField]:
    """Declare a mutation. `results` names the payload's fields and their GraphQL types.

    The function returns the value of the only one, a dict of several, or None when there is none. Where it refuses, lists are
    empty and other fields null.
    """

    def declare(function: Callable[..., Awaitable[Any]]) -> StrawberryField:
        payload = _payload_type(function.__name__, results)
        nothing: dict[str, Any] = {name: [] if get_origin(kind) is list else None for name, kind in results.items()}

        @functools.wraps(function)
        async def resolve(self: Any, info: Info, **arguments: Any) -> Any:
            return await _attempt(info.context, nothing, lambda: function(self, info, **arguments))

        resolve.__annotations__ = {**function.__annotations__, "return": payload}
        field: StrawberryField = strawberry.mutation(
            resolver=resolve, graphql_type=payload, description=description_of(function)
        )
        return field

    return declare


async def _attempt(context: RequestContext, nothing: Mapping[str, Any], act: Callable[[], Awaitable[Any]]) -> Any:
    """Run one mutation: in a savepoint where others share the transaction, else with the whole request at stake."""
    names = tuple(nothing)
    try:
        if not context.savepoints:
            return _payload(names, await act())
        async with context.conn.transaction():
            return _payload(names, await act())
    except Exception as raised:
        error = translate(raised)
        if error is None or not told(error).mendable:
            context.failed = True
            raise
        context.failed = context.failed or not context.savepoints
        return SimpleNamespace(**nothing, user_errors=[user_error(part) for part in parts_of(error)])


def _payload(names: tuple[str, ...], result: Any) -> Any:
    values = dict(zip(names, (result,), strict=True)) if len(names) == 1 else (result or {})
    return SimpleNamespace(**values, user_errors=[])


def user_error(error: ClarionError) -> UserError:
    """An error as an entry of `userErrors`."""
    return UserError(
        code=error.code, message=error.message, path=public_path(error.path), hint=error.hint,
        **{name: getattr(error, name, None) for name in DETAILS},
    )  # fmt: skip


def once(pairs: Iterable[tuple[Any, Any]], path: str) -> dict[Any, Any]:
    """What a list of an input says of each thing that it names. Raises Invalid (REPEATED) for one that is named twice."""
    named: dict[Any, Any] = {}
    for key, value in pairs:
        if key in named:
            raise Invalid("one thing is named twice", code="REPEATED", path=path, hint="Say once what it is to be.")
        named[key] = value
    return named


@contextmanager
def paths_as(**names: str) -> Iterator[None]:
    """Errors in the block name what the client sent: fields of the operation with another name in the input, by the first."""
    try:
        yield
    except ClarionError as error:
        error.path = names.get(error.path or "", error.path)
        raise


def _payload_type(function_name: str, results: dict[str, Any]) -> type:
    name = "".join(word.capitalize() for word in function_name.split("_")) + "Payload"
    annotations: dict[str, Any] = {key: kind if get_origin(kind) is list else kind | None for key, kind in results.items()}
    annotations["user_errors"] = list[UserError]
    # `import_` is a keyword here and no keyword there.
    renamed = {key: strawberry.field(name=key.rstrip("_")) for key in results if key.endswith("_")}
    return strawberry.type(type(name, (), {"__annotations__": annotations, **renamed}))


def given(**fields: strawberry.Maybe[Any]) -> dict[str, Any]:
    """The fields that a client sent; those left out are not to be changed."""
    return {name: sent.value for name, sent in fields.items() if sent is not None}
