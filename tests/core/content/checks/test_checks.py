"""Each check finds what it is for, at its place, and nothing where there is nothing wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.cli.demo import newsletter
from channels.email import EmailChannel
from core.content.checks.link_addresses import private_because
from core.content.errors import ContentInvalid
from core.content.placements import NO_FRAGMENTS
from core.content.records import (
    CampaignParameter,
    CampaignParameters,
    ContentDraft,
    ContentWarning,
    DynamicContent,
    DynamicVariant,
    LinkSettings,
    TrackingMode,
    WarningLevel,
)
from core.content.review import review, review_whole
from core.content.validate import check_content
from tests.core.authors import PARTS
from tests.core.content.test_templates import DATA as TEMPLATE_DATA
from tests.core.content.test_templates import FILES, named, template

MANIFEST = EmailChannel.manifest
BYE = '<a href="{% unsubscribe_url %}">Bye</a>'
DATA: dict[str, Any] = {
    "products": [{"name": "Tea", "price": 5}, {"name": "Cake", "price": "on request"}],
    "prices": [1, 2.5, "3"],
    "word": "Tea",
    "empty": "",
    "many": list(range(2_000)),
}


def reviewed(draft: ContentDraft) -> list[ContentWarning]:
    """What is told of content that can be saved."""
    expanded = check_content(draft, MANIFEST)
    return review(draft, MANIFEST, expanded)


def told(part: str, source: str, **more: Any) -> list[ContentWarning]:
    """What is told of a part; the rest of the content is in order."""
    parts = {**PARTS, "html": BYE, part: BYE + source if part == "html" else source}
    draft = ContentDraft(name="x", label="X", channel="email", parts=parts, data=DATA, **more)
    found = reviewed(draft)
    assert all(one.hint for one in found)
    return found


def codes(source: str, part: str = "html") -> list[str]:
    return [one.code for one in told(part, source)]


def refused(source: str) -> list[tuple[str, str | None]]:
    with pytest.raises(ContentInvalid) as caught:
        told("html", source)
    return [(problem.code, problem.path) for problem in caught.value.problems]


# ---- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "fields"),
    [
        ("{{ profile.city }}", ["city"]),
        ("{{ profile.city | upcase }}{{ profile.city }}", ["city"]),
        ("{% if profile.city == blank %}{{ profile.city }}{% endif %}", ["city"]),
        ("{% assign c = profile.city %}{{ c }}", ["city"]),
        ("{% capture c %}In {{ profile.city }}{% endcapture %}{{ c }}", ["city"]),
        ("Really?{{ profile.city }}", ["city"]),
        ("<a href='https://a.example/{{ profile.city }}'>x</a>", ["city"]),
        ("{{ profile.city | default: 'there' }}", []),
        ("{% if profile.city %}{{ profile.city }}{% endif %}", []),
        ("{% if profile.city or profile.state %}{{ profile.city }} {{ profile.state }}{% endif %}", []),
        ("{% unless profile.city == blank %}{{ profile.city }}{% endunless %}", []),
        ("{% assign c = profile.city %}{% if c == blank %}{% assign c = 'x' %}{% endif %}{{ c }}", []),
        ("{% assign c = profile.city %}{{ c | default: 'x' }}", []),
        ("{% assign c = profile.city %}", []),
        ("<a href='https://a.example/?c={{ profile.city }}'>x</a>", []),
        ("{{ profile.email }}{{ profile.id }}{{ profile.gender }}{{ profile.opt_out }}", []),
        ("{{ delivery.date }}{{ word }}{{ empty }}", []),
    ],
)
def test_fields_that_may_be_empty(source: str, fields: list[str]) -> None:
    found = [one for one in told("html", source) if one.code == "NULLABLE_FIELD"]
    assert [one.message.split()[0] for one in found] == fields


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ profile.city | plus: 1 }}", ["FILTER_TYPE"]),
        ("{{ profile.city | money: 'EUR' }}", ["FILTER_TYPE"]),
        ("{{ profile.country | money: 'EUR' }}", ["FILTER_FAILS"]),
        ("{{ profile.opt_out | date: '%Y' }}", ["FILTER_TYPE"]),
        ("{{ profile.birth_date | plus: 1 }}", ["FILTER_TYPE"]),
        ("{{ profile.birth_date | date: '%Y' | minus: 1 }}", []),
        ("{{ profile.latitude | upcase }}{{ profile.latitude | round: 2 | plus: 1 }}", []),
        ("{{ profile.first_name | slice: 0 | upcase | append: '.' }}", []),
        ("{{ profile.first_name | split: ' ' | first | capitalize }}", []),
        ("{{ profile.created_at | localdate }}{{ delivery.date | date: '%d' }}{{ 'now' | date: '%Y' | minus: 2000 }}", []),
        ("{% for p in products %}{{ p.price | money: 'EUR' }}{% endfor %}", ["FILTER_TYPE"]),
        ("{{ products[0].price | plus: 1 }}", ["FILTER_TYPE"]),
        ("{% for p in prices %}{{ p | money: 'EUR' }}{% endfor %}", []),
        ("{{ products | map: 'name' | join: ', ' }}{{ products | size }}", []),
        ("{{ word | first }}{{ word | size }}", []),
        ("{{ word | sort }}", ["FILTER_TYPE"]),
        ("{% assign x = profile.latitude %}{{ x | money: 'EUR' }}", []),
        ("{{ 5 | divided_by: profile.latitude }}", []),
    ],
)
def test_filters_that_do_not_fit(source: str, expected: list[str]) -> None:
    assert [code for code in codes(source) if code.startswith("FILTER")] == expected


@pytest.mark.parametrize(
    "source",
    [
        "{{ 5 | divided_by: 0 }}",
        "{{ profile.latitude | divided_by: 0 }}",
        "{{ profile.opt_out | money: 'EUR' }}",
        "{{ profile.gender | money: 'EUR' }}",
        "{{ profile.id | money: 'XYZ' }}",
        "{{ word | money: 'EUR' }}",
        "{{ delivery.date | localdate: 'tomorrow' }}",
    ],
)
def test_filters_that_never_work_are_refused(source: str) -> None:
    ((code, path),) = refused("\n" + source)
    assert (code, path) == ("FILTER_FAILS", f"parts.html:2:{source.index('|') + 3}")


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("{% assign a = 1 %}{% capture b %}x{% endcapture %}", ["a", "b"]),
        ("{% assign a = 1 %}{% if a == 1 %}x{% endif %}", []),
        ("{% assign a = products %}{{ products[a] }}", []),
        ("{% liquid\n assign a = 1\n echo a\n%}", []),
        ("{% for i in prices %}{{ a }}{% assign a = i %}{% endfor %}", []),
    ],
)
def test_names_that_nobody_reads(source: str, names: list[str]) -> None:
    draft_data = {**DATA, "a": 1}
    parts = {**PARTS, "html": BYE + source}
    found = reviewed(ContentDraft(name="x", label="X", channel="email", parts=parts, data=draft_data))
    assert [one.message.split("'")[1] for one in found if one.code == "UNUSED_ASSIGN"] == names


def test_names_that_dynamic_content_reads_are_used() -> None:
    variant = DynamicVariant(label="x", condition="country = 'FR'", html="{{ a }}")
    dynamic = (DynamicContent(name="hero", variants=(variant,)),)
    assert told("html", '{% assign a = 1 %}{% dynamic "hero" %}', dynamic=dynamic) == []


# ---- loops ---------------------------------------------------------------------------------------


def test_loops_without_end() -> None:
    assert codes("{% for i in (1..profile.id) %}x{% endfor %}") == ["UNBOUNDED_LOOP"]
    assert codes("{% for i in (1..profile.id) limit: 9 %}x{% endfor %}{% for i in (1..many.size) %}x{% endfor %}") == []
    twice = "{% for i in many %}{% for j in many %}x{% endfor %}{% endfor %}"
    assert refused(twice) == [("TOO_MANY_STEPS", f"parts.html:1:{len(BYE) + 4}")]
    (found,) = told("html", "{% if profile.city %}" + twice + "{% endif %}")
    assert (found.code, found.level) == ("TOO_MANY_STEPS", WarningLevel.WARNING)


# ---- links ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<a href=''>x</a>", ["EMPTY_LINK"]),
        ("<a href>x</a>", ["EMPTY_LINK"]),
        ("<a href=' # '>x</a>", ["EMPTY_LINK"]),
        ("<a name=top>x</a><a href='#top'>x</a><a href='mailto:a@b.example'>x</a>", []),
        ("<a href='/x'>x</a>", ["RELATIVE_LINK"]),
        ("<a href='http://localhost:8000/x'>x</a>", ["LINK_PRIVATE_HOST"]),
        ("<a href='https://wiki.corp/{{ profile.id }}'>x</a>", ["LINK_PRIVATE_HOST"]),
        ("<img alt='' src='http://192.168.0.1/a.png'>", ["LINK_PRIVATE_HOST"]),
        ("<a href='https://local.example.com/?next=http://localhost/'>x</a>", []),
        ("<a href='https://a.example/'></a>", ["LINK_WITHOUT_LABEL"]),
        ("<a href='https://a.example/'> &nbsp;&#8203;<b></b>{% if profile.city %}{% endif %}</a>", ["LINK_WITHOUT_LABEL"]),
        ("<a href='https://a.example/'><img alt='' src='https://i.example/a'></a>", ["LINK_WITHOUT_LABEL"]),
        ("<a href='https://a.example/'><img src='https://i.example/a'></a>", ["IMAGE_WITHOUT_ALT"]),
        ("<map><area href='https://a.example/'></map>", ["LINK_WITHOUT_LABEL"]),
        ("<map><area href='https://a.example/' alt='x'></map><a href='https://a.example/' title='x'></a>", []),
        (
            "<a href='https://a.example/'><b>{{ word }}</b></a><a href='https://a.example/'><img alt=x src='https://i.example/a'></a>",
            [],
        ),
        ("<a href='https://a.example/' style='display: none'></a><a href='https://a.example/'>{% echo word %}</a>", []),
        ("<!--[if mso]><a href='https://a.example/'><![endif]-->", []),
    ],
)
def test_links(source: str, expected: list[str]) -> None:
    assert codes(source) == expected


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("localhost", True),
        ("a.localhost.", True),
        ("printer.local", True),
        ("intranet", True),
        ("10.1.2.3", True),
        ("127.1", True),
        ("2130706433", True),
        ("0x7f.0.0.1", True),
        ("169.254.169.254", True),
        ("[::1]", True),
        ("[::ffff:10.0.0.1]", True),
        ("metadata.google.internal", True),
        ("nas.home.arpa", True),
        ("172.20.0.1", True),
        ("example.com", False),
        ("local.example.com", False),
        ("8.8.8.8", False),
        ("[2606:4700::1111]", False),
        ("mylocal", True),
        ("notlocal.example", False),
        ("xn--bcher-kva.example", False),
        ("1.example", False),
    ],
)
def test_hosts_that_only_some_network_has(host: str, private: bool) -> None:
    assert (private_because(host) is not None) is private


def test_private_hosts_in_a_text_part() -> None:
    (found,) = told("text", "{% unsubscribe_url %}\nSee (http://localhost/x) and https://a.example/?u=http://localhost")
    assert (found.code, found.part, found.line, found.column) == ("LINK_PRIVATE_HOST", "text", 2, 6)


@pytest.mark.parametrize(
    ("part", "source", "expected"),
    [
        ("html", "<a href='https://a.example/?a=1&copy=2'>x</a>", 1),
        ("html", "<a href='https://a.example/?a=1&reg_id=2&lt'>x</a>", 2),
        ("html", "<a href='https://a.example/?a=1&amp;amp;b=2'>x</a>", 1),
        ("html", "https://a.example/?a=1&copy=2 Tea &amp;amp; Cake", 2),
        ("html", "<a href='https://a.example/?a=1&amp;copy=2&region=3&utm_source=x&b={{ word }}'>x</a>", 0),
        ("html", "<a href='https://a.example/{{ word | append: \"?a&copy=1\" }}'>x</a>", 0),
        ("html", "Tea & Cake, R&D, AT&T, &copy 2030, &lt;b&gt;, &amp;lt;", 0),
        ("subject", "Tea &amp; Cake", 1),
        ("subject", "Tea & Cake; R&D; {{ word | append: '&amp;' }}", 0),
        ("preheader", "Caf&eacute; &#8217;", 2),
        ("text", "{% unsubscribe_url %} https://a.example/?a=1&amp;b=2", 1),
        ("text", "{% unsubscribe_url %} https://a.example/?a=1&copy=2;x", 0),
    ],
)
def test_ampersands(part: str, source: str, expected: int) -> None:
    assert [one.code for one in told(part, source)] == ["AMPERSAND"] * expected


@pytest.mark.parametrize(
    ("address", "columns"),
    [
        ("https://a.example/?q={{ word | url_encode }}", [22]),
        ("https://a.example/{{ word | upcase | escape }}/{{ word }}?q={{ word | h }}", [19, 61]),
        ("https://a.example/?q={{ word | url_encode | replace: '+', '%20' }}", [22]),
        ("https://a.example/?a=1&amp;q={% if word %}{{ word | escape_once }}{% endif %}", [43]),
        ("https://a.example/?q={{ word | escape | url_encode }}", [22]),  # told once for each output
        ("https://a.example/?q={{ word }}", []),
        ("https://a.example/?q={{ word | url_encode | raw }}", []),
        ("https://a.example/?q={{ word | url_encode | md5 }}", []),
        ("https://a.example/?u=https%3A%2F%2Fb.example%2F%3fq%3D{{ word | url_encode }}", []),
        ("mailto:a@a.example?subject={{ word | url_encode }}", []),
        ("/page?q={{ word | url_encode }}", []),
    ],
)
def test_values_of_links_that_are_encoded_twice(address: str, columns: list[int]) -> None:
    found = [one for one in told("html", f'\n<a href="{address}">x</a>') if one.code == "LINK_ENCODED_TWICE"]
    assert [(one.line, one.column) for one in found] == [(2, len('<a href="') + column) for column in columns]


def test_values_that_are_encoded_twice_in_a_text_and_in_what_mjml_makes() -> None:
    (found,) = told("text", "{% unsubscribe_url %}\nhttps://a.example/?q={{ word | url_encode }}")
    assert (found.code, found.part, found.line, found.column) == ("LINK_ENCODED_TWICE", "text", 2, 22)
    button = '<mj-button href="https://a.example/?q={{ word | url_encode }}">x {{ word | escape }}</mj-button>'
    html = f"<mjml><mj-body><mj-section><mj-column>{button}</mj-column></mj-section></mj-body></mjml>"
    draft = ContentDraft(name="x", label="X", channel="email", parts={**PARTS, "html": html}, data=DATA)
    (found,) = [one for one in reviewed(draft) if one.code == "LINK_ENCODED_TWICE"]
    assert found.line == 1


@pytest.mark.parametrize(("mode", "expected"), [("TRACKED", 1), ("OPT_OUT", 1), ("NEVER", 0), ("MIRROR", 0)])
def test_who_encodes_the_values_of_a_link_depends_on_its_mode(mode: str, expected: int) -> None:
    url = "https://a.example/?q={{ word | url_encode }}"
    found = told("html", f"<a href='{url}'>x</a>", links=(LinkSettings(url=url, mode=TrackingMode[mode]),))
    assert [one.code for one in found] == ["LINK_ENCODED_TWICE"] * expected


def test_campaign_parameters_that_are_encoded_twice() -> None:
    given = {"utm_term": "{{ word | url_encode }}", "utm_source": "{{ word }} | url_encode"}
    parameters = tuple(CampaignParameter(name=name, value=value) for name, value in given.items())
    draft = replace(
        ContentDraft(name="x", label="X", channel="email", parts=PARTS, data=DATA),
        campaign_parameters=CampaignParameters(parameters=parameters),
    )
    (found,) = [one for one in review_whole(draft, MANIFEST, NO_FRAGMENTS) if one.code == "LINK_ENCODED_TWICE"]
    assert "'utm_term'" in found.message


# ---- images, sizes, subject ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<img src='https://i.example/a'>", ["IMAGE_WITHOUT_ALT"]),
        ("<img alt=''>", ["IMAGE_WITHOUT_SOURCE"]),
        ("<img alt='' src=' '>", ["IMAGE_WITHOUT_SOURCE"]),
        ("<img alt='' src='a.png'>", ["RELATIVE_IMAGE"]),
        ("<img alt='' src='//a.example/a.png'>", ["RELATIVE_IMAGE"]),
        ("<img alt='' src='data:image/png;base64," + "A" * 2_000 + "'>", ["IMAGE_EMBEDDED"]),
        (
            "<img alt='' src='data:image/gif;base64,AAAA'><img alt='' src='{{ word }}'><img alt='' src='https://a.example/a'>",
            [],
        ),
    ],
)
def test_images(source: str, expected: list[str]) -> None:
    assert codes(source) == expected


def test_html_that_is_clipped_for_everybody() -> None:
    assert codes("x" * 105_000) == ["HTML_CLIPPED"]
    assert codes("{% for i in many %}" + "x" * 60 + "{% endfor %}") == ["HTML_CLIPPED"]
    assert codes("{% if profile.city %}" + "x" * 105_000 + "{% endif %}") == []
    assert codes("<!-- " + "x" * 90_000 + " -->") == []


def test_a_message_that_the_channel_does_not_take_is_refused() -> None:
    assert refused("{% for i in many %}" + "x" * 14_000 + "{% endfor %}") == [("MESSAGE_TOO_LARGE", "parts.html:1:1")]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x" * 79, ["SUBJECT_LONG"]),
        ("x" * 78 + "{{ word }}", ["SUBJECT_LONG"]),
        ("x" * 78, []),
        ("{% if profile.city %}Tea{% endif %}", ["SUBJECT_MAY_BE_EMPTY"]),
        ("{{ empty }}", ["SUBJECT_MAY_BE_EMPTY"]),
        ("{{ profile.city }}", ["SUBJECT_MAY_BE_EMPTY", "NULLABLE_FIELD"]),
        ("{{ profile.city | default: word }}", []),
        ("{% if profile.city %}{{ profile.city }}{% else %}Tea{% endif %}", []),
        ("{% assign s = 'Tea' %}{{ s }}", []),
        ("{{ word }}", []),
    ],
)
def test_subjects(source: str, expected: list[str]) -> None:
    assert codes(source, "subject") == expected


# ---- the whole -----------------------------------------------------------------------------------


def test_there_is_nothing_to_say_about_the_demo() -> None:
    draft = ContentDraft(name="x", label="X", channel="email", parts=newsletter.PARTS, data=newsletter.DATA)
    assert reviewed(draft) == []


# What is really there: placeholders instead of addresses, images without alt, fields as they are. No way out in any of them.
TRUE_OF_TEMPLATES = {
    "NO_UNSUBSCRIBE_LINK",
    "NULLABLE_FIELD",
    "EMPTY_LINK",
    "IMAGE_WITHOUT_ALT",
    "LINK_WITHOUT_LABEL",
    "RELATIVE_LINK",
}


@pytest.mark.parametrize("path", FILES, ids=named)
def test_templates_of_others_get_no_warnings_that_are_not_true(path: Any) -> None:
    source = template(path)
    draft = ContentDraft(name="x", label="X", channel="email", parts={**PARTS, "html": source}, data=TEMPLATE_DATA)
    found = reviewed(draft)
    assert {one.code for one in found} <= TRUE_OF_TEMPLATES
    lines = source.split("\n")
    for one in found:
        assert one.line is None or lines[one.line - 1][(one.column or 0) - 1]
    if "alt=" in source and "<img " in source and source.count("<img ") == source.count("alt="):
        assert "IMAGE_WITHOUT_ALT" not in {one.code for one in found}


def test_each_check_tells_so_much_and_no_more() -> None:
    found = codes("<img src=https://i.example/a>" * 50 + "<a href='#'>x</a>" * 50)
    assert (found.count("IMAGE_WITHOUT_ALT"), found.count("EMPTY_LINK")) == (20, 20)


def test_what_mjml_makes_itself_is_told_as_that() -> None:
    html = "<mjml><mj-body><mj-section><mj-column><mj-social><mj-social-element name='x'>x</mj-social-element></mj-social>"
    html += "<mj-text><a href='#'>x</a></mj-text></mj-column></mj-section></mj-body></mjml>"
    draft = ContentDraft(name="x", label="X", channel="email", parts={**PARTS, "html": html})
    found = {one.code: one for one in reviewed(draft)}
    assert found["IMAGE_WITHOUT_ALT"].message.startswith("in what MJML makes")
    assert found["EMPTY_LINK"].column == html.index("<a href") + 1


PIECES = st.lists(
    st.sampled_from(
        [
            "<a href='",
            "https://localhost/",
            "?a=1&copy=2",
            "{{ profile.city }}",
            "'>",
            "</a>",
            "<img src=",
            "\n",
            "ü",
            ">",
            "<",
            "&amp;amp;",
            "{% if profile.city %}",
            "{% endif %}",
            "{{ profile.city | money: 'EUR' }}",
            "{% assign x = 1 %}",
            "<!--",
            "-->",
            "#",
            '"',
            " ",
            "{% for i in (1..profile.id) %}",
            "{% endfor %}",
            "<style>",
            "</style>",
            "=",
            "/",
            "{% unsubscribe_url %}",
            "{% else %}",
            "{% if profile.city > 5 %}",
            "{% for p in products limit: profile.city %}",
            "{% capture x %}",
            "{% endcapture %}",
            "{{ x.nope }}",
            "{% case word %}",
            "{% when 'Tea' %}",
            "{% endcase %}",
            "{{ 'x' | append: profile.city | default: word }}",
            "{% cycle profile.city, word %}",
            "{% assign x = products | first %}",
            "{% assign x = (1..profile.id) %}",
            "{{ x | join }}",
            "<form action='",
            " alt=' '",
            "&para;=1",
            "<a style='display:none' href='",
        ]
    ),
    max_size=20,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(PIECES)
def test_places_lie_in_the_source_whatever_it_is(source: str) -> None:
    try:
        found = told("html", source)
    except ContentInvalid:
        return
    lines = (BYE + source).split("\n")
    for one in found:
        assert one.line is None or one.column is None or 1 <= one.column <= len(lines[one.line - 1]) + 1
