"""Partials as a program has them: what is read where, what is compiled once, and how deep they may go."""

from __future__ import annotations

from typing import Any

import pytest

from render_ext import EmailRow, EmailSource, Limits, RenderError, TemplateSyntaxError, Variable, compile
from tests.render_ext.test_email import IDENTITY, SIGNER, parsed, source


def places(template: str, partials: dict[str, str]) -> list[tuple[str, ...]]:
    """Partial and path of every variable, in the order in which a program tells them."""
    found = compile(template, partials=partials).variables
    return [(variable.partial or "", *variable.path) for variable in found]


def test_a_variable_has_its_place_in_the_partial() -> None:
    program = compile("{{ a }}\n{% include 'p' %}", partials={"p": "x\n  {{ b.c }}"})
    assert program.variables == (
        Variable(path=("a",), text="a", line=1, column=4),
        Variable(path=("b", "c"), text="b.c", line=2, column=6, partial="p"),
    )


@pytest.mark.parametrize(
    ("template", "partials", "expected"),
    [
        ("{% for x in l %}{% include 'p' %}{% endfor %}", {"p": "{{ x.a }}{{ forloop }}"}, [("", "l"), ("p", "l", "*", "a")]),
        ("{% for x in l %}{% render 'p' %}{% endfor %}", {"p": "{{ x.a }}"}, [("", "l"), ("p", "x", "a")]),
        ("{% render 'p', y: o.k %}", {"p": "{{ y.a }}"}, [("", "o", "k"), ("p", "o", "k", "a")]),
        ("{% render 'p' for o.l %}", {"p": "{{ p.a }}"}, [("", "o", "l"), ("p", "o", "l", "*", "a")]),
        ("{% include 'p' with o.l as q %}", {"p": "{{ q.a }}"}, [("", "o", "l"), ("p", "o", "l", "a")]),
        ("{% render 'p', y: 1 %}{% render 'p' %}", {"p": "{{ y }}"}, [("p", "y")]),
        ("{% assign x = 1 %}{% include 'p' %}", {"p": "{{ x }}"}, []),
        ("{% assign x = 1 %}{% render 'p' %}", {"p": "{{ x }}"}, [("p", "x")]),
        ("{% include 'p' %}{{ x }}{{ y }}", {"p": "{% assign x = 1 %}{% capture y %}{% endcapture %}"}, []),
        ("{% render 'p' %}{{ x }}", {"p": "{% assign x = 1 %}"}, [("", "x")]),
        ("{% include 'p', a: 1, b: a.c %}", {"p": "{{ a }}{{ b }}"}, []),
        ("{% case a %}{% when b %}{{ c }}{% else %}{{ d }}{% endcase %}", {}, [("", "a"), ("", "b"), ("", "c"), ("", "d")]),
        ("{% cycle a: b, c %}", {}, [("", "a"), ("", "b"), ("", "c")]),
        ("{% tablerow x in a cols: b %}{{ x.c }}{{ tablerowloop.row }}{% endtablerow %}", {},
         [("", "a"), ("", "b"), ("", "a", "*", "c")]),
        ("{% increment a %}{% ifchanged %}{{ b }}{% endifchanged %}", {}, [("", "a"), ("", "b")]),
        ("{% liquid\necho a\nif b\necho c\nendif %}", {}, [("", "a"), ("", "b"), ("", "c")]),
    ],
)  # fmt: skip
def test_what_is_read_of_the_values(template: str, partials: dict[str, str], expected: list[tuple[str, ...]]) -> None:
    assert places(template, partials) == expected


def test_a_partial_that_is_used_often_is_compiled_once() -> None:
    once = compile("{% render 'p' %}", partials={"p": "text {{ a }} " * 100})
    often = compile("{% render 'p' %}" * 50, partials={"p": "text {{ a }} " * 100})
    assert len(often.layout.steps) == len(once.layout.steps) + 49


def test_a_partial_that_is_not_used_is_not_read() -> None:
    assert compile("x", partials={"p": "{% nonsense"}).render({}) == "x"


def test_depth_of_partials() -> None:
    partials = {f"p{n}": f"{{% render 'p{n + 1}' %}}" for n in range(20)} | {"p20": "end"}
    assert compile("{% render 'p1' %}", partials=partials).render({}) == "end"
    for template, limits in (("{% render 'p0' %}", Limits()), ("{% include 'p19' %}", Limits(partials=1))):
        with pytest.raises(TemplateSyntaxError, match=r"partials within partials deeper than the limit partials=\d+"):
            compile(template, partials=partials, limits=limits)


def test_a_long_chain_of_partials_is_refused_at_once() -> None:
    partials = {f"p{n}": f"{{% render 'p{n + 1}' %}}" for n in range(5000)} | {"p5000": ""}
    with pytest.raises(TemplateSyntaxError, match="partials=20"):
        compile("{% render 'p0' %}", partials=partials)
    with pytest.raises(TemplateSyntaxError, match="partials=120"):
        compile("{% render 'p0' %}", partials=partials, limits=Limits(partials=100_000))
    assert compile("{% render 'p4910' %}", partials=partials, limits=Limits(partials=100_000)).render({}) == ""


def test_blocks_of_partials_count_together() -> None:
    def nested(depth: int, inner: str) -> str:
        return "{% if true %}" * depth + inner + "{% endif %}" * depth

    partials = {"a": nested(40, "{% include 'b' %}"), "b": nested(40, "x")}
    assert compile(nested(18, "{% include 'a' %}"), partials=partials).render({}) == "x"
    with pytest.raises(TemplateSyntaxError, match="nesting=100, with those of the partial"):
        compile(nested(19, "{% include 'a' %}"), partials=partials)


def doubling(tag: str) -> dict[str, str]:
    """Partials of which each uses the next twice."""
    return {f"p{n}": f"{{% {tag} 'p{n + 1}' %}}" * 2 for n in range(18)} | {"p18": "{{ a }}{% assign a = 1 %}{{ b }}"}


@pytest.mark.parametrize("tag", ["include", "render"])
def test_partials_that_double_cost_steps_and_no_time_to_compile(tag: str) -> None:
    program = compile(f"{{% {tag} 'p0' %}}", partials=doubling(tag), limits=Limits(steps=10_000))
    with pytest.raises(RenderError) as caught:
        program.render({"b": "x"})
    assert caught.value.limit == "steps"


def test_a_partial_in_a_thousand_surroundings() -> None:
    uses = "".join(f"{{% include 'p', a{n}: 1 %}}{{% assign x{n} = 1 %}}" for n in range(1000))
    program = compile(uses, partials={"p": "{{ y }}", **{f"q{n}": "" for n in range(1000)}})
    assert [variable.path for variable in program.variables] == [("y",)]


@pytest.mark.parametrize("escape", ["none", "html", "url", "json", "header"])
def test_a_capture_prints_as_its_partial_would(escape: Any) -> None:
    values = {"a": "<a> & 'é'\n\"/?"}
    partials = {"p": "{{ a }}{% cycle a %}{% echo a %}"}
    plain = compile("{% render 'p' %}", escape=escape, partials=partials).render(values)
    held = compile("{% capture x %}{% render 'p' %}{% endcapture %}{{ x }}", escape=escape, partials=partials).render(values)
    assert held == plain


def test_every_tag_in_a_message() -> None:
    """What is captured and held back goes through the transfer encoding once, as all that is written does."""
    html = (
        "<p>é</p>{% capture x %}<b>{{ name }} é=</b>\n{% link 1 %}https://a.example/?q={{ name }}{% endlink %}{% endcapture %}"
        "{{ x }}\n"
        "{% for i in (1..3) %}{% ifchanged %}é{{ name }}={% endifchanged %}{% render 'p' for l, c: x %}{% endfor %}"
        "{% tablerow i in (1..3) cols: 2 %}{{ i }}é{% endtablerow %}{% include 'p' with x, c: name %}{% increment n %}"
    )
    partials = {"p": "\r\n{{ p }}é={{ c }}{% cycle 'a', 'é' %}\r\n"}
    email: EmailSource = source(html=html, text=None, partials=partials)
    program = email.compile(SIGNER)
    row = EmailRow(address="a@example.com", identity=IDENTITY, values={"name": "Zoë & <Co> =", "l": [1, 2], "value": ""})
    (message,) = program.render_many([row])
    assert isinstance(message, bytes)
    shown = program.render_parts(row.values, row.identity).html
    assert parsed(message).get_content().replace("\r\n", "\n") == shown
    assert shown is not None
    assert shown.count("<b>Zoë &amp; &lt;Co&gt; = é=</b>\nhttps://") == 8
    assert shown.count("éZoë &amp; &lt;Co&gt; ==") == 1
    assert program.resolve_link(row.values, 1) == "https://a.example/?q=Zo%C3%AB%20%26%20%3CCo%3E%20%3D"
    assert program.resolve_link(row.values, 1, 1) is None


@pytest.mark.parametrize(
    "tag", ["capture x", "cycle 1", "increment n", "render 'p'", "include 'p'", "tablerow i in l", "ifchanged"]
)
def test_what_remembers_has_no_place_in_a_link(tag: str) -> None:
    """A link is not run where only its token is written, so what it changed would differ from one reading to the next."""
    for inner in (f"{{% {tag} %}}", f"{{% liquid {tag} %}}"):
        with pytest.raises(TemplateSyntaxError, match="inside a link"):
            compile(f"{{% link 1 %}}https://a.example/{inner}{{% endlink %}}", links=True, partials={"p": ""})


def test_what_only_chooses_has() -> None:
    target = "https://a.example/{% case x %}{% when 1 %}one{% else %}{% echo x %}{% endcase %}{% liquid echo 2 %}"
    program = compile(f"{{% link 1 %}}{target}{{% endlink %}}", links=True)
    assert program.resolve_link({"x": "é"}, 1) == "https://a.example/%C3%A92"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_lines_of_liquid(newline: str) -> None:
    lines = ["{% liquid", "if a", "  echo 'x'", "else", "  echo 'y' | upcase  ", "endif", "# done", "%}"]
    assert compile(newline.join(lines)).render({}) == "Y"
    with pytest.raises(TemplateSyntaxError):  # a carriage return alone ends no line
        compile("\r".join(lines))
