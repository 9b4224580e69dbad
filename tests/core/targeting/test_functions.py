"""Functions: Postgres answers as plain Python does, fails on nothing, and holds no value of an author in its text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from core.db import Connection
from core.targeting.catalogue import PROFILE, Kind
from core.targeting.check import check_value
from core.targeting.errors import ExpressionError
from core.targeting.functions import FUNCTIONS, Function, Parameter
from core.targeting.language import Anchor, Call, Case, Condition, Expression, Literal, Operand, Relative
from core.targeting.linked import entity_table
from core.targeting.parse import parse_text
from core.targeting.sql import compile_statement, value
from core.targeting.text_form import to_text
from tests.core.targeting.test_sql import (
    ATOMS,
    ATS,
    DAYS,
    MOMENTS,
    TEXT,
    ZONES,
    Evaluator,
    Row,
    fields,
    insert,
    literals,
    people,
    telling_rows,
)

APART = {"row_id", "random_share", "sample", "stable_uuid"}  # of the row's key: told by tests of their own
TREES = {"json_text", "json_number", "json_boolean", "json_date", "json_instant"}  # of a team's fields: likewise
ZONED = {"in_zone"}  # of a zone that a row tells: likewise
INEXACT = {"distance_km", "within_km"}  # of floating point: compared by themselves

DAY_TEXTS = ["2024-02-29", "2023-02-29", " 2024-12-31 ", "0000-01-01", "9999-12-31", "2024-05-01T24:00", "2024-03-31T02:30"]
INSTANT_TEXTS = [
    "2024-10-27 02:30:15.5",
    "2024-05-01T10:30:00Z",
    "2024-05-01T10:30:00+02:00",
    "2024-05-01t10:30:00.123456-13:59",
]
NUMBER_TEXTS = [
    "12",
    "-7",
    " +3 ",
    "1.50",
    "-0.000000000000000001",
    "123456789012345678",
    "1234567890123456789",
    "1.",
    "1e3",
    "٣",
]
OTHER_TEXTS = ["yes", "No ", "OFF", "a@b.org", "a@B@C.Org", "@", "two\r\nlines\nthree", "  a  b ", "x", ""]
WRITTEN = st.sampled_from([*DAY_TEXTS, *INSTANT_TEXTS, *NUMBER_TEXTS, *OTHER_TEXTS])
ALL_TEXTS = TEXT | WRITTEN
INTEGERS = st.integers(-40, 400) | st.sampled_from([0, 1, -1, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63), 10**9])
SMALL, LARGE = "0.000000000000000001", "123456789012345678.5"
DECIMALS = st.sampled_from(["0.0", "0.5", "-0.5", "1.5", "2.5", "-2.45", SMALL, LARGE]).map(Decimal)
LEAVES: Mapping[Kind, st.SearchStrategy[Operand]] = {
    Kind.TEXT: fields("first_name", "city") | literals(ALL_TEXTS),
    Kind.INTEGER: fields("age") | literals(INTEGERS),
    Kind.DECIMAL: fields("latitude") | literals(DECIMALS | st.decimals(-1000, 1000, places=3)),
    Kind.BOOLEAN: fields("opt_out", "opt_out_email") | literals(st.booleans()),
    Kind.DATE: fields("birth_date") | literals(DAYS) | st.just(Relative(Anchor.TODAY)),
    Kind.INSTANT: fields("created_at", "updated_at") | literals(MOMENTS) | st.just(Relative(Anchor.NOW)),
    Kind.ENUMERATION: fields("gender", "email_format"),
    Kind.UUID: fields("opt_in_id"),
}
AS_TEXTS = frozenset({Kind.ENUMERATION, Kind.UUID})  # what functions take as a text
CONSTANTS: Mapping[str, st.SearchStrategy[Any]] = {
    "zone": st.sampled_from(["UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Cairo"]),
    "digits": st.sampled_from([0, 1, 2, 18]),
    "bit": st.sampled_from([0, 1, 31, 62]),
    "pattern": st.sampled_from(
        ["a", "^a.", "[^a-z]+$", r"^\d{4}-\d\d", "(a|b)*%", "é", r"\.", "a?b{1,3}", "^$", r"[\w.-]+@\w"]
    ),
    "piece": st.sampled_from(["a", "é", "-", " ", "'", "%", "\\", "@", "ab"]),
    "other": st.sampled_from(["", "x", "aa", "é'"]),
    "fill": st.sampled_from(["0", " ", "ab"]),
    "length": st.sampled_from([0, 1, 4, 20]),
    "n": st.sampled_from([1, 2, 3, 1000]),
    "separator": st.sampled_from(["", ", ", "'"]),
    "start": st.sampled_from([-366, -30, -1, 0, 1]),
    "seconds": st.sampled_from([1, 7, 90, 900, 5_400, 43_200, 86_399, 86_400]),
    "end": st.sampled_from([0, 1, 7, 90, 400]),
    "code": st.sampled_from([1, 39, 65, 233, 0x1F600]),
}
GIVEN: Sequence[Function] = [one for one in FUNCTIONS.values() if one.name not in APART | INEXACT | TREES | ZONED | {"point"}]


def giving(kind: Kind) -> list[Function]:
    """The functions that can give a kind."""
    found = []
    for one in GIVEN:
        grouped = {parameter for parameter in one.parameters if parameter.group == one.gives}
        if one.gives is kind or any(kind in parameter.takes for parameter in grouped):
            found.append(one)
    return found


GIVING = {kind: giving(kind) for kind in LEAVES if kind not in AS_TEXTS}


@st.composite
def operands(draw: st.DrawFn, kind: Kind, depth: int) -> Operand:
    """An operand of a kind, of functions within each other to a depth."""
    if kind in AS_TEXTS or not depth or draw(st.integers(0, 3)) == 0:
        return draw(LEAVES[kind])
    if draw(st.integers(0, 9)) == 0:
        results = draw(st.lists(operands(kind, depth - 1), min_size=1, max_size=3))
        branches = tuple((draw(ATOMS), result) for result in results)
        return Case(branches, draw(st.none() | operands(kind, depth - 1)))
    return draw(calls(draw(st.sampled_from(GIVING[kind])), kind, depth - 1))


@st.composite
def calls(draw: st.DrawFn, function: Function, kind: Kind, depth: int) -> Call:
    """A call that gives a kind, if the function can give it."""
    least = len(function.parameters) - function.optional
    counts = [count for count in range(least, least + 6) if function.expects(count)]
    parameters = function.expects(draw(st.sampled_from(counts))) or ()
    kinds: dict[str, Kind] = {}
    arguments: list[Condition] = []
    for parameter in parameters:
        if parameter.constant:
            arguments.append(draw(literals(CONSTANTS[parameter.name])))
            continue
        wanted = draw(kinds_of(parameter, kinds, kind if parameter.group == function.gives else None))
        if wanted is Kind.BOOLEAN and draw(st.booleans()):
            arguments.append(draw(ATOMS))
        else:
            arguments.append(draw(operands(wanted, depth)))
    return Call(function.name, tuple(arguments))


def kinds_of(parameter: Parameter, kinds: dict[str, Kind], wanted: Kind | None) -> st.SearchStrategy[Kind]:
    """The kinds that an argument may have beside those before it."""
    if parameter.group is None:
        return st.sampled_from(sorted(parameter.takes))
    plain = sorted(parameter.takes - AS_TEXTS)
    if wanted in plain:
        kinds[parameter.group] = wanted
    elif parameter.group not in kinds:
        return st.sampled_from(plain).map(lambda kind: kinds.setdefault(parameter.group or "", kind))
    return st.just(kinds[parameter.group])


async def computed(
    conn: Connection, trees: Sequence[Condition], at: datetime, zone: ZoneInfo
) -> tuple[Sequence[Kind], Mapping[int, Sequence[Any]]]:
    """What each expression is for each profile, all in one statement, and the kinds."""
    rows = entity_table(PROFILE).alias("p")
    checked = [check_value(Expression(root=tree, text="")) for tree in trees]
    columns = [value(one, at=at, zone=zone, source=rows).label(f"v{index}") for index, one in enumerate(checked)]
    statement = compile_statement(select(rows.c.id, *columns))
    found = await conn.fetch(statement.text, *statement.args)
    return [one.kind for one in checked], {row[0]: tuple(row)[1:] for row in found}


def fitting(found: Any, kind: Kind) -> Any:
    """A number of the evaluator as a column of a kind holds it."""
    if kind is Kind.INTEGER and found is not None:
        return int(found) if -(2**63) <= found < 2**63 else None
    if kind is Kind.DECIMAL and isinstance(found, float):
        return Decimal(f"{found:.15g}")
    return found


async def compare_values(conn: Connection, rows: Sequence[Row], trees: Sequence[Operand], at: datetime, zone: ZoneInfo) -> None:
    savepoint = conn.transaction()
    await savepoint.start()
    try:
        ids = await insert(conn, rows)
        kinds, found = await computed(conn, trees, at, zone)
        for key, row in zip(ids, rows, strict=True):
            evaluator = Evaluator(row, at, zone)
            for tree, kind, answered in zip(trees, kinds, found[key], strict=True):
                expected = fitting(evaluator.value(tree), kind)
                assert answered == expected, f"{to_text(tree)} is {answered!r}, not {expected!r}, about {row}"
    finally:
        await savepoint.rollback()


EXPRESSIONS = st.sampled_from(sorted(GIVING)).flatmap(lambda kind: operands(kind, 2))
QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(deadline=None, max_examples=12, suppress_health_check=QUIET)
@given(
    rows=people(1, 6),
    trees=st.lists(EXPRESSIONS, min_size=4, max_size=8),
    at=st.sampled_from(ATS) | MOMENTS,
    zone=st.sampled_from(ZONES),
)
async def test_what_is_computed_is_what_a_slow_evaluator_computes(
    conn: Connection, rows: list[Row], trees: list[Operand], at: datetime, zone: ZoneInfo
) -> None:
    await compare_values(conn, rows, trees, at, zone)


@pytest.mark.parametrize("function", GIVEN, ids=lambda one: one.name)
@settings(deadline=None, max_examples=3, suppress_health_check=QUIET)
@given(data=st.data())
async def test_each_function_is_that_of_the_slow_evaluator(conn: Connection, function: Function, data: st.DataObject) -> None:
    kinds = [kind for kind in GIVING if function in GIVING[kind]]
    trees = data.draw(st.lists(st.sampled_from(kinds).flatmap(lambda kind: calls(function, kind, 0)), min_size=6, max_size=6))
    rows = data.draw(people(2, 4))
    await compare_values(conn, rows, trees, data.draw(st.sampled_from(ATS)), data.draw(st.sampled_from(ZONES)))


HOSTILE = ["'; DROP TABLE profile; --", "\\'; SELECT pg_sleep(9); --", "$1", "%(x)s", ":x", "(?i)('", "E'\\n'"]


async def test_no_text_of_an_author_is_part_of_the_statement(conn: Connection) -> None:
    await insert(conn, telling_rows()[:5])
    for function in FUNCTIONS.values():
        parameters = function.parameters
        places = [at for at, one in enumerate(parameters) if Kind.TEXT in one.takes and one.name not in ("zone", "pattern")]
        if not places or any({Kind.POINT, Kind.JSON} & one.takes for one in parameters):
            continue
        told = [Literal("2024") if at in places else Literal(1) for at in range(len(parameters) - function.optional)]
        for at in (at for at in places if at < len(told)):
            texts = []
            for text in ("x", *HOSTILE):
                tree = Call(function.name, tuple(Literal(text) if place == at else one for place, one in enumerate(told)))
                try:
                    checked = check_value(Expression(root=tree, text=""))
                except ExpressionError:
                    continue
                column = value(checked, at=ATS[0], zone=ZONES[0])
                statement = compile_statement(select(column.label("v")).select_from(entity_table(PROFILE)))
                await conn.fetch(statement.text, *statement.args)
                texts.append(statement.text)
            assert len(set(texts)) <= 1, function.name


COMPUTED: list[tuple[str, Any]] = [
    ("distance_km(point(2.3522, 48.8566), point(-0.1276, 51.5072))", Decimal("343.530")),
    ("distance_km(point(0, 0), point(180, 0))", Decimal("20015.114")),
    ("distance_km(point(0, 91), point(0, 0))", None),
    ("distance_km(point(181, 0), point(0, 0))", None),
    ("distance_km(point(longitude, 0), point(0, 0))", None),
    ("distance_km(point(0.000000000000000001, 0.000000000000000001), point(0, 0))", Decimal("0.000")),
    ("within_km(point(179.9, 0), point(-179.9, 0), 30)", True),
    ("within_km(point(179.9, 0), point(-179.9, 0), 20)", False),
    ("within_km(point(90, 89.9), point(-90, 89.9), 30)", True),
    ("row_id() = id and stable_uuid('a') = stable_uuid('a') and stable_uuid('a') != stable_uuid('b')", True),
    ("random_share('a') >= 0 and random_share('a') < 1 and sample(1) and not sample(0)", True),
    ("sample(0.3, 's') = (if(random_share('s') < 0.3, true, false))", True),
    ("1 / 0", None),
    ("10 % 0 is_null and 2 / 3 = 0.666666666666666667", True),
    ("9223372036854775807 + 1", None),
    ("9223372036854775807 + 1 > 9223372036854775807", True),
    ("add_years(9999-12-31, 1) is_null and add_days(0001-01-01, -1) is_null", True),
    ("exactly('É') = 'é'", False),
    ("matches('Anna', '^a') and not matches(exactly('Anna'), '^a')", True),
    ("to_instant('2024-10-27T02:30', 'Europe/Paris') = 2024-10-27T00:30Z", True),
    ("to_instant('2024-03-31T02:30', 'Europe/Paris') = 2024-03-31T01:30Z", True),
]


@pytest.mark.parametrize(("source", "expected"), COMPUTED)
async def test_what_is_computed_is_known(conn: Connection, source: str, expected: Any) -> None:
    await insert(conn, telling_rows()[:3])
    rows = entity_table(PROFILE)
    column = value(check_value(parse_text(source)), at=ATS[0], zone=ZONES[0])
    statement = compile_statement(select(rows.c.id, column.label("v")))
    assert {row["v"] for row in await conn.fetch(statement.text, *statement.args)} == {expected}


async def test_functions_within_each_other_stay_one_short_statement(conn: Connection) -> None:
    await insert(conn, telling_rows()[:3])
    nested = "created_at"
    for _ in range(18):
        nested = f"start_of_day(add_days({nested}, 1))"
    checked = check_value(parse_text(nested))
    statement = compile_statement(select(value(checked, at=ATS[0], zone=ZONES[1]).label("v")))
    assert len(statement.text) < 200_000
    assert len(await conn.fetch(statement.text, *statement.args)) == 3


ZONED_ROWS = [  # a zone that a row tells, and what its clock shows at 2024-03-31T00:30Z, as an instant of Paris
    ("Europe/Paris", "2024-03-31T00:30:00+00:00"),
    ("America/New_York", "2024-03-30T19:30:00+00:00"),
    ("Asia/Kathmandu", "2024-03-31T04:15:00+00:00"),
    ("Etc/GMT-1", "2024-03-31T00:30:00+00:00"),
    ("Europe/paris;", None),
    ("' OR 1", None),
    ("", None),
    (None, None),
]


async def test_peoples_own_clocks_are_read_in_the_zone_asked_in(conn: Connection) -> None:
    moment = datetime.fromisoformat("2024-03-31T00:30:00+00:00")
    checked = check_value(parse_text("in_zone(created_at, time_zone)"))
    rows = entity_table(PROFILE)
    for zone, _ in ZONED_ROWS:
        await conn.execute("INSERT INTO profile (time_zone, created_at) VALUES ($1, $2)", zone, moment)
    found = value(checked, at=moment, zone=ZoneInfo("Europe/Paris"))
    statement = compile_statement(select(found).select_from(rows).order_by(rows.c.id))
    told = [row[0] for row in await conn.fetch(statement.text, *statement.args)]
    assert told == [None if one is None else datetime.fromisoformat(one) for _, one in ZONED_ROWS]
