"""By what the rows of a file find their profiles: fields that are known to tell people apart, in the form they are kept in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.db import Connection
from core.errors import Invalid
from core.profiles.addresses import EmailAddress
from core.profiles.errors import BadValue
from core.profiles.fields import SQL_TYPES, Field
from core.profiles.phones import is_region
from core.profiles.team_fields import Fields, fields_by_keys
from core.profiles.values import Reading, clean
from core.targeting.errors import closest
from core.targeting.file_rows import as_text
from core.targeting.records import RowKey

OURS = ("id", "external_id", "crypted_id", "email", "mobile_phone", "phone")
MOST_KEYS = 10


@dataclass(frozen=True, slots=True)
class _Part:
    """A field of a key, and the column of the file that holds it."""

    field: Field
    column: str

    @property
    def stored_as(self) -> str:
        """The profile's column that answers."""
        return "email_key" if self.field.name == "email" else self.field.stored_as or self.field.name

    def read(self, data: Mapping[str, Any], reading: Reading) -> Any:
        """A cell in the form in which profiles keep the field; None for nothing, and for what no profile can have."""
        text = as_text(data.get(self.column))
        if text is None:
            return None
        if self.field.name == "id":
            return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
        try:
            found = clean(self.field, text, reading)
        except BadValue:
            return None
        return found.key if isinstance(found, EmailAddress) else found


@dataclass(frozen=True, slots=True)
class OpenedKey:
    """A key with the fields that it asks for."""

    parts: tuple[_Part, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Of the profile."""
        return tuple(one.stored_as for one in self.parts)

    @property
    def types(self) -> tuple[str, ...]:
        """Of the columns, in SQL."""
        return tuple(SQL_TYPES.get(one.field.type, "text") for one in self.parts)

    def read(self, data: Mapping[str, Any], reading: Reading) -> tuple[Any, ...] | None:
        """The values of a row's cells; None where one of them is nothing."""
        values = tuple(one.read(data, reading) for one in self.parts)
        return None if None in values else values


async def open_row_keys(conn: Connection, keys: Sequence[RowKey]) -> list[OpenedKey]:
    """Raises Invalid (BAD_KEY)."""
    fields = await fields_by_keys(conn)
    if not 1 <= len(keys) <= MOST_KEYS:
        raise Invalid(f"give 1 to {MOST_KEYS} keys", code="BAD_KEY", path="keys", hint="For example email = the column mail.")
    return [_opened(one, fields, f"keys.{number}") for number, one in enumerate(keys)]


def _opened(key: RowKey, fields: Fields, path: str) -> OpenedKey:
    if key.also:
        names = [one.field for one in key.parts]
        together = [one.fields for one in fields.keys.values() if len(one.fields) > 1]
        if not any(sorted(names) == sorted(one) for one in together):
            hint = f"There are {'; '.join(' and '.join(one) for one in together)}." if together else "There is no such key."
            told = " and ".join(name[:80] for name in names[:10])
            raise Invalid(f"{told} are no unique key together", code="BAD_KEY", path=path, hint=hint)
        return OpenedKey(tuple(_Part(fields.all[one.field], one.column) for one in key.parts))
    known = {name: one for name, one in fields.all.items() if name in OURS or (one.stored_as is not None and one.unique)}
    field = known.get(key.field)
    if field is None:
        near = closest(key.field, known)
        raise Invalid(
            f"profiles are not known by {key.field[:80]!r}", code="BAD_KEY", path=f"{path}.field",
            hint=f"Use one of {', '.join(known)}." + (f" Did you mean {near!r}?" if near else ""),
        )  # fmt: skip
    return OpenedKey((_Part(field, key.column),))


async def check_row_keys(conn: Connection, keys: Sequence[RowKey], columns: Sequence[str] | None) -> None:
    """Raises Invalid (BAD_KEY) for what cannot be a key; `columns` are those of the file, where they are known."""
    await open_row_keys(conn, keys)
    for number, one in ((number, part) for number, key in enumerate(keys) for part in key.parts):
        if columns is not None and one.column not in columns:
            near = closest(one.column, columns)
            raise Invalid(
                f"the file has no column {one.column[:80]!r}", code="BAD_KEY", path=f"keys.{number}.column",
                hint=f"Did you mean {near!r}?" if near else f"Use one of {', '.join(columns[:30])}.",
            )  # fmt: skip


def check_region(region: str | None) -> None:
    """Raises Invalid (BAD_COUNTRY)."""
    if region is not None and not is_region(region):
        raise Invalid(
            f"{region[:20]!r} is not a country with phone numbers", code="BAD_COUNTRY", path="defaultCountry",
            hint="Use the two letters of ISO 3166-1, such as FR.",
        )  # fmt: skip
