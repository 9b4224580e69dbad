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
from core.authored import LABEL_LENGTH, changed, check_label, check_name, check_version, name_taken, not_found
from core.db import Connection
from core.errors import Conflict, Invalid, LimitReached
from core.files import let_go
from core.paging import Page, PageRequest, cut
from core.targeting import filter_store, store
from core.targeting.check import CheckedExpression, check
from core.targeting.describe import describe
from core.targeting.expansion import filters_called
from core.targeting.json_parse import read_stored
from core.targeting.language import Expression, Member
from core.targeting.opening import check_entity as check_entity
from core.targeting.opening import open_question as open_question
from core.targeting.opening import open_value as open_value
from core.targeting.plans import cheaper
from core.targeting.published import hold_catalogue
from core.targeting.records import Audience, AudienceDraft, AudienceKind
from core.targeting.references import find_references, members_named
from core.targeting.sql import Statement
from core.targeting.text_form import to_text

MAX_SAMPLE = 1_000
DESCRIPTION_LENGTH = 2_000
PATIENCE = 30.0  # seconds; the doors wait for longer


async def create_audience(conn: Connection, actor: Actor, draft: AudienceDraft) -> Audience:
    """Save a question; without a label it is called by what it asks.

    Raises ExpressionError, Invalid (BAD_NAME, BAD_LABEL), Conflict (NAME_TAKEN).
    """
    require(actor, Permission.EDIT)
    await _hold_names(conn, draft.expression)
    if not draft.label:
        draft = replace(draft, label=_generated(await open_question(conn, draft.expression)))
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
    """Change `name`, `label`, `description`, `expires_at` or `expression` (an Expression). What changes nothing makes no new
    version.

    Raises as `create_audience`, NotFound (AUDIENCE_NOT_FOUND), Stale (VERSION_CHANGED), Conflict (IN_USE: it is named by its
    name, which cannot change then), Invalid (AUDIENCE_IS_LIST: it has no question).
    """
    require(actor, Permission.EDIT)
    await _hold_names(conn, changes.get("expression"), renames="name" in changes)
    audience = await lock_audience(conn, audience_id)
    check_version("audience", audience.version, expected_version)
    before = AudienceDraft(
        name=audience.name, label=audience.label, expression=stored_question(audience), description=audience.description,
        expires_at=audience.expires_at,
    )  # fmt: skip
    draft = changed(before, changes)
    if draft == before and draft.expression.text == before.expression.text:
        return audience
    if draft.name != before.name:
        await _check_unnamed(conn, audience, by_itself=True)
    if audience.kind is not AudienceKind.QUERY:
        draft = _of_list(draft, before)
        check_words(draft)
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


def _generated(checked: CheckedExpression) -> str:
    """A label made of the question in plain words, as much of it as fits (3.21)."""
    told = "".join(sign for sign in describe(checked) if sign.isprintable())
    return told if len(told) <= LABEL_LENGTH else f"{told[: LABEL_LENGTH - 1].rstrip()}…"


def _of_list(draft: AudienceDraft, before: AudienceDraft) -> AudienceDraft:
    if draft.expression != before.expression:
        raise Invalid(
            f"the audience {before.name!r} is a list of people, not a question", code="AUDIENCE_IS_LIST", path="expression",
            hint="Add and remove its members, or create an audience of the question.",
        )  # fmt: skip
    return replace(draft, expression=of_list(draft.name))


def of_list(name: str) -> Expression:
    """The question that a list answers: who is on it."""
    return Expression(root=Member(name), text=to_text(Member(name)))


async def delete_audience(conn: Connection, actor: Actor, audience_id: int, now: datetime) -> None:
    """Delete it, with its rows and members.

    Raises NotFound (AUDIENCE_NOT_FOUND), Conflict (IN_USE) when something refers to it.
    """
    require(actor, Permission.EDIT)
    await store.hold_names(conn)
    audience = await lock_audience(conn, audience_id)
    await _check_unnamed(conn, audience, by_itself=False)
    try:
        async with conn.transaction():
            await let_files_go(conn, [audience_id], now)
            await store.delete_audience(conn, audience_id)
    except asyncpg.ForeignKeyViolationError:
        raise Conflict(
            f"the audience {audience.name!r} is in use", code="IN_USE", hint="Delete what refers to it first."
        ) from None
    await record(conn, actor, "audience.delete", "audience", audience_id, {"name": {"from": audience.name}})


async def let_files_go(conn: Connection, ids: Sequence[int], now: datetime) -> None:
    """Nobody works with the files of these audiences any more."""
    for file_id in await store.list_files(conn, ids):
        await let_go(conn, file_id, now)


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
    check_sample_size(size)
    return await _ask(conn, await cheaper(conn, checked, store.Sampling(size), at=at, zone=zone), patience)


async def _ask(conn: Connection, statement: Statement, patience: float) -> list[int]:
    """The database is told to stop, too; what this transaction did before is lost."""
    try:
        return await store.fetch_keys(conn, statement, patience)
    except TimeoutError:
        raise too_slow(patience) from None


def too_slow(seconds: float) -> LimitReached:
    """The error of a question that was given up."""
    return LimitReached(
        f"the question takes longer than {seconds:g} seconds", code="QUESTION_TOO_SLOW",
        hint="See its examination for an index that would help, narrow it down, or ask it as a job: startCount, startFreeze.",
    )  # fmt: skip


def check_sample_size(size: int) -> None:
    """Raises Invalid (BAD_SAMPLE_SIZE)."""
    if not 1 <= size <= MAX_SAMPLE:
        raise Invalid(
            f"a sample has 1 to {MAX_SAMPLE} rows, not {size}", code="BAD_SAMPLE_SIZE", path="size",
            hint="Ask for fewer rows.",
        )  # fmt: skip


async def lock_audience(conn: Connection, audience_id: int) -> Audience:
    """The audience, held against other changes. Raises NotFound (AUDIENCE_NOT_FOUND)."""
    audience = await store.lock_audience(conn, audience_id)
    if audience is None:
        raise not_found("audience", audience_id)
    return audience


async def _check_unnamed(conn: Connection, audience: Audience, *, by_itself: bool) -> None:
    names = await store.is_named(conn, audience.id, by_itself=by_itself)
    names += await filter_store.filters_naming(conn, audience.name)
    if names:
        raise Conflict(
            f"the audience {audience.name!r} is named by {', '.join(map(repr, names))}", code="IN_USE", path="name",
            hint="Change the questions of those first.",
        )  # fmt: skip


def stored_question(audience: Audience) -> Expression:
    """The question of an audience as its author wrote it."""
    return Expression(root=read_stored(audience.expression).root, text=audience.expression_text)


async def _hold_names(conn: Connection, expression: Expression | None, *, renames: bool = False) -> None:
    """Before any audience is held: who saves a question that names others, or takes a name away, waits for whoever does now."""
    if renames or (expression is not None and (any(members_named(expression.root)) or any(filters_called(expression.root)))):
        await store.hold_names(conn)


def check_words(draft: AudienceDraft) -> None:
    """Raises Invalid (BAD_NAME, BAD_LABEL, BAD_DESCRIPTION, BAD_EXPIRY)."""
    check_name(draft.name)
    check_label(draft.label)
    text = draft.description
    if len(text) > DESCRIPTION_LENGTH or "\0" in text or any("\ud800" <= sign <= "\udfff" for sign in text):
        raise Invalid(
            f"a description has up to {DESCRIPTION_LENGTH} characters that can be stored", code="BAD_DESCRIPTION",
            path="description",
        )  # fmt: skip
    if draft.expires_at is not None and draft.expires_at.tzinfo is None:
        raise Invalid(
            "the time at which an audience expires has no time zone", code="BAD_EXPIRY", path="expires_at",
            hint="Write it with an offset, such as 2030-01-31T09:00:00+01:00.",
        )  # fmt: skip


async def _check(conn: Connection, draft: AudienceDraft) -> tuple[list[str], list[int]]:
    """What the question reads, and the audiences that it names."""
    check_words(draft)
    return await read_question(conn, draft.expression, saved_as=draft.name)


async def read_question(conn: Connection, expression: Expression, *, saved_as: str) -> tuple[list[str], list[int]]:
    """What a question that is saved under a name reads, and the audiences that it names. Raises ExpressionError."""
    catalogue = await hold_catalogue(conn)
    references = await find_references(conn, expression.root, catalogue, saved_as=saved_as)
    checked = check(Expression(root=references.root, text=expression.text), catalogue, audiences=references.audiences)
    return all_reads(checked), sorted({one.id for one in references.held})


def all_reads(checked: CheckedExpression) -> list[str]:
    """The fields and links that a question reads, the entities to which links led, and what it is about, if no profile."""
    entities = checked.entities | ({checked.entity.name} - {"profile"})
    return sorted(checked.reads | {f"{entity}.*" for entity in entities})


def _told(draft: AudienceDraft) -> dict[str, Any]:
    """What the audit keeps. A question may name people, so its text stays out; its version tells of it."""
    told = {"name": draft.name, "label": draft.label, "description": draft.description or None}
    return told | {"expires_at": draft.expires_at.isoformat() if draft.expires_at else None}
