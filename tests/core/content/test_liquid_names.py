"""The names to which templates give values, however they do it."""

from __future__ import annotations

import pytest

from core.content.liquid_names import bound_names, is_unescaped, trusted_names
from render_ext import compile

LOOPS = {"forloop", "tablerowloop"}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("{% assign a = b %}{%-capture c%}{% endcapture %}", {"a", "c"}),
        ("{% for a in b %}{% endfor %}{% tablerow c in d %}{% endtablerow %}", {"a", "c"}),
        ("{% increment a %}{% decrement b %}", {"a", "b"}),
        ("{% liquid\n assign a = b\n  for c in d\n echo e\n endfor\n%}", {"a", "c"}),
        ("{%-liquid assign a = 1-%}{% liquid liquid capture b %}", {"a", "b"}),
        ("{% capture 'a' %}{% endcapture %}{% capture \"b\" %}{% endcapture %}", {"a", "b"}),
        ("{% fragment 'x', a: 1, b: y %}{% endfragment %}{% render 'y' for z as c %}", {"a", "b", "c"}),
        ("{{ a }}{% if b %}{% echo c %}{% endif %}{% raw %}{% assign d = 1 %}{% endraw %}", set()),
    ],
)
def test_names_with_values_of_the_templates_own(source: str, names: set[str]) -> None:
    assert bound_names(source) == names | LOOPS


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("{% capture a %}{% endcapture %}{% assign b = a %}{% for c in b %}{% endfor %}", {"a", "b", "c"}),
        ("{% for i in l %}{% assign c = b %}{% assign b = a %}{% assign a = x | raw %}{% endfor %}", {"a", "b", "c"}),
        ("{% assign a = x %}{% for b in a %}{% endfor %}{% increment c %}", set()),
        ("{% liquid\n assign a = x | raw\n%}{% fragment 'f', b: a %}{% endfragment %}", {"a", "b"}),
    ],
)
def test_names_that_may_hold_html(source: str, names: set[str]) -> None:
    assert trusted_names(source) == names


@pytest.mark.parametrize(
    "output",
    [
        "{{ a }}", "{{ a | escape }}", "{{ a | raw }}", "{{ a | raw | escape }}", "{{ a | raw | escape_once }}",
        "{{ a | raw | h }}", "{{ a | newline_to_br }}", "{{ a | raw | newline_to_br }}", "{{ '| raw' }}", "{{ a | json }}",
        "{{ a | raw | default: 'b' }}", "{% echo a | raw %}", "{{ c }}", "{{ c | escape_once }}", "{{ c | newline_to_br }}",
        "{{ d }}", "{{ a | append: c }}", "{% cycle c %}", "{% liquid\n echo c\n echo a | escape\n%}", "{% liquid\n echo a\n%}",
    ],
)  # fmt: skip
def test_an_output_that_is_said_to_be_escaped_prints_no_quote(output: str) -> None:
    template = '{% capture c %}"{% endcapture %}{% assign d = c | raw %}'
    printed = compile(template + output, escape="html").render({"a": "\"'"})
    unescaped = is_unescaped(output, trusted_names(template + output))
    assert unescaped or not set("\"'") & set(printed)
    if "append" not in output:  # which is trusted only if both of its texts are
        assert unescaped is bool(set("\"'") & set(printed))
