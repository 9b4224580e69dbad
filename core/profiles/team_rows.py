"""What rows of our tables have in the fields that the team has published for them: read, checked, written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeAlias

from core.datamodel.physical import MIRRORS, column_of, link_column
from core.datamodel.present import present_model
from core.datamodel.refusals import Refused, refusal
from core.db import Connection
from core.errors import ClarionError
from core.profiles.fields import Field
from core.profiles.store import team_rows as store
from core.profiles.team_fields import team_fields_of
from core.profiles.team_values import PATH, clean_team_values
from core.profiles.typed_values import is_same

Values: TypeAlias = Mapping[str, Any]
NO_VALUES: Values = MappingProxyType({})


class Extended(StrEnum):
    """What has fields of the team: the name of its table."""

    PROFILE = "profile"
    TEST_PROFILE = "test_profile"
    SERVICE = "service"
    CAMPAIGN = "campaign"
    DELIVERY = "delivery"
    APP_SUBSCRIPTION = "app_subscription"

    @property
    def entity(self) -> str:
        """By which the model knows it: test profiles have the fields of profiles."""
        return next((entity for entity, mirror in MIRRORS.items() if mirror == self), self.value)


@dataclass(frozen=True, slots=True)
class Linked:
    """What a link holds: the number of a row of an entity."""

    entity: str
    key: int


async def get_team_values(conn: Connection, of: Extended, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """What those of the given rows that exist have, by id and by the name of the field or link."""
    fields = team_fields_of(await present_model(conn), of.entity)
    if not fields:
        return {one: {} for one in ids}
    found = await store.get_columns(conn, of, ids, [one.column for one in fields.values()])
    return {key: {name: as_told(one, row[one.column]) for name, one in fields.items()} for key, row in found.items()}


def as_told(field: Field, value: Any) -> Any:
    """A value of a field, or of a link, as it is told."""
    return value if value is None or field.leads_to is None else Linked(field.leads_to, value)


async def clean_new(conn: Connection, of: Extended, given: Values) -> dict[str, Any]:
    """The columns that values set, a link by the number of its row. Raises FieldsInvalid with every problem at once."""
    return clean_team_values(team_fields_of(await present_model(conn), of.entity), given) if given else {}


async def clean_changed(conn: Connection, of: Extended, row_id: int, given: Values) -> dict[str, Any]:
    """The columns of a row that values change. Raises as `clean_new`."""
    columns = await clean_new(conn, of, given)
    if not columns:
        return columns
    kept = (await store.get_columns(conn, of, [row_id], list(columns)))[row_id]
    return {column: value for column, value in columns.items() if not is_same(value, kept[column])}


async def write(conn: Connection, of: Extended, row_id: int, columns: Mapping[str, Any]) -> None:
    """Write what was cleaned. Raises what the database refuses."""
    if columns:
        await store.set_columns(conn, of, row_id, columns)


def told(given: Values, columns: Mapping[str, Any]) -> list[str]:
    """The names of what changed, which is all that an audit keeps: a team may mark what it holds as personal."""
    return sorted(name for name in given if not columns.keys().isdisjoint((column_of(name), link_column(name))))


def told_apart(given: Values, columns: Mapping[str, Any]) -> dict[str, Any]:
    """The same beside the changes of our own fields."""
    names = told(given, columns)
    return {PATH: names} if names else {}


async def refused(conn: Connection, error: Refused) -> ClarionError | None:
    """What the database refuses because of the model, at its place among the values; None: for another reason."""
    found = await refusal(conn, error)
    if found is not None and found.code in ("VALUE_TAKEN", "TARGET_GONE") and found.path is not None:
        found.path = f"{PATH}.{found.path}"
    return found
