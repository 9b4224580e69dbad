"""What an import writes into: the runner knows only this, and the rooms that have something to write into bring it along.

Profiles are one (`profile_target.py`); `core.transfers` has the others. Whoever runs imports hands in how they are found.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from core.access import Permission
from core.db import Connection
from core.profiles.import_columns import Plan
from core.profiles.import_options import ImportMode, ImportTarget
from core.profiles.import_repeats import Rows
from core.profiles.import_rows import Batch, Reject
from core.profiles.run_records import ImportRun
from core.profiles.team_fields import Fields
from core.runtime import Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of the rows of a chunk; `missed` were deleted or merged by somebody between the look and the update. `again`
    are lines that wait: an earlier one is about the same person, by the key of a profile that is merged. `gone` are the ids of
    who is deleted, with those merged into them.
    """

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    skipped: int = 0
    missed: int = 0
    ambiguous: int = 0
    again: Sequence[int] = ()
    gone: Sequence[int] = field(default=(), repr=False)

    def __add__(self, later: Written) -> Written:
        """Both together; what waits is what waits now."""
        return Written(
            inserted=self.inserted + later.inserted, updated=self.updated + later.updated,
            unchanged=self.unchanged + later.unchanged, deleted=self.deleted + later.deleted,
            skipped=self.skipped + later.skipped, missed=self.missed + later.missed,
            ambiguous=self.ambiguous + later.ambiguous, again=later.again, gone=(*self.gone, *later.gone),
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A chunk as it was stored: what was written, and each row that was not, with its reason."""

    written: Written = Written()
    refused: Sequence[Reject] = ()
    remarks: Sequence[Reject] = ()  # on rows that were stored
    repeated: int = 0


class Missed(Exception):
    """Somebody changed what a chunk is about under it: it is tried again."""


class Target(Protocol):
    """What one import writes into."""

    async def store(self, conn: Connection, batch: Batch, now: datetime) -> Stored:
        """Store a chunk that has rows. Raises Missed, and what ends the import: a ClarionError."""

    async def end(self, conn: Connection, now: datetime) -> None:
        """All of the file is stored: what remains to be done, in the transaction that ends the import."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where an import goes, before its file is looked at: what columns may be, by what rows find something, who may do it."""

    fields: Fields
    open: Callable[[Runtime, ImportRun, Plan], Target]
    modes: frozenset[ImportMode] = frozenset(ImportMode)
    permission: Permission = Permission.IMPORT  # of who brings more than a file; templates are administrators'
    begin: Callable[[Connection, ImportRun, datetime], Awaitable[ImportTarget]] | None = None
    """What has to be there before the first chunk, once: the target that the import keeps instead."""


FindDestination = Callable[[Connection, ImportTarget], Awaitable[Destination]]
"""Raises NotFound, Invalid for a target that is not there."""


class Chunks(Protocol):
    """The statements on one table that rows of a file are stored into; all of this happens to a chunk in this order."""

    async def stage(self, conn: Connection, lines: Sequence[int], columns: Sequence[Sequence[Any]]) -> None:
        """Have the values of a chunk ready."""

    async def lock(self, conn: Connection) -> None:
        """Wait for others that write into it."""

    async def take_out_unknown(self, conn: Connection, columns: Sequence[str]) -> list[int]:
        """Lines with a number of the house's that nothing has; they are staged no longer."""

    async def take_out_taken(self, conn: Connection, columns: Sequence[str]) -> list[int]:
        """Lines whose values of columns that are unique together something else has; they are staged no longer."""

    async def take_out_merged(self, conn: Connection) -> dict[int, tuple[int, int]]:
        """Lines whose key is that of a part of something alone: the whole, and the number of the key; staged no longer."""

    async def list_same(self, conn: Connection) -> dict[int, tuple[int, int]]:
        """Lines that are about one thing with another line: its id, and the number of the key that found it."""

    async def find(self, conn: Connection, lines: Sequence[int]) -> dict[int, tuple[int, int]]:
        """What these lines are about, in the same way."""

    async def replace(self, conn: Connection, lines: Sequence[int], rows: Rows, targets: Sequence[int] | None) -> None:
        """Put rows into the place of staged lines; `targets`: what each is about, 0 for something new; None: by the key."""

    async def leave(self, conn: Connection, lines: Sequence[int]) -> None:
        """Have these lines staged alone."""

    async def finish(self, conn: Connection, now: datetime) -> Written:
        """Do what the import's mode says, or count what it would do."""

    async def list_ambiguous(self, conn: Connection) -> list[tuple[int, int, list[int]]]:
        """Lines whose key several have: the line, the oldest, the others."""
