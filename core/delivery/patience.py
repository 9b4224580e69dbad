"""How long a statement of a preparation may take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from core.db import Connection
from core.errors import LimitReached
from core.targeting.sql import Statement

LONGEST = timedelta(minutes=30)


async def execute(conn: Connection, statement: Statement, path: str) -> None:
    """`path`: what of the delivery it asks. Raises LimitReached (QUESTION_TOO_SLOW)."""
    with _bounded(path):
        await conn.execute(statement.text, *statement.args, timeout=LONGEST.total_seconds())


async def fetch(conn: Connection, statement: Statement, path: str) -> Sequence[Any]:
    """The rows; likewise."""
    with _bounded(path):
        found: Sequence[Any] = await conn.fetch(statement.text, *statement.args, timeout=LONGEST.total_seconds())
        return found


@contextmanager
def _bounded(path: str) -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise LimitReached(
            f"a step of it took longer than {LONGEST.total_seconds() / 60:g} minutes", code="QUESTION_TOO_SLOW", path=path,
            hint="Look at the examination of what it asks, narrow it down, or freeze the audience into a list.",
        ) from None  # fmt: skip
