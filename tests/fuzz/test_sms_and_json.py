"""Short messages and payloads made of hostile values, from documents that were cut and mixed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from render_ext import (
    Identity,
    JsonProgram,
    JsonSource,
    Limits,
    MessageRow,
    RenderedSms,
    RenderError,
    SmsProgram,
    SmsSource,
    TemplateSyntaxError,
    TokenKey,
    TokenSigner,
)
from tests.fuzz import hostile
from tests.fuzz.budget import fuzz, rounds
from tests.fuzz.corpus import SMALL, mutated
from tests.render_ext.reference import valid
from tests.render_ext.test_json_program import read
from tests.render_ext.test_properties import PARTIALS

SIGNER = TokenSigner("https://t.example.com", TokenKey(3, b"k" * 32))
DATE = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
LIMITS = Limits(steps=5_000, output_bytes=100_000, value_bytes=50_000)
IDENTITY = Identity(9, 1, 77)
DOCUMENTS = [
    '{"aps": {"alert": {"title": "{{ x }}", "body": "{{ y | upcase }}\\n"}, "badge": {"$value": "{{ x }}"}}, "n": [1, 2.5e3]}',
    '["{% for i in x %}{{ i }}{% endfor %}", {"$value": "{{ y }}"}, {"a": {"$value": "{{ x.a | default: y }}"}}, "\\ud83d"]',
    '{"url": "{% link 1 %}https://x.example/{{ x }}{% endlink %}", "fixed": "\\u2028</script>", "e": [], "o": {}, "t": true}',
]


def sms(text: str, chance: Random, **changes: Any) -> SmsProgram:
    """A short message with any options."""
    fields: dict[str, Any] = {
        "encoding": chance.choice(["auto", "auto", "gsm7", "ucs2"]),
        "transliterate": chance.choice(["none", "signs", "letters"]),
        "max_parts": chance.choice([1, 3, 10, 255]),
        "partials": PARTIALS,
        "limits": LIMITS,
        **changes,
    }
    return SmsSource(text=text, date=DATE, **fields).compile(SIGNER)


def check_sms(made: SmsProgram, values: Any) -> None:
    """What comes of a row is within its limits, adds up, and comes again."""
    result, again = made.render_many([MessageRow(identity=IDENTITY, values=values)] * 2)
    if isinstance(result, RenderError):
        assert str(again) == str(result)
        assert str(result)
        return
    assert isinstance(result, RenderedSms)
    assert result == again
    assert 1 <= result.parts <= made.source.max_parts
    assert "".join(result.split()) == result.text
    assert len(result.split()) == result.parts
    assert result.text == valid(result.text)
    assert "\x00" not in result.text
    assert len(b"".join(result.payloads())) == result.units * (1 if result.encoding == "gsm7" else 2)
    most = {"gsm7": (160, 153), "ucs2": (140, 134)}[result.encoding][result.parts > 1]
    assert all(len(payload) <= most for payload in result.payloads())
    if result.encoding == "gsm7":
        assert all(len(payload) <= (140 if result.parts == 1 else 134) for payload in result.payloads(packed=True))


@pytest.mark.parametrize("chance", rounds(20), ids=repr)
def test_short_messages(chance: Random) -> None:
    for _ in range(30):
        try:
            made = sms(mutated(chance, chance.choice([*SMALL, "{{ x }}", "{{ x }}{{ y }}"])), chance)
        except TemplateSyntaxError:
            continue
        made.estimate()
        for _ in range(3):
            check_sms(made, {variable.path[0]: hostile.value(chance) for variable in made.variables})


@fuzz(150)
@given(x=hostile.texts, y=hostile.values, chance=st.randoms(use_true_random=False))
def test_short_texts(x: str, y: Any, chance: Random) -> None:
    check_sms(sms(valid(x).replace("{", "(") + "{{ x }}{{ y }}", chance), {"x": x, "y": y})


def payload(document: str, **changes: Any) -> JsonProgram:
    """A payload."""
    return JsonSource(document=document, date=DATE, partials=PARTIALS, **{"limits": LIMITS, **changes}).compile(SIGNER)


def check_json(made: JsonProgram, values: Any) -> None:
    """What comes of a row is JSON, of the size that was asked for, and comes again."""
    result, again = made.render_many([MessageRow(identity=IDENTITY, values=values)] * 2)
    if isinstance(result, RenderError):
        assert str(again) == str(result)
        assert str(result)
        return
    assert isinstance(result, bytes)
    assert result == again
    assert len(result) <= (made.source.max_bytes or LIMITS.output_bytes)
    read(result)


@pytest.mark.parametrize("chance", rounds(20), ids=repr)
def test_payloads(chance: Random) -> None:
    for _ in range(30):
        document = chance.choice([*DOCUMENTS, json.dumps({"a": chance.choice(SMALL), "b": [{"$value": "{{ x }}"}]})])
        try:
            made = payload(mutated(chance, document))
        except TemplateSyntaxError:
            continue
        for _ in range(3):
            check_json(made, {variable.path[0]: hostile.value(chance) for variable in made.variables})


@fuzz(150)
@given(x=hostile.values, y=hostile.values, most=st.integers(200, 600), document=st.sampled_from(DOCUMENTS))
def test_values_in_payloads(x: Any, y: Any, most: int, document: str) -> None:
    shorten = "/aps/alert/body" if document is DOCUMENTS[0] else None
    check_json(payload(document, max_bytes=most, shorten=shorten), {"x": x, "y": y})


@pytest.mark.parametrize("chance", rounds(6), ids=repr)
def test_rows_that_are_none(chance: Random) -> None:
    """Whatever stands in a row, it fails alone."""
    good = MessageRow(identity=IDENTITY, values={"x": "a", "y": "b"})
    for made in (sms("{{ x }}{{ y }}", chance, max_parts=255), payload(DOCUMENTS[0])):
        rows: list[Any] = []
        for _ in range(30):
            rows += [good, chance.choice([
                MessageRow(identity=IDENTITY, values=hostile.value(chance)),
                MessageRow(identity=hostile.value(chance), values={}),
                hostile.value(chance),
            ])]  # fmt: skip
        results = made.render_many(rows)
        assert results[::2] == [results[0]] * 30
        assert all(isinstance(result, (RenderError, RenderedSms, bytes)) for result in results)


def test_ten_megabytes() -> None:
    for text in ("a" * hostile.LONG, "€" * (hostile.LONG // 3), '"\u2028' * (hostile.LONG // 4)):
        (short,) = sms("{{ x }}", Random(1), limits=Limits()).render_many([MessageRow(identity=IDENTITY, values={"x": text})])
        assert isinstance(short, RenderError)
        made = payload('{"a": "{{ x }}"}', max_bytes=4096, shorten="/a", limits=Limits())
        (long,) = made.render_many([MessageRow(identity=IDENTITY, values={"x": text})])
        assert isinstance(long, bytes)
        assert 4000 < len(long) <= 4096
        read(long)


@pytest.mark.parametrize("chance", rounds(6), ids=repr)
def test_stored_sources_that_were_damaged(chance: Random) -> None:
    for source in (sms("{{ x }}", chance).source, payload(DOCUMENTS[0]).source):
        stored = source.to_json().decode()
        for _ in range(60):
            try:
                made = type(source).from_json(mutated(chance, stored)).compile(SIGNER)
            except (TemplateSyntaxError, ValueError):
                continue
            made.render_many([MessageRow(identity=IDENTITY, values={"x": "x"})])
