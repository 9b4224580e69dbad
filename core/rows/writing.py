"""Creating, changing and upserting rows: one, or a set with an outcome for each. The heart of the room."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias

from core.access import Actor, Permission, require
from core.audit import record_each
from core.datamodel.present import hold_model
from core.datamodel.records import Key, Model
from core.datamodel.refusals import REFUSED
from core.db import Connection
from core.errors import ClarionError, Invalid, Unavailable
from core.profiles.typed_values import is_same
from core.rows import store
from core.rows.conflicts import Write, refused_by
from core.rows.locating import Located, lock
from core.rows.reading import ReadRow, as_sent, read_values
from core.rows.records import Mode, Row, RowOutcome, RowStatus, SentRow
from core.rows.refusals import check_size, only, repeated, required, stale
from core.rows.shape import Shape, shape_of
from core.rows.targets import ByKey, Finder, Spoken, Wanted, gone

ROUNDS = 3  # that others may be in the way, besides once for each unique key
AUDITED_AS = "dataset_row"
Place: TypeAlias = Callable[[int], str]


@dataclass(slots=True, kw_only=True)
class _Work:
    """A row on its way: the values of its columns by name, and which row it is to be."""

    index: int
    sent: SentRow
    values: dict[str, Any] = field(default_factory=dict)
    wanted: Wanted | None = None  # None: a new one
    problems: list[ClarionError] = field(default_factory=list)


async def write_row(
    conn: Connection, actor: Actor, dataset: str, sent: SentRow, *, mode: Mode, now: datetime, key: str | None = None
) -> RowOutcome:
    """Create, change or upsert one row. Raises what is wrong with it, see `write_rows`; RowInvalid with several problems."""
    outcomes = await _write(conn, actor, dataset, [sent], mode, now, key, lambda index: "")
    return only(outcomes)


async def write_rows(
    conn: Connection,
    actor: Actor,
    dataset: str,
    sent: Sequence[SentRow],
    *,
    mode: Mode,
    now: datetime,
    key: str | None = None,
) -> list[RowOutcome]:
    """Write a set of rows, each or why not, in the order of the call. `key` names the unique key of an upsert, of several.

    What is wrong with a row is told in its outcome: Invalid (those of its values; REQUIRED, UNKNOWN_FIELD, READ_ONLY_FIELD,
    ROW_REPEATED, ROW_NOT_TAKEN), NotFound (ROW_NOT_FOUND, PROFILE_NOT_FOUND), Conflict (VALUE_TAKEN), Stale (VERSION_CHANGED).

    Raises NotFound (DATASET_NOT_FOUND), Invalid (TOO_MANY_ROWS, UNKNOWN_KEY, ROW_TOO_BIG), Unavailable (TRY_AGAIN).
    """
    return await _write(conn, actor, dataset, sent, mode, now, key, lambda index: f"rows.{index}.")


async def _write(
    conn: Connection,
    actor: Actor,
    dataset: str,
    sent: Sequence[SentRow],
    mode: Mode,
    now: datetime,
    key: str | None,
    place: Place,
) -> list[RowOutcome]:
    require(actor, Permission.EDIT)
    check_size(sent)
    model = await hold_model(conn)
    shape, finder = shape_of(model, dataset), Finder(conn, model)
    upserted = await _key_of(finder, shape, key) if mode is Mode.UPSERT else None
    work = [_Work(index=index, sent=one) for index, one in enumerate(sent)]
    await _read(finder, shape, work, mode, upserted, place)
    outcomes = {one.index: _rejected(one.index, one.problems) for one in work if one.problems}
    run = _Run(conn=conn, model=model, shape=shape, mode=mode, actor=actor.name, now=now, place=place, upserted=upserted)
    outcomes |= await run.all([one for one in work if not one.problems])
    await _audit(conn, actor, shape, run.written)
    return [outcomes[index] for index in range(len(sent))]


async def _key_of(finder: Finder, shape: Shape, name: str | None) -> Key:
    """The unique key by which rows are known. Raises Invalid (UNKNOWN_KEY)."""
    keys = await finder.keys(shape.entity.name)
    found = [one for one in keys if name is None or one.name == name]
    if len(found) == 1:
        return found[0]
    names = ", ".join(one.name for one in keys)
    which = "several unique keys" if found else f"no built key {name[:80]!r}" if name else "no unique key that is built"
    raise Invalid(
        f"{shape.entity.name} has {which}",
        code="UNKNOWN_KEY", path="key", hint=f"Name one of {names}." if names else "Publish one, and wait for its build.",
    )  # fmt: skip


async def _read(
    finder: Finder, shape: Shape, work: Sequence[_Work], mode: Mode, key: Key | None, place: Place
) -> None:  # fmt: skip
    """Values, then the rows that links lead to, then which row each is."""
    spoken: list[Spoken] = []
    whose: list[tuple[_Work, str]] = []
    for one in work:
        read: ReadRow = read_values(shape, one.sent.values, f"{place(one.index)}values")
        one.values, one.problems = read.values, read.problems
        for name, reference in read.links.items():
            link = shape.columns[name].link
            assert link is not None
            if reference is None:
                one.values[name] = None
            else:
                spoken.append(Spoken(link.target, reference, f"{place(one.index)}values.{name}"))
                whose.append((one, name))
    for (one, name), found in zip(whose, await finder.find(spoken), strict=True):
        if isinstance(found, ClarionError):
            one.problems.append(found)
        else:
            one.values[name] = found
    for one in work:
        try:
            await _which(finder, shape, one, mode, key, place(one.index))
        except ClarionError as error:
            one.problems.append(error)


async def _which(finder: Finder, shape: Shape, one: _Work, mode: Mode, key: Key | None, place: str) -> None:
    """Raises Invalid."""
    if mode is Mode.UPDATE:
        if one.sent.row is None:
            raise required("row", f"{place}row")
        one.wanted = await finder.read(Spoken(shape.entity.name, one.sent.row, f"{place}row"))
    elif one.sent.row is not None:
        raise Invalid(
            "only an update names the row that it changes", code="ROW_NOT_TAKEN", path=f"{place}row",
            hint="Leave it out, or update.",
        )  # fmt: skip
    elif key is not None and not one.problems:
        columns = tuple(shape.columns[name] for name in key.fields)
        for column in columns:
            if one.values.get(column.name) is None:
                raise required(column.name, f"{place}values.{column.name}")
        one.wanted = ByKey(columns, tuple(one.values[column.name] for column in columns))


@dataclass(slots=True, kw_only=True)
class _Run:
    """Writes rows until each is written or refused."""

    conn: Connection
    model: Model
    shape: Shape
    mode: Mode
    actor: str
    now: datetime
    place: Place
    upserted: Key | None
    written: dict[int, tuple[str, Row, list[str]]] = field(default_factory=dict)  # the act, the row, and the names

    async def all(self, work: Sequence[_Work]) -> dict[int, RowOutcome]:
        """What becomes of each. An attempt that is refused leaves nothing; what it is refused for is left out then."""
        outcomes: dict[int, RowOutcome] = {}
        left = list(work)
        for _ in range(ROUNDS + self._uniques()):
            writes: dict[int, Write] = {}
            try:
                async with self.conn.transaction():
                    return outcomes | await self._attempt(left, writes)
            except REFUSED as error:
                problems = await refused_by(self.conn, self.model, self.shape, error, writes, self.upserted, self.place)
            outcomes |= {index: _rejected(index, [problem]) for index, problem in problems.items()}
            left = [one for one in left if one.index not in problems]
        raise Unavailable("others change the same rows all the time", code="TRY_AGAIN", hint="Send the request again.")

    def _uniques(self) -> int:
        entity = self.shape.entity
        return len(entity.keys) + len(entity.links)

    async def _attempt(self, work: Sequence[_Work], writes: dict[int, Write]) -> dict[int, RowOutcome]:
        """Look, compare and write. `writes` tells what was tried, also if it is refused."""
        outcomes: dict[int, RowOutcome] = {}
        self.written.clear()
        located = await lock(self.conn, self.shape, [one.wanted for one in work if one.wanted is not None], delete=False)
        first: dict[int | Wanted, int] = {}
        for one in work:
            outcome = self._decide(one, located, first, writes)
            if outcome is not None:
                outcomes[one.index] = outcome
        outcomes |= await self._insert({n: one for n, one in writes.items() if one.id is None})
        outcomes |= await self._update({n: one for n, one in writes.items() if one.id is not None})
        return outcomes

    def _decide(
        self, one: _Work, located: Located, first: dict[int | Wanted, int], writes: dict[int, Write]
    ) -> RowOutcome | None:
        """What becomes of a row that is not written; else the write that is to be done."""
        place = self.place(one.index)
        found = None if one.wanted is None else located.get(one.wanted)
        if found is None and self.mode is Mode.UPDATE:
            return _rejected(one.index, [gone(self.shape.entity.name, f"{place}row")])
        known = found["id"] if found is not None else one.wanted
        if known is not None and first.setdefault(known, one.index) != one.index:
            return _rejected(one.index, [repeated(first[known], place)])
        if found is None:
            writes[one.index] = Write(id=None, values=one.values)
            return None
        if one.sent.expected_updated_at not in (None, found["updated_at"]):
            return _rejected(one.index, [stale(f"{place}expectedUpdatedAt", found["updated_at"])])
        before = {name: found[column.column] for name, column in self.shape.columns.items()}
        changed = {name: value for name, value in one.values.items() if not is_same(value, before[name])}
        if not changed:
            return RowOutcome(index=one.index, status=RowStatus.UNCHANGED, row=self.shape.row(found))
        writes[one.index] = Write(id=found["id"], values=changed, before=before)
        return None

    async def _insert(self, writes: Mapping[int, Write]) -> dict[int, RowOutcome]:
        if not writes:
            return {}
        # Who else adds the same rows does it in the same order: neither waits for the other in a circle.
        key = () if self.upserted is None else self.upserted.fields
        places = sorted(writes, key=lambda n: [repr(writes[n].get(name)) for name in key])
        ids = dict(zip(await store.reserve_ids(self.conn, self.shape.table, len(writes)), places, strict=True))
        return await self._store(ids, writes, store.insert_rows, RowStatus.CREATED)

    async def _update(self, writes: Mapping[int, Write]) -> dict[int, RowOutcome]:
        ids = {one.id: n for n, one in sorted(writes.items(), key=lambda item: item[1].id or 0) if one.id is not None}
        return await self._store(ids, writes, store.update_rows, RowStatus.UPDATED) if ids else {}

    async def _store(
        self, ids: Mapping[int, int], writes: Mapping[int, Write], act: Any, status: RowStatus
    ) -> dict[int, RowOutcome]:
        """One statement with all columns that any row sets, and those of the audit; `ids` tells the place of each row."""
        named = {name for one in writes.values() for name in one.values}
        columns = [one for name, one in self.shape.columns.items() if name in named]
        audited = self.shape.audited(created=status is RowStatus.CREATED)
        rows = {
            key: [*(as_sent(one.field, writes[n].get(one.name)) for one in columns), *(self.actor for _ in audited)]
            for key, n in ids.items()
        }  # fmt: skip
        found = await act(self.conn, self.shape, [*columns, *audited], rows, self.now)
        outcomes = {}
        for key, n in ids.items():
            row = self.shape.row(found[key])
            names = sorted(name for name, value in writes[n].values.items() if value is not None or status is RowStatus.UPDATED)
            self.written[n] = (status.value.removesuffix("d"), row, names)
            outcomes[n] = RowOutcome(index=n, status=status, row=row)
        return outcomes


def _rejected(index: int, problems: Sequence[ClarionError]) -> RowOutcome:
    return RowOutcome(index=index, status=RowStatus.REJECTED, problems=tuple(problems))


async def _audit(
    conn: Connection, actor: Actor, shape: Shape, written: Mapping[int, tuple[str, Row, list[str]]]
) -> None:  # fmt: skip
    for act in ("create", "update"):
        changes = {
            f"{shape.entity.name}:{row.id}": {"fields": names} for done, row, names in written.values() if done == act
        }  # fmt: skip
        if changes:
            await record_each(conn, actor, f"{AUDITED_AS}.{act}", AUDITED_AS, changes)


create_row = partial(write_row, mode=Mode.CREATE)
update_row = partial(write_row, mode=Mode.UPDATE)
upsert_row = partial(write_row, mode=Mode.UPSERT)
