"""Payloads, read back with the standard library and compared with what the document means."""

from __future__ import annotations

import json
import re
import unicodedata
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from render_ext import (
    ENGINE_VERSION,
    Identity,
    JsonProgram,
    JsonSource,
    Limits,
    MessageRow,
    RenderError,
    TemplateSyntaxError,
    TokenKey,
    TokenKind,
    TokenSigner,
    compile,
    verify,
)
from render_ext.shortening import boundary, shortened
from tests.render_ext.reference import valid

KEY = TokenKey(3, b"k" * 32)
SIGNER = TokenSigner("https://t.example.com", KEY)
IDENTITY = Identity(9, 1, 77)
DATE = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
PUSH: dict[str, Any] = {
    "aps": {
        "alert": {"title": 'Hello "{{ name }}"', "body": "{{ text }}"},
        "badge": {"$value": "{{ count }}"},
        "sound": "default",
    },
    "ids": [1, 2.50, True, None, "\u2028fixed", {}, []],
}


def program(document: Any = PUSH, **changes: Any) -> JsonProgram:
    """The program of a document, given as data or as text."""
    text = document if isinstance(document, str) else json.dumps(document)
    return JsonSource(document=text, date=DATE, **changes).compile(SIGNER)


def sent(compiled: JsonProgram, **values: Any) -> bytes:
    """The one payload of a batch of one."""
    (payload,) = compiled.render_many([MessageRow(identity=IDENTITY, values=values)])
    assert isinstance(payload, bytes), payload
    return payload


def read(payload: bytes) -> Any:
    """The payload as data; it must be strict JSON, without a key twice, harmless in JavaScript and in HTML."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    text = payload.decode()
    assert not re.search("[\u2028\u2029<\x7f\x00-\x1f]", text)
    return json.loads(text, object_pairs_hook=unique, parse_constant=refuse)


def test_a_payload() -> None:
    payload = sent(program(), name='Zoë "Z"', text="a\\b\n</script>\u2029", count=3)
    assert read(payload) == {
        "aps": {
            "alert": {"title": 'Hello "Zoë "Z""', "body": "a\\b\n</script>\u2029"},
            "badge": 3,
            "sound": "default",
        },
        "ids": [1, 2.5, True, None, "\u2028fixed", {}, []],
    }
    assert payload.startswith(b'{"aps":{"alert":{"title":"Hello \\"Zo')
    assert b"2.50" in sent(program('{"price": 2.50, "big": 1e400, "n": 123456789012345678901234567890}'))


texts = st.text(max_size=30) | st.text('"\\\u2028\u2029\ud800\x00\x1f\x7f</é😀{%}', max_size=12)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)


def meant(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, str):
        return valid(value)
    if isinstance(value, list):
        return [meant(item) for item in value]
    if isinstance(value, dict):
        return {valid(key): meant(item) for key, item in value.items()}
    return value


def surrogate_keys(value: Any) -> int:
    """How many keys hold a lone surrogate: two of them might become the same."""
    if isinstance(value, list):
        return sum(surrogate_keys(item) for item in value)
    if isinstance(value, dict):
        return len([key for key in value if key != valid(key)]) + sum(surrogate_keys(item) for item in value.values())
    return 0


@settings(max_examples=300)
@given(name=texts, text=texts, value=plain)
@example(name="\u2028" * 5, text="é\u2029é", value={"\u2028": "\ud800"})
@example(name="", text="\xe2", value="€\u20a8")
def test_any_value_is_valid_json_of_the_same_shape(name: str, text: str, value: Any) -> None:
    assume(surrogate_keys(value) < 2)
    document = {**PUSH, "raw": "{{ name | raw }}{% if text == '' %}<\"{% endif %}", "value": {"$value": " {{ value }} "}}
    found = read(sent(program(document), name=name, text=text, value=value, count=None))
    assert found["aps"]["alert"] == {"title": f'Hello "{valid(name)}"', "body": valid(text)}
    assert found["aps"]["badge"] is None
    assert found["raw"] == valid(name) + ('<"' if text == "" else "")
    assert found["value"] == meant(value)


def templates(document: Any) -> list[str]:
    """The strings of a document, keys aside."""
    if isinstance(document, str):
        return [document]
    inner = document.values() if isinstance(document, dict) else document if isinstance(document, list) else []
    return [text for item in inner for text in templates(item)]


def expected(document: Any, values: dict[str, Any]) -> Any:
    """What a document means, string by string."""
    if isinstance(document, str):
        return compile(document).render(values)
    if isinstance(document, list):
        return [expected(item, values) for item in document]
    if isinstance(document, dict):
        return {key: expected(item, values) for key, item in document.items()}
    return document


strings = texts.map(lambda text: valid(text).replace("{", "(")) | st.sampled_from(
    [
        "{{ x }}",
        "a {{ x | upcase }}\n{{ y.z }}",
        "{% for i in list %}{{ i }}\"{% endfor %}",
        "{% if x %}{% break %}{% endif %}never",
        "{% assign x = 5 %}{{ x }}",
        "{{ '\"quoted\"' }}",
        "{% raw %}{{ x }}{% endraw %}",
    ]
)  # fmt: skip
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | strings,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(texts.map(lambda text: valid(text).replace("{", "(")), inner, max_size=4)
    ),
    max_leaves=15,
)


@settings(max_examples=300)
@given(document=documents, x=texts, ascii_only=st.booleans(), indent=st.sampled_from([None, 2]))
def test_any_document_means_what_its_strings_mean(document: Any, x: str, ascii_only: bool, indent: int | None) -> None:
    values = {"x": x, "y": {"z": 5}, "list": [1, x]}
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)
    assert read(sent(program(text), **values)) == expected(document, values)


@pytest.mark.parametrize(
    ("template", "value", "json_text"),
    [
        ("{{ x }}", 5, "5"),
        ("{{ x }}", "5", '"5"'),
        ("{{ x }}", True, "true"),
        ("{{ x }}", None, "null"),
        ("{{ nothing }}", 1, "null"),
        ("{{ x | plus: 1 }}", 2, "3"),
        ("{{ x | default: 7 }}", None, "7"),
        ("{{ x | upcase }}", "a", '"A"'),
        ("{{ x | raw }}", '"', '"\\""'),
        ("{{ 5 }}", None, "5"),
        ("{{ 'a' }}", None, '"a"'),
        ("{{ x }}", [1, ["a", {"b": None}]], '[1,["a",{"b":null}]]'),
        ("{{ x }}", (1, 2), "[1,2]"),
        ("{{ x.y }}", {"y": {"k": False}}, '{"k":false}'),
        ("{{ x }}", Decimal("1.50"), "1.50"),
        ("{{ x }}", date(2025, 1, 2), '"2025-01-02"'),
        ("{{ (1..3) }}", None, '"1..3"'),
    ],
)
def test_a_marked_value_keeps_its_type(template: str, value: Any, json_text: str) -> None:
    assert sent(program({"$value": template}), x=value).decode() == json_text


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), Decimal("NaN"), {1: 2}, {1}, pytest.param(10**5000, id="big")])
def test_what_json_has_no_form_for_fails_alone(value: Any) -> None:
    compiled = program({"a": {"$value": "\n{{ x }}"}})
    bad, good = compiled.render_many([MessageRow(identity=IDENTITY, values={"x": x}) for x in (value, 1)])
    assert good == b'{"a":1}'
    assert isinstance(bad, RenderError)
    assert bad.template == "/a/$value"
    deep: list[Any] = []
    for _ in range(200):
        deep = [deep]
    with pytest.raises(RenderError, match="nesting"):
        compiled.render({"x": deep}, IDENTITY)


def test_a_row_that_fails_does_not_touch_the_others() -> None:
    compiled = program(
        {"a": "{{ x }}", "b": ["\n{{ 1 | divided_by: x }}"], "c": {"$value": "{{ y | plus: x }}"}}, strict_variables=True
    )
    rows: list[Any] = [
        MessageRow(identity=IDENTITY, values={"x": 1, "y": 1}),
        MessageRow(identity=IDENTITY, values={"x": 0, "y": 1}),
        MessageRow(identity=IDENTITY, values={"x": 1}),
        MessageRow(identity=IDENTITY, values=None),  # type: ignore[arg-type]
        MessageRow(identity=Identity(-1, 1, 1), values={}),
        None,
        MessageRow(identity=IDENTITY, values={"x": 1, "y": 1}),
    ]
    first, *bad, last = compiled.render_many(rows)
    assert first == last == b'{"a":"1","b":["\\n1"],"c":2}'
    assert all(isinstance(result, RenderError) and str(result) for result in bad)
    assert str(bad[0]) == "/b/0:2: filter `divided_by`: divided by 0"
    assert str(bad[1]) == "/c/$value:1: `y` is not defined"


# ---- mistakes in the document ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "place", "message"),
    [
        ("", (1, 1), "not a value of JSON"),
        ('{"a": 1,}', (1, 9), "nothing after the last comma"),
        ('{"a": 1 "b": 2}', (1, 9), "an item that does not end"),
        ('{"a" 1}', (1, 6), "a key without a value"),
        ('{"a": 1,\n "a": 2}', (2, 2), "the key `a` stands here twice"),
        ("{'a': 1}", (1, 2), "not a key"),
        ("[1] 2", (1, 5), "something after the end"),
        ('["a\nb"]', (1, 4), "a control character in a string"),
        ('["a\\x"]', (1, 4), "not an escape of JSON"),
        ('["a', (1, 2), "a string is never closed"),
        ("[NaN]", (1, 2), "not a value of JSON"),
        ("[01]", (1, 2), "not a value of JSON"),
        ("[1.]", (1, 2), "not a value of JSON"),
        ("[truer]", (1, 2), "not a value of JSON"),
        ("[", (1, 2), "not a value of JSON"),
        ('{"n": {{ count }}}', (1, 8), "Liquid outside a string"),
        ('{"{{ key }}": 1}', (1, 2), "Liquid in a key"),
        ("[" * 101, (1, 101), "nested deeper than the limit nesting"),
        ('{"a": {"$value": "{{ x }}", "b": 1}}', (1, 8), "`$value` stands alone"),
        ('{"$value": 5}', (1, 2), "`$value` stands alone"),
    ],
)
def test_mistakes_in_the_json_are_located(document: str, place: tuple[int, int], message: str) -> None:
    with pytest.raises(TemplateSyntaxError) as caught:
        program(document)
    assert (caught.value.template, caught.value.line, caught.value.column) == ("document", *place)
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("document", "pointer", "place", "message"),
    [
        ({"a/b": ["x", "one\n{{ x | nope }}"]}, "/a~1b/1", (2, 8), "unknown filter"),
        ({"~": "{% if %}"}, "/~0", (1, 6), ""),
        ("{{ x", "document", (1, 1), "never closed"),
        ({"$value": "n: {{ x }}"}, "/$value", (1, 1), "not one output"),
        ({"$value": "{{ x }}{{ y }}"}, "/$value", (1, 10), "not one output"),
        ({"$value": "{% if x %}1{% endif %}"}, "/$value", (1, 4), "not one output"),
        ({"$value": "{{ }}"}, "/$value", (1, 3), "not one output"),
        ({"$value": ""}, "/$value", (1, 1), "not one output"),
    ],
)
def test_mistakes_in_a_template_are_located(document: Any, pointer: str, place: tuple[int, int], message: str) -> None:
    with pytest.raises(TemplateSyntaxError) as caught:
        program(json.dumps(document))
    assert caught.value.template == pointer
    assert message in caught.value.message
    if message:
        assert (caught.value.line, caught.value.column) == place


scraps = st.text('{}[]",:\\01.-eE+truefalsn \n/u', max_size=25)


@settings(max_examples=300)
@given(text=scraps | documents.map(json.dumps) | documents.map(json.dumps).map(lambda text: text[:-1]))
def test_what_is_json_is_as_the_standard_library_says(text: str) -> None:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError
        return dict(pairs)

    def refuse(constant: str) -> None:
        raise ValueError

    assume("{{" not in text and "{%" not in text and "$value" not in text)
    try:
        found = json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    except ValueError:
        with pytest.raises(TemplateSyntaxError):
            program(text)
    else:
        assert read(sent(program(text))) == meant(found)


# ---- size ------------------------------------------------------------------------------------------------------------


def test_a_payload_that_is_too_large_fails_alone() -> None:
    compiled = program({"a": "{{ x }}"}, max_bytes=20)
    rows = [MessageRow(identity=IDENTITY, values={"x": x}) for x in ("a" * 12, "a" * 13, "é" * 6, '"' * 7)]
    first, second, third, last = compiled.render_many(rows)
    assert isinstance(first, bytes)
    assert len(first) == 20
    assert isinstance(third, bytes)
    assert isinstance(second, RenderError)
    assert str(second) == "the payload has 21 bytes, more than max_bytes=20"
    assert second.limit == "max_bytes"
    assert isinstance(last, RenderError)
    (error,) = program({"a": "{{ x }}"}, limits=Limits(output_bytes=20)).render_many(rows[1:2])
    assert isinstance(error, RenderError)
    assert error.limit == "output_bytes"


clusters = st.sampled_from(
    [
        *("a", " ", '"', "\n", "é", "e\u0301", "x\u0302\u0323", "\u2028", "각", "\u1100\u1161\u11a8"),
        *("😀", "👍🏽", "👨\u200d👩\u200d👧", "🇩🇪", "🇫🇷", "✌\ufe0f", "🏴\U000e0067\U000e0062\U000e007f"),
    ]
)


@settings(max_examples=400)
@given(parts=st.lists(clusters, max_size=40), other=texts, most=st.integers(60, 120))
def test_a_named_string_is_shortened_to_fit(parts: list[str], other: str, most: int) -> None:
    text = "".join(parts)
    document = {"t": "{{ other }}", "body": "{{ text }}", "n": {"$value": "{{ n }}"}}
    values = {"other": other, "text": text, "n": 1}
    whole = sent(program(document), **values)
    (payload,) = program(document, max_bytes=most, shorten="/body").render_many([MessageRow(identity=IDENTITY, values=values)])
    if len(whole) <= most:
        assert payload == whole
        return
    starts = [sum(map(len, parts[:i])) for i in range(len(parts) + 1)]
    shorter = [text[:start].rstrip() + "…" for start in starts if text[:start].strip()]
    fitting = [sent(program(document), **{**values, "text": short}) for short in shorter]
    fitting = [short for short in fitting if len(short) <= most]
    if fitting:
        assert payload == fitting[-1]
    else:
        assert isinstance(payload, RenderError)


@given(text=st.text("ae\u0301😀\u200d🇩🏽 가각", max_size=12), at=st.integers(0, 12))
def test_no_cut_before_a_mark(text: str, at: int) -> None:
    at = min(at, len(text))
    found = boundary(text, at)
    assert 0 <= found <= at
    assert found in (0, len(text)) or not unicodedata.combining(text[found])


def test_an_address_is_kept_whole_or_not_at_all() -> None:
    text = "Look: https://shop.example/a/long/path now"
    assert shortened(text, 30, len) == "Look:…"
    assert shortened(text, 40, len) == "Look: https://shop.example/a/long/path…"
    assert shortened("https://shop.example/", 10, len) is None
    assert shortened("abc def", 5, len) == "abc…"
    assert shortened("", 5, len) is None


def test_a_fixed_string_can_be_shortened_too() -> None:
    compiled = program({"a": "some fixed text", "b": "{{ x }}"}, max_bytes=30, shorten="/a")
    assert read(sent(compiled, x="12")) == {"a": "some fixed…", "b": "12"}
    assert (
        read(program(json.dumps("some {{ x }} text"), max_bytes=15, shorten="").render({"x": "long long"}, IDENTITY))
        == "some long…"
    )


# ---- links, sources --------------------------------------------------------------------------------------------------


def test_links_are_counted_over_all_strings() -> None:
    link = "{% link 1 %}https://shop.example/?q={{ x }}{% endlink %}"
    compiled = program({"a": f"see {link}", "b": [link, "{% open_pixel_url %}"], "c": {"$value": "{{ x }}"}})
    found = read(sent(compiled, x='a"b'))
    urls = [found["a"].removeprefix("see "), *found["b"]]
    tokens = [verify(url.rsplit("/", 1)[1], {3: KEY}) for url in urls]
    assert [(token.kind, token.link, token.link_occurrence, token.identity) for token in tokens if token] == [
        (TokenKind.CLICK, 1, 0, IDENTITY),
        (TokenKind.CLICK, 1, 1, IDENTITY),
        (TokenKind.OPEN, 0, 0, IDENTITY),
    ]
    for occurrence, target in ((0, "https://shop.example/?q=a%22b"), (1, "https://shop.example/?q=a%22b"), (2, None)):
        assert compiled.resolve_link({"x": 'a"b'}, 1, occurrence) == target
    assert compiled.resolve_link({}, 7) is None
    assert [link.number for link in compiled.links] == [1, 1]
    assert [variable.path for variable in compiled.variables] == [("x",), ("x",), ("x",)]
    assert list(compiled.programs) == ["/a", "/b/0", "/b/1", "/c/$value"]
    with pytest.raises(TemplateSyntaxError, match="/a:1:8: unknown tag `link`"):
        program({"a": f"see {link}"}, tracked=False)
    shown = JsonSource(document=json.dumps([link]), date=DATE).compile(
        TokenSigner("https://t.example.com", KEY, show_targets=True)
    )
    assert read(sent(shown, x='a"b')) == ["https://shop.example/?q=a%22b"]


def test_the_same_row_is_the_same_bytes_also_after_storing() -> None:
    original = JsonSource(document=json.dumps(PUSH), date=DATE, max_bytes=4096, shorten="/aps/alert/body", zone="Europe/Paris")
    again = JsonSource.from_json(original.to_json())
    assert again == original
    rows = [MessageRow(identity=IDENTITY, values={"name": "é", "text": "x" * length}) for length in (1, 5000)]
    payloads = original.compile(SIGNER).render_many(rows)
    assert payloads == again.compile(SIGNER).render_many(rows)
    assert [len(payload) for payload in payloads if isinstance(payload, bytes)][1] == 4096


@pytest.mark.parametrize(
    "changes",
    [
        {"shorten": "/a"},
        {"shorten": "/b", "max_bytes": 100},
        {"shorten": "/n", "max_bytes": 100},
        {"max_bytes": 5},
        {"date": datetime(2025, 1, 1)},
        {"zone": "Mars/Olympus"},
        {"engine": ENGINE_VERSION + 1},
    ],
)
def test_sources_that_cannot_be_sent(changes: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"document": '{"a": "x", "n": 1}', "date": DATE, **changes}
    with pytest.raises(ValueError, match=r"."):
        JsonSource(**fields).compile(SIGNER)


@pytest.mark.parametrize("data", ["", "{}", "[]", '{"document": 5}', b"\xff"])
def test_json_that_is_no_source(data: bytes | str) -> None:
    with pytest.raises(ValueError, match="not a payload's source"):
        JsonSource.from_json(data)
