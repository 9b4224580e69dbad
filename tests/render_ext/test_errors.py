"""What an author is told (the texts themselves are in the case files)."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from render_ext import Limits, Program, RenderError, TemplateSyntaxError, compile
from tests.render_ext.test_properties import PARTIALS, contexts, templates


def mistake(source: str) -> TemplateSyntaxError:
    """The error of a template."""
    with pytest.raises(TemplateSyntaxError) as caught:
        compile(source, name="mail.html")
    return caught.value


def test_the_fields_of_a_syntax_error() -> None:
    error = mistake("first\r\n\tHi {{ name | upcse }}, welcome")
    assert (error.template, error.line, error.column, error.width) == ("mail.html", 2, 15, 5)
    assert error.source_line == " Hi {{ name | upcse }}, welcome"
    assert error.message == "unknown filter `upcse`"
    assert (error.found, error.expected, error.suggestion) == ("`upcse`", "a filter", "`upcase`")
    lines = str(error).splitlines()
    assert lines[0] == "mail.html:2:15: unknown filter `upcse`"
    assert lines[1][lines[2].index("^") :].startswith("upcse")


def test_a_long_line_is_clipped_around_the_place() -> None:
    error = mistake("x" * 5000 + "{{ a | nope }}" + "y" * 5000)
    header, line, caret, _ = str(error).splitlines()
    assert header.startswith("mail.html:1:5008:")
    assert len(line) < 130
    assert line[caret.index("^") :].startswith("nope")


def test_a_very_long_name_is_answered_at_once() -> None:
    assert "unknown filter" in mistake("{{ a | " + "x" * 200_000 + " }}").message
    assert "unknown tag" in mistake("{% " + "x" * 200_000 + " %}").message


def test_the_fields_of_a_render_error() -> None:
    with pytest.raises(RenderError) as caught:
        compile("\n\n{{ 1 | divided_by: x }}", name="mail.html").render({})
    error = caught.value
    assert (error.template, error.line, error.limit) == ("mail.html", 3, None)
    assert error.message == "filter `divided_by`: divided by 0"
    assert str(error) == "mail.html:3: filter `divided_by`: divided by 0"


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="escape must be one of"):
        compile("x", escape="xml")  # type: ignore[arg-type]
    for zone in ("Nowhere/Land", "../../etc/passwd", "", "/etc/localtime", "\x00"):
        with pytest.raises(ValueError, match="unknown time zone"):
            compile("x", zone=zone)


def test_variables_say_where_and_through_which_loop() -> None:
    program = compile(
        "{{ user.name }}\n{% for p in shop.products %}{{ p.name | default: p.sku }}"
        "{% for t in p.tags %}{{ t }}{{ forloop.index }}{% endfor %}{% endfor %}\n"
        "{% assign y = user.age %}{{ y }}{{ user[key].x }}{{ list[0].z }}{% if a.b == c %}{% endif %}"
    )
    found = [(variable.path, variable.text, variable.line, variable.column) for variable in program.variables]
    assert found[:4] == [
        (("user", "name"), "user.name", 1, 4),
        (("shop", "products"), "shop.products", 2, 13),
        (("shop", "products", "*", "name"), "p.name", 2, 32),
        (("shop", "products", "*", "sku"), "p.sku", 2, 50),
    ]
    paths = [variable.path for variable in program.variables]
    assert ("shop", "products", "*", "tags", "*") in paths
    assert ("user", "age") in paths
    assert ("user", "*", "x") in paths
    assert ("key",) in paths
    assert ("list", "*", "z") in paths
    assert ("a", "b") in paths
    assert ("y",) not in paths
    assert not any(path[0] == "forloop" for path in paths)


SCRAPS = re.findall(
    r"\S+",
    """{{ }} {% %} {%- -%} {{- | : , . .. [ ] ( ) == != < > = - 1 2.5 "a" 'b' " ' \ud800 é if endif elsif else unless
    for in endfor assign x y.z limit offset reversed raw endraw comment endcomment # link endlink 3 https://a.b/ break continue
    liquid echo case when endcase capture endcapture cycle increment tablerow cols endtablerow ifchanged endifchanged doc enddoc
    include render 'p' with as continue and or contains empty nil forloop tablerowloop
    default date escape truncate allow_false true mirror_url \x00""",
)
broken = st.tuples(templates, st.integers(0, 60), st.integers(1, 8)).map(lambda t: t[0][: t[1]] + t[0][t[1] + t[2] :])


def compiled(source: str) -> Program | TemplateSyntaxError:
    """The program or the error; nothing else may come of any text."""
    try:
        return compile(source, links=True, partials=PARTIALS)
    except TemplateSyntaxError as error:
        return error


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from([*SCRAPS, "\n", "\t"]), max_size=25).map(" ".join) | st.text() | broken)
def test_any_text_is_a_template_or_a_located_mistake(source: str) -> None:
    result = compiled(source)
    if isinstance(result, TemplateSyntaxError):
        lines = source.split("\n")
        assert 1 <= result.line <= len(lines)
        assert 1 <= result.column <= len(lines[result.line - 1]) + 1
        assert str(result).startswith(f"template:{result.line}:{result.column}: ")
        return
    with suppress(RenderError):
        result.render_bytes({"x": "X", "y": {"z": [1]}}).decode()


@pytest.mark.parametrize(
    ("source", "paths"),
    [
        ("{{ x.a }}{% assign x = 1 %}{{ x.b }}", {("x", "a"): True}),
        ("{% assign x = x.a %}{{ x.b }}", {("x", "a"): True}),
        ("{% if c %}{% assign x = 1 %}{% endif %}{{ x.b }}", {("c",): False, ("x", "b"): True}),
        ("{% if c %}{% assign x = 1 %}{% else %}{% assign x = 2 %}{% endif %}{{ x.b }}", {("c",): False}),
        ("{% if c %}{% assign x = 1 %}{{ x.a }}{% endif %}", {("c",): False}),
        ("{% unless c %}{% else %}{% assign x = 1 %}{% endunless %}{{ x }}", {("c",): False, ("x",): True}),
        ("{% for i in l %}{{ x.a }}{% assign x = i %}{% endfor %}{{ x }}",
         {("l",): False, ("l", "*"): False, ("x", "a"): True, ("x",): True}),
        ("{% for i in l %}{% for i in i.m %}{{ i.n }}{% endfor %}{% endfor %}",
         {("l",): False, ("l", "*", "m"): False, ("l", "*", "m", "*", "n"): False}),
        ("{% for x in l %}{% endfor %}{{ x.a }}", {("l",): False, ("x", "a"): False}),
        ("{{ ['x'].a }}{% assign x = 1 %}{{ ['x'].b }}", {("x", "a"): False, ("x", "b"): False}),
        ("{{ [k].a }}", {("*", "a"): False, ("k",): False}),
        ("{{ 1 | plus: a.b | default: c, allow_false: d }}", {("a", "b"): False, ("c",): False, ("d",): False}),
        ("{% for i in (a..b) limit: c offset: d %}{{ i.e }}{% else %}{{ i.f }}{% endfor %}",
         {("a",): False, ("b",): False, ("c",): False, ("d",): False, ("i", "f"): False}),
    ],
)  # fmt: skip
def test_what_may_come_from_the_values_is_told(source: str, paths: dict[tuple[str, ...], bool]) -> None:
    assert {variable.path: variable.assigned for variable in compile(source).variables} == paths


def shown(program: Program, values: dict[str, Any]) -> str:
    """What comes of a rendering."""
    try:
        return program.render(values)
    except RenderError as error:
        return f"failed: {error}"


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(templates, contexts)
def test_nothing_is_read_that_is_not_told(source: str, values: dict[str, Any]) -> None:
    program = compile(source, partials=PARTIALS)
    roots = {variable.path[0] for variable in program.variables}
    assert shown(program, {name: value for name, value in values.items() if name in roots}) == shown(program, values)


def test_a_rendering_that_fails_has_its_place() -> None:
    program = compile("one\n two {{ 1 | divided_by: x }}", name="html")
    with pytest.raises(RenderError) as caught:
        program.render({"x": 0})
    error = caught.value
    assert (error.template, error.line) == ("html", 2)
    assert error.column == len(" two {{ 1 | ") + 1
    assert str(error) == f"html:2: {error.message}"


@pytest.mark.parametrize(
    ("source", "column", "found"),
    [
        ("{{ x\u00a0}}", 5, "a no-break space (U+00A0)"),
        ("{{ x\u200b }}", 5, "a zero width space (U+200B)"),
        ("{{ \u202ex }}", 4, "a right-to-left override (U+202E)"),
        ("{{ x\x00 }}", 5, "a control character (U+0000)"),
    ],
)
def test_a_character_that_nobody_sees_is_named(source: str, column: int, found: str) -> None:
    error = mistake(source)
    assert (error.column, error.found) == (column, found)
    assert error.message == f"unexpected character {found[-7:-1]}"


def test_unseen_characters_are_not_repeated() -> None:
    error = mistake("\u202eabc {{ 'a\u202e' 'b\u202e' }}")
    assert "\u202e" not in str(error)
    assert error.found == "`'b<U+202E>'`"
    _, line, caret, _ = str(error).splitlines()
    assert line[caret.index("^") :].startswith("'b\ufffd'")


def test_what_is_nested_too_deep_says_what_was_expected() -> None:
    nested = "{% if x %}" * 3 + "{% endif %}" * 3
    with pytest.raises(TemplateSyntaxError, match="expected at most 2 blocks within each other"):
        compile(nested, limits=Limits(nesting=2))
    with pytest.raises(TemplateSyntaxError, match="expected at most 3 blocks within each other"):
        compile("{% if x %}{% include 'p' %}{% endif %}", partials={"p": nested}, limits=Limits(nesting=3))
    with pytest.raises(TemplateSyntaxError, match="expected at most 1 partials within each other"):
        compile("{% include 'p' %}", partials={"p": "{% include 'q' %}", "q": ""}, limits=Limits(partials=1))


@pytest.mark.parametrize("source", ["{% if d == e %}{% endif %}", "{% case d %}{% when e %}{% endcase %}"])
def test_data_nested_too_deep_reaches_the_limit(source: str) -> None:
    d: list[Any] = []
    e: list[Any] = []
    for _ in range(100_000):
        d, e = [d], [e]
    with pytest.raises(RenderError) as caught:
        compile(source).render({"d": d, "e": e})
    assert caught.value.message == "the limit nesting=100 was reached"
