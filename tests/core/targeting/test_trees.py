"""What stands in JSON fields: read by its kind, of any document, as plain Python reads it; never an error of Postgres."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from core.access import SYSTEM
from core.datamodel.drafts import save_dataset
from core.datamodel.links import save_link
from core.datamodel.records import Entity, FieldKind, Link, LinkKind, Model
from core.db import Connection
from core.targeting.audiences import count, open_question
from core.targeting.check import check_value
from core.targeting.datasets import extended
from core.targeting.describe import describe
from core.targeting.errors import ExpressionError
from core.targeting.functions.trees import MOST_STEPS, steps_of
from core.targeting.json_form import to_json
from core.targeting.json_parse import parse_json
from core.targeting.language import Call, Expression, Field, Literal
from core.targeting.linked import entity_table
from core.targeting.parse import parse_text
from core.targeting.sql import compile_statement, value
from core.targeting.text_form import to_text
from tests.core.datamodel.model import NOW, field, publish_draft, publish_fields, save
from tests.core.targeting.slow_functions import call
from tests.core.targeting.test_functions import TREES, WRITTEN
from tests.core.targeting.test_sql import Evaluator

AT, ZONE = datetime(2026, 3, 29, 12, tzinfo=UTC), ZoneInfo("Europe/Paris")
MODEL = Model(entities=(Entity(name="profile", label="Profile", built_in=True, fields=(field("extra", FieldKind.JSON),)),))
CATALOGUE = extended(MODEL)

KEYS = st.sampled_from(["a", "b", "0", "1", "é'", "x.y", "~", "A", "$[0]", "a/b"])
NUMBERS = st.sampled_from(["0", "-1.5", "1e3", "1e37", "1e38", "-1e400", "0.000000000000000001", "12345678901234567890.5"])
LEAVES = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | NUMBERS.map(Decimal) | WRITTEN | st.just("x" * 10_050)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
)  # fmt: skip
DOCUMENTS = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4))
PATHS = st.lists(st.sampled_from(["a", "b", "0", "1", "-1", "2", "é'", "A", "$[0]"]), min_size=1, max_size=3).map(".".join)
POINTERS = st.lists(KEYS.map(lambda key: key.replace("~", "~0").replace("/", "~1")), min_size=1, max_size=3)


def _written(document: Any) -> str:
    """With decimals as they are: json.dumps knows floats only."""
    match document:
        case Decimal():
            return str(document)
        case list():
            return "[" + ", ".join(map(_written, document)) + "]"
        case dict():
            return "{" + ", ".join(f"{json.dumps(key)}: {_written(one)}" for key, one in document.items()) + "}"
        case _:
            return json.dumps(document)


class OfDocument(Evaluator):
    """Of a row whose one field is a document."""

    def __init__(self, document: Any, zone: ZoneInfo) -> None:
        super().__init__({}, AT, zone)
        self.document = document

    def stored(self, name: str) -> Any:
        return self.document


@pytest.fixture
async def extra(conn: Connection) -> Connection:
    await publish_fields(conn, field("extra", FieldKind.JSON))
    return conn


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    documents=st.lists(st.dictionaries(KEYS, DOCUMENTS, max_size=4) | DOCUMENTS, min_size=1, max_size=5),
    paths=st.lists(PATHS | POINTERS.map(lambda steps: "/" + "/".join(steps)), min_size=2, max_size=4),
    zone=st.sampled_from([ZONE, ZoneInfo("UTC")]),
)
async def test_what_is_read_is_what_a_slow_evaluator_reads(
    extra: Connection, documents: list[Any], paths: list[str], zone: ZoneInfo
) -> None:
    trees = [Call(name, (Field(("extra",)), Literal(path))) for name in sorted(TREES) for path in paths]
    columns = [
        value(check_value(Expression(root=tree, text=""), CATALOGUE), at=AT, zone=zone).label(f"v{index}")
        for index, tree in enumerate(trees)
    ]
    statement = compile_statement(
        select(*columns)
        .select_from(entity_table(CATALOGUE.entities["profile"]))
        .order_by(entity_table(CATALOGUE.entities["profile"]).c.id)
    )
    await extra.execute("DELETE FROM profile")
    await extra.execute(
        "INSERT INTO profile (x_extra) SELECT d::jsonb FROM unnest($1::text[]) WITH ORDINALITY AS a (d, n) ORDER BY n",
        [_written(one) for one in documents],
    )
    for document, row in zip(documents, await extra.fetch(statement.text, *statement.args), strict=True):
        evaluator = OfDocument(document, zone)
        for tree, answered in zip(trees, row, strict=True):
            assert answered == call(evaluator, tree), f"{to_text(tree)} of {document!r}"


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("json_text(extra, 'address.city') = 'paris'", 1),
        ("exactly(json_text(extra, 'address.city')) = 'paris'", 0),
        ("json_text(extra, '/a.b') contains 'dot'", 1),
        ("json_number(extra, 'children.0.age') between 4 and 5", 1),
        ("json_number(extra, 'address.city') is_null", 3),
        ("not json_number(extra, 'children.0.age') > 4", 2),
        ("json_boolean(extra, 'car')", 1),
        ("not json_boolean(extra, 'car')", 2),
        ("json_date(extra, 'day') = 2024-02-29 and month(json_date(extra, 'day')) = 2", 1),
        ("json_instant(extra, 'seen') > now - 1 hour", 1),
        ("extra is_null", 1),
        ("exists(purchases where json_number(details, 'pieces') > 1)", 1),
        ("sum(json_number(details, 'pieces') of purchases) = 3", 1),
    ],
)
async def test_questions_about_json(conn: Connection, question: str, found: int) -> None:
    await save(conn, field("extra", FieldKind.JSON))
    await save_dataset(conn, SYSTEM, name="purchase", label="Purchase", now=NOW)
    await save(conn, field("details", FieldKind.JSON), "purchase")
    link = Link(name="profile", label="Buyer", target="profile", kind=LinkKind.MANY_TO_ONE, reverse_name="purchases",
                reverse_label="Purchases")  # fmt: skip
    await save_link(conn, SYSTEM, "purchase", link, now=NOW)
    await publish_draft(conn)
    document = {
        "address": {"city": "Paris"}, "a.b": "a dot", "children": [{"age": 4.5}], "car": True, "day": "2024-02-29",
        "seen": "2026-03-29T13:30:00+02:00",
    }  # fmt: skip
    await conn.execute(
        "INSERT INTO profile (id, x_extra) OVERRIDING SYSTEM VALUE VALUES (1, $1), (2, $2), (3, NULL)", document, []
    )
    await conn.execute(
        "INSERT INTO x_purchase (x_profile_id, x_details) VALUES (1, $1), (1, $2)", {"pieces": 3}, {"pieces": "many"}
    )

    asked = await open_question(conn, parse_text(question))

    assert await count(conn, asked, at=AT, zone=ZONE) == found
    assert parse_text(to_text(asked.expression)) == asked.expression
    assert parse_json(to_json(asked.expression)) == asked.expression
    assert describe(asked)


@pytest.mark.parametrize(
    ("question", "code", "column"),
    [
        ("extra = 'x'", "WRONG_TYPE", 7),
        ("extra contains 'x'", "WRONG_TYPE", 7),
        ("extra in ('x')", "WRONG_TYPE", 7),
        ("length(extra) > 1", "WRONG_TYPE", 8),
        ("coalesce(extra, extra) is_null", "WRONG_TYPE", 10),
        ("json_text(city, 'a') = 'x'", "WRONG_TYPE", 11),
        ("json_text(extra, city) = 'x'", "WRONG_TYPE", 18),
        ("json_text(extra, '') = 'x'", "BAD_VALUE", 18),
        ("json_text(extra, 'a..b') = 'x'", "BAD_VALUE", 18),
        ("json_text(extra, '/a~2') = 'x'", "BAD_VALUE", 18),
        ("json_number(extra, 'a') = 'x'", "WRONG_TYPE", 27),
        ("json_date(extra, 'a', 'Mars') = today", "BAD_VALUE", 23),
        ("case when true then extra end is_null", "WRONG_TYPE", 1),
    ],
)
async def test_mistakes_are_told_where_they_are(extra: Connection, question: str, code: str, column: int) -> None:
    with pytest.raises(ExpressionError) as refused:
        await open_question(extra, parse_text(question))
    assert (refused.value.code, refused.value.place.column) == (code, column)


def test_paths() -> None:
    assert steps_of("a.0.b") == ["a", "0", "b"]
    assert steps_of("/a.b/~01~1") == ["a.b", "~1/"]
    assert steps_of(".".join("a" * MOST_STEPS)) is not None
    assert [steps_of(one) for one in ("", "/", "a.", ".".join("a" * (MOST_STEPS + 1)), "/~", "a\0b")] == [None] * 6


def test_kinds() -> None:
    gives = {name: check_value(parse_text(f"{name}(extra, 'a')"), CATALOGUE).kind.value for name in TREES}
    assert gives == {
        "json_text": "text", "json_number": "decimal", "json_boolean": "boolean", "json_date": "date",
        "json_instant": "instant",
    }  # fmt: skip
