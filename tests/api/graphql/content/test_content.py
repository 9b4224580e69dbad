"""Content and previews through GraphQL."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from api.graphql.content import previewing
from core.content.preview import preview
from tests.api.gql import Gql, create_profile, fresh

CREATE = """
mutation ($input: CreateContentInput!) {
  createContent(input: $input) { content { id version parts { name source } data } userErrors { code path message hint } }
}"""
UPDATE = """
mutation ($input: UpdateContentInput!) {
  updateContent(input: $input) { content { version parts { name source } data } userErrors { code path } }
}"""
PREVIEW = """
query ($input: PreviewInput!) {
  preview(input: $input) { subject html text warnings { code message hint part line column } }
}"""
HTML = """<p>Hello {{ profile.first_name }}, {{ word }}. <a href="https://shop.example/x">Look</a>
<a href="{% unsubscribe_url %}">Leave</a></p>"""


def parts(**sources: str) -> list[dict[str, str]]:
    """Parts of an email; those given replace the usual ones."""
    usual = {"subject": "Hi {{ profile.first_name }}", "html": HTML, "from_address": "news@shop.example", "from_name": "Shop"}
    return [{"name": name, "source": source} for name, source in {**usual, **sources}.items()]


async def test_a_mistake_is_shown_in_its_line(gql: Gql) -> None:
    (answer,) = (
        await gql.ask(
            CREATE.replace("path message hint", "path found expected suggestion excerpt"),
            input={"name": fresh("mail"), "label": "Mail", "parts": parts(html="<p>\n  {{ word | upcse }}</p>")},
        )
    ).values()
    assert answer["userErrors"] == [
        {
            "code": "TEMPLATE_SYNTAX", "path": "parts.html:2:13", "found": "`upcse`",
            "expected": "a filter", "suggestion": "`upcase`",
            "excerpt": "2 |   {{ word | upcse }}</p>\n                ^",
        }
    ]  # fmt: skip


async def create(gql: Gql, **more: Any) -> dict[str, Any]:
    """An email."""
    made = await gql.do(
        CREATE, input={"name": fresh("mail"), "label": "Mail", "parts": parts(), "data": {"word": "yes"}, **more}
    )
    found: dict[str, Any] = made["content"]
    return found


async def test_content_is_saved_and_changed_part_by_part(gql: Gql) -> None:
    content = await create(gql)
    assert {part["name"] for part in content["parts"]} >= {"subject", "html", "from_address"}

    changed = await gql.do(
        UPDATE,
        input={"id": content["id"], "parts": [{"name": "subject", "source": "New"}, {"name": "from_name", "source": None}]},
    )

    now = {part["name"]: part["source"] for part in changed["content"]["parts"]}
    assert now["subject"] == "New"
    assert "from_name" not in now
    assert now["html"] == HTML
    assert changed["content"]["version"] == 2


async def test_a_save_tells_what_to_look_at_and_so_does_asking_again(gql: Gql) -> None:
    fields = "code level message hint part line column"
    saved = await gql.do(
        "mutation ($input: CreateContentInput!) { createContent(input: $input) { content { id } warnings { "
        + fields
        + " } userErrors { code } } }",
        input={
            "name": fresh("mail"),
            "label": "x",
            "parts": parts(html=HTML + "\n<img src='https://i.example/a'>"),
            "data": {"word": "x"},
        },
    )
    assert [(one["code"], one["level"], one["part"], one["line"], one["column"]) for one in saved["warnings"]] == [
        ("NULLABLE_FIELD", "WARNING", "subject", 1, 7),
        ("NULLABLE_FIELD", "WARNING", "html", 1, 13),
        ("IMAGE_WITHOUT_ALT", "WARNING", "html", 3, 1),
    ]
    assert all(one["hint"] for one in saved["warnings"])
    again = await gql.ask("query ($id: ID!) { contentWarnings(id: $id) { " + fields + " } }", id=saved["content"]["id"])
    assert again["contentWarnings"] == saved["warnings"]


async def test_a_refused_save_has_no_warnings(gql: Gql) -> None:
    create = (
        "mutation ($input: CreateContentInput!) { createContent(input: $input) { warnings { code } userErrors { code path } } }"
    )
    bad = {"name": fresh("mail"), "label": "x", "parts": parts(html="{{ 1 | divided_by: 0 }}")}
    answer = (await gql.ask(create, input=bad))["createContent"]
    assert answer == {"warnings": [], "userErrors": [{"code": "FILTER_FAILS", "path": answer["userErrors"][0]["path"]}]}


async def test_styles_are_inlined_on_request(gql: Gql) -> None:
    html = "<style>p { margin: 0 }</style>" + HTML
    content = await create(gql, parts=parts(html=html), inlineCss=True)
    profile_id = await create_profile(gql, email=f"{fresh('zoe')}@shop.example", firstName="Zoë")
    shown = (await gql.ask(PREVIEW, input={"contentId": content["id"], "profileId": profile_id}))["preview"]
    assert '<p style="margin: 0">Hello Zoë' in shown["html"]

    await gql.do(UPDATE, input={"id": content["id"], "inlineCss": False})
    shown = (await gql.ask(PREVIEW, input={"contentId": content["id"], "profileId": profile_id}))["preview"]
    assert "<p>Hello Zoë" in shown["html"]

    draft = {"parts": parts(html=html), "data": {"word": "x"}, "inlineCss": True, "profileId": profile_id}
    assert '<p style="margin: 0">' in (await gql.ask(PREVIEW, input=draft))["preview"]["html"]


async def test_mjml_is_told_with_its_own_lines(gql: Gql) -> None:
    html = "<mjml>\n<mj-body><mj-section><mj-column><mj-tex>x</mj-tex></mj-column></mj-section></mj-body></mjml>"
    (error,) = await gql.refused(CREATE, input={"name": fresh("mail"), "label": "x", "parts": parts(html=html)})

    assert (error["code"], error["path"]) == ("MJML_UNKNOWN", "parts.html:2:33")


async def test_a_template_error_is_told_with_part_line_and_column(gql: Gql) -> None:
    (error,) = await gql.refused(
        CREATE, input={"name": fresh("mail"), "label": "x", "parts": parts(html="<p>\n{% fi x %}</p>"), "data": {"word": "x"}}
    )

    assert error["path"] == "parts.html:2:4"
    assert error["hint"]


async def test_a_part_given_twice_and_data_that_is_no_object_are_refused(gql: Gql) -> None:
    base = {"name": fresh("mail"), "label": "x"}

    assert (await gql.refused(CREATE, input={**base, "parts": parts() + parts()}))[0]["code"] == "PART_TWICE"
    assert (await gql.refused(CREATE, input={**base, "parts": parts(), "data": [1]}))[0]["code"] == "NOT_AN_OBJECT"


async def test_a_preview_shows_what_one_person_would_get(gql: Gql) -> None:
    content = await create(gql)
    profile_id = await create_profile(gql, email=f"{fresh('zoe')}@shop.example", firstName="Zoë & Co")

    shown = (await gql.ask(PREVIEW, input={"contentId": content["id"], "profileId": profile_id}))["preview"]

    assert shown["subject"] == "Hi Zoë & Co"
    assert "Hello Zoë &amp; Co, yes." in shown["html"]
    assert "https://shop.example/x" in shown["html"]
    assert "Hello Zoë & Co, yes." in shown["text"]


async def test_content_can_be_tried_before_it_is_saved(gql: Gql) -> None:
    profile_id = await create_profile(gql, firstName="Bob")

    shown = (await gql.ask(PREVIEW, input={"parts": parts(), "data": {"word": "no"}, "profileId": profile_id}))["preview"]

    assert shown["subject"] == "Hi Bob"


async def test_a_preview_needs_exactly_one_content_and_somebody(gql: Gql) -> None:
    profile_id = await create_profile(gql, firstName="Bob")

    assert await gql.code(PREVIEW, input={"profileId": profile_id}) == "BAD_PREVIEW"
    gone = await create_profile(gql, firstName="Gone")
    await gql.do("mutation ($id: ID!) { deleteProfile(id: $id) { userErrors { code } } }", id=gone)
    assert await gql.code(PREVIEW, input={"parts": parts(), "data": {"word": "x"}, "profileId": gone}) == "PROFILE_NOT_FOUND"
    broken = await gql.errors(PREVIEW, input={"parts": parts(html="{% if %}"), "profileId": profile_id})
    assert broken[0]["extensions"]["path"].startswith("parts.html")


async def test_a_preview_shows_values_as_the_mail_will(gql: Gql) -> None:
    profile_id = await create_profile(gql, email=f"{fresh('zoe')}@shop.example", latitude=2.0, longitude=1.5, gender="FEMALE")
    source = "{{ profile.latitude }}|{{ profile.longitude }}|{{ profile.gender }}|{{ profile.birth_date }}"

    content = {"parts": parts(subject=source), "data": {"word": "x"}}
    shown = (await gql.ask(PREVIEW, input={**content, "profileId": profile_id}))["preview"]

    assert shown["subject"] == "2|1.5|female|"  # the values of a ledger row are JSON, where 2.0 is 2


async def test_a_preview_does_not_keep_others_waiting(gql: Gql, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def noted(*args: Any, **more: Any) -> Any:
        threads.append(threading.get_ident())
        return preview(*args, **more)

    monkeypatch.setattr(previewing, "preview", noted)
    profile_id = await create_profile(gql, firstName="Bob")
    await gql.ask(PREVIEW, input={"parts": parts(), "data": {"word": "no"}, "profileId": profile_id})

    assert len(threads) == 1
    assert threads != [threading.get_ident()]
