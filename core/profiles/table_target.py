"""Rows of a file as rows of one table: each finds what it is about, and the import's mode says what is done with it.

Shared by all targets whose rows have keys; the statements are those of their `Chunks`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import compress

from core.db import Connection
from core.profiles.fields import columns_of
from core.profiles.import_columns import Plan
from core.profiles.import_options import ImportMode
from core.profiles.import_repeats import Rows, settle
from core.profiles.import_rows import Batch, Reject
from core.profiles.import_target import Chunks, Missed, Stored, Written


class TableTarget:
    """A target of rows with keys; `noun`: what a row of the table is."""

    def __init__(self, plan: Plan, chunks: Chunks, noun: str):
        self.plan = plan
        self.chunks = chunks
        self.noun = noun

    async def store(self, conn: Connection, batch: Batch, now: datetime) -> Stored:
        """Store a chunk. Raises Missed, UniqueViolationError when somebody was faster."""
        await self.chunks.stage(conn, batch.lines, batch.columns)
        await self.chunks.lock(conn)
        refused, repeated = await self._settle(conn, batch)
        written, remarks = await self._write(conn, batch, now)
        if written.missed:
            raise Missed
        return Stored(written=written, refused=refused, remarks=remarks, repeated=repeated)

    async def end(self, conn: Connection, now: datetime) -> None:
        """Nothing remains."""

    async def _settle(self, conn: Connection, batch: Batch) -> tuple[list[Reject], int]:
        """Refuse staged rows for values of others, then make one row of those with one key; how many went into another."""
        plan, chunks, another = self.plan, self.chunks, f"another {self.noun}"
        taken, refused = await self._take_out(conn, batch)
        disputed, found = batch.disputed, dict[int, tuple[int, int]]()
        if len(plan.keys) > 1:
            found = await chunks.list_same(conn)
            disputed = _with_lines(batch, found)
            found |= await chunks.find(conn, disputed.lines) if disputed.lines else {}
        if not disputed.lines:
            return refused, 0
        settled = settle(plan, disputed, taken, found)
        await chunks.replace(conn, disputed.lines, settled.rows, settled.targets)
        if settled.targets is not None and plan.options.mode is not ImportMode.DELETE:  # rows may be about others than before
            for columns in plan.all_unique:
                again = await chunks.take_out_taken(conn, columns)
                refused += [_taken(batch, plan, columns, line, another) for line in again]
        refused += [_taken(batch, plan, columns, line, "an earlier row") for line, columns in settled.refused.items()]
        return refused, settled.repeated

    async def _take_out(self, conn: Connection, batch: Batch) -> tuple[set[int], list[Reject]]:
        """Refuse staged rows for what is there already, or is not; their lines."""
        plan, chunks, refused = self.plan, self.chunks, list[Reject]()
        taken: set[int] = set()
        if plan.options.mode is ImportMode.INSERT_OR_UPDATE:
            for key in plan.keys:
                unknown = await chunks.take_out_unknown(conn, key.columns) if key.given else []
                taken.update(unknown)
                message = f"no {self.noun} has this {key.label.lower()}"
                refused += [reject(batch, line, place_of(plan, key.columns), "NOT_FOUND", message) for line in unknown]
        if plan.options.mode is ImportMode.DELETE:
            merged = await chunks.take_out_merged(conn)
            taken.update(merged)
            refused += [_merged(batch, plan, line, *found) for line, found in merged.items()]
        else:
            for columns in plan.other_unique:
                lines = await chunks.take_out_taken(conn, columns)
                taken.update(lines)
                refused += [_taken(batch, plan, columns, line, f"another {self.noun}") for line in lines]
        return taken, refused

    async def _write(self, conn: Connection, batch: Batch, now: datetime) -> tuple[Written, list[Reject]]:
        """Do what the mode says with the staged rows; with remarks on those whose key several have."""
        plan, chunks, ambiguous = self.plan, self.chunks, list[tuple[int, int, list[int]]]()
        deletes, shared = plan.options.mode is ImportMode.DELETE, any(key.shared for key in plan.keys)
        if deletes and shared:  # who is named is gone afterwards
            ambiguous = await chunks.list_ambiguous(conn)
        written = await chunks.finish(conn, now)
        if not deletes and (written.ambiguous or (written.again and shared)):
            ambiguous = await chunks.list_ambiguous(conn)
        while written.again:
            await chunks.leave(conn, written.again)
            written += await chunks.finish(conn, now)
        return written, [ambiguity(batch, plan, *found) for found in ambiguous]


def reject(batch: Batch, line: int, column: str, code: str, message: str) -> Reject:
    """A row of a batch that is not stored, or a remark on it."""
    return Reject(
        line=line, column=column, code=code, message=message, row_text=batch.text(line), cells=batch.cells(line)
    )  # fmt: skip


def place_of(plan: Plan, columns: Sequence[str]) -> str:
    """What the file calls the first of these columns."""
    return plan.header[next(index for index, one in plan.fields if columns[0] in columns_of(one))]


def ambiguity(batch: Batch, plan: Plan, line: int, oldest: int, others: list[int]) -> Reject:
    """The remark on a row whose key several profiles have."""
    what = " or ".join(key.label.lower() for key in plan.keys if key.shared)
    named = ", ".join(map(str, others))
    message = f"several profiles have this {what}: profile {oldest}, the oldest, was taken, not {named}"
    return reject(batch, line, "", "AMBIGUOUS", message)


def _with_lines(batch: Batch, more: Iterable[int]) -> Rows:
    """The disputed rows, and others of the batch."""
    chosen = {*batch.disputed.lines, *more}
    if len(chosen) == len(batch.disputed.lines):
        return batch.disputed
    kept = [line in chosen for line in batch.lines]
    return Rows(lines=list(compress(batch.lines, kept)), columns=[list(compress(values, kept)) for values in batch.columns])


def _merged(batch: Batch, plan: Plan, line: int, survivor: int, by: int) -> Reject:
    message = f"this is a profile that is merged into profile {survivor}: delete that one, or undo the merge first"
    return reject(batch, line, place_of(plan, plan.keys[by].columns), "PROFILE_MERGED", message)


def _taken(batch: Batch, plan: Plan, columns: Sequence[str], line: int, whose: str) -> Reject:
    fields = [next(one for _, one in plan.fields if column in columns_of(one)) for column in columns]
    message = f"{' and '.join(one.label for one in fields)} {'is' if len(fields) == 1 else 'are'} that of {whose}"
    return reject(batch, line, place_of(plan, columns), "VALUE_TAKEN", message)
