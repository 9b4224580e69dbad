"""Documents are parsed and checked once per text, and no more of them are kept than fit."""

from __future__ import annotations

import pytest

from api.graphql import prepare
from api.graphql.limits import Limits
from api.graphql.prepare import BadDocument, Documents
from api.graphql.schema import make_schema
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
    monkeypatch.setattr(prepare, "REMEMBERED_TEXT", 60)
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
