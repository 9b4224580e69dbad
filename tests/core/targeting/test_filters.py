"""Saved filters with parameters, and those that come with Clarion."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.access import SYSTEM
from core.db import Connection
from core.errors import ClarionError
from core.targeting import filters, lists
from core.targeting.audiences import (
    create_audience,
    delete_audience,
    get_audience,
    open_audience,
    open_question,
    sample,
    update_audience,
)
from core.targeting.catalogue import Kind
from core.targeting.describe import describe
from core.targeting.errors import ExpressionError
from core.targeting.functions import FUNCTIONS
from core.targeting.json_form import to_json
from core.targeting.json_parse import parse_json
from core.targeting.parse import parse_text
from core.targeting.records import Audience, AudienceDraft, Filter, FilterDraft, Parameter
from core.targeting.shortcuts import SHORTCUTS, definition_of
from core.targeting.text_form import to_text

AT, ZONE = datetime(2026, 6, 1, tzinfo=UTC), ZoneInfo("UTC")


def parameter(name: str, kind: Kind, default: str | None = None) -> Parameter:
    written = None if default is None else parse_text(default)
    return filters.parameter_of(name=name, label=name, kind=kind, default=written)


def draft(name: str, question: str, *parameters: Parameter, entity: str = "profile") -> FilterDraft:
    return FilterDraft(name=name, label=name, expression=parse_text(question), parameters=parameters, entity=entity)


async def saved(conn: Connection, name: str, question: str, *parameters: Parameter) -> Filter:
    return await filters.create_filter(conn, SYSTEM, draft(name, question, *parameters))


async def audience(conn: Connection, name: str, question: str) -> Audience:
    return await create_audience(conn, SYSTEM, AudienceDraft(name=name, label=name, expression=parse_text(question)))


async def found(conn: Connection, question: str) -> list[int]:
    return await sample(conn, await open_question(conn, parse_text(question)), size=100, at=AT, zone=ZONE)


async def people(conn: Connection, *ages: int) -> list[int]:
    births = [date(2026 - age, 1, 1) for age in ages]
    rows = await conn.fetch("INSERT INTO profile (birth_date) SELECT unnest($1::date[]) RETURNING id", births)
    return [row["id"] for row in rows]


async def refused(code: str, work: Any) -> ClarionError:
    with pytest.raises(ClarionError) as caught:
        await work
    assert caught.value.code == code, caught.value
    return caught.value


async def test_a_filter_is_called_with_arguments(conn: Connection) -> None:
    ids = await people(conn, 10, 20, 30, 40)
    await saved(
        conn, "aged", "age between parameter('least') and parameter('most')", parameter("least", Kind.INTEGER),
        parameter("most", Kind.INTEGER, "100"),
    )  # fmt: skip
    assert await found(conn, "aged(20, 30)") == ids[1:3]
    assert await found(conn, "aged(20)") == ids[1:]
    assert await found(conn, "not aged(20, 30)") == [ids[0], ids[3]]
    assert await found(conn, "aged(15, 25) or aged(35) and id > 0") == [ids[1], ids[3]]
    # Also in an audience, and in another filter, which hands an argument on
    one = await audience(conn, "twenties", "aged(20, 29)")
    assert one.expression_text == "aged(20, 29)"
    assert await sample(conn, await open_audience(conn, one), size=9, at=AT, zone=ZONE) == [ids[1]]
    await saved(conn, "old", "aged(parameter('from')) and not in_audience('twenties')", parameter("from", Kind.INTEGER))
    assert await found(conn, "old(15)") == ids[2:]


def test_both_spellings_round_trip() -> None:
    tree = parse_text("aged(20, 30) and spring('x')")
    assert to_text(tree) == "aged(20, 30) and spring('x')"
    assert parse_json(to_json(tree)) == tree


async def test_what_it_asks_is_told_in_plain_words(conn: Connection) -> None:
    await saved(conn, "adult", "age >= parameter('from')", parameter("from", Kind.INTEGER, "18"))
    assert describe(await open_question(conn, parse_text("adult()"))) == "Age in years is at least 18"


@pytest.mark.parametrize(
    ("question", "code", "said"),
    [
        ("aged()", "EXPRESSION_SYNTAX", "wrong number of arguments"),
        ("aged(1, 2, 3)", "EXPRESSION_SYNTAX", "wrong number of arguments"),
        ("aged('x')", "WRONG_TYPE", "the parameter least is an integer"),
        ("aged(1.5)", "WRONG_TYPE", "the parameter least is an integer"),
        ("aged(age)", "WRONG_TYPE", "is given a value"),
        ("aged(1 + 1)", "WRONG_TYPE", "is given a value"),
        ("aged(age = 1)", "WRONG_TYPE", "is given a value"),
        ("agd(1)", "UNKNOWN_FUNCTION", "unknown function 'agd'"),
        ("age > parameter('least')", "UNKNOWN_FUNCTION", "unknown function 'parameter'"),
        ("exists(received where aged(1))", "UNKNOWN_FIELD", "message has no field 'age'"),
        ("aged(1) + 1 > 2", "WRONG_TYPE", "does not work with a boolean"),
    ],
)
async def test_wrong_calls_have_names_and_the_place_of_the_call(conn: Connection, question: str, code: str, said: str) -> None:
    await saved(
        conn, "aged", "age between parameter('least') and parameter('most')", parameter("least", Kind.INTEGER),
        parameter("most", Kind.INTEGER, "100"),
    )  # fmt: skip
    error = await refused(code, open_question(conn, parse_text(question)))
    assert said in error.message
    assert isinstance(error, ExpressionError)
    assert error.place.line == 1


async def test_values_are_values_and_never_text_of_a_question(conn: Connection) -> None:
    await people(conn, 20)
    await saved(conn, "named", "first_name = parameter('name')", parameter("name", Kind.TEXT))
    for hostile in ("' or true or '", "x'' or id > 0 --", "parameter('name')", "$1", "%s", "\\"):
        written = hostile.replace("'", "''")
        assert await found(conn, f"named('{written}')") == []
    (one,) = [
        row["id"] for row in await conn.fetch("INSERT INTO profile (first_name) VALUES ($1) RETURNING id", "' or true or '")
    ]
    assert await found(conn, "named(''' or true or ''')") == [one]


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (draft("Big", "age > 1"), "BAD_NAME"),
        (draft("big spender", "age > 1"), "BAD_NAME"),
        (draft("month", "age > 1"), "BAD_NAME"),
        (draft("count", "age > 1"), "BAD_NAME"),
        (draft("parameter", "age > 1"), "BAD_NAME"),
        (draft("audience_column", "age > 1"), "BAD_NAME"),
        (draft("has_birthday", "age > 1"), "BAD_NAME"),
        (draft("x", "agee > 1"), "UNKNOWN_FIELD"),
        (draft("x", "age > parameter('a')"), "UNKNOWN_PARAMETER"),
        (draft("x", "age > parameter('a')", parameter("a", Kind.TEXT)), "WRONG_TYPE"),
        (draft("x", "age > parameter(a)", parameter("a", Kind.INTEGER)), "EXPRESSION_SYNTAX"),
        (draft("x", "age > 1", parameter("a", Kind.INTEGER), parameter("a", Kind.INTEGER)), "BAD_PARAMETER"),
        (draft("x", "age > 1", parameter("a", Kind.INTEGER, "1"), parameter("b", Kind.INTEGER)), "BAD_PARAMETER"),
        (draft("x", "age > 1", parameter("a", Kind.POINT)), "BAD_PARAMETER"),
        (draft("x", "age > 1", parameter("a;b", Kind.TEXT)), "BAD_PARAMETER"),
        (draft("x", "age > 1", *(parameter(f"p{n}", Kind.TEXT) for n in range(21))), "BAD_PARAMETER"),
        (draft("x", "amount > 1", entity="purchase"), "UNKNOWN_ENTITY"),
        (draft("x", "x()"), "AUDIENCE_CYCLE"),
    ],
)
async def test_bad_filters_are_refused(conn: Connection, made: FilterDraft, code: str) -> None:
    await refused(code, filters.create_filter(conn, SYSTEM, made))
    assert await filters.count_filters(conn) == 0


def test_a_default_is_a_value_of_its_kind() -> None:
    assert parameter("since", Kind.DATE, "today - 3 days").default is not None
    with pytest.raises(ExpressionError):
        parameter("since", Kind.DATE, "'yesterday'")
    with pytest.raises(ExpressionError):
        parameter("since", Kind.DATE, "birth_date")


async def test_filters_that_are_made_of_each_other_are_refused(conn: Connection) -> None:
    first = await saved(conn, "one", "age > 1")
    await saved(conn, "two", "one() and age > 2")
    third = await saved(conn, "third", "two()")
    for one in (first, third):
        changes = {"expression": parse_text("third()")}
        error = await refused("AUDIENCE_CYCLE", filters.update_filter(conn, SYSTEM, one.id, changes))
        assert "made of itself" in error.message
    # An audience that calls a filter cannot be named by it
    await audience(conn, "people", "two()")
    changes = {"expression": parse_text("in_audience('people')")}
    await refused("AUDIENCE_CYCLE", filters.update_filter(conn, SYSTEM, first.id, changes))


async def test_filters_in_filters_do_not_explode(conn: Connection) -> None:
    await saved(conn, "f0", "age > 1 or age < 9")
    for number in range(1, 8):
        await saved(conn, f"f{number}", f"f{number - 1}() or not f{number - 1}()")
    await refused("EXPRESSION_TOO_LARGE", found(conn, " or ".join(["f7()"] * 40)))


async def test_a_change_flows_on_and_is_another_version_of_what_calls_it(conn: Connection) -> None:
    ids = await people(conn, 10, 30)
    first = await saved(conn, "grown", "age > 20")
    await saved(conn, "member", "grown()")
    one, other = await audience(conn, "a", "member() and id > 0"), await audience(conn, "b", "id > 0")
    assert await found(conn, "in_audience('a')") == [ids[1]]
    changed = await filters.update_filter(conn, SYSTEM, first.id, {"expression": parse_text("age > 5 and email is null")})
    assert changed.version == 2
    assert await found(conn, "in_audience('a')") == ids
    assert (await get_audience(conn, one.id)).version == 2
    assert (await get_audience(conn, other.id)).version == 1
    reads = await conn.fetchval("SELECT reads FROM audience WHERE id = $1", one.id)
    assert reads == ["age", "email", "id"]
    kept = await conn.fetchval("SELECT expression_text FROM audience_version WHERE audience_id = $1 AND version = 2", one.id)
    assert kept == "member() and id > 0"
    # What changes nothing is no version
    assert (await filters.update_filter(conn, SYSTEM, first.id, {"label": "grown"})).version == 2


async def test_a_change_that_leaves_a_caller_without_a_meaning_is_refused(conn: Connection) -> None:
    one = await saved(conn, "grown", "age > parameter('x')", parameter("x", Kind.INTEGER))
    await audience(conn, "adults", "grown(18)")
    for changes in (
        {"parameters": (parameter("x", Kind.TEXT),), "expression": parse_text("city = parameter('x')")},
        {"parameters": (), "expression": parse_text("age > 18")},
    ):
        error = await refused("IN_USE", filters.update_filter(conn, SYSTEM, one.id, changes))
        assert "'adults'" in error.message
    await refused("IN_USE", filters.update_filter(conn, SYSTEM, one.id, {"name": "other"}))
    await refused("IN_USE", filters.delete_filter(conn, SYSTEM, one.id))
    await refused("VERSION_CHANGED", filters.update_filter(conn, SYSTEM, one.id, {"label": "L"}, expected_version=7))
    await refused("FILTER_NOT_FOUND", filters.delete_filter(conn, SYSTEM, 10**9))


async def test_what_a_filter_names_is_in_use(conn: Connection) -> None:
    named = await audience(conn, "named", "id > 0")
    other = await lists.create_list(
        conn, SYSTEM, name="listed", label="x", whom=[], now=AT, zone=ZONE,
    )  # fmt: skip
    one = await saved(conn, "inside", "in_audience('named') or in_audience('listed')")
    for each in (named, other):
        await refused("IN_USE", delete_audience(conn, SYSTEM, each.id, AT))
    await refused("IN_USE", update_audience(conn, SYSTEM, named.id, {"name": "called"}))
    await filters.delete_filter(conn, SYSTEM, one.id)
    await delete_audience(conn, SYSTEM, named.id, AT)


async def test_a_filter_of_an_audience_holds_what_it_names(conn: Connection) -> None:
    inner = await audience(conn, "inner", "id > 0")
    await saved(conn, "inside", "in_audience('inner')")
    await audience(conn, "outer", "inside()")
    uses = await conn.fetchval("SELECT count(*) FROM audience_use WHERE used_id = $1", inner.id)
    assert uses == 1


@pytest.mark.parametrize("name", list(SHORTCUTS))
async def test_every_shortcut_is_a_question(conn: Connection, name: str) -> None:
    assert name not in FUNCTIONS
    samples = {Kind.TEXT: "'spring'", Kind.INTEGER: "3"}
    given = [samples[one.kind] for one in definition_of(name).parameters]
    if name == "has_failed":
        given = ["'mailbox_full'"]
    assert await found(conn, f"{name}({', '.join(given)})") == []


async def test_shortcuts_find_whom_they_say(conn: Connection) -> None:
    rows = await conn.fetch(
        """
        INSERT INTO profile (birth_date, email, email_key, first_name)
        VALUES ('1990-06-01', 'ann@x.example', 'ann@x.example', 'Ann'), ('1990-06-04', NULL, NULL, 'Bob') RETURNING id
        """
    )
    ann, bob = (row["id"] for row in rows)
    assert await found(conn, "has_birthday()") == [ann]
    assert await found(conn, "has_birthday(3)") == [bob]
    assert await found(conn, "has_email('ANN@X.EXAMPLE')") == [ann]
    assert await found(conn, "has_text('bo')") == [bob]
    assert await found(conn, f"is_profile({bob})") == [bob]
    assert await found(conn, "not_contacted(30)") == [ann, bob]
    assert await found(conn, "was_contacted(30)") == []
