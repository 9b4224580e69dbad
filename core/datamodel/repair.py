"""Repairing what somebody has changed in the database behind Clarion, so that it is as the published model says (2.27).

As a publication does: what is made at once is made in one transaction, whose locks wait for a moment only; indexes and checks
follow as a job. No value and no row that is there is changed.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from core.access import Actor, Permission, require
from core.audit import record
from core.datamodel import builds
from core.datamodel.damage import Structure, damages
from core.datamodel.physical import MIRRORS
from core.datamodel.publication import LOCK_TIMEOUT_MS, run_steps
from core.datamodel.records import Damage, Model, Published, Repair
from core.datamodel.store import builds as build_store
from core.datamodel.store import model as store
from core.datamodel.store import structure
from core.datamodel.wanted import wanted
from core.db import Connection
from core.errors import Conflict, Stale
from core.outbox import announce


async def preview_repair(conn: Connection) -> Repair:
    """What is missing or different now, and what a repair would do about it."""
    repair, _ = await _look(conn, await store.find_published(conn))
    return repair


async def repair_data_model(
    conn: Connection, actor: Actor, *, digest: str, now: datetime, lock_timeout_ms: int = LOCK_TIMEOUT_MS
) -> Repair:
    """Mend what can be mended, all of it or nothing. `digest` is that of what was previewed.

    Raises Conflict (NOTHING_TO_REPAIR, TABLE_BUSY, USED_BY_SQL), Stale (VERSION_CHANGED).
    """
    require(actor, Permission.MODEL_DATA)
    await store.lock_draft(conn)  # nobody publishes meanwhile
    published = await store.find_published(conn)
    repair, lying = await _look(conn, published)
    if not any(one.is_mended for one in repair.damages):
        raise _nothing(repair)
    if repair.digest != digest:
        raise Stale(
            "what is to be repaired is no longer what was previewed", code="VERSION_CHANGED", path="digest",
            hint="Preview it again.",
        )  # fmt: skip
    await run_steps(conn, repair.steps, lying.tables, lock_timeout_ms)
    await builds.plan(conn, published.model, await store.read_tables(conn), now)
    await announce(conn, "data_model.build_due")
    told = {
        "statements": len(repair.steps), "builds": len(repair.afterwards),
        "mended": [_named(one) for one in repair.damages if one.is_mended],
    }  # fmt: skip
    await record(conn, actor, "data_model.repair", "data_model", published.version, told)
    return repair


async def _look(conn: Connection, published: Published) -> tuple[Repair, Structure]:
    lying = await _read(conn, published.model)
    found = tuple(damages(published.model, lying))
    seen = repr((published.version, found))
    digest = hashlib.sha256(seen.encode()).hexdigest()[:32]
    return Repair(version=published.version, damages=found, digest=digest), lying


async def _read(conn: Connection, model: Model) -> Structure:
    columns, keys = await structure.list_columns(conn), await structure.list_keys(conn)
    asked = await build_store.find_by_objects(conn, [one.object for one in wanted(model)])
    return Structure(
        tables=await store.read_tables(conn),
        mirrors={name: {one.column: one.type for one in columns if one.table == name} for name in MIRRORS.values()},
        filled=frozenset((one.table, one.column) for one in columns if one.is_filled),
        primary={one.table: one.columns for one in keys if one.is_primary},
        led=frozenset((one.table, one.columns[0]) for one in keys),
        indexes=await build_store.list_indexes(conn),
        builds={one.object: one for one in asked},
    )


def _nothing(repair: Repair) -> Conflict:
    if not repair.damages:
        return Conflict("the database is as the published model says", code="NOTHING_TO_REPAIR")
    return Conflict(
        f"what differs from the published model is to be mended by a person: {repair.damages[0].message}",
        code="NOTHING_TO_REPAIR", hint=repair.damages[0].hint,
    )  # fmt: skip


def _named(one: Damage) -> str:
    part = one.column or one.name
    return f"{one.kind.value} {one.table}" if part is None else f"{one.kind.value} {one.table}.{part}"
