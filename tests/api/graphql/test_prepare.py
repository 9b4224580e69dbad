"""Documents are parsed and checked once per text, and no more of them are kept than fit."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from api.errors import format_request_errors
from api.graphql import prepare
from api.graphql.limits import Limits
from api.graphql.prepare import BadDocument, Documents
from api.graphql.schema import make_schema
from core.access import SYSTEM
from core.errors import Invalid, LimitReached

SCHEMA = make_schema()._schema
LIMITS = Limits(depth=5, cost=100)


def test_the_same_text_is_prepared_once() -> None:
    documents = Documents(SCHEMA, LIMITS)

    assert documents.prepare("{ viewer { name } }", None) is documents.prepare("{ viewer { name } }", None)


def test_each_operation_of_a_document_is_an_entry_of_its_own() -> None:
    documents = Documents(SCHEMA, LIMITS)
    text = "query A { viewer { name } } query B { viewer { label } }"

    assert documents.prepare(text, "A").analysis.coordinates == ("Query.viewer", "Viewer.name")
    assert documents.prepare(text, "B").analysis.coordinates == ("Query.viewer", "Viewer.label")
    with pytest.raises(Invalid, match="not exactly one operation"):
        documents.prepare(text, None)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{ nothing }", BadDocument),
        ("{", BadDocument),
        ("", BadDocument),
        ("{ a { a { a { a { a { a } } } } } }", LimitReached),
    ],
)
def test_a_refusal_is_remembered_too(text: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    documents = Documents(SCHEMA, LIMITS)
    with pytest.raises(error):
        documents.prepare(text, None)

    def fail(*_: object) -> None:
        raise AssertionError("parsed again")

    monkeypatch.setattr(documents, "_parse", fail)
    with pytest.raises(error):
        documents.prepare(text, None)


def test_the_least_recently_used_goes_first_when_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given room for three documents of 20 characters
    monkeypatch.setattr(prepare, "REMEMBERED_CHARACTERS", 3 * (20 + prepare.ENTRY_CHARACTERS))
    documents = Documents(SCHEMA, LIMITS)
    texts = [f"{{viewer{{name}}}}    #{n}" for n in range(4)]
    first, second, third = (documents.prepare(text, None) for text in texts[:3])

    # When the first is used again and a fourth comes
    assert documents.prepare(texts[0], None) is first
    documents.prepare(texts[3], None)

    # Then the second had to go
    assert documents.prepare(texts[0], None) is first
    assert documents.prepare(texts[2], None) is third
    assert documents.prepare(texts[1], None) is not second


def test_short_texts_and_long_operation_names_fill_the_memory_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "REMEMBERED_CHARACTERS", 10_000)
    documents = Documents(SCHEMA, LIMITS)

    for number in range(20):
        documents.prepare(f"{{viewer{{name}}}}#{number}", None)
    assert len(documents._known) <= 10_000 // prepare.ENTRY_CHARACTERS
    for number in range(20):
        with pytest.raises(Invalid, match="no operation named"):
            documents.prepare("{viewer{name}}", f"{number}" + "x" * 4_000)
    assert len(documents._known) == 2


@pytest.mark.parametrize("text", ["{ nothing }", "{", "{ viewer { name } }"])
def test_a_refusal_is_remembered_as_data_and_told_the_same_each_time(text: str) -> None:
    documents, told = Documents(SCHEMA, LIMITS), []

    for _ in range(2):
        with pytest.raises(Invalid) as refused:
            documents.prepare(text, "Other" if "viewer" in text else None)
        errors = getattr(refused.value, "errors", [])
        told.append((refused.value.message, refused.value.code, refused.value.hint, format_request_errors(errors)))

    assert told[0] == told[1]
    (kept,) = documents._known.values()
    assert not [found for found in (kept, *gc.get_referents(kept)) if isinstance(found, BaseException)]


def test_an_answer_does_not_repeat_a_long_operation_name() -> None:
    with pytest.raises(Invalid) as refused:
        Documents(SCHEMA, LIMITS).prepare("{ viewer { name } }", "x" * 100_000)

    assert len(refused.value.message) < 200


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("query ($n: Int = 3000) { profiles(first: $n) { nodes { id email } } }", {}),
        ("query ($n: Int) { profiles(first: $n) { nodes { id email } } }", {"n": 3000.0}),
        ("query ($n: Int = 500) { deliveries(first: $n) { nodes { ledger(first: $n) { nodes { address } } } } }", {}),
        ("query ($i: [ID!]! = [" + '"x" ' * 5_500 + "]) { nodes(ids: $i) { id } }", {}),
    ],
)
def test_the_cost_counts_the_sizes_that_the_resolvers_will_see(text: str, variables: dict[str, Any]) -> None:
    limits = Limits(depth=12, cost=5000)
    prepared = Documents(SCHEMA, limits).prepare(text, None)

    with pytest.raises(LimitReached) as refused:
        prepared.check(SYSTEM, variables, limits)

    assert refused.value.code == "QUERY_TOO_COSTLY"


def test_a_size_that_is_none_is_a_bad_request() -> None:
    prepared = Documents(SCHEMA, LIMITS).prepare("query ($n: Int) { profiles(first: $n) { nodes { id } } }", None)

    with pytest.raises(BadDocument):
        prepared.check(SYSTEM, {"n": "many"}, LIMITS)
