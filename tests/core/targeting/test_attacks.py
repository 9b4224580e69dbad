"""Every name and every value of a question is a name or a value, whatever it says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.access import SYSTEM
from core.datamodel.records import FieldKind
from core.db import Connection
from core.errors import ClarionError
from core.targeting import filters, lists
from core.targeting.audiences import count, open_question, sample
from core.targeting.catalogue import Kind
from core.targeting.checked import CheckedExpression
from core.targeting.describe import describe
from core.targeting.enrichment import ComputedColumn
from core.targeting.examine import examine
from core.targeting.expansion import given
from core.targeting.json_parse import parse_json
from core.targeting.parse import parse_text
from core.targeting.records import FilterDraft
from core.targeting.samples import sample_rows
from core.targeting.sql import compile_statement, population
from tests.core.datamodel.model import field, publish_fields
from tests.core.hostile import HOSTILE

AT, ZONE = datetime(2026, 6, 1, tzinfo=UTC), ZoneInfo("UTC")

# The places of a question where a text may stand, of those who know no better.
PLACES: dict[str, Callable[[str], Any]] = {
    "a value": lambda text: {"operator": "=", "operands": [{"field": "city"}, text]},
    "one of several": lambda text: {"operator": "in", "operands": [{"field": "city"}, text, "x"]},
    "a piece": lambda text: {"operator": "contains", "operands": [{"field": "city"}, text]},
    "the beginning of an address": lambda text: {"operator": "starts_with", "operands": [{"field": "email"}, text]},
    "an address": lambda text: {"operator": "=", "operands": [{"field": "email"}, text]},
    "a phone": lambda text: {"operator": "=", "operands": [{"field": "mobile_phone"}, text]},
    "a choice": lambda text: {"operator": "=", "operands": [{"field": "gender"}, text]},
    "a field": lambda text: {"operator": "=", "operands": [{"field": text}, "x"]},
    "a link": lambda text: {"exists": text},
    "an operator": lambda text: {"operator": text, "operands": [{"field": "city"}, "x"]},
    "a function": lambda text: {"function": text, "arguments": ["x"]},
    "a key of the tree": lambda text: {text: "x"},
    "an audience": lambda text: {"audience": text},
    "an audience of a column": lambda text: _equal({"function": "audience_column", "arguments": [text, "code"]}),
    "a column": lambda text: _equal({"function": "audience_column", "arguments": ["listed", text]}),
    "a path": lambda text: _equal({"function": "json_text", "arguments": [{"field": "extra"}, text]}),
    "a pattern": lambda text: {"function": "matches", "arguments": [{"field": "city"}, text]},
    "a zone": lambda text: _equal({"function": "to_text", "arguments": [{"field": "created_at"}, text]}),
    "a zone of a row": lambda text: {
        "operator": "is_null",
        "operands": [{"function": "in_zone", "arguments": [{"now": {}}, {"function": "concat", "arguments": [text, "x"]}]}],
    },
    "a seed": lambda text: {"function": "sample", "arguments": [{"decimal": "0.5"}, text]},
    "a unit": lambda text: {"operator": ">", "operands": [{"field": "created_at"}, {"now": {text: 1}}]},
    "a date": lambda text: {"operator": ">", "operands": [{"field": "created_at"}, {"date": text}]},
    "a number": lambda text: {"operator": ">", "operands": [{"field": "age"}, {"decimal": text}]},
    "a measure": lambda text: {"operator": ">", "operands": [{"aggregate": text, "of": "opens"}, 1]},
    "a value of a filter": lambda text: {"function": "named", "arguments": [text]},
    "a text that is read": lambda text: {
        "operator": ">", "operands": [{"function": "to_integer", "arguments": [text]}, 1],
    },
}  # fmt: skip


def _equal(operand: Any) -> Any:
    return {"operator": "=", "operands": [operand, "x"]}


async def opened(conn: Connection, tree: Any) -> CheckedExpression | ClarionError:
    """A question, or why there is none."""
    try:
        return await open_question(conn, parse_json(tree))
    except ClarionError as error:
        return error


async def world(conn: Connection) -> None:
    """A person, a JSON field, a list with a column, a filter."""
    await publish_fields(conn, field("extra", FieldKind.JSON))
    await conn.execute("""INSERT INTO profile (city, email, email_key, x_extra) VALUES ('Paris', 'a@x', 'a@x', '{"a": 1}')""")
    column = ComputedColumn(name="code", label="c", expression=parse_text("city"))
    await lists.create_list(
        conn, SYSTEM, name="listed", label="l", whom=parse_text("id > 0"), now=AT, zone=ZONE, columns=[column]
    )  # fmt: skip
    first = filters.parameter_of(name="first", label="f", kind=Kind.TEXT, default=None)
    draft = FilterDraft(
        name="named", label="n", expression=parse_text("first_name = parameter('first')"), parameters=(first,)
    )  # fmt: skip
    await filters.create_filter(conn, SYSTEM, draft)


@pytest.mark.parametrize("place", PLACES)
async def test_a_text_in_any_place_finds_nobody_or_is_refused_by_name(conn: Connection, place: str) -> None:
    await world(conn)
    for text in HOSTILE:
        asked = await opened(conn, PLACES[place](text))
        if isinstance(asked, ClarionError):
            assert asked.code != "INTERNAL"
            assert len(asked.message) + len(asked.hint or "") < 3_000, (place, text[:20])
            continue
        statement = compile_statement(population(asked, at=AT, zone=ZONE))
        told = text.strip("'\\${}%/.*@~\r\n")
        assert len(told) < 9 or told not in statement.text, (place, text)
        found = await count(conn, asked, at=AT, zone=ZONE)
        assert found == len(await sample(conn, asked, size=5, at=AT, zone=ZONE))
        assert await examine(conn, asked, at=AT, zone=ZONE)
        assert describe(asked)
        expected = {"a seed": (0, 1), "a piece": (0, 1), "a zone of a row": (1,), "a pattern": (0, 1)}
        assert found in expected.get(place, (0,)), (place, text)
    assert await conn.fetchval("SELECT count(*) FROM profile") == 1


@pytest.mark.parametrize("text", HOSTILE)
async def test_names_and_values_of_parameters_are_refused_or_values(conn: Connection, text: str) -> None:
    await world(conn)
    tree = {"operator": "=", "operands": [{"field": "city"}, {"function": "parameter", "arguments": [text]}]}
    try:
        asked = given(parse_json(tree), {text: parse_json(text).root})
    except ClarionError as error:
        refused = error.code
    else:
        refused = ""
        assert await count(conn, await open_question(conn, asked), at=AT, zone=ZONE) == 0
    storable = "\0" not in text and "\ud800" not in text
    assert refused == ("" if storable else "BAD_VALUE")


@pytest.mark.parametrize("text", HOSTILE)
async def test_names_of_what_is_saved_are_names_or_refused(conn: Connection, text: str) -> None:
    await world(conn)
    question = parse_text("id > 0")
    for made in (
        lists.create_list(conn, SYSTEM, name=text, label="x", whom=question, now=AT, zone=ZONE),
        filters.create_filter(conn, SYSTEM, FilterDraft(name=text, label="x", expression=question, parameters=())),
        lists.create_list(
            conn, SYSTEM, name="ok", label="x", whom=question, now=AT, zone=ZONE,
            columns=[ComputedColumn(name=text, label="x", expression=parse_text("city"))],
        ),
    ):  # fmt: skip
        with pytest.raises(ClarionError) as caught:
            await made
        assert caught.value.code in ("BAD_NAME", "BAD_COLUMN")


@pytest.mark.parametrize("entity", [one for one in HOSTILE if one != "x" * 5_000])
async def test_there_is_nothing_of_such_a_name_to_ask_about(conn: Connection, entity: str) -> None:
    with pytest.raises(ClarionError) as caught:
        await open_question(conn, parse_text("true"), entity)
    assert caught.value.code == "UNKNOWN_ENTITY"


async def test_rows_that_hold_anything_are_shown_as_they_are(conn: Connection) -> None:
    await world(conn)
    texts = [one for one in HOSTILE if "\0" not in one and "\ud800" not in one and len(one) < 60]
    await conn.executemany("INSERT INTO profile (last_name) VALUES ($1)", [(one,) for one in texts])
    asked = await open_question(conn, parse_text("not last_name is_null"))
    shown = await sample_rows(conn, asked, size=100, at=AT, zone=ZONE)
    assert [one["last_name"] for one in shown] == texts
