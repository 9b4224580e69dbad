"""The people whom rows of a file are about, for targets that change something of theirs but not their profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from core.db import Connection
from core.profiles.fields import Field
from core.profiles.import_columns import Plan
from core.profiles.import_rows import Batch, Reject
from core.profiles.store.import_chunks import ChunkStore
from core.profiles.table_target import ambiguity, place_of, reject
from core.profiles.team_fields import Fields, fields_by_keys


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Of a batch: whom each line is about, the lines about nobody, and remarks on those whose key several have."""

    by_line: Mapping[int, int]
    refused: Sequence[Reject]
    remarks: Sequence[Reject]


async def people_fields(conn: Connection, noun: str, *own: Field) -> Fields:
    """The keys of people with the columns of a target's own; the other fields of a profile are known, and left out."""
    fields = await fields_by_keys(conn)
    mine = {one.name: one for one in own}
    keys = {name: replace(key, given=False) for name, key in fields.keys.items() if not mine.keys() & set(key.fields)}
    finding = {name: fields.all[name] for key in keys.values() for name in key.fields}
    return Fields(
        all=MappingProxyType({**fields.all, **mine}), settable=MappingProxyType({**finding, **mine}),
        keys=MappingProxyType(keys), noun=noun,
    )  # fmt: skip


class PeopleFinder:
    """Finds people by the keys of an import; who is merged into another is that one."""

    def __init__(self, plan: Plan):
        named = {name for key in plan.keys for name in key.fields}
        self._plan = replace(plan, fields=tuple((index, one) for index, one in plan.fields if one.name in named))
        self._chunks = ChunkStore(self._plan)
        self._places = [plan.staged.index(column) for column in self._plan.staged]

    async def find(self, conn: Connection, batch: Batch) -> People:
        """Once in a transaction. It waits for imports of profiles, and they for it."""
        await self._chunks.stage(conn, batch.lines, [batch.columns[place] for place in self._places])
        await self._chunks.lock(conn)
        found = {line: person for line, (person, _) in (await self._chunks.find(conn, batch.lines)).items()}
        shared = any(key.shared for key in self._plan.keys)
        several = await self._chunks.list_ambiguous(conn) if shared else []
        labels = " and ".join(key.label.lower() for key in self._plan.keys)
        column = place_of(self._plan, self._plan.keys[0].columns)
        return People(
            by_line=found,
            refused=[
                reject(batch, line, column, "NOT_FOUND", f"no profile has this {labels}")
                for line in batch.lines if line not in found
            ],
            remarks=[ambiguity(batch, self._plan, *one) for one in several],
        )  # fmt: skip
