"""Names that lead nowhere, and fields that may be empty wherever they are printed."""

from __future__ import annotations

import pytest

from tests.core.content.checks.test_checks import BYE, refused, told


@pytest.mark.parametrize(
    "source",
    [
        "{{ profile.first_name.x }}",
        "{{ profile.birth_date.year }}",
        "{{ delivery.date.year }}",
        "{{ word.nope }}",
        "{{ products.first.name.x }}",
        "{% for p in prices %}{{ p.nope }}{% endfor %}",
    ],
)
def test_what_is_one_value_has_no_keys(source: str) -> None:
    at = len(BYE) + source.rindex("{{") + 4
    assert refused(source) == [("UNKNOWN_VARIABLE", f"parts.html:1:{at}")]


@pytest.mark.parametrize(
    "source",
    [
        "{{ word.size }}{{ empty.size }}{{ many.first }}{{ products.size }}{{ products.first.name }}",
        "{{ profile.email.size }}{% for c in word %}{{ c }}{% endfor %}{{ products[0].name }}",
    ],
)
def test_what_every_value_has_may_be_read(source: str) -> None:
    assert told("html", source) == []


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("{{ products | map: 'nam' | join }}", "map"),
        ("{{ products | where: 'nam', 'x' | size }}", "where"),
        ("{{ products | where: 'name' | sum: 'pric' }}", "sum"),
        ("{% assign p = products | first %}{{ p.nam }}", "p.nam"),
        ("{% assign p = products | find: 'name', 'Tea' %}{{ p.pric }}", "p.pric"),
        ("{% assign some = products | where: 'name' %}{% for q in some %}{{ q.nam }}{% endfor %}", "q.nam"),
    ],
)
def test_keys_that_nothing_in_the_data_has(source: str, place: str) -> None:
    (found,) = told("html", source)
    assert (found.code, found.column) == ("UNKNOWN_KEY", len(BYE) + source.index(place) + 1)
    assert found.hint in ("Did you mean 'name'?", "Did you mean 'price'?")


@pytest.mark.parametrize(
    "source",
    [
        "{% assign p = products | first %}{{ p.name }}{{ p.size }}",
        "{% assign some = products | where: 'name' | reverse %}{% for q in some %}{{ q.name }}{{ forloop.index }}{% endfor %}",
        "{% assign some = products | where: 'name' %}{{ some.size }}{{ some.first.name }}",
        "{% assign p = products | first %}{% if profile.city %}{% assign p = word %}{% endif %}{{ p.nam }}",
        "{% assign p = products | first %}{% capture p %}x{% endcapture %}{{ p.nam }}",
        "{% assign names = products | map: 'name' %}{% for n in names %}{{ n }}{% endfor %}{{ names | first }}",
        "{{ products | map: 'name' | where: 'T' | join }}{{ products | sum: 'price' }}",
    ],
)
def test_keys_that_there_are_or_that_nobody_can_know(source: str) -> None:
    assert [one.code for one in told("html", source) if one.code == "UNKNOWN_KEY"] == []


@pytest.mark.parametrize(
    ("source", "fields"),
    [
        ("{{ 'Dear ' | append: profile.first_name }}", ["first_name"]),
        ("{{ profile.city | default: profile.state }}", ["state"]),
        ("{{ profile.city | default: 'x' | append: profile.state }}", ["state"]),
        ("{% cycle profile.city, 'x' %}", ["city"]),
        ("{% assign a = 'x' | append: profile.city %}{{ a }}", ["city"]),
        ("{{ 'Dear ' | append: profile.city }}{{ profile.city }}", ["city"]),
        ("{{ profile.city | default: profile.state | default: 'x' }}", []),
        ("{% if profile.state %}{{ 'x' | append: profile.state }}{% cycle profile.state, 'x' %}{% endif %}", []),
        ("{% if profile.state %}{{ profile.city | default: profile.state }}{% endif %}", []),
        ("{% assign a = 'x' | append: profile.city %}{% if a %}{{ a }}{% endif %}", []),
        ("{% assign a = profile.first_name | default: profile.last_name %}{{ a | default: 'you' }}", []),
        ("<a href='https://a.example/?a={{ 'x' | append: profile.city }}'>x</a>", []),
        ("{{ 'x' | append: profile.email }}{{ word | remove: profile.city }}", []),
        ("{% if profile.city == 'x' or profile.state %}{{ profile.city }}{% endif %}", []),  # somebody has thought of it
    ],
)
def test_fields_that_may_be_empty_beside_other_words(source: str, fields: list[str]) -> None:
    found = [one for one in told("html", source) if one.code == "NULLABLE_FIELD"]
    assert [one.message.split()[0] for one in found] == fields
    assert all(one.column == len(BYE) + source.index(f"profile.{fields[0]}") + 1 for one in found)
