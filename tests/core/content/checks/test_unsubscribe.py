"""The way out is there for everybody: what nobody sees, and what a condition leaves out, does not count."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.content.records import ContentDraft, ContentWarning, DynamicContent, DynamicVariant
from render_ext import compile
from tests.core.authors import PARTS
from tests.core.content.checks.test_checks import DATA, reviewed
from tests.core.content.test_templates import DATA as TEMPLATE_DATA
from tests.core.content.test_templates import FILES, named, template

LINK = "<a href='{% unsubscribe_url %}'>Bye</a>"
MJML = "<mjml><mj-body><mj-section><mj-column>\n%s</mj-column></mj-section></mj-body></mjml>"
BUTTON = "<mj-button href='{% unsubscribe_url %}'>Bye</mj-button>"


def missing(source: str, part: str = "html", **more: Any) -> list[ContentWarning]:
    parts = {**PARTS, part: source}
    found = reviewed(ContentDraft(name="x", label="X", channel="email", parts=parts, data=DATA, **more))
    return [one for one in found if one.code == "NO_UNSUBSCRIBE_LINK"]


@pytest.mark.parametrize(
    "source",
    [
        "{% if profile.city %}@{% endif %}",
        "{% if profile.opt_out %}@{% endif %}",
        "{% if false %}@{% endif %}",
        "{% if word == 'Cake' %}@{% endif %}",
        "{% unless profile.city == 'Berlin' %}@{% endunless %}",
        "{% if profile.city %}@{% elsif profile.state %}@{% endif %}",
        "{% case profile.language %}{% when 'de' %}@{% when 'fr' %}@{% endcase %}",
        "{% if profile.city == 'a' %}@{% endif %}{% if profile.city == 'b' %}@{% endif %}",
        "{% for i in (3..2) %}@{% endfor %}",
        "{% case profile.gender %}{% when 'male' %}@{% when 'female' %}@{% endcase %}",
        "{% if profile.gender == 'men' %}@{% endif %}",
        "{% assign some = products | where: 'name', 'Tea' %}{% for p in some %}@{% endfor %}",
        "{% capture bye %}@{% endcapture %}",
        "<!-- @ -->",
        "<!--[if mso]>@<![endif]-->",
        "<head><style>/*{% unsubscribe_url %}*/</style><title>{% unsubscribe_url %}</title></head>",
        "<a style='color:red; DISPLAY: none' href='{% unsubscribe_url %}'>x</a>",
        "<div hidden><div>x</div>@</div>",
        "<p title='{% unsubscribe_url %}'>x</p>",
        "<template>@</template>",
        "<ul><li hidden>x @<li>y</ul>",
        "<p style='display:block;visibility:hidden;color:{{ word }}'>@</p>",
        "{% if profile.city %}<div hidden>@</div>{% else %}@{% endif %}",
    ],
)
def test_what_some_or_all_do_not_see_is_told_where_it_stands(source: str) -> None:
    source = source.replace("@", LINK)
    (found,) = missing("x\n" + source)
    assert (found.line, found.column) == (2, source.index("unsubscribe_url") + 1)
    assert found.hint


@pytest.mark.parametrize(
    "source",
    [
        "@",
        "{% if profile.city %}@{% else %}@{% endif %}",
        "{% if profile.city %}@{% endif %}{% unless profile.city %}@{% endunless %}",
        "{% if profile.city == blank %}@{% endif %}{% if profile.city %}@{% endif %}",
        "{% if profile.language == 'de' %}@{% endif %}{% if profile.language != 'de' %}@{% endif %}",
        "{% if profile.city or profile.state %}{% if profile.city %}@{% else %}@{% endif %}{% else %}@{% endif %}",
        "{% case profile.language %}{% when 'de' %}@{% else %}@{% endcase %}",
        "{% if word == 'Tea' and word %}@{% endif %}",
        "{% if profile.gender == 'male' or 'female' == profile.gender or profile.gender == 'unknown' %}@{% endif %}",
        "{% case profile.gender %}{% when 'male', 'female' %}@{% when 'unknown' %}@{% endcase %}",
        "{% unless profile.city == 'a' %}@{% endunless %}{% unless 'b' == profile.city %}@{% endunless %}",
        "{% if profile.city %}" * 20 + "@" + "{% else %}@{% endif %}" * 20,
        "{% if profile.email %}@{% endif %}",
        "{% if profile.city %}Hi{% endif %}@",
        "{% for p in products %}@{% endfor %}",
        "{% for p in products %}{% if forloop.last %}@{% endif %}{% endfor %}",
        "{% for p in products %}{% if p.name == 'Tea' %}@{% endif %}{% endfor %}",
        "{% assign some = products | where: 'name' %}{% for p in some %}@{% else %}@{% endfor %}",
        "{% capture bye %}{% unsubscribe_url %}{% endcapture %}{{ bye }}",
        "{% liquid\n unsubscribe_url\n%}",
        "{% unsubscribe_url %}",
        "<!-- x --><!--[if !mso]><!-->@<!--<![endif]-->",
        "<div style='display:none'>x</div>@",
        "<svg/>@",
        "<p hidden>x<p>@",
        "<ul><li hidden>x<li>@</ul>",
        "<table><tr hidden><td>x<tr><td>@</table>",
        "{% if profile.city %}<div hidden>{% else %}<div>{% endif %}@</div>",
        "<img style='display:none' alt='' src='https://a.example/x'>@",
        "<div style='display:{% if profile.city %}none{% endif %}'>@</div>",
        "<a {% if profile.city %}href='{% unsubscribe_url %}'{% else %}href='{% unsubscribe_url %}'{% endif %}>x</a>",
    ],
)
def test_what_everybody_sees_is_not_told(source: str) -> None:
    assert missing(source.replace("@", LINK)) == []


def test_none_at_all_is_told_at_the_beginning() -> None:
    (found,) = missing("\n  <p>x</p>")
    assert (found.line, found.column) == (2, 3)


def test_the_same_in_a_text_part_in_mjml_and_in_dynamic_content() -> None:
    assert missing("{% liquid\n unsubscribe_url %}", "text") == []
    assert [one.part for one in missing("{% if profile.city %}{% unsubscribe_url %}{% endif %}", "text")] == ["text"]
    assert missing(MJML % BUTTON) == []
    (found,) = missing(MJML % f"{{% if profile.city %}}{BUTTON}{{% endif %}}")
    assert found.line == 2
    variant = DynamicVariant(label="x", condition="country = 'FR'", html=LINK)
    for html, count in (("x", 1), (LINK, 0)):
        dynamic = (DynamicContent(name="hero", variants=(variant,), html=html),)
        assert len(missing('{% dynamic "hero" %}', dynamic=dynamic)) == count


BLOCKS = st.recursive(
    st.sampled_from(["@", "x"]),
    lambda inner: (
        st.builds(
            "{{% if {} %}}{}{{% else %}}{}{{% endif %}}".format,
            st.sampled_from(["profile.city", "profile.state"]),
            inner,
            inner,
        )
        | st.builds("{}{}".format, inner, inner)
        | st.builds("{{% unless profile.opt_out %}}{}{{% endunless %}}".format, inner)
    ),
    max_leaves=8,
)


@given(BLOCKS)
def test_it_is_told_where_and_only_where_somebody_gets_none(source: str) -> None:
    program = compile(source)
    people = [
        {"city": city, "state": state, "opt_out": out} for city, state, out in product((None, "x"), (None, "x"), (True, False))
    ]
    lacking = not all("@" in program.render({"profile": one}) for one in people)
    assert (missing(source.replace("@", LINK)) != []) is lacking


@pytest.mark.parametrize("path", FILES, ids=named)
def test_a_link_among_the_words_of_templates_of_others_is_seen(path: Path) -> None:
    source = template(path)
    name = "{{ profile.first_name }}"
    if name not in source:
        return
    draft = ContentDraft(
        name="x", label="X", channel="email", parts={**PARTS, "html": source.replace(name, LINK)}, data=TEMPLATE_DATA
    )
    conditional = path.parent.name == "mailgen"  # there those words stand within an `if`
    assert ("NO_UNSUBSCRIBE_LINK" in {one.code for one in reviewed(draft)}) is conditional
