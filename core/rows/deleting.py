"""Deleting rows: one, or a set with an outcome for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from core.access import Actor, Permission, require
from core.audit import record_many
from core.datamodel.physical import link_column, pair_table, references, table_of
from core.datamodel.present import hold_model
from core.datamodel.records import LinkKind, Model, OnDelete
from core.datamodel.refusals import REFUSED, refusal
from core.db import Connection
from core.errors import ClarionError
from core.rows import store
from core.rows.locating import lock
from core.rows.records import Reference, RowOutcome, RowStatus
from core.rows.refusals import check_size, linked, only, repeated
from core.rows.shape import Shape, shape_of
from core.rows.targets import Finder, Spoken, Wanted, gone
from core.rows.writing import AUDITED_AS


async def delete_row(conn: Connection, actor: Actor, dataset: str, row: Reference) -> RowOutcome:
    """Delete one row. Raises what is wrong with it, see `delete_rows`."""
    return only(await _delete(conn, actor, dataset, [row], lambda index: "row"))


async def delete_rows(conn: Connection, actor: Actor, dataset: str, rows: Sequence[Reference]) -> list[RowOutcome]:
    """Delete a set of rows, each or why not, in the order of the call. What belongs to a row by a link goes with it.

    In the outcomes: Invalid (BAD_ID, UNKNOWN_KEY, ROW_REPEATED), NotFound (ROW_NOT_FOUND), Conflict (LINKED: rows are linked
    to it by a link that refuses).

    Raises NotFound (DATASET_NOT_FOUND), Invalid (TOO_MANY_ROWS), Conflict (LINKED: rows that would go with others are held).
    """
    return await _delete(conn, actor, dataset, rows, lambda index: f"rows.{index}")


async def _delete(
    conn: Connection, actor: Actor, dataset: str, rows: Sequence[Reference], place: Callable[[int], str]
) -> list[RowOutcome]:
    require(actor, Permission.EDIT)
    check_size(rows)
    model = await hold_model(conn)
    shape, finder = shape_of(model, dataset), Finder(conn, model)
    wanted: dict[int, Wanted] = {}
    problems: dict[int, ClarionError] = {}
    for index, row in enumerate(rows):
        try:
            wanted[index] = await finder.read(Spoken(dataset, row, place(index)))
        except ClarionError as error:
            problems[index] = error
    located = await lock(conn, shape, list(wanted.values()), delete=True)
    first: dict[int, int] = {}
    for index, one in wanted.items():
        if one not in located:
            problems[index] = gone(dataset, place(index))
        elif first.setdefault(located[one]["id"], index) != index:
            problems[index] = repeated(first[located[one]["id"]], place(index))
    problems |= {first[key]: error for key, error in (await _held(conn, model, shape, first, place)).items()}
    leaving = sorted(key for key, index in first.items() if index not in problems)
    await _go(conn, shape, leaving)
    if leaving:
        await record_many(conn, actor, f"{AUDITED_AS}.delete", AUDITED_AS, [f"{dataset}:{key}" for key in leaving])
    return [
        RowOutcome(index=index, status=RowStatus.REJECTED, problems=(problems[index],)) if index in problems
        else RowOutcome(index=index, status=RowStatus.DELETED, row=shape.row(located[wanted[index]]))
        for index in range(len(rows))
    ]  # fmt: skip


async def _go(conn: Connection, shape: Shape, ids: Sequence[int]) -> None:
    if not ids:
        return
    try:
        async with conn.transaction():
            await store.delete_rows(conn, shape.table, ids)
    except REFUSED as error:
        raise await refusal(conn, error) or error from None


async def _held(
    conn: Connection, model: Model, shape: Shape, first: dict[int, int], place: Callable[[int], str]
) -> dict[int, ClarionError]:
    """Why rows cannot go, by their ids. They are locked: nobody links another to them meanwhile."""
    holding = list(_holding(model, shape))
    held = await store.find_referring(conn, [(table, column) for table, column, _, _ in holding], sorted(first))
    return {key: linked(holding[n][2], holding[n][3], place(first[key])) for key, n in held.items()}


def _holding(model: Model, shape: Shape) -> Iterator[tuple[str, str, str, str]]:
    """The columns that keep a row from going, each with the entity and the link whose it is."""
    wanted = references(model)
    for entity in model.entities:
        for link in entity.links:
            many = link.kind is LinkKind.MANY_TO_MANY
            place = (pair_table(entity, link), "target_id") if many else (table_of(entity), link_column(link.name))
            one = wanted.get(place)
            if one is not None and one.target == shape.table and one.on_delete is OnDelete.REFUSE:
                yield *place, entity.name, link.name
