"""Languages, link settings and campaign parameters through GraphQL."""

from __future__ import annotations

import asyncio
import time
from threading import Lock
from typing import Any

import pytest

from api.graphql.content import types
from tests.api.gql import Gql, create_profile, fresh
from tests.api.graphql.content.test_content import CREATE, PREVIEW, create, parts

FIELDS = """
language translations { language parts { name source } }
links { url mode label category campaignParameters } campaignParameters { parameters { name value } hosts }
foundLinks { url label category mode campaignParameters language part line column }
"""
CONTENT = f"query ($id: ID!) {{ content(id: $id) {{ {FIELDS} }} }}"
UPDATE = f"""
mutation ($input: UpdateContentInput!) {{
  updateContent(input: $input) {{ content {{ {FIELDS} }} userErrors {{ code message path hint }} }}
}}"""
GERMAN = [{"name": "html", "source": '<p>Hallo {{ profile.first_name }}, <a href="https://shop.example/de">hier</a></p>'}]
LINK = "https://shop.example/x"
UTM = {
    "parameters": [{"name": "utm_source", "value": "mail"}, {"name": "a", "value": "{{ profile.city }}"}],
    "hosts": ["shop.example"],
}


async def test_what_is_written_is_what_is_read(gql: Gql) -> None:
    content = await create(
        gql,
        language="EN",
        translations=[{"language": "de_AT", "parts": GERMAN}],
        links=[{"url": LINK, "mode": "OPT_OUT", "label": "The look", "category": "x", "campaignParameters": False}],
        campaignParameters=UTM,
    )
    found = (await gql.ask(CONTENT, id=content["id"]))["content"]
    assert found["language"] == "en"
    assert found["translations"] == [{"language": "de-AT", "parts": GERMAN}]
    assert found["links"] == [
        {"url": LINK, "mode": "OPT_OUT", "label": "The look", "category": "x", "campaignParameters": False}
    ]
    assert found["campaignParameters"] == UTM
    assert found["foundLinks"] == [
        {
            "url": LINK, "label": "The look", "category": "x", "mode": "OPT_OUT", "campaignParameters": False,
            "language": "en", "part": "html", "line": 1, "column": 57,
        },
        {
            "url": "{% unsubscribe_url %}", "label": "Leave", "category": None, "mode": None, "campaignParameters": False,
            "language": "en", "part": "html", "line": 2, "column": 10,
        },
        {
            "url": "https://shop.example/de", "label": "hier", "category": None, "mode": "TRACKED", "campaignParameters": True,
            "language": "de-AT", "part": "html", "line": 1, "column": 45,
        },
    ]  # fmt: skip


async def test_changes_touch_what_they_name(gql: Gql) -> None:
    content = await create(
        gql, translations=[{"language": "de", "parts": GERMAN}], links=[{"url": LINK}], campaignParameters=UTM
    )
    subject = {"name": "subject", "source": "Hallo"}
    changes = [{"language": "de", "parts": [subject]}, {"language": "fr", "parts": [{"name": "subject", "source": "Salut"}]}]
    found = (await gql.do(UPDATE, input={"id": content["id"], "translations": changes}))["content"]
    assert [(one["language"], {part["name"] for part in one["parts"]}) for one in found["translations"]] == [
        ("de", {"html", "subject"}), ("fr", {"subject"}),
    ]  # fmt: skip
    assert [one["url"] for one in found["links"]] == [LINK]

    gone = [{"language": "fr", "parts": None}, {"language": "de", "parts": [{"name": "html", "source": None}]}]
    sent = {"id": content["id"], "translations": gone, "links": [], "campaignParameters": None}
    found = (await gql.do(UPDATE, input=sent))["content"]
    assert found["translations"] == [{"language": "de", "parts": [subject]}]
    assert (found["links"], found["campaignParameters"]) == ([], {"parameters": [], "hosts": []})


async def test_mistakes_are_told_where_they_are(gql: Gql) -> None:
    base = {"name": fresh("mail"), "label": "x", "parts": parts(), "data": {"word": "x"}}
    wrong = {
        "translations": [{"language": "de", "parts": [{"name": "html", "source": "<p>\n{{ profile.nme }}</p>"}]}],
        "links": [{"url": ""}],
        "campaignParameters": {"parameters": [{"name": "utm_campaign", "value": "{{ delivery.lable }}"}]},
    }
    found = {}
    for name, value in wrong.items():
        (error,) = await gql.refused(CREATE, input={**base, name: value})
        found[name] = (error["code"], error["path"])
    assert found == {
        "translations": ("UNKNOWN_VARIABLE", "translations.de.parts.html:2:4"),
        "links": ("BAD_LINK_SETTINGS", "links.0.url"),
        "campaignParameters": ("UNKNOWN_VARIABLE", "campaignParameters.parameters.utm_campaign:1:4"),
    }
    twice = [{"language": "de", "parts": []}, {"language": "de", "parts": []}]
    for again in (twice, [{"language": "de", "parts": []}, {"language": "DE", "parts": []}]):
        (error,) = await gql.refused(CREATE, input={**base, "translations": again})
        assert (error["code"], error["path"]) == ("LANGUAGE_TWICE", "translations.de")
    assert (await gql.refused(CREATE, input={**base, "language": "xx"}))[0]["path"] == "language"


async def test_a_preview_is_in_the_language_of_the_profile_or_the_one_asked_for(gql: Gql) -> None:
    profile_id = await create_profile(gql, firstName="Zoë", city="Köln", language="de-CH")
    draft = {
        "parts": parts(), "data": {"word": "yes"}, "translations": [{"language": "de", "parts": GERMAN}],
        "links": [{"url": "https://shop.example/y"}], "campaignParameters": UTM, "profileId": profile_id,
    }  # fmt: skip
    preview = PREVIEW.replace("{ subject", "{ language subject")

    shown = (await gql.ask(preview, input=draft))["preview"]
    assert shown["language"] == "de"
    assert 'Hallo Zoë, <a href="https://shop.example/de?utm_source=mail&amp;a=K%C3%B6ln">' in shown["html"]
    warnings = {(one["code"], one["part"]) for one in shown["warnings"]}
    assert ("NOT_TRANSLATED", "subject") in warnings
    (unused,) = (one["hint"] for one in shown["warnings"] if one["code"] == "LINK_SETTINGS_UNUSED")
    assert "Did you mean 'https://shop.example/x'" in unused

    shown = (await gql.ask(preview, input={**draft, "readerLanguage": "fr"}))["preview"]
    assert shown["language"] == "en"
    assert "Hello Zoë" in shown["html"]
    (error,) = await gql.errors(preview, input={**draft, "readerLanguage": "x y"})
    assert error["extensions"]["code"] == "BAD_LANGUAGE"


async def test_clients_that_change_other_languages_at_once_lose_nothing_of_each_other(gql: Gql) -> None:
    content_id = (await create(gql))["id"]
    tags = ["cs", "da", "de", "es", "fr", "it"]

    async def change(**changes: Any) -> list[str]:
        answer = (await gql.post(UPDATE, {"input": {"id": content_id, **changes}})).json()
        return [error["code"] for error in answer["data"]["updateContent"]["userErrors"]]

    translations = [{"language": tag, "parts": [{"name": "subject", "source": tag}]} for tag in tags]
    assert await asyncio.gather(*(change(translations=[one]) for one in translations)) == [[]] * len(tags)
    found = (await gql.ask("query ($id: ID!) { content(id: $id) { version translations { language } } }", id=content_id))[
        "content"
    ]
    assert (found["version"], [one["language"] for one in found["translations"]]) == (1 + len(tags), tags)

    # Who says what they have read is told that it is no longer so
    links = [[{"url": LINK, "label": tag}] for tag in tags]
    told = await asyncio.gather(*(change(links=one, expectedVersion=found["version"]) for one in links))
    assert sorted(told) == [[], *([["VERSION_CHANGED"]] * (len(tags) - 1))]


async def test_one_request_looks_for_the_links_of_one_content_at_a_time(gql: Gql, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [(await create(gql))["id"] for _ in range(4)]
    looking = Lock()

    def look(*arguments: Any) -> list[Any]:
        assert looking.acquire(blocking=False)
        time.sleep(0.02)
        looking.release()
        return []

    monkeypatch.setattr(types, "found_links", look)
    asked = "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Content { foundLinks { url } } } }"
    assert (await gql.ask(asked, ids=ids))["nodes"] == [{"foundLinks": []}] * len(ids)
