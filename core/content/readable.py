"""What templates may read in this installation: fields of ours, those that the team has published, those of linked rows, and
columns of the audience.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from core.content.data_paths import EVERY
from core.datamodel.physical import column_of
from core.datamodel.present import per_model, present_model
from core.datamodel.records import DataField, FieldKind, Model
from core.db import Connection
from core.profiles.fields import ALL as PROFILE_FIELDS
from core.profiles.fields import Field
from core.profiles.team_fields import field_of
from core.targeting.catalogue import Catalogue, CatalogueLink, Kind
from core.targeting.checked import NO_AUDIENCES, Audiences
from core.targeting.datasets import extended
from core.targeting.expansion import Definition
from core.targeting.published import hold_catalogue, present_catalogue
from core.targeting.shortcuts import SHORTCUT_DEFINITIONS

MOST_STEPS = 3  # links on the way to a value
_ANYTHING = frozenset({FieldKind.JSON, FieldKind.POINT})  # examples of their values are made by no rule
AUDIENCE = "audience"  # the root of what recipients bring along as members of the audience that is written to
EVENT = "event"  # the root of what has happened to the recipient, where a message is sent because of it
EVENT_PARTS = ("type", "payload")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadableField:
    """A field that templates can read; `kind` is that of a team's, None: one of ours, as its column has it."""

    name: str
    label: str
    column: str
    kind: FieldKind | None = None
    words: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))  # what codes are shown as
    checked_as: Field | None = None  # by which examples of its values are made; None: they may be anything


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadableEntity:
    """The fields of its rows, and the links that lead from one row to one other."""

    fields: Mapping[str, ReadableField]
    links: Mapping[str, CatalogueLink] = field(default_factory=lambda: MappingProxyType({}))
    many: Collection[str] = frozenset()  # links to many rows, which no template can follow
    told: str = ""  # in words, where the name of the root does not say it
    is_open: bool = False  # nobody knows yet which fields it has: any name may be one


@dataclass(frozen=True, slots=True)
class Read:
    """Where a path of a template ends: a field of a root, or of the row at the end of its links."""

    root: str
    steps: tuple[CatalogueLink, ...]
    field: ReadableField
    rest: tuple[str, ...] = ()  # what the path says of the value itself

    @property
    def name(self) -> str:
        """As rows of the ledger and programs have it: `city`, `favourite_store.city`."""
        return ".".join([*(step.name for step in self.steps), self.field.name])

    @property
    def path(self) -> str:
        """As templates write it: `profile.city`, `audience.voucher_code`."""
        return f"{self.root}.{self.name}"

    @property
    def told(self) -> str:
        """As people are told of it: of a profile's fields it goes without saying whose they are."""
        return self.name if self.root == "profile" else self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadableEvent:
    """What is known of the event because of which a message is sent: its `EVENT_PARTS`. None: there is no event."""

    held: Mapping[str, Any] | None = None


NO_EVENT = ReadableEvent()


@dataclass(frozen=True, slots=True, kw_only=True)
class Readable:
    """Everything that there is to read besides a content's own data, and what its conditions may ask about."""

    roots: Mapping[str, ReadableEntity]
    entities: Mapping[str, ReadableEntity]  # what links lead to, by name
    catalogue: Catalogue
    definitions: Mapping[str, Definition] = field(default_factory=lambda: SHORTCUT_DEFINITIONS)  # what conditions may call
    audiences: Audiences = field(default_factory=lambda: NO_AUDIENCES)  # that conditions name
    event: ReadableEvent | None = None  # None: nobody knows yet whether there is one

    def walk(self, path: tuple[str, ...]) -> tuple[ReadableEntity, tuple[CatalogueLink, ...]]:
        """Follow a path as far as it is links: the entity whose field is next, and the links."""
        entity, steps = self.roots[path[0]], tuple[CatalogueLink, ...]()
        for name in path[1:]:
            link = entity.links.get(name)
            if link is None or len(steps) == MOST_STEPS:
                break
            entity, steps = self.entities[link.target], (*steps, link)
        return entity, steps

    def find(self, path: tuple[str, ...]) -> Read | None:
        """The field that a path reads, if it leads to one."""
        if path[0] not in self.roots:
            return None
        entity, steps = self.walk(path)
        at = 1 + len(steps)
        found = _field_of(entity, path[at]) if at < len(path) else None
        return None if found is None else Read(path[0], steps, found, path[at + 1 :])

    def read(self, paths: Iterable[tuple[str, ...]], root: str) -> dict[str, Read]:
        """What paths read of a root, by name."""
        found = (self.find(path) for path in paths if path[0] == root)
        return {one.name: one for one in found if one is not None}

    def named_in(self, sources: Sequence[str]) -> list[str]:
        """The fields of a profile, and of rows that it leads to, whose names are written out in sources: no others are read."""
        return list(self._named(self.roots["profile"], (), sources))

    def _named(self, entity: ReadableEntity, steps: tuple[CatalogueLink, ...], sources: Sequence[str]) -> Iterator[str]:
        def is_written(name: str) -> bool:
            return any(name in source for source in sources)

        yield from (Read("profile", steps, one).name for one in entity.fields.values() if is_written(one.name))
        if len(steps) < MOST_STEPS:
            for link in filter(lambda one: is_written(one.name), entity.links.values()):
                yield from self._named(self.entities[link.target], (*steps, link), sources)


def _field_of(entity: ReadableEntity, name: str) -> ReadableField | None:
    if entity.is_open and name != EVERY:
        return ReadableField(name=name, label=name, column=name)
    return entity.fields.get(name)


def columns_of(columns: Mapping[str, Kind], told: str) -> ReadableEntity:
    """The columns of an audience; `told` says which it is."""
    found = sorted(columns.items())
    fields = [ReadableField(name=name, label=name, column=name, kind=FieldKind(kind.value)) for name, kind in found]
    return ReadableEntity(fields=_by_name(fields), told=told)


def with_audience(readable: Readable, audience: ReadableEntity) -> Readable:
    """The same once it is known which audience is written to."""
    return replace(readable, roots=MappingProxyType({**readable.roots, AUDIENCE: audience}))


def with_event(readable: Readable, type_: str, payload: Mapping[str, Any] | None) -> Readable:
    """The same for a message that is sent because of this event."""
    return replace(readable, event=ReadableEvent(held={"type": type_, "payload": payload or {}}))


def without_event(readable: Readable) -> Readable:
    """The same for a message that is sent because of no event."""
    return replace(readable, event=NO_EVENT)


async def present_readable(conn: Connection, *, hold: bool = False) -> Readable:
    """What counts in this transaction; `hold`: nobody publishes anything else until it ends."""
    catalogue = await (hold_catalogue if hold else present_catalogue)(conn)
    return replace(readable_of(await present_model(conn)), catalogue=catalogue)


@per_model
def readable_of(model: Model) -> Readable:
    """What a published model makes of it."""
    catalogue = extended(model)
    entities = {name: _entity(name, model, catalogue) for name in catalogue.entities}
    roots = {
        "profile": entities["profile"],
        "delivery": ReadableEntity(fields=_by_name([*_OF_DELIVERY, *_team("delivery", model)])),
        "campaign": ReadableEntity(fields=_by_name([*_OF_CAMPAIGN, *_team("campaign", model)])),
        AUDIENCE: ReadableEntity(fields=_by_name([]), is_open=True),
    }
    return Readable(roots=MappingProxyType(roots), entities=MappingProxyType(entities), catalogue=catalogue)


def _entity(name: str, model: Model, catalogue: Catalogue) -> ReadableEntity:
    ours = catalogue.entities[name]
    plain = [ReadableField(name=one.name, label=one.label, column=one.column) for one in ours.fields.values()]
    fields = _PROFILE if name == "profile" else [one for one in plain if one.name == one.column]
    links = ours.links.values()
    return ReadableEntity(
        fields=_by_name([*fields, *_team(name, model)]),
        links=MappingProxyType({one.name: one for one in links if not one.many}),
        many=frozenset(one.name for one in links if one.many),
    )


def _team(entity: str, model: Model) -> list[ReadableField]:
    found = model.find(entity)
    return [_field(one) for one in (found.fields if found else ())]


def _field(one: DataField) -> ReadableField:
    checked = None if one.kind in _ANYTHING else field_of(one)
    return ReadableField(name=one.name, label=one.label, column=column_of(one.name), kind=one.kind, checked_as=checked)


def _of_profile(one: Field) -> ReadableField:
    words = {} if one.values is None else {member.value: member.name.lower() for member in one.values}
    return ReadableField(name=one.name, label=one.label, column=one.name, words=MappingProxyType(words), checked_as=one)


def _by_name(fields: Iterable[ReadableField]) -> Mapping[str, ReadableField]:
    """Of two with one name the first counts."""
    found: dict[str, ReadableField] = {}
    for one in fields:
        found.setdefault(one.name, one)
    return MappingProxyType(found)


_PROFILE = [_of_profile(one) for one in PROFILE_FIELDS]
_OF_DELIVERY = [
    ReadableField(name="label", label="Label of the delivery", column="label"),
    ReadableField(name="date", label="Date of the message", column="date"),
]
_OF_CAMPAIGN = [
    ReadableField(name="label", label="Label of the campaign", column="label"),
    ReadableField(name="starts_on", label="Its first day", column="starts_on"),
    ReadableField(name="ends_on", label="Its last day", column="ends_on"),
]
OURS = readable_of(Model())
