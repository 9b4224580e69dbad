"""Whatever is done in whatever order: the database is that of the model and of what is hidden, and nothing is lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.graphql.datamodel.uses import UNUSED
from core.access import SYSTEM
from core.datamodel.drafts import remove_dataset, remove_field, save_dataset
from core.datamodel.hidden import drop_hidden, list_hidden
from core.datamodel.keys import remove_index, remove_key
from core.datamodel.links import remove_link
from core.datamodel.physical import is_pair, link_column, references
from core.datamodel.publication import get_published, roll_back
from core.datamodel.records import Build, BuildKind, BuildState, FieldKind, LinkKind, Model, OnDelete
from core.datamodel.store import builds as build_store
from core.datamodel.store import model as store
from core.datamodel.wanted import dropping, wanted
from core.db import Connection
from core.errors import ClarionError
from tests.core.datamodel.model import NOW, builds, field, indexed, link, point, publish_draft, save, unique

ENTITIES = st.sampled_from(["profile", "a", "b"])
DATASETS = st.sampled_from(["a", "b"])
FIELDS = st.sampled_from(["f", "g"])
LINKS = st.sampled_from(["l", "m"])
PARTS = st.lists(st.sampled_from(["f", "g", "l"]), min_size=1, max_size=2)
BY_FIELDS = st.sampled_from([(), ("f",)])
ACTS = st.one_of(
    st.tuples(st.just("dataset"), DATASETS),
    st.tuples(st.just("field"), ENTITIES, FIELDS, st.sampled_from([FieldKind.INTEGER, FieldKind.TEXT])),
    st.tuples(st.just("searched"), FIELDS, st.integers(20, 22), st.booleans()),
    st.tuples(st.just("link"), ENTITIES, LINKS, ENTITIES, st.sampled_from(LinkKind), st.sampled_from(OnDelete), BY_FIELDS),
    st.tuples(st.just("key"), ENTITIES, PARTS),
    st.tuples(st.just("index"), ENTITIES, PARTS),
    st.tuples(st.just("remove"), st.sampled_from(["dataset", "field", "link", "key", "index"]), ENTITIES, FIELDS, LINKS),
    st.just(("publish",)),
    st.just(("publish",)),
    st.tuples(st.just("back"), st.integers(0, 3)),
    st.tuples(st.just("drop"), st.integers(0, 3)),
    st.just(("build",)),
)
START: list[tuple[Any, ...]] = [
    ("dataset", "a"), ("dataset", "b"), ("field", "a", "f", FieldKind.TEXT), ("field", "b", "f", FieldKind.TEXT),
    ("link", "a", "l", "profile", LinkKind.MANY_TO_ONE, OnDelete.REFUSE, ()), ("key", "a", ["f", "l"]),
]  # fmt: skip


@given(st.lists(ACTS, max_size=12))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
async def test_whatever_is_done_the_database_is_that_of_the_model(conn: Connection, acts: Sequence[tuple[Any, ...]]) -> None:
    attempt = conn.transaction()
    await attempt.start()
    try:
        for act in [*START, *acts, ("publish",), ("build",)]:
            before = await places(conn)
            try:
                await do(conn, act)
            except ClarionError:
                assert await places(conn) == before
            if act[0] != "drop":
                assert before <= await places(conn)
            await check_all(conn)
        await check_built(conn)
    finally:
        await attempt.rollback()


async def places(conn: Connection) -> set[tuple[str, str]]:
    """All columns of the team."""
    tables = await store.read_tables(conn)
    return {(table, one) for table, columns in tables.columns.items() for one in columns if "x_" in (table[:2], one[:2])}


async def check_all(conn: Connection) -> None:
    """Columns, foreign keys and what is asked of jobs are those of the model and of what is hidden."""
    model, tables = (await get_published(conn)).model, await store.read_tables(conn)
    shown = references(model)
    for place, one in shown.items():
        lying = tables.references[place]
        assert (lying.target, lying.on_delete) == (one.target, one.on_delete)
    for place, lying in tables.references.items():
        assert place in shown or lying.on_delete is not OnDelete.REFUSE
    hidden = {(one.entity, one.field or one.link) for one in await list_hidden(conn)}
    for entity in model.entities:
        names = [*(one.name for one in entity.fields), *(one.name for one in entity.links)]
        assert hidden.isdisjoint((entity.name, name) for name in names)
    asked = [one for one in await builds(conn) if not one.dropping]
    extra = {one.object for one in asked} - {one.object for one in wanted(model)}
    assert {one.object for one in wanted(model)} <= {one.object for one in asked}
    kept = [one for one in asked if one.object in extra]
    assert all(one.kind is BuildKind.LINK and _is_hidden(one, model, tables.references) for one in kept)


def _is_hidden(one: Build, model: Model, lying: Any) -> bool:
    table = one.entity if one.entity == "profile" else f"x_{one.entity}"
    place = (table, link_column(one.name))
    return place in lying and place not in references(model)


async def check_built(conn: Connection) -> None:
    """Everything that is asked for is there, nothing else is."""
    asked = await builds(conn)
    assert {one.state for one in asked} <= {BuildState.DONE}
    indexes = await build_store.list_indexes(conn)
    assert {one.object for one in asked if one.kind is not BuildKind.REFERENCE} == set(indexes)
    assert all(one.valid for place, one in (await store.read_tables(conn)).references.items() if _counts(place, asked))


def _counts(place: tuple[str, str], asked: list[Build]) -> bool:
    return any(one.object.startswith(f"{place[0]}.{place[1]}_") for one in asked)


async def do(conn: Connection, act: tuple[Any, ...]) -> None:
    """One of the acts."""
    match act:
        case ("dataset", name):
            await save_dataset(conn, SYSTEM, name=name, label=name, now=NOW)
        case ("field", entity, name, kind):
            await save(conn, field(name, kind, **({"max_length": 20} if kind is FieldKind.TEXT else {})), entity)
        case ("searched", name, length, searchable):
            await save(conn, field(name, max_length=length, searchable=searchable))
        case ("link", entity, name, target, kind, on_delete, by):
            made = link(
                name, target, kind, on_delete=on_delete, source_fields=by, target_fields=by, reverse_name=f"{entity}_{name}"
            )
            await point(conn, made, entity)
        case ("key", entity, parts):
            await unique(conn, "k", *parts, entity=entity)
        case ("index", entity, parts):
            await indexed(conn, "i", *parts, entity=entity)
        case ("remove", what, entity, name, other):
            await remove(conn, what, entity, name, other)
        case ("publish",):
            await publish_draft(conn)
        case ("back", version):
            await roll_back(conn, SYSTEM, version, now=NOW, guard=UNUSED)
        case ("drop", number):
            for one in (await list_hidden(conn))[number : number + 1]:
                part = one.field or one.link
                name = one.entity if part is None else f"{one.entity}.{part}"
                await drop_hidden(conn, SYSTEM, one.entity, one.field, link=one.link, confirm=name)
        case ("build",):
            await build(conn)


async def remove(conn: Connection, what: str, entity: str, name: str, other: str) -> None:
    """Take something out of the draft."""
    match what:
        case "dataset":
            await remove_dataset(conn, SYSTEM, entity, now=NOW)
        case "field":
            await remove_field(conn, SYSTEM, entity, name, now=NOW)
        case "link":
            await remove_link(conn, SYSTEM, entity, other, now=NOW)
        case "key":
            await remove_key(conn, SYSTEM, entity, "k", now=NOW)
        case "index":
            await remove_index(conn, SYSTEM, entity, "i", now=NOW)


async def build(conn: Connection) -> None:
    """What the builder does, in a transaction: the same statements, but that others wait."""
    lying = await build_store.list_indexes(conn)
    while one := await build_store.take(conn, [], NOW):
        if one.dropping:
            await conn.execute(dropping(one.object).replace("CONCURRENTLY ", ""))
            await build_store.finish_dropping(conn, one)
            continue
        if one.object not in lying:
            await conn.execute(one.statement.replace("CONCURRENTLY ", ""))
        assert await build_store.finish(conn, one, BuildState.DONE, None, NOW)


def test_pairs_are_told_from_datasets_by_their_names() -> None:
    assert is_pair("x__a__b")
    assert not is_pair("x_a__b")
