"""Finds the rows that somebody speaks of, many at once: by id, by a unique key, and profiles by all that they are known by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from core.datamodel.keys import usable_keys
from core.datamodel.records import Key, Model
from core.db import Connection
from core.errors import ClarionError, Invalid, NotFound
from core.profiles.errors import BadValue, shown
from core.profiles.identities import ProfileReference, ReferenceKind, checked, identify
from core.rows import store
from core.rows.identities import read_linked_id
from core.rows.reading import as_sent, read_value
from core.rows.records import Reference
from core.rows.shape import Column, shapes_of

_NAMED = Column(name="name", column="name", sql_type="text")  # of campaigns, deliveries and services


@dataclass(frozen=True, slots=True)
class ByKey:
    """A row by the values of a unique key."""

    columns: tuple[Column, ...]
    values: tuple[Any, ...]


Wanted: TypeAlias = int | ByKey | ProfileReference


@dataclass(frozen=True, slots=True)
class Spoken:
    """A reference, of which entity it shall be a row, and where it stands."""

    entity: str
    reference: Reference
    path: str


class Finder:
    """Looks rows up within one transaction, in which the model is held."""

    def __init__(self, conn: Connection, model: Model):
        self.conn = conn
        self.shapes = shapes_of(model)
        self._keys: dict[str, tuple[Key, ...]] = {}

    async def keys(self, entity: str) -> tuple[Key, ...]:
        """The unique keys that are built and made of nothing but fields and links."""
        if entity not in self._keys:
            columns = self.shapes[entity].columns
            usable = await usable_keys(self.conn, entity)
            self._keys[entity] = tuple(one for one in usable if all(name in columns for name in one.fields))
        return self._keys[entity]

    async def read(self, spoken: Spoken) -> Wanted:
        """What a reference means. Raises Invalid."""
        reference, path = spoken.reference, spoken.path
        if isinstance(reference, Mapping) and reference.keys() == {"id"}:
            reference, path = reference["id"], f"{path}.id"
        if isinstance(reference, str):
            found = read_linked_id(spoken.entity, reference, path)
            return ProfileReference(ReferenceKind.ID, found) if spoken.entity == "profile" else found
        if not isinstance(reference, Mapping) or not reference:
            raise Invalid(
                f"{shown(reference)} is no row", code="WRONG_TYPE", path=path,
                hint='Write its id, or an object with what it is known by, such as {"external_id": "c-17"}.',
            )  # fmt: skip
        ours = _of_ours(spoken.entity, reference, path)
        return ours if ours is not None else await self._by_key(spoken, reference)

    async def _by_key(self, spoken: Spoken, given: Mapping[str, object]) -> ByKey:
        shape, keys = self.shapes[spoken.entity], await self.keys(spoken.entity)
        key = next((one for one in keys if set(one.fields) == given.keys()), None)
        if key is None:
            known = [*_WORDS.get(spoken.entity, ()), *(" with ".join(one.fields) for one in keys)]
            raise Invalid(
                f"no unique key of {spoken.entity} is made of {', '.join(str(name)[:40] for name in list(given)[:10])}",
                code="UNKNOWN_KEY", path=spoken.path, hint=f"Use the id{''.join(f', or {one}' for one in known)}.",
            )  # fmt: skip
        columns = tuple(shape.columns[name] for name in key.fields)
        values = (_key_value(one, given[one.name], f"{spoken.path}.{one.name}") for one in columns)
        return ByKey(columns, tuple(values))

    async def find(self, spoken: Sequence[Spoken]) -> list[int | ClarionError]:
        """The keys of the rows, each held until the transaction ends, or why there is none; for merged profiles survivors."""
        found: list[int | ClarionError | None] = [None] * len(spoken)
        wanted: dict[str, dict[Wanted, list[int]]] = defaultdict(lambda: defaultdict(list))
        for index, one in enumerate(spoken):
            try:
                wanted[one.entity][await self.read(one)].append(index)
            except ClarionError as error:
                found[index] = error
        for entity in sorted(wanted, key=lambda name: (name == "profile", name)):
            ids = await self.look_up(entity, wanted[entity])
            there = await store.hold_targets(self.conn, self.shapes[entity].table, sorted(_numbers(ids.values())))
            for row, places in wanted[entity].items():
                for index in places:
                    found[index] = _told(spoken[index], ids.get(row), there)
        assert all(one is not None for one in found)
        return found  # type: ignore[return-value]

    async def look_up(self, entity: str, wanted: Iterable[Wanted]) -> dict[Wanted, int | ClarionError]:
        """The keys of rows of an entity, or why there is none. Ids are taken for what they are."""
        ids: dict[Wanted, int | ClarionError] = {one: one for one in wanted if isinstance(one, int)}
        if profiles := [one for one in wanted if isinstance(one, ProfileReference)]:
            ids.update((await identify(self.conn, profiles)).items())
        for columns, keys in by_columns(wanted).items():
            table = self.shapes[entity].table
            ids |= await store.find_by_key(self.conn, table, columns, keys, merged=entity == "profile")
        return ids


def by_columns(wanted: Iterable[Wanted]) -> dict[tuple[Column, ...], list[ByKey]]:
    """Those by keys, by the columns of the key."""
    found: dict[tuple[Column, ...], list[ByKey]] = defaultdict(list)
    for one in wanted:
        if isinstance(one, ByKey):
            found[one.columns].append(one)
    return found


_WORDS: Mapping[str, tuple[str, ...]] = {
    "profile": ("external_id", "email"), "campaign": ("name",), "delivery": ("name",), "service": ("name",),
}  # fmt: skip


def _of_ours(entity: str, given: Mapping[str, object], path: str) -> Wanted | None:
    """By what rows of our tables are known."""
    (name, value), more = next(iter(given.items())), len(given) > 1
    if more or name not in _WORDS.get(entity, ()):
        return None
    if not isinstance(value, str):
        raise Invalid(f"{name} must be a text, not {shown(value)}", code="WRONG_TYPE", path=f"{path}.{name}")
    if entity != "profile":
        return ByKey((_NAMED,), (value,))
    try:
        return checked(ProfileReference(ReferenceKind(name), value))
    except Invalid as error:
        error.path = f"{path}.{name}"
        raise


def _key_value(column: Column, value: object, path: str) -> Any:
    """A value of a key as it is stored. Raises Invalid."""
    if column.link is not None:
        if not isinstance(value, str):
            raise Invalid(f"{column.name} within a key is an id", code="WRONG_TYPE", path=path, hint="Use the row's id.")
        return read_linked_id(column.link.target, value, path)
    assert column.field is not None
    try:
        found = read_value(column, value)
    except BadValue as error:
        raise error.at(path, column.field.label) from None
    if found is None:
        raise Invalid(f"{column.field.label} is missing", code="REQUIRED", path=path, hint="Give all values of the key.")
    return as_sent(column.field, found)


def _numbers(found: Iterable[int | ClarionError]) -> set[int]:
    return {one for one in found if isinstance(one, int)}


def _told(spoken: Spoken, found: int | ClarionError | None, there: set[int]) -> int | ClarionError:
    if isinstance(found, ClarionError):  # it may be that of several places
        return type(found)(found.message, code=found.code, path=spoken.path, hint=found.hint)
    if found is None or found not in there:
        return gone(spoken.entity, spoken.path)
    return found


def gone(entity: str, path: str) -> NotFound:
    """The error of a row that is not there."""
    return NotFound(
        f"there is no such row of {entity}", code="ROW_NOT_FOUND", path=path, hint="Create it first, or choose another."
    )
