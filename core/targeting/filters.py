"""Saved filters: questions under a name, with parameters, that other questions call (feature map 2.25).

What calls a filter is made of it: a change of the filter is another version of every audience that calls it, also through
other filters, and a change that would leave one of them without a meaning is refused.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import asyncpg

from core.access import Actor, Permission, require
from core.audit import difference, record
from core.authored import changed, check_label, check_version, name_taken, not_found
from core.db import Connection
from core.errors import ClarionError, Conflict, Invalid
from core.paging import Page, PageRequest, cut
from core.targeting import filter_store, store
from core.targeting.audiences import all_reads, check_entity, find_audiences, read_question, stored_question
from core.targeting.catalogue import Kind
from core.targeting.check import check
from core.targeting.expansion import PARAMETER, PARAMETER_KINDS, check_value_of, filled
from core.targeting.functions import FUNCTIONS
from core.targeting.json_parse import read_stored
from core.targeting.language import NAME, NOWHERE, RESERVED, Anchor, Expression, Literal, Measure, Relative
from core.targeting.member_columns import FUNCTION as COLUMN_FUNCTION
from core.targeting.published import hold_catalogue
from core.targeting.records import Filter, FilterDraft, Parameter
from core.targeting.references import find_references
from core.targeting.shortcuts import SHORTCUTS

MOST_PARAMETERS = 20
SHOWN = 5
T = TypeVar("T")

_WORDS = frozenset(
    {PARAMETER, COLUMN_FUNCTION, "exists", "sequence", "top", "rank", "in_audience", *(one.value for one in Measure)}
)

_SAMPLES: Mapping[Kind, Literal | Relative] = {
    Kind.TEXT: Literal("00000000-0000-0000-0000-000000000000"),  # which may be compared with a UUID, too
    Kind.INTEGER: Literal(1),
    Kind.DECIMAL: Literal(1),
    Kind.BOOLEAN: Literal(True),
    Kind.DATE: Relative(Anchor.TODAY),
    Kind.INSTANT: Relative(Anchor.NOW),
}


async def create_filter(conn: Connection, actor: Actor, draft: FilterDraft) -> Filter:
    """Save it. Raises ExpressionError, Invalid (BAD_NAME, BAD_LABEL, BAD_PARAMETER), Conflict (NAME_TAKEN)."""
    require(actor, Permission.EDIT)
    _check_words(draft)
    await store.hold_names(conn)
    async with conn.transaction():
        made = await filter_store.insert_filter(conn, draft, actor.name)
        if made is None:
            raise name_taken("filter", draft.name)
        await filter_store.set_reads(conn, made.id, await _check(conn, draft))
    await record(conn, actor, "filter.create", "filter", made.id, difference({}, _told(draft) | {"version": made.version}))
    return made


async def update_filter(
    conn: Connection, actor: Actor, filter_id: int, changes: Mapping[str, Any], *, expected_version: int | None = None
) -> Filter:
    """Change `name`, `label`, `parameters`, `entity` or `expression`; what calls it is another version afterwards.

    Raises as `create_filter`, NotFound, Stale (VERSION_CHANGED), Conflict (IN_USE) for another name of what is called, and for
    what would leave an audience or a filter that calls it without a meaning.
    """
    require(actor, Permission.EDIT)
    await store.hold_names(conn)
    before = await _lock(conn, filter_id)
    check_version("filter", before.version, expected_version)
    old = _draft(before)
    draft = changed(old, changes)
    if draft == old and draft.expression.text == old.expression.text:
        return before
    _check_words(draft)
    if draft.name != old.name:
        await _check_uncalled(conn, before)
    try:
        async with conn.transaction():
            updated = await filter_store.update_filter(conn, filter_id, draft)
            await filter_store.set_reads(conn, filter_id, await _check(conn, draft))
            await _renew_callers(conn, draft.name)
    except asyncpg.UniqueViolationError:
        raise name_taken("filter", draft.name) from None
    told = difference(_told(old) | {"version": before.version}, _told(draft) | {"version": updated.version})
    await record(conn, actor, "filter.update", "filter", filter_id, told)
    return updated


async def delete_filter(conn: Connection, actor: Actor, filter_id: int) -> None:
    """Delete it. Raises NotFound (FILTER_NOT_FOUND), Conflict (IN_USE) when something calls it."""
    require(actor, Permission.EDIT)
    await store.hold_names(conn)
    found = await _lock(conn, filter_id)
    await _check_uncalled(conn, found)
    await filter_store.delete_filter(conn, filter_id)
    await record(conn, actor, "filter.delete", "filter", filter_id, {"name": {"from": found.name}})


async def get_filter(conn: Connection, filter_id: int) -> Filter:
    """Raises NotFound (FILTER_NOT_FOUND)."""
    found = await filter_store.find_filters(conn, [filter_id])
    if not found:
        raise not_found("filter", filter_id)
    return found[0]


async def find_filters(conn: Connection, ids: Sequence[int]) -> list[Filter]:
    """Those of the filters that exist."""
    return await filter_store.find_filters(conn, ids)


async def list_filters(conn: Connection, page: PageRequest) -> Page[Filter]:
    """Filters, oldest first."""
    return cut(await filter_store.list_filters(conn, after=page.after, limit=page.first + 1), page)


async def count_filters(conn: Connection) -> int:
    """How many there are."""
    return await filter_store.count_filters(conn)


async def find_callers(conn: Connection, name: str) -> set[str]:
    """The names of a filter and of those that call it, also through others."""
    names = {name}
    while True:
        more = set(await filter_store.filters_calling(conn, sorted(names))) - names
        if not more:
            return names
        names |= more


def parameter_of(*, name: str, label: str, kind: Kind, default: Expression | None) -> Parameter:
    """A parameter as people ask for it. Raises ExpressionError for a default that is no value of its kind."""
    parameter = Parameter(name=name, label=label, kind=kind)
    if default is None or kind not in PARAMETER_KINDS:
        return parameter
    return replace(parameter, default=check_value_of(parameter, default.root, NOWHERE))


def values_of(parameters: Sequence[Parameter]) -> dict[str, Literal | Relative]:
    """Values with which a filter's question can be checked: defaults, or any of the kind."""
    return {one.name: one.default if one.default is not None else _SAMPLES[one.kind] for one in parameters}


async def _renew_callers(conn: Connection, name: str) -> None:
    """Check what calls a filter again, and make new versions of the audiences. Raises Conflict (IN_USE)."""
    names = await find_callers(conn, name)
    for one in await filter_store.find_by_names(conn, sorted(names - {name})):
        await filter_store.set_reads(conn, one.id, await _still(one.name, _check(conn, _draft(one))))
    found = await find_audiences(conn, list(await filter_store.audiences_calling(conn, sorted(names))))
    reads: list[list[str]] = []
    uses: list[tuple[int, int]] = []
    for audience in found:
        told, named = await _still(audience.name, read_question(conn, stored_question(audience), saved_as=audience.name))
        reads.append(told)
        uses += [(audience.id, other) for other in named]
    if found:
        await filter_store.renew_audiences(conn, [one.id for one in found], reads, uses)


async def _still(name: str, work: Coroutine[Any, Any, T]) -> T:
    """What comes of checking something again. Raises Conflict (IN_USE) where it means nothing any more."""
    try:
        return await work
    except ClarionError as error:
        raise Conflict(
            f"{name!r} calls this filter, and would have no meaning: {error.message}", code="IN_USE", path="expression",
            hint="Change that one first, or save this under another name.",
        ) from None  # fmt: skip


async def _check_uncalled(conn: Connection, one: Filter) -> None:
    names = await filter_store.filters_calling(conn, [one.name])
    names += (await filter_store.audiences_calling(conn, [one.name])).values()
    if names:
        shown = ", ".join(map(repr, names[:SHOWN])) + (" and others" if len(names) > SHOWN else "")
        raise Conflict(
            f"the filter {one.name!r} is called by {shown}", code="IN_USE", path="name", hint="Change those first.",
        )  # fmt: skip


async def _check(conn: Connection, draft: FilterDraft) -> list[str]:
    """What its question reads, checked with values of the kinds of its parameters. Raises ExpressionError, Invalid."""
    catalogue = await hold_catalogue(conn)
    check_entity(catalogue, draft.entity)
    root = filled(draft.expression.root, values_of(draft.parameters))
    references = await find_references(conn, root, catalogue)
    expression = Expression(root=references.root, text=draft.expression.text)
    return all_reads(check(expression, catalogue, entity=draft.entity, audiences=references.audiences))


def _check_words(draft: FilterDraft) -> None:
    known = (FUNCTIONS, SHORTCUTS, RESERVED, _WORDS)
    if not NAME.fullmatch(draft.name) or draft.name != draft.name.lower() or any(draft.name in names for names in known):
        raise Invalid(
            f"{draft.name[:80]!r} cannot be the name of a filter", code="BAD_NAME", path="name",
            hint="Use up to 63 small letters, digits and '_', and no word or function of the language.",
        )  # fmt: skip
    check_label(draft.label)
    if len(draft.parameters) > MOST_PARAMETERS:
        raise _bad(f"a filter has at most {MOST_PARAMETERS} parameters", "parameters")
    seen: set[str] = set()
    optional = False
    for number, one in enumerate(draft.parameters):
        path = f"parameters.{number}"
        if not NAME.fullmatch(one.name) or one.name in seen:
            raise _bad(f"{one.name[:80]!r} cannot be the name of a parameter, or is there twice", f"{path}.name")
        if one.kind not in PARAMETER_KINDS:
            raise _bad(f"a parameter cannot be {one.kind.value}", f"{path}.kind")
        if one.default is None and optional:
            raise _bad("a parameter without a default stands before those that have one", path)
        check_label(one.label, f"{path}.label")
        seen.add(one.name)
        optional = optional or one.default is not None


def _bad(message: str, path: str) -> Invalid:
    return Invalid(message, code="BAD_PARAMETER", path=path)


async def _lock(conn: Connection, filter_id: int) -> Filter:
    found = await filter_store.lock_filter(conn, filter_id)
    if found is None:
        raise not_found("filter", filter_id)
    return found


def _draft(one: Filter) -> FilterDraft:
    expression = Expression(root=read_stored(one.expression).root, text=one.expression_text)
    return FilterDraft(
        name=one.name, label=one.label, expression=expression, parameters=one.parameters, entity=one.entity
    )  # fmt: skip


def _told(draft: FilterDraft) -> dict[str, Any]:
    """What the audit keeps. A question may name people, so its text stays out; its version tells of it."""
    parameters = [one.name for one in draft.parameters]
    return {"name": draft.name, "label": draft.label, "entity": draft.entity, "parameters": parameters}
