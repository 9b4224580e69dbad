"""What cannot be sent is told when it is written: every problem, each at its place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from channels.email import EmailChannel
from core.content.data import MAX_BYTES, MAX_DEPTH
from core.content.errors import ContentInvalid, TemplateProblem
from core.content.records import ContentDraft
from core.content.validate import check_content
from tests.core.authors import PARTS

MANIFEST = EmailChannel.manifest
DATA = {
    "products": [{"name": "Tea", "price": 3}, {"name": "Cake", "tags": ["new"]}],
    "brand": {"city": "Ulm"},
}


def check(parts: dict[str, Any], data: dict[str, Any] | None = None) -> None:
    draft = ContentDraft(name="x", label="X", channel="email", parts={**PARTS, **parts}, data=data or {})
    check_content(draft, MANIFEST)


def problems(parts: dict[str, Any], data: dict[str, Any] | None = None) -> list[Any]:
    with pytest.raises(ContentInvalid) as caught:
        check(parts, data)
    return list(caught.value.problems)


def test_good_content_passes() -> None:
    html = (
        "{% for p in products %}{{ p.name }} {{ p.price }} {{ p.tags.first }}{% endfor %}"
        "{{ products.size }}{{ products.first.name }}{{ products[0].name }}{{ brand.city | upcase }}"
        "{{ delivery.label }}{{ delivery.date | date: '%Y' }}{{ 'now' | date: '%Y' }}"
        "{% assign x = profile.city %}{{ x }}{{ x.size }}"
        '<a href="{% mirror_url %}">web</a>'
    )
    check({"html": html, "preheader": "{{ profile.gender }}"}, DATA)


@pytest.mark.parametrize(
    ("source", "place", "hint"),
    [
        ("a\n {{ x | upcas }}", (2, 9), "upcase"),
        ("{% unles a %}", (1, 4), "unless"),
        ("{% if a %}", (1, 4), None),
        ("{{ a", (1, 1), None),
    ],
)
def test_a_template_error_has_its_line_and_column(source: str, place: tuple[int, int], hint: str | None) -> None:
    (problem,) = problems({"html": source})
    assert isinstance(problem, TemplateProblem)
    assert problem.code == "TEMPLATE_SYNTAX"
    assert (problem.line, problem.column) == place
    assert problem.path == f"parts.html:{place[0]}:{place[1]}"
    assert hint is None or hint in (problem.hint or "")
    assert hint == (problem.suggestion and problem.suggestion.strip("`"))
    assert problem.found
    assert problem.excerpt is not None
    line, caret = problem.excerpt.split("\n")
    assert line == f"{place[0]} | {source.splitlines()[place[0] - 1]}"
    assert caret.index("^") == len(f"{place[0]} | ") + place[1] - 1


@pytest.mark.parametrize(
    ("part", "source", "place"),
    [
        ("from_name", "Shop\n for {{ profile.city }}", "2:6"),
        ("from_address", "{{sender}}@shop.example", "1:1"),
        ("reply_to", "a{%if x%}b{%endif%}@shop.example", "1:2"),
    ],
)
def test_liquid_that_nobody_would_read_is_refused(part: str, source: str, place: str) -> None:
    (problem,) = problems({part: source})
    assert (problem.code, problem.path) == ("LIQUID_NOT_READ", f"parts.{part}:{place}")
    check({"from_name": "100 % {Shop}"})


@pytest.mark.parametrize(
    ("source", "told", "hint"),
    [
        ("{{ profile.frist_name }}", "no profile field 'frist_name'", "Did you mean 'profile.first_name'?"),
        ("{{ first_name }}", "no 'first_name'", "Did you mean 'profile.first_name'?"),
        ("{{ profile.age }}", "no profile field 'age'", None),
        ("{{ profile }}", "as a whole", "Write one field"),
        ("{% for f in profile %}{{ f }}{% endfor %}", "as a whole", None),
        ("{% assign p = profile %}{{ p.city }}", "as a whole", None),
        ("{{ profile[x] }}", "as a whole", None),
        ("{{ delivery.lable }}", "no 'delivery.lable'", "delivery.label"),
        ("{{ delivery }}", "no 'delivery'", None),
        ("{{ prodcts.size }}", "no 'prodcts'", "Did you mean 'products'?"),
        ("{{ brand.town }}", "'brand' has no 'town'", "There are city."),
        ("{% for p in products %}{{ p.nmae }}{% endfor %}", "has no 'nmae'", "Did you mean 'name'?"),
        ("{% if profile.vip %}x{% endif %}", "no profile field 'vip'", None),
        (
            '<a href="https://x.example/{{ profile.idd }}">',
            "no profile field 'idd'",
            "Did you mean 'profile.id'?",
        ),
    ],
)
def test_an_unknown_variable_is_told_with_a_suggestion(source: str, told: str, hint: str | None) -> None:
    found = problems({"html": source}, DATA)
    problem = next(one for one in found if told in one.message)
    assert problem.code == "UNKNOWN_VARIABLE"
    assert problem.path.startswith("parts.html:1:")
    assert hint is None or hint in problem.hint


def test_all_problems_come_at_once() -> None:
    found = problems(
        {
            "subject": "{{ profile.x }}",
            "html": '<a href="javascript:x">\n{% link 1 %}',
            "footer": "x",
            "from_address": " ",
        },
        {"profile": 1},
    )
    assert [(one.code, one.path) for one in found] == [
        ("BAD_DATA_NAME", "data/profile"),
        ("UNKNOWN_PART", "parts.footer"),
        ("PART_MISSING", "parts.from_address"),
        ("UNKNOWN_VARIABLE", "parts.subject:1:4"),
        ("RESERVED_TAG", "parts.html:2:1"),
    ]
    (link,) = problems({"html": '<a href="javascript:x">'})
    assert (link.code, link.path) == ("LINK_SCRIPT", "parts.html:1:10")


def test_links_of_the_text_are_checked_too() -> None:
    (problem,) = problems({"text": "Go to https://{{ profile.city }}.example/"})
    assert (problem.code, problem.path) == ("LINK_NOT_LITERAL", "parts.text:1:7")


def test_notes_are_for_the_text() -> None:
    check({"text": "Go {% footnote %}https://shop.example.com/?c={{ profile.city }}{% endfootnote %}"})
    for part in ("html", "subject", "preheader"):
        (problem,) = problems({part: "x\n{% footnote %}x{% endfootnote %}"})
        assert (problem.code, problem.path) == ("TEMPLATE_SYNTAX", f"parts.{part}:2:4")
        assert "the address in its place" in str(problem.hint)


def test_liquid_may_overlap_with_elements_but_not_with_an_address() -> None:
    source = "{% if profile.city %}<style>{% endif %}</style>{% if profile.city %}<p>{% endif %}x</p>"
    check({"html": source})
    source = '\n<a href="#{% if profile.city %}x">a</a>{% endif %}'
    (problem,) = problems({"html": source})
    assert problem.code == "TEXT_NOT_MADE"
    check({"html": source, "text": "My own"})


@pytest.mark.parametrize(
    ("parts", "code", "path"),
    [
        ({"subject": ""}, "PART_MISSING", "parts.subject"),
        ({"html": " "}, "PART_MISSING", "parts.html"),
        ({"html": "a\0b"}, "BAD_TEXT", "parts.html"),
        ({"html": "\ud800"}, "BAD_TEXT", "parts.html"),
        ({"html": "x" * 1_000_001}, "PART_TOO_LARGE", "parts.html"),
        ({"html": "{{ profile.city }}" * 10_001}, "PART_TOO_LARGE", "parts.html"),
        ({"html": "<" * 50_005}, "PART_TOO_LARGE", "parts.html"),
        ({"subjekt": "x"}, "UNKNOWN_PART", "parts.subjekt"),
    ],
)
def test_parts_fit_the_channel(parts: dict[str, Any], code: str, path: str) -> None:
    (problem,) = problems(parts)
    assert (problem.code, problem.path) == (code, path)


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("data", "code", "path"),
    [
        ({"a b": 1}, "BAD_DATA_NAME", "data/a b"),
        ({"delivery": {}}, "BAD_DATA_NAME", "data/delivery"),
        ({"a": [{"b/c": "x\0"}]}, "BAD_DATA", "data/a/0/b~1c"),
        ({"a": {"k\0": 1}}, "BAD_DATA", "data/a"),
        ({"a": 2**53 + 1}, "BAD_DATA", "data/a"),
        ({"a": float("nan")}, "BAD_DATA", "data/a"),
        ({"a": float("inf")}, "BAD_DATA", "data/a"),
        ({"a": {1, 2}}, "BAD_DATA", "data/a"),
        ({"a": nested(MAX_DEPTH)}, "DATA_TOO_DEEP", "data/a" + "/0" * MAX_DEPTH),
        ({"a": "x" * MAX_BYTES}, "DATA_TOO_LARGE", "data"),
    ],
)
def test_data_is_bounded_json(data: dict[str, Any], code: str, path: str) -> None:
    (problem,) = problems({}, data)
    assert (problem.code, problem.path) == (code, path)


def test_data_up_to_the_bounds_passes() -> None:
    check({}, {"a": nested(MAX_DEPTH - 1), "b": 2**53, "c": None, "d": True, "e": 0.5})


@pytest.mark.parametrize(
    "source",
    [
        "{% assign profile = 'x' %}",
        "{{ profile.email }}{%- assign  profile='x' -%}",
        "{% for profile in products %}{% endfor %}",
        "{% if products %}{%for delivery in products%}{% endfor %}{% endif %}",
        "{% capture profile %}x{% endcapture %}",
        "{%- capture 'profile' %}x{% endcapture %}",
        "{% tablerow profile in products %}{% endtablerow %}",
        "{% increment delivery %}",
        "{% liquid assign profile = 1 %}{% liquid\n  echo 1\n%}",
    ],
)
def test_the_names_of_ours_cannot_be_given_away(source: str) -> None:
    (problem,) = problems({"html": source}, DATA)
    assert (problem.code, problem.path.split(":")[:2]) == ("RESERVED_NAME", ["parts.html", "1"])


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("{{ ['profile'].nonsense }}", "no profile field 'nonsense'"),
        ("{{ ['profile'] }}", "as a whole"),
        ("{{ [brand.city].email }}", "must be written out"),
        ("{% assign r = 'profile' %}{{ [r].email }}", "must be written out"),
        ("{{ x }}{% if products %}{{ y }}{% assign y = 1 %}{% endif %}", "no 'x'"),
    ],
)
def test_there_is_no_other_way_to_a_name(source: str, told: str) -> None:
    (problem,) = problems({"html": source}, DATA)
    assert told in problem.message


def test_a_name_that_may_be_the_templates_own_is_no_problem() -> None:
    found = "{% for p in products %}{% if p.price > 2 %}{% assign best = p %}{% endif %}{% endfor %}{{ best.name }}"
    check({"html": found}, DATA)


def test_a_hundred_problems_are_enough() -> None:
    unknown = "".join(f"{{{{ nome_{number} }}}}" for number in range(150))
    found = problems({"html": unknown, "subject": unknown}, {f"name_{number}": 1 for number in range(5_000)})
    assert len(found) == 100
    assert found[0].hint == "Did you mean 'name_0'?"
    assert len(problems({"html": "{% link 1 %}" * 150})) == 100
    assert len(problems({}, {f"a b{number}": 1 for number in range(150)})) == 100


def test_what_is_told_of_other_links_lets_no_script_through() -> None:
    script = '<a href="javascript:alert(1)">x</a>'
    (problem,) = problems({"html": '<a href="/relative">x</a>' * 150 + script})
    assert problem.code == "LINK_SCRIPT"
    # and where links are not tracked, a host that comes from a value is let pass, a script is not
    untracked = replace(MANIFEST, capabilities=replace(MANIFEST.capabilities, tracking=False))
    html = '<a href="{{ profile.city }}">x</a>' * 150
    draft = ContentDraft(name="x", label="X", channel="email", parts={**PARTS, "html": html})
    check_content(draft, untracked)
    with pytest.raises(ContentInvalid) as caught:
        check_content(replace(draft, parts={**PARTS, "html": html + script}), untracked)
    assert [one.code for one in caught.value.problems] == ["LINK_SCRIPT"]


def test_data_that_is_read_too_often_is_refused() -> None:
    html = "".join(f"{{{{ rows[0].k{number}.x }}}}" for number in range(1_000))
    (problem,) = problems({"html": html}, {"rows": [[[{"x": 1}]] * 50_000]})
    assert (problem.code, problem.path) == ("DATA_TOO_LARGE", "data")
