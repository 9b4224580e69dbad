"""The one error tree. Nothing here knows HTTP or GraphQL; the doors translate.

ClarionError
├── NotFound          the thing named does not exist (or the actor may not know that it does)
├── Invalid           the input is wrong; says where and what to do
│   └── …             rooms add located errors of their own (expressions, templates, files)
├── Conflict          the input is fine, the state of things is not
│   ├── IllegalMove   a life cycle does not allow this step from here
│   └── Stale         what was prepared or read has changed since
├── Forbidden         the actor lacks the permission
├── Unauthenticated   no valid token came with the request
├── LimitReached      a bound of the installation was met
└── Unavailable       a part we depend on does not answer now; the same call may work later
"""

from __future__ import annotations


class ClarionError(Exception):
    """A named error with a place and advice.

    `code` is stable and in upper snake case; `path` says where (an input field, a line and column, a JSON pointer);
    `hint` says what to do next.
    """

    default_code = "ERROR"

    def __init__(self, message: str, *, code: str | None = None, path: str | None = None, hint: str | None = None):
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.path = path
        self.hint = hint


class NotFound(ClarionError):
    """The thing named does not exist."""

    default_code = "NOT_FOUND"


class Invalid(ClarionError):
    """The input is wrong."""

    default_code = "INVALID"


class Conflict(ClarionError):
    """The state of things does not allow it."""

    default_code = "CONFLICT"


class IllegalMove(Conflict):
    """A life cycle does not allow this step from its present state."""

    default_code = "ILLEGAL_MOVE"


class Stale(Conflict):
    """What was prepared or read has changed since."""

    default_code = "STALE"


class Forbidden(ClarionError):
    """The actor lacks a permission."""

    default_code = "FORBIDDEN"


class Unauthenticated(ClarionError):
    """No valid token came with the request."""

    default_code = "UNAUTHENTICATED"


class LimitReached(ClarionError):
    """A bound of the installation was met."""

    default_code = "LIMIT_REACHED"


class Unavailable(ClarionError):
    """A part we depend on does not answer now."""

    default_code = "UNAVAILABLE"
