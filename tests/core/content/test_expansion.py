"""Fragments and variants put into parts: what is printed, where each piece comes from, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from channels.email import EmailChannel
from core.content.compile import FrozenContent, freeze, values
from core.content.dynamic import VARIANTS
from core.content.errors import ContentInvalid, TemplateProblem
from core.content.expansion import MAX_DEPTH, expand_parts
from core.content.placements import Library, names_rendered
from core.content.records import (
    ContentDraft,
    ContentWarning,
    DynamicContent,
    DynamicVariant,
    Fragment,
    FragmentParameter,
)
from core.errors import Invalid
from render_ext import compile
from tests.core.authors import PARTS

MANIFEST = EmailChannel.manifest
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


def fragment(name: str, html: str, text: str | None = None, **parameters: Any) -> Fragment:
    """A fragment; a parameter is what stands for it, `...` where it must be given."""
    known = tuple(
        FragmentParameter(name=one, default=None if value is ... else value, optional=value is None)
        for one, value in parameters.items()
    )
    return Fragment(
        id=1, name=name, label=name, html=html, text=text, parameters=known,
        version=1, created_at=NOW, updated_at=NOW, created_by="test",
    )  # fmt: skip


def library(*fragments: Fragment, names: tuple[str, ...] = ()) -> Library:
    return Library({one.name: one for one in fragments}, names)


def expanded(source: str, *fragments: Fragment, part: str = "html") -> str:
    found = expand_parts({part: source}, (), MANIFEST, library(*fragments))
    assert not found.wrong
    return found.parts[part]


def frozen(parts: Mapping[str, str], *fragments: Fragment, **more: Any) -> FrozenContent:
    draft = ContentDraft(name="x", label="X", channel="email", parts={**PARTS, **parts}, **more)
    return freeze(
        draft, MANIFEST, label="X", date=NOW, seed="7", base_url="https://t.example.com", library=library(*fragments)
    )  # fmt: skip


def problems(parts: Mapping[str, str], *fragments: Fragment, **more: Any) -> list[tuple[str, str | None, str | None]]:
    with pytest.raises(ContentInvalid) as caught:
        frozen(parts, *fragments, **more)
    return [(one.code, one.path, one.hint) for one in caught.value.problems]


# ---- the same as `render` of partials

LEAVES = (
    "text ", " \n ", "}", "{{ p }}", "{{- q -}}", "{{ g }}", "{{ x | upcase }}", "{{ forloop.index }}/{{ forloop.length }}",
    "{% assign x = p %}", "{%- assign g = 'mine' -%}", "{% cycle 'a', 'b' %}", "{% increment n %}", "{% break %}",
    "{% raw %}{{ raw }}{% endraw %}", "{% comment %}{% render 'nowhere' %}{% endcomment %}",
    "{% ifchanged %}{{ p }}{% endifchanged %}",
)  # fmt: skip
BLOCKS = (
    ("{% for i in l %}", "{% endfor %}"),
    ("{%- for x in l reversed -%}", "{%- endfor -%}"),
    ("{% if p == 2 %}", "{% endif %}"),
    ("{% capture x %}", "{% endcapture %}"),
    ("{% case q %}{% when 1 %}", "{% else %}other{% endcase %}"),
)
USES = (
    '{%% render "%s", p: g %%}', "{%%- render '%s', p: i, q: p -%%}", '{%% render "%s" for l as p, q: 1%%}',
    '{%% render "%s" with o.k as q p: x -%%}', '{%%-render "%s"%%}', "{%% render '%s' for o as p %%}",
    '{%% render "%s", p: "https://a.example/?<&\'{{ x }}", q: p %%}',
)  # fmt: skip


def bodies(uses: list[str]) -> st.SearchStrategy[str]:
    """Templates that use these fragments."""
    leaves = st.sampled_from([*LEAVES, *(use % name for use in USES for name in uses)])
    trees = st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(lambda block, text: block[0] + text + block[1], st.sampled_from(BLOCKS), inner),
            st.lists(inner, max_size=4).map("".join),
        ),
        max_leaves=6,
    )
    return st.builds(lambda text, brace: text + brace, trees, st.sampled_from(["", "", "{", " -", "%}"]))


@given(
    main=bodies(["f0", "f1"]).map(lambda text: text.rstrip("{")),
    first=bodies(["f1", "f2"]),
    second=bodies(["f2"]),
    third=bodies([]),
    escape=st.sampled_from(["none", "html"]),
)
@example(main='a {%- render "f0" for l as p -%} b', first=" {{ p }}{% break %}c{", second="", third="", escape="html")
def test_a_fragment_in_place_prints_what_render_does(
    main: str, first: str, second: str, third: str, escape: Literal["none", "html"]
) -> None:
    sources = {"f0": first, "f1": second, "f2": third}
    context = {"l": [1, 2, 3], "o": {"k": "<v>"}, "g": "<g>", "i": 7}
    fragments = [fragment(name, source, source, p=None, q=None) for name, source in sources.items()]
    whole = expanded(main, *fragments, part="html" if escape == "html" else "text")

    by_render = compile(main, partials=sources, escape=escape)
    in_place = compile(whole, escape=escape)
    assert in_place.render(context) == by_render.render(context)
    assert {one.path for one in in_place.variables} <= {one.path for one in by_render.variables}


@given(text=st.text(alphabet="a{}% -\n<'\"", max_size=12))
def test_whatever_a_fragment_ends_with_stays_text(text: str) -> None:
    if "{{" in text or "{%" in text:
        return
    whole = expanded('1{% render "f" %}2', fragment("f", text))
    assert compile(whole).render({}) == f"1{text}2"


def test_parameters_that_are_left_out_have_their_default_or_nothing() -> None:
    one = fragment("f", "{{ a }}|{{ b }}|{{ c }}|{{ d }}|{{ e }}", a="it's", b=1.5, c=True, d=None, e='say "x"')
    whole = expanded('{% render "f", b: 2 %}', one)
    assert compile(whole).render({"d": "data of this name"}) == 'it\'s|2|true||say "x"'


def test_what_is_assigned_stays_in_its_place() -> None:
    one = fragment("f", "{% assign x = 2 %}{{ x }}{{ y }}{{ profile.city }}", y=...)
    whole = expanded('{% assign x = 1 %}{% render "f", y: x %}{{ x }}', one)
    program = compile(whole)
    assert program.render({"profile": {"city": "Ulm"}}) == "21Ulm1"
    assert [variable.path for variable in program.variables] == [("profile", "city")]


def test_what_says_the_same_to_everybody_stands_there_as_if_it_were_written_there() -> None:
    shop, brand = fragment("shop", "https://shop.example"), fragment("brand", "<style>p { color: red }</style>", x=None)
    button = fragment("button", '<a href="{{ url }}">Go</a>', url=...)
    assert expanded('<a {% render "shop" %}>', shop) == "<a https://shop.example>"
    assert expanded('{% render "button", url: "https://a.example/&" %}', button) == '<a href="https://a.example/&amp;">Go</a>'
    made = frozen(
        {"html": '{% render "brand" with 1 as x %}<p><a href="{% render "shop" %}/x">y</a></p>'}, shop, brand, inline_css=True
    )
    assert '<p style="color: red">' in made.parts["html"]
    assert made.links[0].url == "https://shop.example/x"
    head = fragment("head", '<mj-attributes><mj-text color="#123456" /></mj-attributes>')
    mjml = (
        '<mjml><mj-head>{% render "head" %}</mj-head><mj-body><mj-section><mj-column><mj-text>Hi</mj-text>'
        "</mj-column></mj-section></mj-body></mjml>"
    )
    assert "#123456" in frozen({"html": mjml}, head).parts["html"]
    for source, body in (
        ('{% render "f" for l as x %}', "a"), ('{%- render "f" %}', "a"), ('{% render "f" -%}', "a"), ('{% render "f" %}', " "),
        ("{% if a -%} {% render 'f' %}{% endif %}", "a"), ("{% render 'f' %}{{- a }}", "a"), ('{% render "f" %}', "{{ x }}"),
        ('{% render "f" %}', "{% comment %}{% endcomment %}a"),
    ):  # fmt: skip
        assert "endfragment" in expanded(source, fragment("f", body, x=None))


def test_white_space_control_stays_outside() -> None:
    assert expanded('a \n{%- render "f" -%} \n b', fragment("f", " x ")) == 'a \n{%- fragment "f"  %} x {% endfragment -%} \n b'
    assert compile(expanded('a {%- render "f" -%} b', fragment("f", " {{- 1 -}} "))).render({}) == "a1b"


# ---- through the whole way to a message


def test_nothing_sticks_to_the_address_of_a_fragment_that_ends_with_a_link() -> None:
    button = fragment("btn", '<a href="https://shop.example.com/"><img src="https://shop.example.com/i.png"></a>')
    for html, words in (('{%- render "btn" -%} z', "[1]z"), ('{% render "btn" %}{% render "btn" %}', "[1][2]")):
        text = compile(frozen({"html": html}, button).parts["text"], links=True).render({})
        assert text.startswith(f"{words}\n\n[1] https://shop.example.com/\n")
        written = frozen({"html": "x", "text": html}, button).parts["text"]
        assert compile(written, links=True).render({}).startswith(f"{words}\n\n[1] https://shop.example.com/\n")
        assert written.count("{% link 1 %}https://shop.example.com/{% endlink %}") == html.count("render")


def test_fragments_are_styled_tracked_and_made_into_text() -> None:
    button = fragment("button", '<a class="b" href="https://shop.example.com/{{ path }}">{{ words }}</a>', path="", words=...)
    footer = fragment(
        "footer",
        '<p>{{ profile.city }} {% render "button", words: "Leave", path: "out" %}<a href="{% unsubscribe_url %}">x</a></p>',
    )
    html = (
        "<style>.b { color: red }</style><body>{% for p in products %}"
        '{% render "button", path: p.sku, words: p.name %}{% endfor %}{% render "footer" %}</body>'
    )
    data = {"products": [{"sku": "a b", "name": "Tea & cake"}, {"sku": "c", "name": "Milk"}]}
    made = frozen({"html": html}, button, footer, data=data, inline_css=True)

    assert [(link.number, link.url) for link in made.links][:2] == [(1, "https://shop.example.com/{{ path }}")] * 1 + [
        (2, "https://shop.example.com/{{ path }}")
    ]
    assert made.fields == ("city", "first_name")
    shown = compile(made.parts["html"], escape="html", links=True).render(values(made, {"city": "Ulm"}))
    assert shown.count('style="color: red" class="b"') == 3
    assert "Tea &amp; cake</a>" in shown
    text = compile(made.parts["text"], links=True).render(values(made, {"city": "Ulm"}))
    assert text.startswith("Tea & cake [1]Milk [2]\n\nUlm Leave [3]x [4]\n\n[1] https://shop.example.com/a%20b\n")
    assert "[3] https://shop.example.com/out\n" in text


def test_an_address_that_is_written_out_as_a_parameter_may_be_that_of_a_link() -> None:
    button = fragment(
        "button", '<a href="{{ url }}">{{ words }}</a>', "{{ words }}: {{ url }}", url="https://shop.example.com/", words="Go"
    )
    card = fragment("card", '{% render "button", url: link %}{% render "button", url: other %}', link=..., other=...)
    html = (
        '{% render "button", url: "https://a.example/?b=1&c=\'{" %}{% render "button" %}'
        '{% render "card", link: "HTTPS://b.example/x", other: "https://c.example" %}'
        '{% render "button" with "https://d.example" as url %}'
    )
    made = frozen({"html": html, "text": '{% render "button", url: "https://a.example/" %}'}, button, card)
    seen = [link.url for link in made.links if not link.hidden]
    assert seen == [
        "https://a.example/?b=1&c='{{ \"{\" }}", "https://shop.example.com/", "HTTPS://b.example/x", "https://c.example",
        "https://d.example", "https://a.example/",
    ]  # fmt: skip
    text = compile(made.parts["text"], links=True).render({})
    assert text == "Go: https://a.example/"


@pytest.mark.parametrize(
    ("source", "body"),
    [
        ('{% render "f", url: profile.city %}', '<a href="{{ url }}">x</a>'),
        ('{% render "f" for products as url %}', '<a href="{{ url }}">x</a>'),
        ('{% render "f", url: "https://a.example/" %}', '{% assign url = profile.city %}<a href="{{ url }}">x</a>'),
        ('{% render "f", url: "https://a.example/" %}', '{% liquid assign url = profile.city %}<a href="{{ url }}">x</a>'),
        ('{% render "f", url: "https://a.example/" %}', '{% for url in products %}<a href="{{ url }}">x</a>{% endfor %}'),
        ('{% render "f", url: "https://a.example/" %}', '{% capture "url" %}b{% endcapture %}<a href="{{ url }}">x</a>'),
        ('{% render "f", url: "https://a.example/" with profile.city as url %}', '<a href="{{ url }}">x</a>'),
        ('{% render "g", url: "https://a.example/" %}', '<a href="{{ url }}">x</a>'),
    ],
)
def test_an_address_that_varies_may_not(source: str, body: str) -> None:
    again = fragment("g", '{% assign url = profile.city %}{% render "f", url: url %}', url=...)
    found = problems({"html": source}, fragment("f", body, url=...), again, data={"products": ["x"]})
    assert {code for code, _, _ in found} <= {"LINK_NOT_LITERAL", "TEMPLATE_SYNTAX"}


def test_mistakes_in_an_address_are_told_where_it_is_written() -> None:
    button = fragment("button", '<a href="{{ url }}">x</a>', url=...)
    card = fragment("card", '\n{% render "button", url: url %}', url=...)
    assert problems({"html": '\n\n{% render "card", url: "https://" %}'}, button, card) == [
        ("LINK_INVALID", "parts.html:3:24", "Write https://host/…")
    ]


def test_pieces_of_mjml_stand_between_components() -> None:
    section = fragment("section", "<mj-section><mj-column><mj-text>{{ title }}</mj-text></mj-column></mj-section>", title=...)
    html = (
        '<mjml><mj-body>{% for p in products %}{% render "section", title: p.name %}{% endfor %}'
        '{% dynamic "hero" %}</mj-body></mjml>'
    )
    hero = DynamicContent(
        name="hero",
        variants=(
            DynamicVariant(
                label="A", condition="id > 0",
                html='<mj-section><mj-column><mj-button href="https://a.example/">Go</mj-button></mj-column></mj-section>',
            ),
        ),
        html='{% render "section", title: "Nothing" %}',
    )  # fmt: skip
    made = frozen({"html": html}, section, data={"products": [{"name": "Tea"}, {"name": "Milk"}]}, dynamic=(hero,))
    assert [link.url for link in made.links if not link.hidden] == ["https://a.example/"]
    assert made.dynamic == {"hero": ("id > 0",)}
    for number, seen, unseen in ((0, "Nothing", "Go"), (1, "Go", "Nothing")):
        carried = values(made, {VARIANTS: {"hero": number}})
        shown = compile(made.parts["html"], escape="html", links=True).render(carried)
        assert "Tea" in shown
        assert "Milk" in shown
        assert seen in shown
        assert unseen not in shown
        text = compile(made.parts["text"], links=True).render(carried)
        assert (seen in text, unseen in text) == (True, False)


def test_parts_that_are_no_html_have_the_text() -> None:
    own = fragment("own", "<b>B</b>", "plain {{ profile.city }}")
    made_of = fragment("made", "<p>One &amp; {{ profile.city }}</p><p>two</p>")
    assert (
        expanded('{% render "own" %}!', own, part="subject")
        == '{% fragment "own"  %}plain {{ profile.city }}{% endfragment %}!'
    )
    whole = expanded('{% render "made" %}!', made_of, part="text")
    assert compile(whole).render({"profile": {"city": "Ulm"}}) == "One & Ulm\n\ntwo!"


# ---- what is refused, and where

FOOTER = fragment("footer", "<p>\n {{ title }}</p>", title=...)


@pytest.mark.parametrize(
    ("source", "code", "place", "hint"),
    [
        ('{% render "foter" %}', "UNKNOWN_FRAGMENT", "1:11", "Did you mean 'footer'?"),
        ('{% render "elsewher" %}', "UNKNOWN_FRAGMENT", "1:11", "Did you mean 'elsewhere'?"),
        ('\n {% render "footer" %}', "MISSING_PARAMETER", "2:12", "Add title: value."),
        ('{% render "footer", titel: 1, title: 2 %}', "UNKNOWN_PARAMETER", "1:11", "Did you mean 'title'?"),
        ('{% render "footer" with 1 %}', "UNKNOWN_PARAMETER", "1:11", "It has title."),
        ('{% include "footer" %}', "FRAGMENT_TAG", "1:4", 'Write {% render "footer" %} in a tag of its own.'),
        ('{% liquid\n render "footer" %}', "FRAGMENT_TAG", "2:2", 'Write {% render "footer" %} in a tag of its own.'),
        ("{% render footer %}", "TEMPLATE_SYNTAX", "1:11", "Did you mean `'footer'`?"),
        ('{% fragment "footer" %}{% endfragment %}', "RESERVED_TAG", "1:1", 'Write {% render "name" %}.'),
        ('{% dynamic "hreo" %}', "UNKNOWN_DYNAMIC", "1:1", "Did you mean 'hero'?"),
        ("{% dynamic hero %}", "DYNAMIC_TAG", "1:1", 'Write {% dynamic "name" %}.'),
        ('{% liquid dynamic "hero" %}', "TEMPLATE_SYNTAX", "1:11", 'Write {% dynamic "name" %} in a tag of its own.'),
        ("{{ dynamic.hreo }}", "UNKNOWN_VARIABLE", "1:4", "Did you mean 'dynamic.hero'?"),
        ("{% assign dynamic = 1 %}", "RESERVED_NAME", "1:1", "Choose another name."),
    ],
)
def test_mistakes_at_the_place_of_use(source: str, code: str, place: str, hint: str) -> None:
    hero = DynamicContent(name="hero", variants=(DynamicVariant(label="A", condition="id > 0", html="A"),))
    draft = ContentDraft(name="x", label="X", channel="email", parts={**PARTS, "html": source}, dynamic=(hero,))
    known = library(FOOTER, names=("elsewhere",))
    with pytest.raises(ContentInvalid) as caught:
        freeze(draft, MANIFEST, label="X", date=NOW, seed="7", base_url="https://t.example.com", library=known)
    assert (code, f"parts.html:{place}", hint) in [(one.code, one.path, one.hint) for one in caught.value.problems]
    assert all(isinstance(one, TemplateProblem) and one.excerpt for one in caught.value.problems)


def test_mistakes_in_a_fragment_are_told_there_and_once() -> None:
    wrong = fragment("wrong", '<p>{{ title }}\n {{ profile.frist_name }} <a href="{{ x }}">', title=...)
    html = '{% render "wrong", title: 1 %}{% render "wrong", title: profile.city %}'
    with pytest.raises(ContentInvalid) as caught:
        frozen({"html": html}, wrong)
    first = caught.value.problems[0]
    assert isinstance(first, TemplateProblem)
    assert first.excerpt == '2 |  {{ profile.frist_name }} <a href="{{ x }}">\n        ^'
    assert problems({"html": html}, wrong) == [
        ("UNKNOWN_VARIABLE", "fragments.wrong.html:2:5", "Did you mean 'profile.first_name'?"),
        ("UNKNOWN_VARIABLE", "fragments.wrong.html:2:39", "There are profile, audience, delivery, campaign, event."),
    ]
    assert problems(
        {"html": '{% render "wrong", title: 1 %}'}, fragment("wrong", "\n <a href='javascript:x'>{{ title }}", title="")
    ) == [("LINK_SCRIPT", "fragments.wrong.html:2:11", "Use an http or https address.")]


def test_warnings_are_told_in_the_fragment() -> None:
    footer = fragment("footer", "<p>\n <img src=x></p>")
    found = expand_parts({"html": '\n\n{% render "footer" %}'}, (), MANIFEST, library(footer))
    line = found.parts["html"].index("<img")
    place = found.parts["html"].count("\n", 0, line) + 1
    warning = ContentWarning(code="X", message="no alt", part="html", line=place, column=2)
    told = found.warning(warning)
    assert (told.part, told.line, told.column) == ("fragments.footer.html", 2, 2)
    assert told.message == "no alt (in the fragment 'footer')"


def test_a_fragment_cannot_lead_back_to_itself() -> None:
    one, two = fragment("one", ' {% render "two" %}'), fragment("two", '{% render "one" %}')
    with pytest.raises(ContentInvalid, match="fragments that use each other: one → two → one") as caught:
        frozen({"html": '{% render "one" %}'}, one, two)
    assert caught.value.path == "fragments.two.html:1:11"


def test_depth_and_size_have_bounds() -> None:
    chain = [fragment(f"f{n}", f'{{% render "f{n + 1}" %}}') for n in range(MAX_DEPTH)]
    last = fragment(f"f{MAX_DEPTH}", "end")
    assert "end" in frozen({"html": '{% render "f1" %}'}, *chain, last).parts["html"]
    (found,) = problems({"html": '{% render "f0" %}'}, *chain, last)
    assert found[:2] == ("FRAGMENT_DEPTH", f"fragments.f{MAX_DEPTH - 1}.html:1:11")

    doubling = [fragment(f"f{n}", f'{{% render "f{n + 1}" %}}' * 8) for n in range(MAX_DEPTH - 1)]
    (found,) = problems({"html": '{% render "f0" %}'}, *doubling, fragment(f"f{MAX_DEPTH - 1}", "x"))
    assert found[:2] == ("PART_TOO_LARGE", "parts.html:1:1")


def test_dynamic_content_has_its_places() -> None:
    footer = fragment("footer", '{% dynamic "hero" %}')
    hero = DynamicContent(
        name="hero",
        variants=(DynamicVariant(label="A", condition="id > 0", html='{% dynamic "hero" %}'),),
        html="\n{% endcase %}",
    )
    found = problems({"html": '{% render "footer" %}{% dynamic "hero" %}'}, footer, dynamic=(hero,))
    assert [(code, path) for code, path, _ in found] == [
        ("DYNAMIC_PLACE", "fragments.footer.html:1:1"),
        ("DYNAMIC_PLACE", "dynamic.hero.variants.0.html:1:1"),
        ("TEMPLATE_SYNTAX", "dynamic.hero.html:2:4"),
    ]


def test_a_variant_is_chosen_by_its_number_and_may_stand_anywhere() -> None:
    variants = (
        DynamicVariant(label="A", condition="country = 'FR'", html="<b>{{ p }}</b>A{", text="a"),
        DynamicVariant(label="B", condition="country = 'DE'", html=""),
    )
    hero = DynamicContent(name="hero", variants=variants, html="else")
    path = DynamicContent(name="path", variants=variants[1:], html="all")
    html = (
        '{% for p in (1..2) %}{% dynamic "hero" %};{% endfor %}{{ dynamic.hero }}'
        '<a href="https://x.example/{% dynamic "path" %}">x</a>'
    )
    made = frozen({"subject": 'S {%- dynamic "hero" -%} ', "html": html}, dynamic=(hero, path))

    assert made.dynamic == {"hero": ("country = 'FR'", "country = 'DE'"), "path": ("country = 'DE'",)}
    subject = compile(made.parts["subject"])
    assert [subject.render({"dynamic": {"hero": n}}) for n in (0, 1, 2, None)] == ["Selse", "Sa", "S", "Selse"]
    shown = compile(made.parts["html"], escape="html", links=True)
    assert '<b>1</b>A{;<b>2</b>A{;1<a href="https://x.example/all">x</a>' in shown.render({"dynamic": {"hero": 1, "path": 0}})
    assert ';;2<a href="https://x.example/">x</a>' in shown.render({"dynamic": {"hero": 2, "path": 1}})


def test_names_are_found_where_liquid_is() -> None:
    source = (
        "{% render 'a' %}{%- render \"b\", x: 1 -%}{% raw %}{% render 'c' %}{% endraw %}"
        "{% comment %}{% render 'd' %}{% endcomment %}render 'e'"
    )
    assert names_rendered([source, "{% render f %}", '{%render"g"%}']) == {"a", "b", "g"}


def test_blanks_before_a_name_are_not_needed() -> None:
    hero = DynamicContent(name="hero", variants=(DynamicVariant(label="A", condition="country = 'FR'", html="A"),), html="else")
    html = "{%render'footer'%}{%dynamic\"hero\"%}"
    made = frozen({"html": html}, fragment("footer", "<p>Bye</p>"), dynamic=(hero,))
    assert "<p>Bye</p>A" in compile(made.parts["html"], escape="html", links=True).render({"dynamic": {"hero": 1}})


def test_problems_without_a_place_stay_as_they_are() -> None:
    found = expand_parts({"html": "x"}, (), MANIFEST, Library())
    error = Invalid("x", code="X", path="data")
    assert found.problems([error, error]) == [error]
