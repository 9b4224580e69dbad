"""Pages of people for whom a question holds, in the order of any field of theirs, ours or the team's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from core.datamodel.present import per_model, present_model
from core.datamodel.records import FieldKind, Model
from core.db import Connection
from core.profiles.records import Profile
from core.profiles.store.profiles import profile_of
from core.rows import pages, store
from core.rows.listing import as_published, patient
from core.rows.records import Order, ProfilePage
from core.rows.shape import Shape, shapes_of
from core.targeting import audiences
from core.targeting.catalogue import PROFILE
from core.targeting.check import CheckedExpression

_OURS = tuple(Profile.__dataclass_fields__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _People:
    """What is read of people in the order of a column: a profile, and that column."""

    selected: tuple[str, ...]
    table: str = "profile"
    living: str | None = "merged_into"  # who is merged into another is no row


@dataclass(frozen=True, slots=True, kw_only=True)
class _Orders:
    """The orders that there are, by the name of the field."""

    keys: Mapping[str, pages.Sorted]
    people: Mapping[str, _People]  # by column


@per_model
def _orders_of(model: Model) -> _Orders:
    keys = {
        field.name: pages.Sorted(column=field.column, kind=FieldKind(field.kind), nullable=field.nullable)
        for field in PROFILE.fields.values()
        if field.derived is None and not field.values and field.kind.value in pages.ORDERED
    }
    shape: Shape | None = shapes_of(model).get("profile")
    keys |= pages.sorted_fields(shape) if shape is not None else {}
    people = {one.column: _People(selected=tuple(dict.fromkeys([*_OURS, one.column]))) for one in keys.values()}
    return _Orders(keys=MappingProxyType(keys), people=MappingProxyType(people))


async def list_people(
    conn: Connection,
    *,
    where: CheckedExpression | None,
    order: Order,
    first: int,
    after: str | None = None,
    at: datetime,
    zone: ZoneInfo,
    patience: float = audiences.PATIENCE,
) -> ProfilePage:
    """A page of them, without those that are merged into others.

    Raises Invalid (UNKNOWN_FIELD: they have no such order; BAD_CURSOR), LimitReached (QUESTION_TOO_SLOW), Stale
    (MODEL_CHANGED).
    """
    orders = _orders_of(await present_model(conn))
    key = pages.sort_key(order, orders.keys, "profiles")
    started = None if after is None else key.read_cursor(after)
    people = orders.people[key.column]
    statement = pages.page_statement(people, key, where, first + 1, started, at=at, zone=zone)
    async with as_published(), patient(patience):
        found = await store.fetch(conn, statement, patience)
    rows = [profile_of(tuple(one)[: len(_OURS)]) for one in found[:first]]
    cursors = [key.cursor(one[key.column], one["id"]) for one in found[:first]]
    return ProfilePage(rows=rows, cursors=cursors, has_next=len(found) > first)
