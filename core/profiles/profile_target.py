"""Profiles as the target of an import."""

from __future__ import annotations

from datetime import datetime

from core.db import Connection
from core.errors import Conflict, Invalid
from core.outbox import announce_all
from core.profiles.import_columns import Plan
from core.profiles.import_options import ImportTarget, TargetKind
from core.profiles.import_rows import Batch
from core.profiles.import_target import Destination, Stored
from core.profiles.run_records import ImportRun
from core.profiles.store.import_chunks import ChunkStore
from core.profiles.table_target import TableTarget
from core.profiles.team_fields import fields_by_keys
from core.provenance import Provenance, tell_provenance


class ProfileTarget(TableTarget):
    """Profiles: a change of what a person refuses is the import's, and those who go are told."""

    def __init__(self, run: ImportRun, plan: Plan):
        super().__init__(plan, ChunkStore(plan), "profile")
        self._run = run
        self._refusals = any(one.opt_out for _, one in plan.fields)

    async def store(self, conn: Connection, batch: Batch, now: datetime) -> Stored:
        """As a table's."""
        if self._refusals:
            origin = f"import:{self._run.id}"
            await tell_provenance(conn, Provenance(actor=self._run.created_by, now=now, origin=origin))
        stored = await super().store(conn, batch, now)
        if stored.written.gone:
            await announce_all(conn, "profiles.deleted", "profile_ids", stored.written.gone)
        return stored


async def find_profiles(conn: Connection, target: ImportTarget) -> Destination:
    """The one destination of this room. Raises Invalid (BAD_TARGET) for another."""
    if target.kind is not TargetKind.PROFILES:
        raise Invalid("there are only profiles to import into here", code="BAD_TARGET", path="options.target")
    return Destination(fields=await fields_by_keys(conn), open=lambda runtime, run, plan: ProfileTarget(run, plan))


def field_gone() -> Conflict:
    """That the data model has changed under an import."""
    return Conflict(
        "a field of this file was dropped from the data model meanwhile", code="FIELD_GONE",
        hint="Import the file again without its column.",
    )  # fmt: skip
