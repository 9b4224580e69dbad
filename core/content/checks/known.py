"""What is known of the values that templates read: the content's own data exactly, profile fields by their type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from channels.contract import AddressKind
from core.content.data_paths import DataPaths
from core.content.personalization import DELIVERY_FIELDS
from core.content.readable import AUDIENCE, EVENT, OURS, Read, Readable
from core.errors import Invalid
from core.profiles.fields import Field, FieldType

# A recipient without an address is left out of a delivery, so these are always there.
ADDRESSES: Mapping[AddressKind, frozenset[str]] = MappingProxyType(
    {
        AddressKind.EMAIL: frozenset({"email", "email_domain"}),
        AddressKind.MOBILE: frozenset({"mobile_phone"}),
        AddressKind.PHONE: frozenset({"phone"}),
        AddressKind.FAX: frozenset({"fax"}),
    }
)
MOST_SAMPLES = 20  # values of one path that are tried
LONGEST_SAMPLE = 1_000  # characters or items

_MOMENT = datetime(2001, 2, 3, tzinfo=UTC)
_EXAMPLES: Mapping[FieldType, tuple[Any, ...]] = {
    FieldType.TEXT: ("word", "12"),
    FieldType.EMAIL: ("zoe@example.com",),
    FieldType.PHONE: ("+493012345678",),
    FieldType.COUNTRY: ("DE",),
    FieldType.LANGUAGE: ("de-AT",),
    FieldType.TIME_ZONE: ("Europe/Vienna",),
    FieldType.URL: ("https://example.com/",),
    FieldType.DATE: (date(2001, 2, 3),),
    FieldType.BOOLEAN: (True, False),
    FieldType.NUMBER: (7, 2.5),
    FieldType.INTEGER: (7,),
    FieldType.UUID: ("0f8fad5b-d9cb-469f-a165-70867728950e",),
    FieldType.INSTANT: (_MOMENT,),
    FieldType.DECIMAL: (Decimal("2.5"),),
    FieldType.DAY: ("2001-02-03",),
}
_OF_READERS = frozenset({"profile", AUDIENCE})  # what each recipient has a value of their own in
_DELIVERY: Mapping[str, tuple[Any, ...]] = {"label": ("word", "12"), "date": (_MOMENT,)}


@dataclass(frozen=True, slots=True)
class Samples:
    """Values to try a filter on. `exact`: the very values; `nullable`: it may be nothing as well."""

    values: tuple[Any, ...]
    exact: bool = False
    nullable: bool = False


class KnownValues:
    """What is known before there are recipients; see `render_ext.Values`."""

    def __init__(self, data: Mapping[str, Any], address_kind: AddressKind, readable: Readable = OURS) -> None:
        self._data = DataPaths(data)
        self._has_event = EVENT not in data
        self._readable = readable
        self._addresses = ADDRESSES.get(address_kind, frozenset())
        self._reached: dict[tuple[str, ...], Sequence[Any] | None] = {}

    def known(self, path: tuple[str, ...]) -> Sequence[Any] | None:
        """All that a path into the data leads to; None for others, and where only a rendering can tell."""
        if path not in self._reached:
            try:
                self._reached[path] = self._data.reached(path)
            except Invalid:  # too much to follow
                self._reached[path] = None
        return self._reached[path]

    def is_something(self, path: tuple[str, ...]) -> bool:
        """Whether a path leads to something that is not empty, for every recipient."""
        if path[0] in _OF_READERS:
            return self.nullable_field(path) is None
        if path[0] in self._readable.roots:
            return path[0] == "delivery" and path[1] in DELIVERY_FIELDS
        if path[0] == EVENT and self._has_event:
            return False
        known = self.known(path)
        return known is None or all(value not in (None, "", [], {}) for value in known[:LONGEST_SAMPLE])

    def is_true(self, path: tuple[str, ...]) -> bool:
        """Whether a condition that asks for a path holds for every recipient."""
        field = self._field(path)
        return field is not None and field.type is not FieldType.BOOLEAN and self.nullable_field(path) is None

    def choices(self, path: tuple[str, ...]) -> tuple[str, ...]:
        """All the words that a profile field may be, where they are few; the first is that of most."""
        field = self._field(path)
        return _examples(field) if field is not None and field.values is not None and self.nullable_field(path) is None else ()

    def is_personal(self, path: tuple[str, ...]) -> bool:
        """Whether each recipient has a value of their own."""
        return path[0] in _OF_READERS

    def nullable_field(self, path: tuple[str, ...]) -> Read | None:
        """The field of a profile, or the column of the audience, that a path is, if recipients may have nothing in it."""
        found = self._read(path)
        if found is None:
            return None
        field = found.field.checked_as
        always = field is not None and (field.required or field.name in self._addresses)
        return None if always and not found.steps else found

    def _read(self, path: tuple[str, ...]) -> Read | None:
        """The whole field or column that a path is."""
        found = self._readable.find(path) if path[0] in _OF_READERS else None
        return found if found is not None and not found.rest else None

    def _field(self, path: tuple[str, ...]) -> Field | None:
        found = self._read(path)
        return None if found is None else found.field.checked_as

    def samples(self, path: tuple[str, ...]) -> Samples | None:
        """Values that a path may lead to, or None."""
        if path[0] in _OF_READERS:
            field = self._field(path)
            return Samples(_examples(field), nullable=self.nullable_field(path) is not None) if field else None
        if path[0] == "delivery":
            examples = _DELIVERY.get(path[1]) if len(path) == 2 else None
            return Samples(examples) if examples else None
        known = self.known(path)
        if not known:
            return None
        short = [value for value in known[:MOST_SAMPLES] if value is not None and _is_short(value)]
        return Samples(tuple(short), exact=True, nullable=len(short) < len(known))


def _examples(field: Field) -> tuple[Any, ...]:
    if field.values is not None:
        return tuple(member.name.lower() for member in field.values)
    if field.choices:
        return tuple(int(name) if field.type is FieldType.INTEGER else name for name, _ in field.choices)
    return _EXAMPLES[field.type]


def _is_short(value: Any) -> bool:
    return not isinstance(value, (str, list, dict)) or len(value) <= LONGEST_SAMPLE
