"""What jobs build for the published model: asked for by a publication, watched, asked for again. `builder` does the work."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core.access import Actor, Permission, require
from core.audit import record
from core.authored import not_found
from core.datamodel.physical import BUILT_IN, PREFIX, Tables, has_column, references
from core.datamodel.records import Build, BuildKind, BuildState, Model
from core.datamodel.statements import dropped_indexes
from core.datamodel.store import builds as store
from core.datamodel.wanted import Wanted, dropping, reference_object, wanted
from core.db import Connection
from core.outbox import announce
from core.paging import Page, PageRequest, cut


async def plan(conn: Connection, model: Model, tables: Tables, now: datetime) -> None:
    """Have built what the model asks for, and dropped what it does not. `tables` are those that there are by now."""
    ones = wanted(model)
    hidden = _hidden_links(model, tables)
    await store.ask_for(conn, ones, await _built(conn, ones, tables), now)
    await store.let_go(conn, [one.object for one in ones], [one for one, _ in hidden], [one for _, one in hidden], now)


async def afterwards(conn: Connection, before: Model, after: Model, tables: Tables) -> tuple[str, ...]:
    """The statements that jobs will run when a model is published after another."""
    earlier, later, indexes = wanted(before), wanted(after), await store.list_indexes(conn)
    again = {index for _, index in dropped_indexes(after, tables)}
    kept, known = {one.object for one in later}, {one.object for one in earlier}
    gone = [one for one in earlier if one.object not in kept and one.kind is not BuildKind.REFERENCE]
    hidden = [(one.entity, one.name) for one in gone if one.kind is BuildKind.LINK and _has_columns(before, one)]
    checks = _checked_later(after, tables)
    return (
        *(dropping(one.object) for one in gone if (one.entity, one.name) not in hidden),
        *(one.sql for one in later if one.object in checks),
        *(one.sql for one in later if one.kind is not BuildKind.REFERENCE and one.object not in {*known, *indexes} - again),
    )


async def list_builds(conn: Connection, page: PageRequest) -> Page[Build]:
    """A page in the order in which they were first asked for."""
    return cut(await store.list_builds(conn, page.after, page.first + 1), page)


async def find_builds(conn: Connection, objects: Sequence[str]) -> dict[str, Build]:
    """Those of these objects that were asked for, by object."""
    return {one.object: one for one in await store.find_by_objects(conn, objects)} if objects else {}


async def retry(conn: Connection, actor: Actor, build_id: int, now: datetime) -> Build:
    """Look again at what failed, or is done and may have been damaged since. Raises NotFound (BUILD_NOT_FOUND)."""
    require(actor, Permission.MODEL_DATA)
    one = await store.lock_build(conn, build_id)
    if one is None:
        raise not_found("build", build_id, "id")
    if one.state in (BuildState.WAITING, BuildState.RUNNING):
        return one
    asked = await store.ask_again(conn, build_id, now)
    await record(conn, actor, "data_model.retry", "data_model", f"{one.entity}.{one.name}", {"kind": one.kind.value})
    await announce(conn, "data_model.build_due")
    return asked


async def _built(conn: Connection, ones: Sequence[Wanted], tables: Tables) -> list[bool]:
    indexes = await store.list_indexes(conn)
    checked = {reference_object(place) for place, one in tables.references.items() if one.valid}
    return [one.object in checked or indexes.get(one.object, False) for one in ones]


def _checked_later(model: Model, tables: Tables) -> set[str]:
    """The foreign keys that come, or come to do something else, in tables that are there."""
    found = set()
    for place, one in references(model).items():
        lying = tables.references.get(place)
        if place[0] in tables.columns and (lying is None or not lying.valid or lying.on_delete is not one.on_delete):
            found.add(reference_object(place))
    return found


def _has_columns(model: Model, one: Wanted) -> bool:
    entity = model.find(one.entity)
    link = entity.find_link(one.name) if entity else None
    return link is not None and has_column(link)


def _hidden_links(model: Model, tables: Tables) -> list[tuple[str, str]]:
    """The links that are columns still, though the model has them no longer: their entities and names."""
    shown = references(model)
    found = []
    for table, column in tables.references:
        if (table, column) not in shown and column.startswith(PREFIX):
            entity = table if table in BUILT_IN else table.removeprefix(PREFIX)
            found.append((entity, column.removeprefix(PREFIX).removesuffix("_id")))
    return found
