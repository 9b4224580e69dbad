"""What fails, or does nothing, for everybody or for many: comparisons, loops, counters, and filters by their arguments."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from core.content.checks.uses import uses_of
from core.content.errors import ContentInvalid
from core.content.records import ContentDraft, ContentWarning, WarningLevel
from core.content.validate import compile_part
from render_ext import RenderError, compile, inspect
from tests.core.authors import PARTS
from tests.core.content.checks import test_checks
from tests.core.content.checks.test_checks import BYE

DATA: dict[str, Any] = {**test_checks.DATA, "n": 5, "half": 2.5, "nul": None, "words": ["a", "b"]}
DATE = datetime(2030, 1, 1, tzinfo=UTC)


def told(source: str) -> list[ContentWarning]:
    parts = {**PARTS, "html": BYE + source}
    return test_checks.reviewed(ContentDraft(name="x", label="X", channel="email", parts=parts, data=DATA))


def codes(source: str) -> list[str]:
    return [one.code for one in told(source)]


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("{% if 5 <= 'x' %}x{% endif %}", "COMPARISON_FAILS"),
        ("{% for p in products limit: 1.5 %}x{% endfor %}", "LOOP_FAILS"),
        ("{% for p in products offset: 'x' %}x{% endfor %}", "LOOP_FAILS"),
        ("{{ n | divided_by: 0 }}", "FILTER_FAILS"),
    ],
)
def test_what_fails_as_it_is_written_is_refused_and_does_fail(source: str, code: str) -> None:
    with pytest.raises(ContentInvalid) as caught:
        told(source)
    assert [problem.code for problem in caught.value.problems] == [code]
    assert all(problem.hint for problem in caught.value.problems)
    with pytest.raises(RenderError):
        compile(source).render(DATA)


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("{% if word > 5 %}x{% endif %}", "COMPARISON_FAILS"),
        ("{% if n > 'x' %}x{% endif %}", "COMPARISON_FAILS"),
        ("{% if delivery.date < '2030' %}x{% endif %}", "COMPARISON_FAILS"),
        ("{% for p in products limit: word %}x{% endfor %}", "LOOP_FAILS"),
        ("{% for i in (1..half) %}x{% endfor %}", "LOOP_FAILS"),
        ("{{ (1..half) | join }}", "LOOP_FAILS"),
        ("{{ 5 | divided_by: word }}", "FILTER_FAILS"),
        ("{{ 5 | divided_by: nul }}", "FILTER_FAILS"),
        ("{{ n | money: word }}", "FILTER_FAILS"),
        ("{% increment word %}", "COUNT_FAILS"),
        ("{% decrement products %}", "COUNT_FAILS"),
    ],
)
def test_what_fails_by_the_data_is_a_warning_and_does_fail(source: str, code: str) -> None:
    (found,) = told(source)
    assert (found.code, found.level) == (code, WarningLevel.WARNING)
    assert found.hint
    with pytest.raises(RenderError):
        compile(source).render({**DATA, "delivery": {"date": DATE}})


@pytest.mark.parametrize(
    ("source", "data"),
    [
        ("{% if total > 0 %}{{ 100 | divided_by: total }}{% endif %}", {"total": 0}),
        (
            "{% for i in items %}{% if i.cur != blank %}{{ i.p | money: i.cur }}{% endif %}{% endfor %}",
            {"items": [{"p": 1, "cur": ""}]},
        ),
        ("{% if p != '' and p > 5 %}x{% endif %}", {"p": ""}),
        ("{% if lim != '' %}{% for i in items limit: lim %}x{% endfor %}{% endif %}", {"lim": "", "items": [1]}),
        ("{% for i in items %}{% increment total %}{% endfor %}", {"total": "x", "items": []}),
        ("<img src='data:,x' alt='x'><img src='data: image/png;base64,aaa' alt='x'>", {}),
    ],
)
def test_what_a_condition_guards_is_never_refused(source: str, data: dict[str, Any]) -> None:
    parts = {**PARTS, "html": BYE + source}
    found = test_checks.reviewed(ContentDraft(name="x", label="X", channel="email", parts=parts, data=data))
    assert all(one.level is WarningLevel.WARNING for one in found)
    compile(source).render(data)


@pytest.mark.parametrize(
    ("source", "code", "profile"),
    [
        ("{% if profile.external_id > 100 %}x{% endif %}", "COMPARISON_FAILS", {"external_id": "a"}),
        ("{% for p in products limit: profile.first_name %}x{% endfor %}", "LOOP_FAILS", {"first_name": "a"}),
        ("{{ 5 | divided_by: profile.first_name }}", "FILTER_FAILS", {"first_name": "a"}),
        ("{{ 5 | money: profile.country }}", "FILTER_FAILS", {"country": "DE"}),
    ],
)
def test_what_depends_on_a_field_is_a_warning_and_may_fail(source: str, code: str, profile: dict[str, Any]) -> None:
    (found,) = told(source)
    assert (found.code, found.level, found.line) == (code, WarningLevel.WARNING, 1)
    assert (found.column or 0) > len(BYE)
    with pytest.raises(RenderError):
        compile(source).render({**DATA, "profile": profile})


def test_a_counter_in_a_fragment_begins_at_zero_there() -> None:
    source = "{% fragment 'f' %}{% increment word %}{% endfragment %}"
    assert not uses_of(inspect(source, links=True).nodes).counted


def test_what_fails_for_some_of_the_data_is_a_warning() -> None:
    (found,) = told("{% for p in products %}{% if p.price > 3 %}x{% endif %}{% endfor %}")
    assert (found.code, found.level) == ("COMPARISON_FAILS", WarningLevel.WARNING)


@pytest.mark.parametrize(
    "source",
    [
        "{% if n > 3 and profile.latitude > 5 or profile.opt_out > 3 or nul > 3 %}x{% endif %}",
        "{% if profile.created_at < delivery.date %}x{% endif %}{% if word > 'A' %}x{% endif %}",
        "{% assign k = 5 %}{% if k > 'x' %}x{% endif %}{% if word == 5 %}x{% endif %}{% if word contains 5 %}x{% endif %}",
        "{% if products[n].price > 3 %}x{% endif %}{% if products > 3 %}x{% endif %}",
        "{% for p in products limit: n offset: nul %}x{% endfor %}{% for p in products limit: '2' %}x{% endfor %}",
        "{% for i in (1..word) %}x{% endfor %}{% for i in (1..n) %}x{% endfor %}",
        "{% for w in words %}{{ w }}{% endfor %}{% for w in word %}{{ w }}{% endfor %}{% for x in nul %}{% endfor %}",
        "{% tablerow p in products cols: half limit: half offset: word %}x{% endtablerow %}",
        "{{ 5 | divided_by: n }}{{ 5 | divided_by: profile.latitude }}{{ 5 | times: n | plus: profile.latitude }}",
        "{{ word | append: profile.email | truncate: n }}{{ products | where: 'name', word | size }}",
        "{% increment n %}{% increment fresh %}{% increment nul %}",
    ],
)
def test_what_works_is_not_told(source: str) -> None:
    assert codes(source) == []
    assert compile_part("html", source, tracking=True)


@pytest.mark.parametrize(
    "source",
    ["{% for i in n %}x{% endfor %}", "{% for i in 5 %}x{% endfor %}", "{% for i in profile.birth_date %}x{% endfor %}"],
)
def test_loops_over_what_has_no_items(source: str) -> None:
    (found,) = told(source)
    assert (found.code, found.column) == ("LOOP_TYPE", len(BYE) + len("{% for i in ") + 1)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ 'Tea' | date: '%Y' }}", ["FILTER_TYPE"]),
        ("{{ 'x' | localdate }}", ["FILTER_TYPE"]),
        ("{{ word | date: '%Y' }}", ["FILTER_TYPE"]),
        ("{{ 'now' | date: '%Y' }}{{ '2020-01-02' | date: 'x' }}{{ 'March 14, 2016' | date: '%b' }}", []),
        ("{{ 'today' | localdate }}{{ '1152098955' | date: '%Y' }}{{ empty | date: '%Y' }}", []),
        ("{{ 'now' | date: '%Y' | minus: 1 | append: '-01-01' | date: '%d' }}", []),
    ],
)
def test_constants_that_are_no_dates(source: str, expected: list[str]) -> None:
    assert codes(source) == expected


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("{% assign r = (1..profile.id) %}{% for i in r %}x{% endfor %}", 1),
        ("{{ (1..profile.id) | join: ',' }}", 1),
        ("{% assign r = (1..profile.id) %}{{ r | join }}", 1),
        ("{% assign n = profile.id | plus: 1 %}{% assign r = (1..n) %}{% for i in r %}x{% endfor %}", 1),
        ("{{ prices | concat: (1..profile.id) | join }}", 1),
        ("{% assign n = profile.id | at_most: 10 %}{% assign r = (1..n) %}{% for i in r %}x{% endfor %}{{ r | join }}", 0),
        ("{% assign r = (1..profile.id) %}{% for i in r limit: 3 %}x{% endfor %}{{ r | size }}{{ r.size }}", 0),
        ("{% assign r = (1..profile.id) %}{{ r | last | plus: 1 }}{% for i in r %}{% break %}{% endfor %}", 0),
        ("{% assign r = (1..many.size) %}{% for i in r %}x{% endfor %}{{ (1..n) | join }}", 0),
    ],
)
def test_ranges_without_end_behind_names_and_filters(source: str, count: int) -> None:
    assert codes(source) == ["UNBOUNDED_LOOP"] * count
