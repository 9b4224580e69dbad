"""`fragment` does with a body in place what `render` does with a partial, whatever stands around and in it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from render_ext import Limits, PartialUse, RenderError, TemplateSyntaxError, compile, partials_used
from render_ext.walk import Given
from tests.render_ext.test_email import IDENTITY, SIGNER

VALUES = {"l": [1, 2, 3], "o": {"k": "<v>"}, "g": "<g>", "n": 4, "r": "ab"}
HEADS = (
    "",
    ", a: g",
    " with o.k as a",
    " for l as a",
    " for l as a, b: n",
    " for (1..2) as a b: o",
    " for n as a",
    " with l as a",
)
BODY = (
    "{{ a }}", "{{ b.k }}", "{{ i }}", "{{ x }}", "{{ forloop.index }}", "{{ forloop.parentloop.index }}",
    "{{ tablerowloop.col }}", "{% assign x = a %}", "{% increment x %}", "{% cycle 'p', 'q' %}", "{% break %}",
    "{% continue %}", " ", "{% render 'q' for l as z %}", "{% ifchanged %}{{ a }}{% endifchanged %}",
    "{% for i in l %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{{ forloop.parentloop.index }}{% endfor %}",
    "{% tablerow i in l cols: 2 %}{{ i }}{% endtablerow %}", "{% case a %}{% when 2, 3 %}w{% else %}e{% endcase %}",
)  # fmt: skip
AROUND = (
    "%s",
    "{%% for i in l %%}%s;{%% endfor %%}",
    "{%% capture x %%}%s{%% endcapture %%}[{{ x }}]",
    "{%% assign x = 1 %%}%s{{ x }}",
    "{%% tablerow i in l %%}%s{%% endtablerow %%}",
    "{%% for i in l %%}{%% for a in l %%}%s{%% endfor %%}{%% endfor %%}{{ a }}",
)
PARTIALS = {"p": "<{{ a }}{{ x }}{% assign x = 'p' %}>", "q": "{{ z }}{{ a }}{% render 'p' with z as a %}"}


@st.composite
def nested(draw: st.DrawFn, depth: int = 2) -> tuple[str, str, dict[str, str]]:
    """A template with fragments, the same with `render`, and the partials that it then needs."""
    body = "".join(draw(st.lists(st.sampled_from(BODY), max_size=4)))
    whole, parts, partials = body, body, {}
    if depth and draw(st.booleans()):
        inner = draw(nested(depth - 1))
        whole, parts, partials = body + inner[0], body + inner[1], inner[2]
    head, around = draw(st.sampled_from(HEADS)), draw(st.sampled_from(AROUND))
    name = f"f{depth}"
    in_place = around % f'{{% fragment "{name}"{head} %}}{whole}{{% endfragment %}}'
    by_name = around % f'{{% render "{name}"{head} %}}'
    return in_place, by_name, {**partials, name: parts}


@given(made=nested(), escape=st.sampled_from(["none", "html", "json"]))
def test_it_prints_what_render_prints(made: tuple[str, str, dict[str, str]], escape: Any) -> None:
    in_place, by_name, partials = made
    one = compile(in_place, partials=PARTIALS, escape=escape)
    other = compile(by_name, partials={**PARTIALS, **partials}, escape=escape)
    assert one.render(VALUES) == other.render(VALUES)
    assert one.render_many([VALUES] * 3) == other.render_many([VALUES] * 3)


def test_what_is_read_in_it() -> None:
    template = (
        "{% fragment 'f' with o.k as a, b: n %}{{ a.x }}{{ b }}{{ c }}{{ forloop.index }}{% assign d = 1 %}{{ d }}"
        "{% endfragment %}"
        "{{ b }}{{ d }}{{ a }}{% fragment 'f' for l as a %}{{ a.y }}{% endfragment %}"
    )
    found = [(variable.path, variable.assigned) for variable in compile(template).variables]
    assert found == [
        (("o", "k"), False), (("n",), False), (("o", "k", "x"), False), (("n",), False), (("c",), False),
        (("b",), False), (("d",), False), (("a",), False), (("l",), False), (("l", "*", "y"), False),
    ]  # fmt: skip


def test_links_in_it_are_links_of_the_message() -> None:
    template = (
        "{% fragment 'f' for l as i, c: g %}{% link 1 %}https://a.example/{{ i }}?{{ c }}{% endlink %} {% endfragment %}"
        "{% fragment 'g' %}{% link 2 %}https://b.example/{% endlink %}{% endfragment %}"
    )
    program = compile(template, links=True, escape="html", signer=SIGNER)
    assert [(link.number, link.target) for link in program.links] == [
        (1, "https://a.example/{{ i }}?{{ c }}"), (2, "https://b.example/"),
    ]  # fmt: skip
    assert program.render(VALUES, identity=IDENTITY).count("https://") == 4
    found = [program.resolve_link(VALUES, 1, occurrence) for occurrence in range(4)]
    assert found == [*(f"https://a.example/{n}?%3Cg%3E" for n in (1, 2, 3)), None]
    assert program.resolve_link(VALUES, 2) == "https://b.example/"


def test_many_in_one_another() -> None:
    deep = 99
    template = (
        "".join(f"{{% fragment 'f', a{n}: l %}}" for n in range(deep)) + "{{ a98.size }}{{ a97 }}" + "{% endfragment %}" * deep
    )
    assert compile(template).render(VALUES) == "3"
    with pytest.raises(TemplateSyntaxError, match="nesting=100"):
        compile("{% if true %}" * 2 + template + "{% endif %}" * 2)
    loops = "{% fragment 'f' for (1..9) as a %}" * 8 + "{% endfragment %}" * 8
    with pytest.raises(RenderError, match="steps=1000"):
        compile(loops, limits=Limits(steps=1000)).render({})


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{% fragment 'f' %}", "`fragment` is never closed"),
        ("{% endfragment %}", "unexpected `endfragment`"),
        ("{% if a %}{% fragment 'f' %}{% endif %}{% endfragment %}", "unexpected `endif`"),
        ("{% fragment 'f' %}{% include 'p' %}{% endfragment %}", "`include` inside a fragment"),
        ("{% fragment f %}{% endfragment %}", "written out"),
        ("{% link 1 %}https://a.example/{% fragment 'f' %}{% endfragment %}{% endlink %}", "`fragment` inside a link"),
    ],
)
def test_mistakes(template: str, message: str) -> None:
    with pytest.raises(TemplateSyntaxError, match=message):
        compile(template, links=True)


def test_partials_are_found_without_being_there() -> None:
    source = "a {% render 'f', x: 1 %}{% if b %}{%- include \"g\" with y -%}{% endif %}{% liquid\nrender 'h' for l as z\n%}"
    assert partials_used(source) == (
        PartialUse("f", 12, 3, 0, True, False, 5, (Given("x", "1", source.index("1")),)),
        PartialUse(
            "g", source.index('"g"'), 3, 1, False, False, source.index("include"), (Given("g", "y", source.index("y -")),)
        ),
        PartialUse(
            "h", source.index("'h'"), 3, 1, True, True, source.index("render 'h"), (Given("z", "l", source.index("l as")),)
        ),
    )
    with pytest.raises(TemplateSyntaxError):
        partials_used("{% if a %}{% render 'f' %}")
