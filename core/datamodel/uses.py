"""What uses a part of the model, as the rooms that keep such things tell it; and the refusal to hide what is used."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from core.datamodel.publication import Guard
from core.datamodel.records import Change
from core.db import Connection
from core.errors import Conflict

SHOWN = 5  # users that are named


@dataclass(frozen=True, slots=True)
class User:
    """Something that names fields, links or datasets."""

    kind: str  # in words: "audience"
    name: str
    reads: tuple[str, ...]  # what of that which would go


Finder: TypeAlias = Callable[[Connection, Sequence[Change]], Awaitable[list[User]]]
"""The users of what changes would hide or take values from, those of one room; a few more than SHOWN are enough."""


def users_of(*finders: Finder) -> Finder:
    """All that any of them finds."""

    async def find_all(conn: Connection, changes: Sequence[Change]) -> list[User]:
        return [user for find in finders for user in await find(conn, changes)]

    return find_all


def guarded_by(find: Finder) -> Guard:
    """A guard that names whoever uses what would go."""

    async def check(conn: Connection, changes: Sequence[Change]) -> None:
        refuse(await find(conn, changes))

    return check


def refuse(users: Sequence[User]) -> None:
    """Raises Conflict (FIELD_IN_USE) where there are any."""
    if not users:
        return
    named = ", ".join(f"the {one.kind} {one.name!r} ({', '.join(one.reads)})" for one in users[:SHOWN])
    raise Conflict(
        f"what would be hidden or lose values is used by {named}{' and others' if len(users) > SHOWN else ''}",
        code="FIELD_IN_USE", hint="Change or delete those first.",
    )  # fmt: skip
