"""Imports and exports for the tests of this room, as the doors would make them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core import files as stored_files
from core.access import SYSTEM, Actor
from core.datamodel import jobs as datamodel
from core.datamodel.records import FieldKind
from core.db import Connection, transaction
from core.profiles import imports
from core.profiles.import_options import ImportTarget, TargetKind
from core.profiles.import_template_records import ImportTemplate
from core.profiles.run_records import ImportOptions, ImportRun
from core.runtime import Runtime
from core.transfers import jobs
from core.transfers.destinations import find_destination
from tests.core.datamodel.model import dataset, field, link, point, publish_draft, unique
from tests.core.profiles.house import get_import

PURCHASES = ImportTarget(kind=TargetKind.DATASET, dataset="purchase")


async def shop(runtime: Runtime, db: Connection) -> None:
    """Products with a code; purchases of people with a number in a shop, a product, and a field of every kind."""
    await dataset(db, "product", field("code", max_length=40), field("title"))
    await unique(db, "by_code", "code", entity="product")
    await dataset(
        db, "purchase", field("shop", max_length=40), field("number", FieldKind.INTEGER), field("amount", FieldKind.DECIMAL),
        field("paid", FieldKind.BOOLEAN), field("day", FieldKind.DATE), field("at", FieldKind.INSTANT), field("note"),
        field("facts", FieldKind.JSON), field("place", FieldKind.POINT), field("receipt", max_length=40),
        field("token", FieldKind.AUTOMATIC_ID),
    )  # fmt: skip
    await unique(db, "by_number", "shop", "number")
    await unique(db, "by_receipt", "receipt")
    await point(db, link("customer"))
    await point(db, link("product", "product"))
    await publish_draft(db)
    await datamodel.build(runtime)


async def ready(
    runtime: Runtime, data: bytes | str, key: str, *, target: ImportTarget = PURCHASES, name: str = "rows.csv",
    actor: Actor = SYSTEM, **options: Any,
) -> int:  # fmt: skip
    """An import with its file, started but not worked on yet."""
    return await _started(
        runtime, data, actor, file_name=name, match_key=key, options=ImportOptions(target=target, **options)
    )  # fmt: skip


async def ready_by(runtime: Runtime, template: ImportTemplate, data: str, *, name: str, actor: Actor) -> int:
    """An import by a template, with its file, likewise."""
    return await _started(
        runtime, data, actor, file_name=name, match_key=template.match_key, options=template.options, template_id=template.id
    )  # fmt: skip


async def _started(runtime: Runtime, data: bytes | str, actor: Actor, **how: Any) -> int:
    async with transaction(runtime.pool) as conn:
        run, ticket = await imports.create_import(
            conn, actor, runtime.files, now=runtime.clock(), find=find_destination, **how
        )  # fmt: skip
        file = await stored_files.redeem_ticket(conn, ticket.secret, "write", runtime.clock())
        content = data.encode() if isinstance(data, str) else data
        runtime.files.path(file).write_bytes(content)
        await stored_files.complete_file(conn, file.id, len(content), runtime.clock())
        await imports.start_import(conn, actor, run.id, runtime.clock())
    return run.id


async def import_rows(runtime: Runtime, data: bytes | str, key: str, **more: Any) -> ImportRun:
    """Import a file to its end."""
    import_id = await ready(runtime, data, key, **more)
    await jobs.run_import(runtime, import_id=import_id)
    return await get_import(runtime, import_id)


def counts(run: ImportRun) -> Mapping[str, int]:
    """The counters that are not zero, and what went wrong."""
    names = ("inserted", "updated", "unchanged", "deleted", "skipped", "rejected", "repeated", "ambiguous")
    assert run.error is None, run.error
    return {name: getattr(run, name) for name in names if getattr(run, name)}


async def rows(db: Connection, table: str, *columns: str) -> Sequence[tuple[Any, ...]]:
    """These columns of all rows, in the order of ids."""
    return [tuple(row) for row in await db.fetch(f"SELECT {', '.join(columns)} FROM {table} ORDER BY id")]
