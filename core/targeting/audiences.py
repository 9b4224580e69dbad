"""Saved questions: create, change, delete and list them; count and sample what they ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg

from core.access import Actor, Permission, require
from core.audit import difference, record
from core.authored import changed, check_label, check_name, check_version, name_taken, not_found
from core.db import Connection
from core.errors import Conflict, Invalid, LimitReached
from core.paging import Page, PageRequest, cut
from core.targeting import store
from core.targeting.check import CheckedExpression, check
from core.targeting.json_form import read_stored
from core.targeting.language import Expression, Member
from core.targeting.opening import open_question as open_question
from core.targeting.opening import open_value as open_value
from core.targeting.plans import cheaper
from core.targeting.published import hold_catalogue
from core.targeting.records import Audience, AudienceDraft, AudienceKind
from core.targeting.references import find_references, members_named
from core.targeting.sql import Statement
from core.targeting.text_form import to_text

MAX_SAMPLE = 1_000
PATIENCE = 30.0  # seconds; the doors wait for longer


async def create_audience(conn: Connection, actor: Actor, draft: AudienceDraft) -> Audience:
    """Save a question. Raises ExpressionError, Invalid (BAD_NAME, BAD_LABEL), Conflict (NAME_TAKEN)."""
    require(actor, Permission.EDIT)
    await _hold_names(conn, draft.expression)
    reads, uses = await _check(conn, draft)
    audience = await store.insert_audience(conn, draft, AudienceKind.QUERY, reads, uses, actor.name)
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

    Raises as `create_audience`, NotFound (AUDIENCE_NOT_FOUND), Stale (VERSION_CHANGED), Conflict (IN_USE: it is named by its
    name, which cannot change then), Invalid (AUDIENCE_IS_LIST: it has no question).
    """
    require(actor, Permission.EDIT)
    await _hold_names(conn, changes.get("expression"), renames="name" in changes)
    audience = await lock_audience(conn, audience_id)
    check_version("audience", audience.version, expected_version)
    before = AudienceDraft(name=audience.name, label=audience.label, expression=_stored(audience))
    draft = changed(before, changes)
    if draft == before and draft.expression.text == before.expression.text:
        return audience
    if draft.name != before.name:
        await _check_unnamed(conn, audience, by_itself=True)
    if audience.kind is AudienceKind.LIST:
        draft = _of_list(draft, before)
        _check_words(draft)
        reads: list[str] = []
        uses: list[int] = []
    else:
        reads, uses = await _check(conn, draft)
    try:
        async with conn.transaction():
            updated = await store.update_audience(conn, audience_id, draft, reads, uses)
    except asyncpg.UniqueViolationError:
        raise name_taken("audience", draft.name) from None
    told = difference(_told(before) | {"version": audience.version}, _told(draft) | {"version": updated.version})
    await record(conn, actor, "audience.update", "audience", audience_id, told)
    return updated


def _of_list(draft: AudienceDraft, before: AudienceDraft) -> AudienceDraft:
    if draft.expression != before.expression:
        raise Invalid(
            f"the audience {before.name!r} is a list of people", code="AUDIENCE_IS_LIST", path="expression",
            hint="Add and remove its members, or create an audience of the question.",
        )  # fmt: skip
    return replace(draft, expression=of_list(draft.name))


def of_list(name: str) -> Expression:
    """The question that a list answers: who is on it."""
    return Expression(root=Member(name), text=to_text(Member(name)))


async def delete_audience(conn: Connection, actor: Actor, audience_id: int) -> None:
    """Delete it. Raises NotFound (AUDIENCE_NOT_FOUND), and Conflict (IN_USE) when something refers to it."""
    require(actor, Permission.EDIT)
    await store.hold_names(conn)
    audience = await lock_audience(conn, audience_id)
    await _check_unnamed(conn, audience, by_itself=False)
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
    return await open_question(conn, read_stored(audience.expression))


async def count(
    conn: Connection, checked: CheckedExpression, *, at: datetime, zone: ZoneInfo, patience: float = PATIENCE
) -> int:  # fmt: skip
    """Exactly how many match at this time. Raises LimitReached (QUESTION_TOO_SLOW) after so many seconds."""
    statement = await cheaper(conn, checked, store.counting, at=at, zone=zone)
    return (await _ask(conn, statement, patience))[0]


async def sample(
    conn: Connection, checked: CheckedExpression, *, size: int, at: datetime, zone: ZoneInfo, patience: float = PATIENCE
) -> list[int]:  # fmt: skip
    """The ids of some that match, lowest first. Raises Invalid (BAD_SAMPLE_SIZE), and as `count`."""
    if not 1 <= size <= MAX_SAMPLE:
        raise Invalid(
            f"a sample has 1 to {MAX_SAMPLE} rows, not {size}", code="BAD_SAMPLE_SIZE", path="size",
            hint="Ask for fewer rows.",
        )  # fmt: skip
    return await _ask(conn, await cheaper(conn, checked, store.Sampling(size), at=at, zone=zone), patience)


async def _ask(conn: Connection, statement: Statement, patience: float) -> list[int]:
    """The database is told to stop, too; what this transaction did before is lost."""
    try:
        return await store.fetch_keys(conn, statement, patience)
    except TimeoutError:
        raise LimitReached(
            f"the question takes longer than {patience:g} seconds", code="QUESTION_TOO_SLOW",
            hint="See its examination for an index that would help, narrow it down, or export it: that runs as a job.",
        ) from None  # fmt: skip


async def lock_audience(conn: Connection, audience_id: int) -> Audience:
    """The audience, held against other changes. Raises NotFound (AUDIENCE_NOT_FOUND)."""
    audience = await store.lock_audience(conn, audience_id)
    if audience is None:
        raise not_found("audience", audience_id)
    return audience


async def _check_unnamed(conn: Connection, audience: Audience, *, by_itself: bool) -> None:
    names = await store.is_named(conn, audience.id, by_itself=by_itself)
    if names:
        raise Conflict(
            f"the audience {audience.name!r} is named by {', '.join(map(repr, names))}", code="IN_USE", path="name",
            hint="Change the questions of those first.",
        )  # fmt: skip


def _stored(audience: Audience) -> Expression:
    return Expression(root=read_stored(audience.expression).root, text=audience.expression_text)


async def _hold_names(conn: Connection, expression: Expression | None, *, renames: bool = False) -> None:
    """Before any audience is held: who saves a question that names others, or takes a name away, waits for whoever does now."""
    if renames or (expression is not None and any(members_named(expression.root))):
        await store.hold_names(conn)


def _check_words(draft: AudienceDraft) -> None:
    check_name(draft.name)
    check_label(draft.label)


async def _check(conn: Connection, draft: AudienceDraft) -> tuple[list[str], list[int]]:
    """What the question reads, and the audiences that it names."""
    _check_words(draft)
    catalogue = await hold_catalogue(conn)
    references = await find_references(conn, draft.expression.root, catalogue, saved_as=draft.name)
    checked = check(draft.expression, catalogue, audiences=references.audiences)
    reads = sorted(checked.reads | {f"{entity}.*" for entity in checked.entities})
    return reads, sorted({one.id for one in references.held})


def _told(draft: AudienceDraft) -> dict[str, Any]:
    """What the audit keeps. A question may name people, so its text stays out; its version tells of it."""
    return {"name": draft.name, "label": draft.label}
