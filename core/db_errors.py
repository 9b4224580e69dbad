"""What errors of Postgres say: never the values of a row or of a statement.

Postgres tells whom a constraint met (`DETAIL: Key (email)=(ann@…) already exists.`, `Failing row contains (…)`) and quotes what
it could not read (`invalid input syntax for type integer: "…"`), and so does asyncpg of arguments. Whatever writes an error
down, a log, a broker that keeps the traceback of a job, an error stored with a job, asks the error for its text. So it is here,
once for all of them, that the text is made: the condition, the constraint, the column, and no value.
"""

from __future__ import annotations

import asyncpg

from core.errors import LimitReached

# How the SQLSTATE of errors begins
_OF_VALUES = "22"  # whose message quotes a value: data exceptions
_OF_OBJECTS = "2B"  # whose detail names objects of the database: something depends on what is to go

# What Postgres says of a value that it cannot hold: an error of its own, or one of the memory that it would take. The class of
# the error does not tell: rows that do not fit into an index have the same.
_TOO_LARGE = (
    "invalid memory alloc request size",
    "number of jsonb object pairs exceeds",
    "total size of jsonb",
    "string buffer exceeds",
    "requested length too large",
)


def too_large(error: BaseException) -> LimitReached | None:
    """What to say of a statement that makes a value which is larger than Postgres holds (VALUE_TOO_LARGE); None of others."""
    if not isinstance(error, asyncpg.ProgramLimitExceededError | asyncpg.InternalServerError):
        return None
    if not error.args or not str(error.args[0]).startswith(_TOO_LARGE):
        return None
    return LimitReached(
        "one value that this makes is larger than the database holds", code="VALUE_TOO_LARGE",
        hint="Ranks of up to 8 million rows can be values: compare a rank with a number, narrow its rows down with `where`, or "
        "rank within each person (`per profile`). Texts that are put together have up to 1 GB.",
    )  # fmt: skip


def text_of(error: asyncpg.PostgresError) -> str:
    """What may be written down of an error."""
    said = str(error.args[0]) if error.args else ""
    state = error.sqlstate or ""
    if state.startswith(_OF_VALUES):
        place = "".join(f" of {kind} {name!r}" for kind, name in _places(error) if name)
        said = f"a value{place} is refused (SQLSTATE {state})"
    if error.detail and state.startswith(_OF_OBJECTS):
        said += f"\nDETAIL:  {error.detail}"
    return f"{said}\nHINT:  {error.hint}" if error.hint and not state.startswith(_OF_VALUES) else said


def hide_values() -> None:
    """Have all errors of Postgres say this much and no more, whoever asks them."""
    asyncpg.PostgresError.__str__ = text_of
    asyncpg.PostgresError.__repr__ = _repr


def _places(error: asyncpg.PostgresError) -> list[tuple[str, str | None]]:
    return [("column", error.column_name), ("table", error.table_name), ("type", error.data_type_name)]


def _repr(error: asyncpg.PostgresError) -> str:
    return f"{type(error).__name__}({text_of(error)!r})"
