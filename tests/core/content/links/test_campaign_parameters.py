"""Campaign parameters: each way through an address gets them once, in its query, and nothing else of it changes."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.content.links.addresses import BadAddress, examine
from core.content.links.campaign_parameters import Appendix
from core.content.links.rewriting import MOST_WRITTEN, rewrite_html
from core.content.links.settings import LinkRules
from core.content.records import CampaignParameter, CampaignParameters, LinkSettings, TrackingMode
from render_ext import compile as compile_template
from tests.core.content.links.generated_html import Written, documents


def parameters(*hosts: str, **values: str) -> CampaignParameters:
    found = tuple(CampaignParameter(name=name, value=value) for name, value in values.items())
    return CampaignParameters(parameters=found, hosts=hosts)


UTM = Appendix.of(parameters(utm_source="news letter", utm_campaign="{{ label }}"))
ADDED = "utm_source=news%20letter&utm_campaign={{ label }}"


def rendered(target: str, values: dict[str, Any]) -> str:
    """The address that a link leads to."""
    program = compile_template(f"{{% link 1 %}}{target}{{% endlink %}}", escape="html", links=True)
    found = program.resolve_link(values, 1)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://a.example", f"https://a.example?{ADDED}"),
        ("https://a.example/", f"https://a.example/?{ADDED}"),
        ("https://a.example/p?x=1", f"https://a.example/p?x=1&{ADDED}"),
        ("https://a.example/p?", f"https://a.example/p?{ADDED}"),
        ("https://a.example/p?x=1&", f"https://a.example/p?x=1&{ADDED}"),
        ("https://a.example/p#top", f"https://a.example/p?{ADDED}#top"),
        ("https://a.example#a?b=1", f"https://a.example?{ADDED}#a?b=1"),
        ("https://a.example/p?x=1#top#{{ a }}", f"https://a.example/p?x=1&{ADDED}#top#{{{{ a }}}}"),
        ("https://a.example/p?{{ query | raw }}", f"https://a.example/p?{{{{ query | raw }}}}&{ADDED}"),
        ("https://a.example/{{ path }}", f"https://a.example/{{{{ path }}}}?{ADDED}"),
        ("https://a.example/{{ '?#' }}", f"https://a.example/{{{{ '?#' }}}}?{ADDED}"),
        (
            "https://a.example/?a={% if b %}1{% else %}2{% endif %}",
            f"https://a.example/?a={{% if b %}}1{{% else %}}2{{% endif %}}&{ADDED}",
        ),
        (
            "https://a.example/?{% for i in l %}i={{ i }}&{% endfor %}",
            f"https://a.example/?{{% for i in l %}}i={{{{ i }}}}&{{% endfor %}}&{ADDED}",
        ),
        (
            "https://a.example/{% if b %}?a=1{% endif %}",
            f"https://a.example/{{% if b %}}?a=1&{ADDED}{{% else %}}?{ADDED}{{% endif %}}",
        ),
        (
            "https://a.example/{% unless b %}#x{% elsif c %}?{% endunless %}y",
            f"https://a.example/{{% unless b %}}?{ADDED}#xy{{% elsif c %}}?y&{ADDED}{{% else %}}y?{ADDED}{{% endunless %}}",
        ),
        ("https://a.example/?utm_source=x", "https://a.example/?utm_source=x&utm_campaign={{ label }}"),
        ("https://a.example/?a&utm%5Fsource=", "https://a.example/?a&utm%5Fsource=&utm_campaign={{ label }}"),
        ("https://a.example/?utm_source&utm_campaign={{ a }}#b", "https://a.example/?utm_source&utm_campaign={{ a }}#b"),
        ("https://a.example/utm_source=1", f"https://a.example/utm_source=1?{ADDED}"),
        ("https://a.example/#?utm_source=1", f"https://a.example/?{ADDED}#?utm_source=1"),
    ],
)  # fmt: skip
def test_where_parameters_go(address: str, expected: str) -> None:
    assert UTM.added_to(address) == expected


def test_where_a_loop_decides_it_is_refused() -> None:
    with pytest.raises(BadAddress) as refused:
        UTM.added_to("https://a.example/{% for i in l %}{% if forloop.first %}?{% else %}&{% endif %}i={{ i }}{% endfor %}")
    assert refused.value.code == "CAMPAIGN_PARAMETERS_PLACE"


@pytest.mark.parametrize("conditions", [21, 1_000])
@pytest.mark.parametrize("mark", ["?", "#"])
def test_too_many_conditions_are_refused_before_they_take_long(mark: str, conditions: int) -> None:
    many = "".join(f"{{% if a{n} %}}{mark}{n}{{% endif %}}" for n in range(conditions))
    with pytest.raises(BadAddress, match="too many conditions"):
        UTM.added_to(f"https://a.example/{many}")


def test_a_question_mark_within_the_query_decides_nothing() -> None:
    address = "https://a.example/?to=/x{% for i in l %}?{{ i }}{% endfor %}{% if b %}?{% endif %}"
    assert UTM.added_to(address) == f"{address}&{ADDED}"


@pytest.mark.parametrize(
    ("address", "is_for"),
    [
        ("https://shop.example/", True),
        ("https://SHOP.example:8080/", True),
        ("https://www.shop.example?x", True),
        ("https://notshop.example/", False),
        ("https://shop.example.evil.example/", False),
        ("https://other.example/shop.example", False),
        ("https://xn--mnchen-3ya.example#a", True),
    ],
)
def test_hosts(address: str, is_for: bool) -> None:
    appendix = Appendix.of(parameters("Shop.example", "münchen.example", a="b"))
    assert (appendix.added_to(address) != address) is is_for


CONDITIONS = ("a", "b", "c")


def conditional(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Text with a condition around it, with or without an alternative."""
    block = st.builds(
        "{{% {0} {1} %}}{2}{{% end{0} %}}".format, st.sampled_from(["if", "unless"]), st.sampled_from(CONDITIONS), inner
    )
    either = st.builds("{{% if {0} %}}{1}{{% else %}}{2}{{% endif %}}".format, st.sampled_from(CONDITIONS), inner, inner)
    return st.lists(st.one_of(inner, block, either), max_size=3).map("".join)


TEXT = st.text(st.sampled_from("/xy?#&=."), max_size=5) | st.sampled_from(["{{ word }}", "k={{ word }}", "?k=1", "#z", " "])
REST = st.recursive(TEXT, conditional, max_leaves=6)


@given(REST, st.fixed_dictionaries({name: st.booleans() for name in CONDITIONS}))
def test_each_way_through_an_address_gets_them_once_and_nothing_else_changes(rest: str, chosen: dict[str, bool]) -> None:
    target = examine(f"https://a.example/{rest}").target
    values = {**chosen, "word": "w?#&=/ ü", "label": "Frühling & Co"}

    before = urlsplit(rendered(target, values))
    after = urlsplit(rendered(UTM.added_to(target), values))

    assert (after.scheme, after.netloc, after.path, after.fragment) == (
        before.scheme, before.netloc, before.path, before.fragment,
    )  # fmt: skip
    found = parse_qsl(after.query, keep_blank_values=True)
    assert [pair for pair in found if pair[0].startswith("utm_")] == [
        ("utm_source", "news letter"), ("utm_campaign", "Frühling & Co"),
    ]  # fmt: skip
    kept = [pair for pair in found if not pair[0].startswith("utm_")]
    assert kept == parse_qsl(before.query, keep_blank_values=True)


NAMES = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=8)
VALUES = st.text(st.characters(codec="utf-8", exclude_categories=["C"], exclude_characters="{}"), max_size=12)


@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=5))
def test_names_and_values_arrive_as_they_were_written(given_values: dict[str, str]) -> None:
    found = tuple(CampaignParameter(name=name, value=value) for name, value in given_values.items())
    appendix = Appendix.of(CampaignParameters(parameters=found))
    location = rendered(appendix.added_to("https://a.example/"), {})
    assert parse_qsl(urlsplit(location).query, keep_blank_values=True) == list(given_values.items())


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(documents)
def test_with_links_masked_the_html_is_what_it_was(written: Written) -> None:
    rewritten = rewrite_html(written.source, rules=LinkRules(appendix=UTM)).source
    link = re.compile(r"\{% link \d+ %\}(.*?)\{% endlink %\}", re.DOTALL)
    assert link.sub("@", rewritten) == written.masked
    assert link.findall(rewritten) == [UTM.added_to(target) for target in written.targets]
    assert all(ADDED in target for target in link.findall(rewritten))


def test_what_links_have_in_all_is_limited() -> None:
    long = tuple(CampaignParameter(name=f"p{n}", value="v" * 500) for n in range(20))
    rules = LinkRules({}, Appendix.of(CampaignParameters(parameters=long)))
    each = len(rules.target(LinkSettings(url="https://a.example/"), "https://a.example/"))
    few, many = MOST_WRITTEN // (each + 40), MOST_WRITTEN // each + 1
    assert rewrite_html('<a href="https://a.example/">' * few, rules=rules).problems == ()
    refused = rewrite_html('<a href="https://a.example/">' * (many + 50), rules=rules)
    assert [one.code for one in refused.problems] == ["PART_TOO_LARGE"]
    assert len(refused.source) < 2 * MOST_WRITTEN


def test_a_link_may_do_without_and_one_that_is_not_tracked_stays() -> None:
    settings = {
        "https://a.example/": LinkSettings(url="https://a.example/", campaign_parameters=False),
        "https://b.example/": LinkSettings(url="https://b.example/", mode=TrackingMode.NEVER),
    }
    source = '<a href="https://a.example/"></a><a href="https://b.example/"></a><a href="https://c.example/"></a>'
    rewritten = rewrite_html(source, rules=LinkRules(settings, UTM))
    assert [(link.url, link.target) for link in rewritten.links] == [
        ("https://a.example/", "https://a.example/"),
        ("https://c.example/", f"https://c.example/?{ADDED}"),
    ]
    assert '<a href="https://b.example/">' in rewritten.source
