"""Saved questions: create, change, delete and list them; count and sample what they ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg

from core.access import Actor, Permission, require
from core.audit import difference, record
from core.authored import changed, check_label, check_name, check_version, name_taken, not_found
from core.db import Connection
from core.errors import Conflict, Invalid
from core.paging import Page, PageRequest, cut
from core.targeting import store
from core.targeting.catalogue import Catalogue
from core.targeting.check import CheckedExpression, check
from core.targeting.json_form import read_stored
from core.targeting.language import Expression
from core.targeting.published import hold_catalogue, present_catalogue
from core.targeting.records import Audience, AudienceDraft
from core.targeting.sql import population

MAX_SAMPLE = 1_000


async def create_audience(conn: Connection, actor: Actor, draft: AudienceDraft) -> Audience:
    """Save a question. Raises ExpressionError, Invalid (BAD_NAME, BAD_LABEL), Conflict (NAME_TAKEN)."""
    require(actor, Permission.EDIT)
    _check(draft, await hold_catalogue(conn))
    audience = await store.insert_audience(conn, draft, actor.name)
    if audience is None:
        raise name_taken("audience", draft.name)
    told = difference({}, _told(draft) | {"version": audience.version})
    await record(conn, actor, "audience.create", "audience", audience.id, told)
    return audience


async def update_audience(
    conn: Connection,
    actor: Actor,
    audience_id: int,
    changes: Mapping[str, Any],
    *,
    expected_version: int | None = None,
) -> Audience:
    """Change `name`, `label` or `expression` (an Expression). What changes nothing makes no new version.

    Raises as `create_audience`, NotFound (AUDIENCE_NOT_FOUND), Stale (VERSION_CHANGED).
    """
    require(actor, Permission.EDIT)
    audience = await _lock(conn, audience_id)
    check_version("audience", audience.version, expected_version)
    before = AudienceDraft(name=audience.name, label=audience.label, expression=_stored(audience))
    draft = changed(before, changes)
    if draft == before and draft.expression.text == before.expression.text:
        return audience
    _check(draft, await hold_catalogue(conn))
    try:
        async with conn.transaction():
            updated = await store.update_audience(conn, audience_id, draft)
    except asyncpg.UniqueViolationError:
        raise name_taken("audience", draft.name) from None
    told = difference(_told(before) | {"version": audience.version}, _told(draft) | {"version": updated.version})
    await record(conn, actor, "audience.update", "audience", audience_id, told)
    return updated


async def delete_audience(conn: Connection, actor: Actor, audience_id: int) -> None:
    """Delete it. Raises NotFound (AUDIENCE_NOT_FOUND), and Conflict (IN_USE) when something refers to it."""
    require(actor, Permission.EDIT)
    audience = await _lock(conn, audience_id)
    try:
        async with conn.transaction():
            await store.delete_audience(conn, audience_id)
    except asyncpg.ForeignKeyViolationError:
        raise Conflict(
            f"the audience {audience.name!r} is in use", code="IN_USE", hint="Delete what refers to it first."
        ) from None
    await record(conn, actor, "audience.delete", "audience", audience_id, {"name": {"from": audience.name}})


async def get_audience(conn: Connection, audience_id: int) -> Audience:
    """Raises NotFound (AUDIENCE_NOT_FOUND)."""
    audience = await store.find_audience(conn, audience_id)
    if audience is None:
        raise not_found("audience", audience_id)
    return audience


async def find_audiences(conn: Connection, ids: Sequence[int]) -> list[Audience]:
    """Those of the audiences that exist, by id; one statement however many."""
    return await store.find_audiences(conn, ids)


async def find_audience_by_name(conn: Connection, name: str) -> Audience | None:
    """The audience of this name, if there is one."""
    return await store.find_audience_by_name(conn, name)


async def list_audiences(conn: Connection, page: PageRequest) -> Page[Audience]:
    """Audiences, oldest first."""
    return cut(await store.list_audiences(conn, after=page.after, limit=page.first + 1), page)


async def count_audiences(conn: Connection) -> int:
    """How many audiences there are."""
    return await store.count_audiences(conn)


async def open_audience(conn: Connection, audience: Audience) -> CheckedExpression:
    """Its question, held against the present catalogue. Raises ExpressionError, placed in the JSON."""
    return check(_stored(audience), await present_catalogue(conn))


async def count(conn: Connection, checked: CheckedExpression, *, at: datetime, zone: ZoneInfo) -> int:
    """Exactly how many match at this time."""
    return await store.count_population(conn, population(checked, at=at, zone=zone))


async def sample(conn: Connection, checked: CheckedExpression, *, size: int, at: datetime, zone: ZoneInfo) -> list[int]:
    """The ids of some that match, lowest first. Raises Invalid (BAD_SAMPLE_SIZE)."""
    if not 1 <= size <= MAX_SAMPLE:
        raise Invalid(
            f"a sample has 1 to {MAX_SAMPLE} rows, not {size}", code="BAD_SAMPLE_SIZE", path="size",
            hint="Ask for fewer rows.",
        )  # fmt: skip
    return await store.sample_population(conn, population(checked, at=at, zone=zone), size)


async def _lock(conn: Connection, audience_id: int) -> Audience:
    audience = await store.lock_audience(conn, audience_id)
    if audience is None:
        raise not_found("audience", audience_id)
    return audience


def _stored(audience: Audience) -> Expression:
    return Expression(root=read_stored(audience.expression).root, text=audience.expression_text)


def _check(draft: AudienceDraft, catalogue: Catalogue) -> None:
    check_name(draft.name)
    check_label(draft.label)
    check(draft.expression, catalogue)


def _told(draft: AudienceDraft) -> dict[str, Any]:
    """What the audit keeps. A question may name people, so its text stays out; its version tells of it."""
    return {"name": draft.name, "label": draft.label}
