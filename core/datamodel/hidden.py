"""What the published model does not show, though its values are kept; and dropping it for good."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from core.access import Actor, Permission, require
from core.audit import record
from core.authored import not_found
from core.datamodel.physical import (
    MIRRORS,
    PREFIX,
    Tables,
    column_of,
    has_column,
    is_pair,
    link_column,
    pair_table_named,
    table_named,
    table_of,
)
from core.datamodel.publication import LOCK_TIMEOUT_MS, changing
from core.datamodel.records import Entity, Hidden, LinkKind, Model, Step
from core.datamodel.store import builds as build_store
from core.datamodel.store import model as store
from core.db import Connection
from core.errors import Conflict, Invalid


async def list_hidden(conn: Connection) -> list[Hidden]:
    """Columns and tables of teams that the published model does not show."""
    published = await store.find_published(conn)
    tables = await store.read_tables(conn)
    return [replace(one, steps=dropping(one, tables)) for one in _hidden(published.model, tables)]


async def count_values(conn: Connection, found: Hidden) -> int | None:
    """How many would go: values of a field or link, pairs, or rows of a dataset; None once it is dropped.

    Reads the whole table.
    """
    tables = await store.read_tables(conn)
    table, column = _place(found, tables)
    there = table in tables.columns and (column is None or column in tables.columns[table])
    return await store.count_values(conn, table, column) if there else None


def dropping(found: Hidden, tables: Tables) -> tuple[Step, ...]:
    """The statements by which it is dropped, and what they lock."""
    table, column = _place(found, tables)
    if column is None:
        held = sorted({one.target for place, one in tables.references.items() if place[0] == table} - {table})
        return (Step(sql=f"DROP TABLE {table}", locks=(table, *held)),)
    reference = tables.references.get((table, column))
    held = [] if reference is None or reference.target == table else [reference.target]
    every = [table, MIRRORS[table]] if table in MIRRORS else [table]
    return tuple(
        Step(sql=f"ALTER TABLE {one} DROP COLUMN {column}", locks=(one, *(held if one == table else ()))) for one in every
    )


async def drop_hidden(
    conn: Connection,
    actor: Actor,
    entity: str,
    field: str | None,
    *,
    link: str | None = None,
    confirm: str,
    lock_timeout_ms: int = LOCK_TIMEOUT_MS,
) -> Hidden:
    """Drop hidden data for good. `confirm` repeats its name: `entity.field`, `entity.link`, or the dataset's.

    Raises NotFound (HIDDEN_DATA_NOT_FOUND), Invalid (NOT_CONFIRMED), Conflict (IN_DRAFT, LINKED, TABLE_BUSY, USED_BY_SQL).
    """
    require(actor, Permission.MODEL_DATA)
    draft = await store.lock_draft(conn)
    part = field if field is not None else link
    name = entity if part is None else f"{entity}.{part}"
    model, tables = (await store.find_published(conn)).model, await store.read_tables(conn)
    hidden = list(_hidden(model, tables))
    found = next((one for one in hidden if (one.entity, one.field, one.link) == (entity, field, link)), None)
    if found is None:
        raise not_found("hidden data", name[:80])
    if confirm != name:
        hint = f"Its values cannot be brought back. To drop them, send {name!r} as confirm."
        raise Invalid("this is not the name of what is to be dropped", code="NOT_CONFIRMED", path="confirm", hint=hint)
    if _is_drafted(draft.model.find(entity), found):
        raise Conflict(f"the draft shows {name} again", code="IN_DRAFT", hint="Take it out of the draft first.")
    _check_not_linked(found, tables)
    table, _ = _place(found, tables)
    async with changing(conn, {table}, lock_timeout_ms):
        for step in dropping(found, tables):
            await store.run(conn, step.sql)
    await build_store.forget(conn, entity, part)
    await record(conn, actor, "data_model.drop", "data_model", name)
    return replace(found, steps=dropping(found, tables))


def _is_drafted(entity: Entity | None, found: Hidden) -> bool:
    if entity is None:
        return False
    if found.link is not None:
        return entity.find_link(found.link) is not None
    return found.field is None or entity.find(found.field) is not None


def _check_not_linked(found: Hidden, tables: Tables) -> None:
    """A dataset is not dropped while links hold keys of it. They are hidden too, or the model would have it."""
    table = table_named(found.entity)
    if found.field is not None or found.link is not None:
        return
    holders = sorted({place[0] for place, one in tables.references.items() if one.target == table != place[0]})
    if holders:
        raise Conflict(
            f"hidden links hold keys of {found.entity}, in {', '.join(holders)}", code="LINKED",
            hint="Drop those links first: hiddenData lists them.",
        )  # fmt: skip


def _place(found: Hidden, tables: Tables) -> tuple[str, str | None]:
    table = table_named(found.entity)
    if found.field is not None:
        return table, column_of(found.field)
    if found.link is None:
        return table, None
    pairs = pair_table_named(found.entity, found.link)
    return (pairs, None) if pairs in tables.columns else (table, link_column(found.link))


def _hidden(model: Model, tables: Tables) -> Iterator[Hidden]:
    shown = {table_of(entity): entity for entity in model.entities}
    pairs = {
        pair_table_named(entity.name, link.name)
        for entity in model.entities
        for link in entity.links
        if link.kind is LinkKind.MANY_TO_MANY
    }
    for table, columns in tables.columns.items():
        if is_pair(table):
            if table not in pairs:
                yield from _hidden_pair(table, tables)
            continue
        entity = shown.get(table)
        if entity is None:
            yield Hidden(entity=table.removeprefix(PREFIX), field=None, sql_type=None)
            continue
        names = {column_of(field.name) for field in entity.fields}
        names |= {link_column(link.name) for link in entity.links if has_column(link)}
        for column, sql_type in columns.items():
            if not column.startswith(PREFIX) or column in names:
                continue
            name = column.removeprefix(PREFIX)
            if (table, column) in tables.references:
                yield Hidden(entity=entity.name, field=None, link=name.removesuffix("_id"), sql_type=sql_type)
            else:
                yield Hidden(entity=entity.name, field=name, sql_type=sql_type)


def _hidden_pair(table: str, tables: Tables) -> Iterator[Hidden]:
    """Whose pairs they are: one of the ways to read the name has a table, and each says the same table."""
    words = table.removeprefix(f"{PREFIX}_").split("__")
    for number in range(1, len(words)):
        entity, link = "__".join(words[:number]), "__".join(words[number:])
        if table_named(entity) in tables.columns:
            yield Hidden(entity=entity, field=None, link=link, sql_type=None)
            return
