"""Lists: audiences whose members were put there, by hand or from a question as it was answered once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select

from core.access import Actor, Permission, require
from core.audit import record
from core.authored import name_taken
from core.db import Connection
from core.errors import Invalid
from core.paging import Page, PageRequest, cut
from core.targeting import member_store, store
from core.targeting.audiences import check_words, lock_audience, of_list, open_audience, open_question
from core.targeting.enrichment import ComputedColumn, OpenedColumn, enriched, open_columns
from core.targeting.language import Expression
from core.targeting.records import Audience, AudienceDraft, AudienceKind, AudienceMember
from core.targeting.sql import population

MOST_BY_HAND = 10_000  # people of one call

_WHAT = {AudienceKind.QUERY: "question", AudienceKind.FILE: "file", AudienceKind.EXTERNAL: "segment of an outside system"}

Whom = Expression | Sequence[int]  # a question, or profiles by their numbers


async def create_list(
    conn: Connection, actor: Actor, *, name: str, label: str, whom: Whom, now: datetime, zone: ZoneInfo,
    columns: Sequence[ComputedColumn] = (), description: str = "", expires_at: datetime | None = None,
) -> Audience:  # fmt: skip
    """A list of whom a question finds now, or of some people. `columns`: what those whom a question finds bring along.

    Raises ExpressionError, Invalid (BAD_NAME, BAD_LABEL, BAD_VALUE, BAD_DESCRIPTION, BAD_EXPIRY, BAD_COLUMN and others of
    columns), Conflict (NAME_TAKEN).
    """
    require(actor, Permission.EDIT)
    draft = AudienceDraft(
        name=name, label=label, expression=of_list(name), description=description, expires_at=expires_at
    )  # fmt: skip
    check_words(draft)
    opened = await open_columns(conn, columns)
    if opened and not isinstance(whom, Expression):
        raise Invalid(
            "people who are named one by one bring no columns", code="BAD_COLUMN", path="columns",
            hint="Say by an expression whom the list has.",
        )  # fmt: skip
    audience = await store.insert_audience(conn, draft, AudienceKind.LIST, [], [], actor.name)
    if audience is None:
        raise name_taken("audience", name)
    await store.insert_columns(conn, audience.id, [one.column for one in opened])
    added = await _add(conn, audience.id, whom, now, zone, opened)
    await record(conn, actor, "audience.create", "audience", audience.id, {"name": {"to": name}, "members": {"to": added}})
    return audience


async def freeze_audience(
    conn: Connection, actor: Actor, audience_id: int, *, name: str, label: str, now: datetime, zone: ZoneInfo,
    columns: Sequence[ComputedColumn] = (), expires_at: datetime | None = None,
) -> Audience:  # fmt: skip
    """A list of whom an audience finds now, which later changes of the audience leave alone. Raises as `create_list`."""
    require(actor, Permission.EDIT)
    audience = await lock_audience(conn, audience_id)
    checked = await open_audience(conn, audience)
    return await create_list(
        conn, actor, name=name, label=label, whom=checked.expression, now=now, zone=zone, columns=columns,
        expires_at=expires_at,
    )  # fmt: skip


async def add_to_list(
    conn: Connection, actor: Actor, audience_id: int, whom: Whom, *, now: datetime, zone: ZoneInfo
) -> tuple[Audience, int]:
    """Put people on a list; how many were not on it before. Raises NotFound, ExpressionError, Invalid (NOT_A_LIST)."""
    audience = await _open(conn, actor, audience_id)
    added = await _add(conn, audience_id, whom, now, zone)
    return await _changed(conn, actor, audience, "audience.add", added), added


async def remove_from_list(
    conn: Connection, actor: Actor, audience_id: int, whom: Whom, *, now: datetime, zone: ZoneInfo
) -> tuple[Audience, int]:
    """Take people off a list; how many were on it. Raises NotFound, ExpressionError, Invalid (NOT_A_LIST)."""
    audience = await _open(conn, actor, audience_id)
    if isinstance(whom, Expression):
        found = population(await open_question(conn, whom), at=now, zone=zone)
        removed = await member_store.remove_members(conn, audience_id, found)
    else:
        removed = await member_store.remove_people(conn, audience_id, _bounded(whom))
    return await _changed(conn, actor, audience, "audience.remove", removed), removed


async def replace_list(
    conn: Connection, actor: Actor, audience_id: int, wanted: Select[Any], gone: Select[Any], *, now: datetime
) -> Audience:
    """Have these people on a list, and those not: two populations, at once. Raises NotFound, Invalid (NOT_A_LIST)."""
    audience = await _open(conn, actor, audience_id)
    removed = await member_store.remove_members(conn, audience_id, gone)
    added = await member_store.add_members(conn, audience_id, wanted, now)
    if not added and not removed:
        return audience
    await record(conn, actor, "audience.replace", "audience", audience_id, {"added": {"to": added}, "removed": {"to": removed}})
    return await store.touch_audience(conn, audience_id)


async def list_members(conn: Connection, audience_id: int, page: PageRequest) -> Page[AudienceMember]:
    """Who is on a list, by number."""
    rows = await member_store.list_members(conn, audience_id, after=page.after, limit=page.first + 1)
    return cut(rows, page)


async def count_members(conn: Connection, audience_id: int) -> int:
    """How many are on a list."""
    return await member_store.count_members(conn, audience_id)


async def _add(
    conn: Connection, audience_id: int, whom: Whom, now: datetime, zone: ZoneInfo, columns: Sequence[OpenedColumn] = ()
) -> int:
    if isinstance(whom, Expression):
        found, data = enriched(await open_question(conn, whom), columns, at=now, zone=zone)
        return await member_store.add_members(conn, audience_id, found, now, data)
    return await member_store.add_people(conn, audience_id, _bounded(whom), now) if whom else 0


async def _open(conn: Connection, actor: Actor, audience_id: int) -> Audience:
    require(actor, Permission.EDIT)
    audience = await lock_audience(conn, audience_id)
    if audience.kind is not AudienceKind.LIST:
        raise Invalid(
            f"the audience {audience.name!r} is a {_WHAT[audience.kind]}, not a list", code="NOT_A_LIST", path="id",
            hint="Change its expression, its file or its ids, or freeze it into a list.",
        )  # fmt: skip
    return audience


async def _changed(conn: Connection, actor: Actor, audience: Audience, action: str, people: int) -> Audience:
    """Other members are another version; the same are none."""
    if not people:
        return audience
    await record(conn, actor, action, "audience", audience.id, {"members": {"to": people}})
    return await store.touch_audience(conn, audience.id)


def _bounded(profile_ids: Sequence[int]) -> Sequence[int]:
    if len(profile_ids) > MOST_BY_HAND:
        raise Invalid(
            f"give up to {MOST_BY_HAND:,} people", code="BAD_VALUE", path="profileIds",
            hint="Give several calls, or an expression.",
        )  # fmt: skip
    return profile_ids
