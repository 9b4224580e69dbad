"""What authors say about links: modes, labels, categories; and that it is checked."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from channels.email import EmailChannel
from core.content.compile import freeze
from core.content.contents import check_sendable
from core.content.errors import ContentInvalid
from core.content.links.checks import check_links
from core.content.links.found import found_links, unused_settings
from core.content.links.rewriting import rewrite_html
from core.content.links.settings import LinkRules
from core.content.placements import NO_FRAGMENTS
from core.content.records import (
    CampaignParameter,
    CampaignParameters,
    ContentDraft,
    DynamicContent,
    DynamicVariant,
    LinkSettings,
    TrackedLink,
    TrackingMode,
)
from core.content.review import review_whole
from core.content.variants import freeze_variants
from tests.core.authors import PARTS, REGISTRY
from tests.core.content.test_compile import BASE, DATE
from tests.core.content.test_expansion import fragment, library

HTML = """<p><a href="https://shop.example/sale?a=1&amp;b={{ profile.id }}">Sale</a>
<a href="https://shop.example/browser">Read it there</a> <a href='https://shop.example/fixed?x={{ profile.city }}'>Fixed</a>
<a href="https://shop.example/leave">Leave</a> <a href="mailto:a@shop.example">Mail</a></p>"""
TEXT = (
    "Sale: https://shop.example/sale?a=1&b={{ profile.id }} or https://shop.example/browser, "
    "https://shop.example/fixed?x={{ profile.city }}"
)
SETTINGS = (
    LinkSettings(url="https://shop.example/sale?a=1&b={{ profile.id }}", label="The sale", category="offers"),
    LinkSettings(url=" https://shop.example/browser", mode=TrackingMode.MIRROR),
    LinkSettings(url="https://shop.example/fixed?x={{ profile.city }}", mode=TrackingMode.NEVER),
    LinkSettings(url="https://shop.example/leave", mode=TrackingMode.OPT_OUT),
)


def draft(**more: Any) -> ContentDraft:
    given = {"parts": {**PARTS, "html": HTML, "text": TEXT}, "links": SETTINGS, **more}
    return ContentDraft(name="sale", label="Sale", channel="email", **given)


def utm(**values: str) -> CampaignParameters:
    return CampaignParameters(parameters=tuple(CampaignParameter(name=name, value=value) for name, value in values.items()))


def test_each_mode_does_what_it_says_in_both_parts() -> None:
    frozen = freeze(draft(), EmailChannel.manifest, label="Spring", date=DATE, seed="7", base_url=BASE)
    first = "{% link 1 %}https://shop.example/sale?a=1&b={{ profile.id }}{% endlink %}"
    assert f'<a href="{first}">Sale</a>\n<a href="{{% mirror_url %}}">Read' in frozen.parts["html"]
    assert "<a href='https://shop.example/fixed?x={{ profile.city }}'>" in frozen.parts["html"]
    assert frozen.parts["text"] == f"Sale: {first} or {{% mirror_url %}}, https://shop.example/fixed?x={{{{ profile.city }}}}"
    told = [(link.number, link.label, link.category, link.mode) for link in frozen.links]
    assert told == [
        (1, "The sale", "offers", TrackingMode.TRACKED),
        (2, "Leave", None, TrackingMode.OPT_OUT),
        (3, None, None, TrackingMode.TRACKED),  # the hidden one
    ]


def test_the_text_made_of_the_html_leads_to_the_same_places() -> None:
    parts = {name: source for name, source in {**PARTS, "html": HTML}.items() if name != "text"}
    frozen = freeze(
        draft(parts=parts, campaign_parameters=utm(utm_source="mail")),
        EmailChannel.manifest, label="Spring", date=DATE, seed="7", base_url=BASE,
    )  # fmt: skip
    links = re.compile(r"\{% link (\d+) %\}(.*?)\{% endlink %\}")
    assert links.findall(frozen.parts["text"]) == links.findall(frozen.parts["html"])[:2]
    assert all(link.target.endswith("utm_source=mail") for link in frozen.links if not link.hidden)


def test_a_number_means_the_same_in_every_language() -> None:
    german = '<a href="https://shop.example/leave">Weg</a><a href="https://shop.example/de">Nur hier</a><a href="https://shop.example/leave">Weg</a>'
    content = draft(translations={"de": {"html": german, "text": ""}})
    english, other = freeze_variants(
        content, EmailChannel.manifest, label="Spring", date=DATE, seed="7", base_url=BASE, check=lambda frozen: None
    )
    assert (english.locale, other.locale) == ("en", "de")

    def numbers(links: tuple[TrackedLink, ...]) -> dict[int, str]:
        return {link.number: link.target for link in links}

    assert numbers(english.links) == {
        1: "https://shop.example/sale?a=1&b={{ profile.id }}",
        2: "https://shop.example/leave",
        3: BASE,
    }
    assert numbers(other.links) == {
        2: "https://shop.example/leave", 4: "https://shop.example/de", 5: "https://shop.example/leave", 3: BASE,
    }  # fmt: skip
    assert english.hidden_link == other.hidden_link == 3


def test_settings_that_meet_no_link_are_told_with_the_one_that_was_meant() -> None:
    stray = LinkSettings(url="https://shop.example/sale?a=1&amp;b={{ profile.id }}")
    (warning,) = unused_settings(draft(links=(*SETTINGS, stray)), EmailChannel.manifest, NO_FRAGMENTS)
    assert warning.code == "LINK_SETTINGS_UNUSED"
    assert "Did you mean 'https://shop.example/sale?a=1&b={{ profile.id }}'" in (warning.hint or "")
    # one language that has it is enough
    only_german = LinkSettings(url="https://shop.example/de")
    html = '<a href="https://shop.example/de">x</a>'
    assert (
        unused_settings(draft(links=(only_german,), translations={"de": {"html": html}}), EmailChannel.manifest, NO_FRAGMENTS)
        == []
    )


def test_of_many_settings_that_meet_no_link_the_first_are_told() -> None:
    stray = tuple(LinkSettings(url=f"https://shop.example/old/{number}") for number in range(1_000))
    told = unused_settings(draft(links=(*stray, *SETTINGS)), EmailChannel.manifest, NO_FRAGMENTS)
    assert [one.message.split("'")[1] for one in told] == [one.url for one in stray[:20]]


def test_braces_that_are_no_liquid_are_the_same_in_html_text_and_settings() -> None:
    url = "https://shop.example/{day}?to={{ profile.city }}"
    for written in (url, url.replace("{day}", "%7Bday%7D")):
        content = draft(
            parts={**PARTS, "html": f'<a href="{url}">A</a>', "text": f"A: {url}"},
            links=(LinkSettings(url=written, mode=TrackingMode.OPT_OUT),),
        )
        frozen = freeze(content, EmailChannel.manifest, label="Spring", date=DATE, seed="7", base_url=BASE)
        assert [(link.number, link.mode) for link in frozen.links if not link.hidden] == [(1, TrackingMode.OPT_OUT)]
        assert "{% link 1 %}" in frozen.parts["text"]
        assert {one.mode for one in found_links(content, EmailChannel.manifest, NO_FRAGMENTS)} == {TrackingMode.OPT_OUT}
        assert unused_settings(content, EmailChannel.manifest, NO_FRAGMENTS) == []


def test_a_link_in_the_text_is_not_the_one_that_only_outlook_sees() -> None:
    html = (
        '<!--[if mso]><v:roundrect href="https://shop.example/a"></v:roundrect><![endif]-->'
        '<a href="https://shop.example/a">A</a><!--[if mso]><v:rect href="https://shop.example/b"></v:rect><![endif]-->'
    )
    text = "A: https://shop.example/a B: https://shop.example/b and https://shop.example/b"
    content = draft(parts={**PARTS, "html": html, "text": text}, links=())
    frozen = freeze(content, EmailChannel.manifest, label="Spring", date=DATE, seed="7", base_url=BASE)
    assert re.findall("link ([0-9])", frozen.parts["text"]) == ["2", "4", "4"]
    assert [(link.number, link.part, link.label, link.conditional) for link in frozen.links if not link.hidden] == [
        (1, "html", None, True), (2, "html", "A", False), (3, "html", None, True), (4, "text", None, False),
    ]  # fmt: skip


def test_finding_the_places_of_many_links_takes_time_by_their_number_only() -> None:
    footer = fragment("footer", "<p>{{ profile.city }}</p>")

    def seconds(many: int) -> float:
        lines = "".join(f'<p><a href="https://shop.example/{number}">A</a></p>\n' for number in range(many))
        content = draft(parts={**PARTS, "html": f'{lines}{{% render "footer" %}}'}, links=())
        started = time.process_time()
        found = found_links(content, EmailChannel.manifest, library(footer))
        assert (found[-1].line, found[-1].column) == (many, 13)
        return time.process_time() - started

    assert min(seconds(8_000) for _ in range(2)) < 24 * min(seconds(1_000) for _ in range(3))  # its square: 64


def test_links_of_fragments_and_dynamic_content_are_listed_where_they_are_written() -> None:
    button = fragment("button", '<b>\n<a href="https://shop.example/leave">Go</a></b>')
    html = '<p>\n{% dynamic "hero" %}{% render "button" %}</p>'
    hero = DynamicContent(
        name="hero",
        variants=(DynamicVariant(label="x", condition="country = 'FR'", html='<a href="https://shop.example/fr">Fr</a>'),),
    )
    content = draft(parts={**PARTS, "html": html}, dynamic=(hero,), campaign_parameters=utm(utm_source="b"))
    found = found_links(content, EmailChannel.manifest, library(button))
    assert [(one.part, one.line, one.column, one.url, one.mode) for one in found] == [
        ("dynamic.hero.variants.0.html", 1, 10, "https://shop.example/fr", TrackingMode.TRACKED),
        ("fragments.button.html", 2, 10, "https://shop.example/leave", TrackingMode.OPT_OUT),
    ]
    told = {one.message.split("'")[1] for one in unused_settings(content, EmailChannel.manifest, library(button))}
    assert "https://shop.example/leave" not in told


def test_what_languages_share_is_listed_once_and_what_they_write_themselves_each_time() -> None:
    button = fragment("button", '<a href="https://shop.example/leave">Go</a>')
    html = '<p>{% render "button" %} <a href="https://shop.example/x">A</a></p>'
    translations = {"de": {"html": f"{html}<p>Hallo</p>"}, "fr": {"subject": "x"}}
    content = draft(parts={**PARTS, "html": html}, translations=translations)
    found = found_links(content, EmailChannel.manifest, library(button))
    assert [(one.language, one.part, one.url) for one in found if one.part != "text"] == [
        ("en", "fragments.button.html", "https://shop.example/leave"),
        ("en", "html", "https://shop.example/x"),
        ("de", "html", "https://shop.example/x"),
    ]


def test_campaign_parameters_may_read_dynamic_content() -> None:
    hero = DynamicContent(name="hero", variants=(DynamicVariant(label="x", condition="country = 'FR'", html="x"),))
    parameters = utm(utm_content="{{ dynamic.hero }}")
    content = draft(dynamic=(hero,), campaign_parameters=parameters)
    check_sendable(REGISTRY, content)
    frozen = freeze(content, EmailChannel.manifest, label="Spring", date=DATE, seed="7", base_url=BASE)
    assert frozen.dynamic == {"hero": ("country = 'FR'",)}
    assert review_whole(content, EmailChannel.manifest, NO_FRAGMENTS) == []

    (wrong,) = check_links(draft(dynamic=(hero,), campaign_parameters=utm(a="{{ dynamic.hreo }}")), EmailChannel.manifest)
    assert (wrong.code, wrong.path) == ("UNKNOWN_VARIABLE", "campaign_parameters.parameters.a:1:4")
    (whole,) = check_links(draft(dynamic=(hero,), campaign_parameters=utm(a='{% dynamic "hero" %}')), EmailChannel.manifest)
    assert str(whole.path).startswith("campaign_parameters.parameters.a")


def test_the_links_of_content_can_be_listed() -> None:
    html = "<mjml><mj-body><mj-section><mj-column>\n<mj-text><a href='https://shop.example/leave'>Go</a></mj-text></mj-column></mj-section></mj-body></mjml>"
    content = draft(translations={"de": {"html": html}}, campaign_parameters=utm(utm_source="b"))
    told = [
        (one.language, one.part, one.line, one.url, one.mode, one.label, one.campaign_parameters)
        for one in found_links(content, EmailChannel.manifest, NO_FRAGMENTS)
    ]
    sale = "https://shop.example/sale?a=1&b={{ profile.id }}"
    fixed = "https://shop.example/fixed?x={{ profile.city }}"
    assert told == [
        ("en", "html", 1, sale, TrackingMode.TRACKED, "The sale", True),
        ("en", "html", 2, "https://shop.example/browser", TrackingMode.MIRROR, "Read it there", False),
        ("en", "html", 2, fixed, TrackingMode.NEVER, "Fixed", False),
        ("en", "html", 3, "https://shop.example/leave", TrackingMode.OPT_OUT, "Leave", True),
        ("en", "html", 3, "mailto:a@shop.example", None, "Mail", False),
        ("en", "text", 1, sale, TrackingMode.TRACKED, "The sale", True),
        ("en", "text", 1, "https://shop.example/browser", TrackingMode.MIRROR, None, False),
        ("en", "text", 1, fixed, TrackingMode.NEVER, None, False),
        ("de", "html", 2, "https://shop.example/leave", TrackingMode.OPT_OUT, "Go", True),
    ]


@pytest.mark.parametrize(
    ("links", "code", "path"),
    [
        ([LinkSettings(url=" ")], "BAD_LINK_SETTINGS", "links.0.url"),
        ([LinkSettings(url="a\0")], "BAD_LINK_SETTINGS", "links.0.url"),
        ([LinkSettings(url="a"), LinkSettings(url="a ")], "LINK_SETTINGS_TWICE", "links.1.url"),
        ([LinkSettings(url="a", label="x" * 101)], "BAD_LINK_SETTINGS", "links.0.label"),
        ([LinkSettings(url="a", category="x\ny")], "BAD_LINK_SETTINGS", "links.0.category"),
        ([LinkSettings(url="https://a/{x}"), LinkSettings(url="https://a/%7Bx%7D")], "LINK_SETTINGS_TWICE", "links.1.url"),
        ([LinkSettings(url="{%- unsubscribe_url %}", mode=TrackingMode.MIRROR)], "BAD_LINK_SETTINGS", "links.0.mode"),
        ([LinkSettings(url=str(n)) for n in range(1_001)], "TOO_MANY_LINK_SETTINGS", "links"),
    ],
)
def test_settings_are_checked(links: list[LinkSettings], code: str, path: str) -> None:
    (problem,) = check_links(draft(links=tuple(links)), EmailChannel.manifest)
    assert (problem.code, problem.path) == (code, path)


P = "campaign_parameters.parameters"


@pytest.mark.parametrize(
    ("name", "value", "code", "path"),
    [
        ("utm_campaign", "{{ delivery.nope }}", "UNKNOWN_VARIABLE", f"{P}.utm_campaign:1:4"),
        ("utm_campaign", "x {{ profile.cty }}", "UNKNOWN_VARIABLE", f"{P}.utm_campaign:1:6"),
        ("utm_campaign", "a\n{{ b | }}", "TEMPLATE_SYNTAX", f"{P}.utm_campaign:2:7"),
        ("utm_campaign", "{% endlink %}{% if a %}", "RESERVED_TAG", f"{P}.utm_campaign:1:1"),
        ("utm_campaign", "{% if a %}x", "LINK_UNBALANCED", f"{P}.utm_campaign"),
        ("utm_campaign", "{% assign a = 1 %}", "LINK_TAG", f"{P}.utm_campaign"),
        ("utm_campaign", "x" * 501, "BAD_CAMPAIGN_PARAMETERS", f"{P}.utm_campaign"),
        ("", "x", "BAD_CAMPAIGN_PARAMETERS", f"{P}."),
        ("a\n", "x", "BAD_CAMPAIGN_PARAMETERS", f"{P}.a\n"),
    ],
)
def test_campaign_parameters_are_checked(name: str, value: str, code: str, path: str) -> None:
    (problem,) = check_links(draft(campaign_parameters=utm(**{name: value})), EmailChannel.manifest)
    assert (problem.code, problem.path) == (code, path)


@pytest.mark.parametrize(
    "host", ["", "https://shop.example", "shop.example/", "shop..example", "a b", "shop.example:80", ".example"]
)
def test_hosts_are_checked(host: str) -> None:
    parameters = CampaignParameters(parameters=(CampaignParameter(name="a", value="b"),), hosts=(host,))
    (problem,) = check_links(draft(campaign_parameters=parameters), EmailChannel.manifest)
    assert (problem.code, problem.path) == ("BAD_CAMPAIGN_PARAMETERS", "campaign_parameters.hosts.0")


def test_what_parameters_read_is_carried_and_told_with_all_problems() -> None:
    frozen = freeze(
        draft(campaign_parameters=utm(utm_content="{{ profile.country }}")),
        EmailChannel.manifest, label="Spring", date=DATE, seed="7", base_url=BASE,
    )  # fmt: skip
    assert "country" in frozen.fields
    with pytest.raises(ContentInvalid) as refused:
        check_sendable(REGISTRY, draft(campaign_parameters=utm(a="{{ x }}", b="{{ y }}"), translations={"de": {}}))
    assert [one.path for one in refused.value.problems] == [f"{P}.a:1:4", f"{P}.b:1:4"]


def test_where_parameters_cannot_go_is_told_at_the_link_of_the_author() -> None:
    loop = "{% for i in list %}?{{ i }}{% endfor %}"
    html = f"<mjml><mj-body><mj-section><mj-column>\n<mj-text><a href='https://a.example/{loop}'>Go</a></mj-text></mj-column></mj-section></mj-body></mjml>"
    content = draft(parts={**PARTS, "html": html}, data={"list": [1]}, links=(), campaign_parameters=utm(a="b"))
    with pytest.raises(ContentInvalid) as refused:
        check_sendable(REGISTRY, content)
    assert (refused.value.code, refused.value.path) == ("CAMPAIGN_PARAMETERS_PLACE", "parts.html:2:19")


def test_a_channel_that_tracks_nothing_has_no_link_settings() -> None:
    memory = type("Untracked", (), {"capabilities": type("None_", (), {"tracking": False})})
    problems = check_links(draft(campaign_parameters=utm(a="b")), memory)  # type: ignore[arg-type]
    assert [(one.code, one.path) for one in problems] == [
        ("LINKS_NOT_TRACKED", "links"), ("LINKS_NOT_TRACKED", "campaign_parameters"),
    ]  # fmt: skip


@pytest.mark.parametrize("mode", list(TrackingMode))
def test_no_mode_lets_a_script_or_a_foreign_host_in(mode: TrackingMode) -> None:
    for url, code in (("javascript:alert(1)", "LINK_SCRIPT"), ("{{ profile.city }}", "LINK_NOT_LITERAL")):
        content = draft(parts={**PARTS, "html": f'<a href="{url}">x</a>'}, links=(LinkSettings(url=url, mode=mode),))
        with pytest.raises(ContentInvalid) as refused:
            check_sendable(REGISTRY, content)
        assert refused.value.code == code


def test_settings_do_not_make_html_differ_elsewhere() -> None:
    rewritten = rewrite_html(HTML, rules=LinkRules.of(draft()))
    link = re.compile(r"\{% link \d+ %\}.*?\{% endlink %\}|\{% mirror_url %\}")
    addresses = re.compile(r"https://shop\.example/(?!fixed)[^\"']*")
    assert link.sub("@", rewritten.source) == addresses.sub("@", HTML)
