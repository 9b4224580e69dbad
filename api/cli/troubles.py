"""What the commands' door says of an exception: a sentence, and what to do."""

from __future__ import annotations

import asyncpg
import httpx

from api.cli.child import ChildError
from api.cli.embedded import EmbeddedError
from core.errors import ClarionError
from migrations.runner import DatabaseTooNew, DatabaseTooOld

Told = tuple[str, str | None]


def tell(error: BaseException) -> Told | None:
    """None for what nobody foresaw: that is a bug of ours, and its traceback is worth more than a sentence."""
    match error:
        case ClarionError():
            return f"{error.message} ({error.path})" if error.path else error.message, error.hint
        case EmbeddedError() | ChildError() | DatabaseTooNew() | DatabaseTooOld():
            return str(error), None
        case asyncpg.PostgresError() | asyncpg.InterfaceError():
            return database_trouble(error)
        case httpx.HTTPError() | EOFError():
            return f"the API went away: {_words(error)}", "Look whether it still runs, and try again."
        case OSError():
            return f"{error.filename}: {error.strerror}" if error.filename else _words(error), None
        case BaseExceptionGroup():
            return _tell_group(error)
    return None


def database_trouble(error: BaseException) -> Told:
    """What is said where the database does not do what was asked."""
    if isinstance(error, asyncpg.UndefinedTableError):
        return "the database holds no tables of Clarion yet", "Run `clarion migrate`."
    return f"the database cannot be used: {_words(error)}", "Check CLARION_DATABASE_URL and that the server runs."


def _tell_group(group: BaseExceptionGroup[BaseException]) -> Told | None:
    """The first of several, unless one of them was not foreseen."""
    told = [tell(one) for one in group.exceptions]
    return told[0] if all(told) else None


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__  # a timeout has none of its own
