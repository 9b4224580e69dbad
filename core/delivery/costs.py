"""Whether a preparation would run for days: Postgres is asked for its plans before anything of it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

from sqlalchemy import ColumnElement, FromClause

from core.db import Connection
from core.delivery import control_group
from core.delivery.computed import due_at, segment_code
from core.delivery.population import Computing, Population
from core.delivery.recipient_values import variants_expression
from core.planning import seeds
from core.planning.records import Delivery
from core.targeting import store
from core.targeting.checked import CheckedExpression, CheckedValue
from core.targeting.cost import check_statement_cost, is_too_costly, too_costly
from core.targeting.sql import Statement, predicate, value

_AS_LIST = "Narrow it down, or freeze whom it finds into a list and ask that: in_audience('name')"
_AS_COLUMN = "Simplify it, or compute it into a column of a list and read that: audience_column('name', 'column')"


@dataclass(frozen=True, slots=True)
class _Part:
    """Something that a delivery asks or computes of each whom it targets."""

    path: str
    what: str  # in words
    advice: str
    computing: Computing


async def check_costs(conn: Connection, delivery: Delivery, population: Population, ranked: Statement | None) -> None:
    """Raises LimitReached (QUESTION_TOO_COSTLY) with the place of what is too dear.

    `ranked` finds the audience where that is written down beforehand.
    """
    if ranked is not None:
        await check_statement_cost(conn, ranked, path="audience_id")
    # It asks the audience of everybody, as the ranges do.
    await check_statement_cost(conn, population.duplicates_statement(), path="audience_id")
    parts = [*await _of_control_group(conn, delivery, population), *_of_computed(population), *_of_content(population)]
    if parts:
        await _check_parts(conn, population, parts)


async def _check_parts(conn: Connection, population: Population, parts: Sequence[_Part]) -> None:
    """All of them at once, without what the audience costs; only of those that are refused is asked which is the dearest."""
    audience = await store.estimate_cost(conn, population.computing_statement())
    cost = await store.estimate_cost(conn, population.computing_statement(*(one.computing for one in parts))) - audience
    if not is_too_costly(cost):
        return
    costs = [await store.estimate_cost(conn, population.computing_statement(one.computing)) for one in parts]
    dearest, whole = max(zip(parts, costs, strict=True), key=lambda pair: pair[1])
    if is_too_costly(whole - audience):
        raise too_costly(whole - audience, dearest.advice, what=dearest.what, path=dearest.path)
    together = f"what is asked of each, most of all {dearest.what},"
    raise too_costly(cost, dearest.advice, what=together, path=dearest.path)


async def _of_control_group(conn: Connection, delivery: Delivery, population: Population) -> Iterator[_Part]:
    group = (await seeds.get_control_groups(conn, [delivery.id])).get(delivery.id)
    if group is None:
        return iter(())
    named, by = await control_group.open_named(conn, group), await control_group.open_order(conn, group)
    return chain(_of_named(named, population), () if by is None else (_of_order(by, population),))


def _of_named(named: Mapping[str, CheckedExpression], population: Population) -> Iterator[_Part]:
    for name, asked in named.items():
        computing = partial(_predicate, asked, population)
        yield _Part(f"control_group.{name}", f"the control group's {name.removesuffix('_id')}", _AS_LIST, computing)


def _of_order(by: CheckedValue, population: Population) -> _Part:
    return _Part("control_group.by", "the control group's order", _AS_COLUMN, partial(_value, by, population))


def _value(by: CheckedValue, population: Population, profile: FromClause) -> ColumnElement[Any]:
    return value(by, at=population.at, zone=population.zone, source=profile)


def _predicate(asked: CheckedExpression, population: Population, profile: FromClause) -> ColumnElement[Any]:
    return predicate(asked, at=population.at, zone=population.zone, source=profile)


def _of_computed(population: Population) -> Iterator[_Part]:
    computed, at, merged = population.computed, population.at, population.audience.catalogue.merged
    if computed.segment_code is not None:
        code = partial(segment_code, computed, at=at, merged=merged)
        yield _Part("sending_log.segment_code", "the segment code", _AS_COLUMN, code)
    if computed.send_at is not None:
        yield _Part("send_dates.expression", "the send date", _AS_COLUMN, partial(due_at, computed, at=at))


def _of_content(population: Population) -> Iterator[_Part]:
    for name, conditions in population.dynamic.items():
        numbers = partial(
            variants_expression, {name: conditions}, at=population.at, readable=population.readable, zone=population.zone
        )
        yield _Part(f"dynamic.{name}", f"the conditions of the dynamic content {name!r}", _AS_LIST, numbers)
