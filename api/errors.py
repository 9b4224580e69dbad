"""The only table from the error tree of `core/errors.py` to GraphQL and HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import asyncpg
from graphql import GraphQLError

from core.db_errors import too_large
from core.errors import (
    ClarionError,
    Conflict,
    Forbidden,
    Invalid,
    LimitReached,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from core.log import get_logger

log = get_logger("clarion.api")


@dataclass(frozen=True, slots=True)
class Told:
    """How a kind of error is told: the HTTP status, and whether a mutation tells it as a `userErrors` entry."""

    status: int
    mendable: bool


TABLE: dict[type[ClarionError], Told] = {
    NotFound: Told(404, mendable=True),
    Invalid: Told(400, mendable=True),
    Conflict: Told(409, mendable=True),
    LimitReached: Told(429, mendable=True),
    Forbidden: Told(403, mendable=False),
    Unauthenticated: Told(401, mendable=False),
    Unavailable: Told(503, mendable=False),
}

INTERNAL = Told(500, mendable=False)
INTERNAL_CODE = "INTERNAL"

# Not answers to the statement but signs that the server is away, restarting or overrun.
DATABASE_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    ConnectionError,
)
TRY_AGAIN = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError)
UNSTORABLE_TEXT = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)


def told(error: ClarionError) -> Told:
    """How an error is told: the entry of its nearest class."""
    return next((TABLE[kind] for kind in type(error).__mro__ if kind in TABLE), INTERNAL)


def translate(error: BaseException) -> ClarionError | None:
    """The error as one of the tree; None for a fault of ours, which no client can read anything from."""
    if isinstance(error, ClarionError):
        return error
    if isinstance(error, UNSTORABLE_TEXT) or _is_surrogate(error):
        return Invalid(
            "the text holds a character that cannot be stored",
            code="BAD_TEXT",
            hint="Take out characters such as NUL.",
        )
    if isinstance(error, TRY_AGAIN):
        return Unavailable("another change was in the way", code="TRY_AGAIN", hint="Send the request again.")
    if isinstance(error, DATABASE_AWAY) or _is_closed(error):
        return Unavailable("the database does not answer now", code="DATABASE_UNAVAILABLE", hint="Try again in a few seconds.")
    if isinstance(error, TimeoutError):
        return Unavailable("this took too long", code="TIMED_OUT", hint="Ask for less, or try again later.")
    return too_large(error)


def _is_surrogate(error: BaseException) -> bool:
    """Half a character, which UTF-8 cannot spell; asyncpg says so in words only, with the text in them."""
    return isinstance(error, asyncpg.DataError) and "surrogates not allowed" in str(error.args[0])


def _is_closed(error: BaseException) -> bool:
    """A pool or connection that closed under us; the classes are also those of mistakes of ours.

    Asyncpg says "cannot switch to state …; another operation is in progress" when a connection ends in the moment of its use.
    """
    return (isinstance(error, asyncpg.InterfaceError) and "clos" in str(error)) or (
        isinstance(error, asyncpg.InternalClientError) and "cannot switch to state" in str(error)
    )


def parts_of(error: ClarionError) -> list[ClarionError]:
    """The single problems of an error that gathers several, else the error itself."""
    problems = getattr(error, "problems", ())
    return [problem for problem in problems if isinstance(problem, ClarionError)] or [error]


_FIELD_PATH = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+(?=$|[.\[])")


_OPTIONS = re.compile(r"options\.(?!mapping\b|constants\b)")  # those have names of a file and of fields behind them


def public_path(path: str | None) -> str | None:
    """A path as the API spells it: the leading field name in camel case, and all names of options; the rest as it is."""
    if path is None:
        return None
    if _OPTIONS.match(path):
        return ".".join(camel(part) for part in path.split("."))
    return _FIELD_PATH.sub(lambda found: camel(found.group()), path, count=1) if _FIELD_PATH.match(path) else path


def camel(name: str) -> str:
    """`first_name` as `firstName`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


DETAILS = ("found", "expected", "suggestion", "excerpt")  # of expressions and templates


def as_dict(error: ClarionError, request_id: str | None = None) -> dict[str, Any]:
    """An error outside any field, in the shape of a GraphQL error."""
    extensions = {"code": error.code, "hint": error.hint, "path": public_path(error.path), "requestId": request_id}
    extensions |= {name: getattr(error, name, None) for name in DETAILS}
    return {
        "message": error.message,
        "extensions": {key: value for key, value in extensions.items() if value is not None},
    }


def internal(request_id: str | None) -> dict[str, Any]:
    """What a client sees of a fault of ours; the log has the rest under the same request id."""
    message = "something went wrong on our side"
    return {"message": message, "extensions": {"code": INTERNAL_CODE, "requestId": request_id}}


def format_graphql_errors(errors: Iterable[GraphQLError], request_id: str | None) -> list[dict[str, Any]]:
    """Errors of an execution for the client; faults of ours are logged and masked."""
    return [formatted for error in errors for formatted in _format(error, request_id)]


# Strawberry speaks of its Python types here.
_NULLED = re.compile(r"^Expected value of type '.*', found null\. Field of type 'Maybe.*$", re.DOTALL)
_NULLED_MESSAGE = "a field that cannot be null was set to null; leave it out to keep its value"


def format_request_errors(errors: Iterable[GraphQLError]) -> list[dict[str, Any]]:
    """Errors in the document or the variables: always the client's, whatever exception a scalar raised."""
    return [formatted for error in errors for formatted in _format_bad_request(error)]


def _format_bad_request(error: GraphQLError) -> list[dict[str, Any]]:
    extensions = {"code": "BAD_REQUEST"} | (error.extensions or {})
    message = _NULLED.sub(_NULLED_MESSAGE, error.message)
    return [{"message": message, **_place(error), "extensions": extensions}]


def _place(error: GraphQLError) -> dict[str, Any]:
    place: dict[str, Any] = {}
    if error.locations:
        place["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    if error.path:
        place["path"] = list(error.path)
    return place


def _format(error: GraphQLError, request_id: str | None) -> list[dict[str, Any]]:
    cause = root_cause(error)
    if cause is None:
        return _format_bad_request(error)
    place = _place(error)
    known = translate(cause)
    if known is None:
        log.error("unexpected error", path=error.path, request_id=request_id, exc_info=cause)
        return [internal(request_id) | place]
    return [as_dict(part, request_id) | place for part in parts_of(known)]


def root_cause(error: GraphQLError) -> BaseException | None:
    """The exception that a resolver raised; None when the request itself is wrong."""
    cause: BaseException | None = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    return cause
