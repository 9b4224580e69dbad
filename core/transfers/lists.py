"""Lists of people as the target of an import: put on, taken off, or replaced at the end, all at once."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from pathlib import PurePath

from core import files as stored_files
from core.access import Actor, Permission
from core.authored import check_name, name_taken
from core.clock import UTC_ZONE
from core.db import Connection
from core.errors import Invalid
from core.profiles.import_columns import Plan
from core.profiles.import_options import ImportMode, ImportTarget
from core.profiles.import_rows import Batch
from core.profiles.import_target import Destination, Stored, Written
from core.profiles.run_records import ImportRun
from core.targeting.audiences import find_audience_by_name, get_audience
from core.targeting.lists import add_to_list, create_list, remove_from_list, replace_list
from core.targeting.records import AudienceKind
from core.transfers.people import PeopleFinder, people_fields
from core.transfers.store import list_marks

LONGEST_NAME = 64  # characters of an audience's name
ADDS = frozenset({ImportMode.INSERT_OR_UPDATE, ImportMode.INSERT})


class ListTarget:
    """The members of one list."""

    def __init__(self, run: ImportRun, plan: Plan):
        self._run = run
        self._target = run.options.target
        self._adds = run.options.mode in ADDS
        self._finder = PeopleFinder(plan)
        self._actor = _actor(run)

    async def store(self, conn: Connection, batch: Batch, now: datetime) -> Stored:
        """Each person once; who comes again is told as repeated."""
        people = await self._finder.find(conn, batch)
        ids = sorted(set(people.by_line.values()))
        written, again = await self._write(conn, ids, now)
        return Stored(
            written=replace(written, ambiguous=len(people.remarks)), refused=people.refused, remarks=people.remarks,
            repeated=len(people.by_line) - len(ids) + again,
        )  # fmt: skip

    async def end(self, conn: Connection, now: datetime) -> None:
        """Who was not named is on the list no longer, where that was asked for."""
        audience_id, import_id = self._target.audience_id, self._run.id
        if self._target.replace and not self._run.options.dry_run and audience_id is not None:
            wanted, gone = list_marks.named(import_id), list_marks.not_named(import_id, audience_id)
            await replace_list(conn, self._actor, audience_id, wanted, gone, now=now)
            await list_marks.forget(conn, import_id)

    async def _write(self, conn: Connection, ids: list[int], now: datetime) -> tuple[Written, int]:
        """What becomes of these people, and how many were named in an earlier chunk."""
        audience_id = self._target.audience_id
        if self._run.options.dry_run or audience_id is None:
            members = await list_marks.count_members(conn, audience_id, ids)
            return self._written(len(ids) - members, members), 0
        if self._target.replace:
            marked, members = await list_marks.mark(conn, self._run.id, audience_id, ids)
            return Written(inserted=marked - members, unchanged=members), len(ids) - marked
        if self._adds:
            _, added = await add_to_list(conn, self._actor, audience_id, ids, now=now, zone=UTC_ZONE)
            return self._written(added, len(ids) - added), 0
        _, removed = await remove_from_list(conn, self._actor, audience_id, ids, now=now, zone=UTC_ZONE)
        return self._written(len(ids) - removed, removed), 0

    def _written(self, outside: int, members: int) -> Written:
        """By how many were not on the list, and how many were."""
        if self._adds:
            return Written(inserted=outside, unchanged=members)
        return Written(deleted=members, skipped=outside)


async def find_list(conn: Connection, target: ImportTarget) -> Destination:
    """Raises NotFound (AUDIENCE_NOT_FOUND), Invalid (NOT_A_LIST, BAD_NAME)."""
    modes = ADDS | {ImportMode.DELETE}
    if target.audience_id is None:
        modes = ADDS
        if target.list_name is not None:
            check_name(target.list_name, "options.target.list_name")
    elif (audience := await get_audience(conn, target.audience_id)).kind is not AudienceKind.LIST:
        raise Invalid(
            f"the audience {audience.name!r} is a question, not a list", code="NOT_A_LIST", path="options.target.audience_id",
            hint="Choose a list, or have one made.",
        )  # fmt: skip
    return Destination(
        fields=await people_fields(conn, "member"),
        open=lambda runtime, run, plan: ListTarget(run, plan),
        modes=ADDS if target.replace else modes,
        permission=Permission.EDIT,
        begin=_begin,
    )


async def _begin(conn: Connection, run: ImportRun, now: datetime) -> ImportTarget:
    """Make the list (2.74), once: the import keeps its number. Raises Conflict (NAME_TAKEN)."""
    target = run.options.target
    if target.audience_id is not None:
        return target
    file = await stored_files.get_file(conn, run.file_id)
    name = target.list_name or list_name(file.name, now)
    if await find_audience_by_name(conn, name) is not None:
        raise name_taken("audience", name)
    made = await create_list(conn, _actor(run), name=name, label=name, whom=[], now=now, zone=UTC_ZONE)
    return replace(target, audience_id=made.id, list_name=name)


def list_name(file_name: str, now: datetime) -> str:
    """The name of the file with the time, as `customers_20260301_120000`: in the signs that a name may have."""
    end = f"_{now:%Y%m%d_%H%M%S}"
    stem = re.sub(r"[^a-z0-9_-]+", "_", PurePath(file_name).name.partition(".")[0].lower()).strip("_-") or "list"
    return stem[: LONGEST_NAME - len(end)] + end


def _actor(run: ImportRun) -> Actor:
    """Who brought the file; he was asked for his permission then."""
    return Actor(name=run.created_by, permissions=frozenset({Permission.EDIT}))
