"""Reads what is told of an event against its type. Pure: nothing is looked up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from difflib import get_close_matches
from functools import partial
from hashlib import sha256
from typing import Any

import msgspec

from core.datamodel.physical import column_of, sql_type
from core.datamodel.present import per_model
from core.datamodel.records import FieldKind
from core.errors import ClarionError, Invalid, NotFound
from core.events.physical import KEY_LENGTH
from core.events.records import EventField, EventType, EventTypes, SentEvent, UnknownFields
from core.profiles.errors import BadValue, shown
from core.profiles.fields import Field, FieldType
from core.profiles.identities import ProfileReference, checked
from core.profiles.team_fields import field_of
from core.profiles.typed_values import read_typed

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
AHEAD = timedelta(minutes=10)  # clocks of others may be so far before ours
HASH_BYTES = 16

Plain = Callable[[Any], bool]

_encode = msgspec.json.Encoder(order="sorted").encode
_as_json = msgspec.json.Encoder(order="sorted", decimal_format="number").encode


@dataclass(slots=True, eq=False)  # not frozen: that takes four times as long, and there are many
class ReadEvent:
    """An event that its type allows. `values` are those of the type's columns, in their order."""

    index: int
    type: EventType
    reference: ProfileReference
    occurred_at: datetime
    key: str
    key_hash: bytes
    digest: bytes  # of the content, as it was told: who the profile turns out to be is no part of it
    values: tuple[Any, ...]  # a JSON as its text


class TypeReader:
    """Reads events of one type."""

    def __init__(self, event_type: EventType):
        self.type = event_type
        self.columns = {column_of(one.name): sql_type(one) for one in event_type.fields}  # the types of columns, by name
        self._fields: tuple[tuple[str, Field, bool, Plain], ...] = tuple(
            (one.name, field_of(one), one.required, _plain(one)) for one in event_type.fields
        )
        self._names = frozenset(one.name for one in event_type.fields)
        self._refuses = event_type.unknown_fields is UnknownFields.REFUSE
        self._kept = None if event_type.retention_days is None else timedelta(days=event_type.retention_days)

    def read(self, index: int, sent: SentEvent, now: datetime) -> ReadEvent:
        """Raises Invalid."""
        reference = checked(sent.profile)
        occurred_at = self._moment(sent.occurred_at, now)
        key = _key(sent.key)
        values, given = self._payload(sent.payload)
        content = _encode((reference.kind, reference.value, occurred_at, given))
        digest = sha256(content).digest()[:HASH_BYTES]
        return ReadEvent(index, self.type, reference, occurred_at, key, key_hash(key), digest, values)

    def _moment(self, told: datetime | str, now: datetime) -> datetime:
        try:
            moment = datetime.fromisoformat(told) if isinstance(told, str) else told
            aware = moment.tzinfo is not None
            moment = moment.astimezone(UTC)
        except (ValueError, OverflowError):
            aware = False
        if not aware:
            raise Invalid(
                f"{shown(told)} is not an instant", code="BAD_DATE", path="occurred_at",
                hint="Write it like 2026-03-01T09:00:00Z, with Z or an offset.",
            )  # fmt: skip
        if moment > now + AHEAD:
            raise Invalid(
                f"{shown(told)} is in the future", code="IN_THE_FUTURE", path="occurred_at",
                hint="Tell an event when it has happened; up to ten minutes are taken for a clock that is fast.",
            )  # fmt: skip
        if moment < EARLIEST or (self._kept is not None and moment < now - self._kept):
            raise Invalid(
                f"{shown(told)} is longer ago than events of this type are kept", code="TOO_OLD", path="occurred_at",
                hint="Leave it out, or let events of this type be kept for longer.",
            )  # fmt: skip
        return moment

    def _payload(self, payload: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The values of the columns, and those that are there by name."""
        values: list[Any] = []
        given: dict[str, Any] = {}
        known = 0
        for name, field, required, is_plain in self._fields:
            value = payload.get(name)
            if value is None:
                known += name in payload
            else:
                known += 1
                if not is_plain(value):
                    value = _value(field, name, value)
                if value is not None:
                    given[name] = value
            if value is None and required:
                raise Invalid(f"{field.label} is missing", code="REQUIRED", path=f"payload.{name}", hint="Give it a value.")
            values.append(value)
        if self._refuses and known < len(payload):
            raise self._unknown(payload)
        return tuple(values), given

    def _unknown(self, payload: Mapping[str, Any]) -> Invalid:
        stranger = next(name for name in payload if name not in self._names)
        near = get_close_matches(stranger[:80], self._names, 1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Fields: {', '.join(sorted(self._names)) or 'none'}."
        return Invalid(f"{self.type.name} has no field {shown(stranger)}", code="UNKNOWN_FIELD", path="payload", hint=hint)


def _plain(field: EventField) -> Plain:
    """Tells which values are stored as they came. That is most of them, and the others are looked at closely."""
    if field.kind is FieldKind.ENUMERATION:
        names = frozenset(choice.name for choice in field.choices)
        return lambda value: type(value) is str and value in names
    if field.choices:
        return _never
    if field.kind is FieldKind.TEXT:
        return partial(_is_plain_text, field.max_length or 0)
    return _PLAIN.get(field.kind, _never)


def _is_plain_text(longest: int, value: Any) -> bool:
    return (
        type(value) is str
        and 0 < len(value) <= longest
        and value.isascii()
        and value.isprintable()
        and value[0] != " "
        and value[-1] != " "
    )


def _is_plain_decimal(value: Any) -> bool:
    return type(value) is Decimal and value.is_finite() and -50 < value.adjusted() < 50 and len(str(value)) < 100


def _is_plain_integer(value: Any) -> bool:
    return type(value) is int and -(2**63) <= value < 2**63


def _is_boolean(value: Any) -> bool:
    return type(value) is bool


def _never(value: Any) -> bool:
    return False


_PLAIN: Mapping[FieldKind, Plain] = {
    FieldKind.DECIMAL: _is_plain_decimal,
    FieldKind.INTEGER: _is_plain_integer,
    FieldKind.BOOLEAN: _is_boolean,
}


def _value(field: Field, name: str, value: object) -> Any:
    try:
        found = read_typed(field, value)
    except BadValue as error:
        raise error.at(f"payload.{name}", field.label) from None
    return _as_json(found).decode() if field.type is FieldType.JSON else found


def _key(key: str) -> str:
    if 1 <= len(key) <= KEY_LENGTH and key.isprintable():
        return key
    raise Invalid(
        f"a key has 1 to {KEY_LENGTH} printable characters", code="BAD_KEY", path="key",
        hint="Use what names the event where it comes from, such as the order's number.",
    )  # fmt: skip


def key_hash(key: str) -> bytes:
    """By which a key is known."""
    return sha256(key.encode()).digest()[:HASH_BYTES]


@per_model
def readers_of(types: EventTypes) -> Mapping[str, TypeReader]:
    """A reader for each type, by name."""
    return {name: TypeReader(one) for name, one in types.by_name.items()}


@dataclass(frozen=True, slots=True)
class Batch:
    """Events of one call with what was read of them: each event as its type allows it, or what is wrong with it."""

    types: EventTypes  # by which they were read
    sent: Sequence[SentEvent]
    found: Sequence[ReadEvent | ClarionError]


def read_events(types: EventTypes, sent: Sequence[SentEvent], now: datetime) -> Batch:
    """Read each event by its type."""
    return Batch(types, sent, list(_read(types, readers_of(types), sent, now)))


def _read(
    types: EventTypes, readers: Mapping[str, TypeReader], sent: Sequence[SentEvent], now: datetime
) -> Iterator[ReadEvent | ClarionError]:
    for index, one in enumerate(sent):
        reader = readers.get(one.type)
        if reader is None:
            yield _unknown_type(types, one.type)
            continue
        try:
            yield reader.read(index, one, now)
        except ClarionError as error:
            yield error


def _unknown_type(types: EventTypes, name: str) -> NotFound:
    near = get_close_matches(name[:80], types.by_name, 1)
    hint = f"Did you mean {near[0]!r}?" if near else "Save the type first."
    return NotFound(f"there is no event type {shown(name)}", code="EVENT_TYPE_NOT_FOUND", path="type", hint=hint)
