"""By what the rows of a file find their profiles: fields that are known to tell people apart, in the form they are kept in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.db import Connection
from core.errors import Invalid
from core.profiles.addresses import EmailAddress
from core.profiles.errors import BadValue
from core.profiles.fields import Field
from core.profiles.phones import is_region
from core.profiles.team_fields import fields_by_keys
from core.profiles.values import Reading, clean
from core.targeting.errors import closest
from core.targeting.file_rows import as_text
from core.targeting.records import RowKey

OURS = ("id", "external_id", "crypted_id", "email", "mobile_phone", "phone")
MOST_KEYS = 10


@dataclass(frozen=True, slots=True)
class OpenedKey:
    """A key, the field that it asks for, and the profile's column that answers."""

    key: RowKey
    field: Field

    @property
    def column(self) -> str:
        """Of the profile."""
        return "email_key" if self.field.name == "email" else self.field.stored_as or self.field.name

    def read(self, value: Any, reading: Reading) -> Any:
        """A cell in the form in which profiles keep the field; None for nothing, and for what no profile can have."""
        text = as_text(value)
        if text is None:
            return None
        if self.field.name == "id":
            return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
        try:
            found = clean(self.field, text, reading)
        except BadValue:
            return None
        return found.key if isinstance(found, EmailAddress) else found


async def open_row_keys(conn: Connection, keys: Sequence[RowKey]) -> list[OpenedKey]:
    """Raises Invalid (BAD_KEY)."""
    known = await _known(conn)
    if not 1 <= len(keys) <= MOST_KEYS:
        raise Invalid(f"give 1 to {MOST_KEYS} keys", code="BAD_KEY", path="keys", hint="For example email = the column mail.")
    opened = []
    for number, one in enumerate(keys):
        field = known.get(one.field)
        if field is None:
            near = closest(one.field, known)
            raise Invalid(
                f"profiles are not known by {one.field[:80]!r}", code="BAD_KEY", path=f"keys.{number}.field",
                hint=f"Use one of {', '.join(known)}." + (f" Did you mean {near!r}?" if near else ""),
            )  # fmt: skip
        opened.append(OpenedKey(one, field))
    return opened


async def check_row_keys(conn: Connection, keys: Sequence[RowKey], columns: Sequence[str] | None) -> None:
    """Raises Invalid (BAD_KEY) for what cannot be a key; `columns` are those of the file, where they are known."""
    await open_row_keys(conn, keys)
    for number, one in enumerate(keys):
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


async def _known(conn: Connection) -> dict[str, Field]:
    """The fields that may be keys: ours, and those of the team that alone are a unique key which is really built."""
    fields = (await fields_by_keys(conn)).all
    return {name: one for name, one in fields.items() if name in OURS or (one.stored_as is not None and one.unique)}
