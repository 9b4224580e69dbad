"""Publishing the draft, going back to what was published before, and dropping what is hidden."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import asyncpg

from core.access import Actor, Permission, require
from core.audit import record
from core.authored import check_version, not_found
from core.datamodel import builds
from core.datamodel.model_rules import check_model
from core.datamodel.personal import not_erased
from core.datamodel.physical import BUILT_IN, Tables, as_long_as
from core.datamodel.preview import changes
from core.datamodel.records import Change, Model, Preview, Published, Step
from core.datamodel.statements import steps
from core.datamodel.store import builds as build_store
from core.datamodel.store import model as store
from core.db import Connection
from core.errors import Conflict
from core.outbox import announce
from core.paging import Page, PageRequest, cut

Guard = Callable[[Connection, Sequence[Change]], Awaitable[None]]
"""Told of all changes before they are made; raises where something that it knows uses what would be hidden."""

_USED = (
    asyncpg.FeatureNotSupportedError,  # a view shows the column
    asyncpg.DependentObjectsStillExistError,
    asyncpg.DuplicateTableError,  # an index or a sequence is called so
    asyncpg.DuplicateObjectError,  # another constraint is called so
    asyncpg.TooManyColumnsError,  # dropped ones count
)
# For each table: everybody who wants it waits behind us for so long, while we wait for others.
LOCK_TIMEOUT_MS = 2_000


async def get_published(conn: Connection) -> Published:
    """The model that counts now."""
    return await store.find_published(conn)


async def list_published(conn: Connection, page: PageRequest) -> Page[Published]:
    """What was published, the newest first."""
    return cut(await store.list_published(conn, page.after, page.first + 1), page)


async def preview(conn: Connection) -> Preview:
    """What publishing the draft would do now."""
    draft, published, tables = await store.find_draft(conn), await store.find_published(conn), await store.read_tables(conn)
    later = await builds.afterwards(conn, published.model, draft.model, tables)
    return Preview(
        draft_version=draft.version,
        base_version=published.version,
        changes=tuple(changes(published.model, draft.model, tables)),
        steps=tuple(steps(draft.model, tables)),
        afterwards=later,
        warnings=tuple(not_erased(draft.model, tables)),
    )


async def publish(
    conn: Connection,
    actor: Actor,
    *,
    expected_version: int,
    now: datetime,
    guard: Guard,
    lock_timeout_ms: int = LOCK_TIMEOUT_MS,
) -> Published:
    """Make the draft the model that counts, all of it or nothing. `expected_version` is that of the previewed draft.

    Raises Stale (VERSION_CHANGED), Conflict (NOTHING_TO_PUBLISH, TABLE_BUSY, those of `check_model` and of the guard).
    """
    require(actor, Permission.MODEL_DATA)
    draft = await store.lock_draft(conn)
    check_version("draft of the data model", draft.version, expected_version)
    return await _publish(conn, actor, draft.model, now, guard, lock_timeout_ms)


async def roll_back(
    conn: Connection,
    actor: Actor,
    version: int,
    *,
    now: datetime,
    guard: Guard,
    lock_timeout_ms: int = LOCK_TIMEOUT_MS,
) -> Published:
    """Publish once more what was published as `version`: later fields are hidden, those that were hidden are shown. Texts
    that have become longer since stay as long.

    Raises NotFound (DATA_MODEL_VERSION_NOT_FOUND), Conflict (DRAFT_OPEN, and as `publish`).
    """
    require(actor, Permission.MODEL_DATA)
    draft = await store.lock_draft(conn)
    if draft.changed_by is not None:
        raise Conflict(
            "the draft has changes that are not published", code="DRAFT_OPEN",
            hint="Publish or discard them first.",
        )  # fmt: skip
    wanted = await store.find_version(conn, version)
    if wanted is None:
        raise not_found("data model version", version, "version")
    model = as_long_as(wanted.model, await store.read_tables(conn))
    return await _publish(conn, actor, model, now, guard, lock_timeout_ms)


async def _publish(
    conn: Connection, actor: Actor, model: Model, now: datetime, guard: Guard, lock_timeout_ms: int
) -> Published:
    published, tables = await store.find_published(conn), await store.read_tables(conn)
    if model == published.model:
        raise Conflict("nothing differs from what is published", code="NOTHING_TO_PUBLISH", hint="Change the draft first.")
    check_model(model, published.model, tables)
    await _hold(conn, lock_timeout_ms)
    await guard(conn, tuple(changes(published.model, model, tables)))
    run = tuple(steps(model, tables))
    await run_steps(conn, run, tables, lock_timeout_ms)
    done = await store.insert_published(conn, published.version + 1, model, [one.sql for one in run], actor.name, now)
    await store.update_draft(conn, model, None, None)
    await builds.plan(conn, model, await store.read_tables(conn), now)
    await announce(conn, "data_model.published", version=done.version)
    told = {"from": published.version, "statements": len(run)}
    await record(conn, actor, "data_model.publish", "data_model", done.version, told)
    return done


async def _hold(conn: Connection, lock_timeout_ms: int) -> None:
    """Nobody relies on what is published from here on. Raises Conflict (TABLE_BUSY): while we wait, all who want to save
    something wait behind us."""
    try:
        async with conn.transaction():
            await store.set_lock_timeout(conn, lock_timeout_ms)
            await store.hold_published(conn, alone=True)
            await store.set_lock_timeout(conn, 0)
    except asyncpg.LockNotAvailableError:
        raise Conflict(
            f"somebody was saving what relies on the model for longer than {lock_timeout_ms / 1000:g} seconds; nothing has"
            " changed", code="TABLE_BUSY", hint="Try again in a moment.",
        ) from None  # fmt: skip


async def run_steps(conn: Connection, steps: tuple[Step, ...], tables: Tables, lock_timeout_ms: int) -> None:
    """All tables are locked before any is changed, in the order in which rows are written: a dataset's, then what it is linked
    to. Whom everybody needs is locked last. Raises as `changing`.
    """
    changed = {step.locks[0] for step in steps if step.locks}
    locked = changed.union(*(step.locks for step in steps)) & tables.columns.keys()
    async with changing(conn, locked, lock_timeout_ms):
        for table in sorted(locked, key=lambda one: (one == "profile", one in BUILT_IN, one)):
            await store.lock_table(conn, table, read=table not in changed)
        for step in steps:
            await store.run(conn, step.sql)


@asynccontextmanager
async def changing(conn: Connection, tables: Collection[str], lock_timeout_ms: int) -> AsyncIterator[None]:
    """These tables are changed within, all or nothing. Raises Conflict (TABLE_BUSY, USED_BY_SQL).

    While something is built on one of them nobody is made to wait for what cannot be had.
    """
    building = await build_store.find_running(conn, list(tables))
    if building is not None:
        raise Conflict(
            f"{building} is being built, and its table cannot change meanwhile; nothing has changed", code="TABLE_BUSY",
            hint="Try again when it is done: dataModelBuilds says how far it is.",
        )  # fmt: skip
    try:
        async with conn.transaction():
            await store.set_lock_timeout(conn, lock_timeout_ms)
            yield
            await store.set_lock_timeout(conn, 0)
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
        raise _busy(lock_timeout_ms) from None
    except _USED as error:
        raise Conflict(
            f"the database refuses: {error}", code="USED_BY_SQL",
            hint="Drop the views or other objects of yours that use it, or choose another name.",
        ) from None  # fmt: skip


def _busy(lock_timeout_ms: int) -> Conflict:
    return Conflict(
        f"somebody else used a table for longer than {lock_timeout_ms / 1000:g} seconds; nothing has changed",
        code="TABLE_BUSY", hint="Try again, or when no import and no large preparation runs.",
    )  # fmt: skip
