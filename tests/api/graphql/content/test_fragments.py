"""Fragments and dynamic content through GraphQL."""

from __future__ import annotations

from typing import Any

from tests.api.gql import Gql, create_profile, fresh
from tests.api.graphql.content.test_content import CREATE, UPDATE, create, parts

FIELDS = "id name label html text version parameters { name description default optional }"
CREATE_FRAGMENT = f"""
mutation ($input: CreateFragmentInput!) {{
  createFragment(input: $input) {{
    fragment {{ {FIELDS} }} warnings {{ code level part hint }} userErrors {{ code path message hint }}
  }}
}}"""
UPDATE_FRAGMENT = f"""
mutation ($input: UpdateFragmentInput!) {{
  updateFragment(input: $input) {{
    fragment {{ {FIELDS} }} warnings {{ code level part hint }} userErrors {{ code path message hint }}
  }}
}}"""
DELETE_FRAGMENT = "mutation ($id: ID!) { deleteFragment(id: $id) { deletedId userErrors { code message } } }"
PREVIEW = """
query ($input: PreviewInput!) { preview(input: $input) { subject html text warnings { code message part line column } } }"""
CONTENT = """
query ($id: ID!) { content(id: $id) { version dynamic { name html text variants { label condition html text } } } }"""
PARAMETERS = [
    {"name": "title", "description": "What stands first."},
    {"name": "n", "default": 2.5},
    {"name": "item", "optional": True},
]
HERO = {
    "name": "hero",
    "variants": [{"label": "France", "condition": "country = 'FR'", "html": "<b>Bonjour</b>", "text": None}],
    "html": "<b>Hello</b>",
    "text": "hello",
}


async def fragment(gql: Gql, **more: Any) -> dict[str, Any]:
    """A fragment."""
    base = {"name": fresh("piece"), "label": "Piece", "html": "<p>{{ title }} {{ n }}</p>", "parameters": PARAMETERS}
    made = await gql.do(CREATE_FRAGMENT, input={**base, **more})
    found: dict[str, Any] = made["fragment"]
    return found


async def test_fragments_are_created_read_changed_and_deleted(gql: Gql) -> None:
    made = await fragment(gql)
    assert (made["version"], made["text"]) == (1, None)
    assert made["parameters"] == [
        {"name": "title", "description": "What stands first.", "default": None, "optional": False},
        {"name": "n", "description": "", "default": 2.5, "optional": False},
        {"name": "item", "description": "", "default": None, "optional": True},
    ]
    changed = await gql.do(UPDATE_FRAGMENT, input={"id": made["id"], "text": "own", "expectedVersion": 1})
    assert (changed["fragment"]["text"], changed["fragment"]["html"]) == ("own", made["html"])
    assert (await gql.refused(UPDATE_FRAGMENT, input={"id": made["id"], "label": "x", "expectedVersion": 1}))[0]["code"] == (
        "VERSION_CHANGED"
    )

    asked = f"query ($id: ID!) {{ fragment(id: $id) {{ {FIELDS} }} node(id: $id) {{ ... on Fragment {{ text }} }} }}"
    assert await gql.ask(asked, id=made["id"]) == {"fragment": changed["fragment"], "node": {"text": "own"}}
    listed = await gql.ask("{ fragments(first: 500) { totalCount edges { node { id } } } }")
    assert made["id"] in [edge["node"]["id"] for edge in listed["fragments"]["edges"]]

    await gql.do(DELETE_FRAGMENT, id=made["id"])
    assert (await gql.ask(asked, id=made["id"]))["fragment"] is None


async def test_parameters_that_are_never_read_are_told_by_the_save(gql: Gql) -> None:
    base = {"name": fresh("piece"), "label": "x", "html": "<p>{{ title }} {{ n }}</p>", "parameters": PARAMETERS}
    made = await gql.do(CREATE_FRAGMENT, input=base)
    assert [(one["code"], one["level"], one["part"]) for one in made["warnings"]] == [
        ("PARAMETER_UNUSED", "WARNING", "parameters.2")
    ]
    changed = await gql.do(UPDATE_FRAGMENT, input={"id": made["fragment"]["id"], "html": "{{ title }} {{ n }} {{ item }}"})
    assert changed["warnings"] == []


async def test_mistakes_have_their_places(gql: Gql) -> None:
    base = {"name": fresh("piece"), "label": "x"}
    (error,) = await gql.refused(CREATE_FRAGMENT, input={**base, "html": "\n{{ profile.frist_name }}"})
    assert (error["path"], error["hint"]) == ("fragment.html:2:4", "Did you mean 'profile.first_name'?")
    bad = {**base, "html": "x", "parameters": [{"name": "a", "default": [1]}]}
    assert (await gql.refused(CREATE_FRAGMENT, input=bad))[0]["path"] == "parameters.0.default"

    made = await fragment(gql, html="<p>\n {{ word }}{{ title }}</p>")
    html = f'{{% render "{made["name"]}", title: profile.city %}}'
    (error,) = await gql.refused(CREATE, input={"name": fresh("mail"), "label": "x", "parts": parts(html=html, subject="x")})
    assert (error["code"], error["path"]) == ("UNKNOWN_VARIABLE", f"fragments.{made['name']}.html:2:5")
    assert error["message"] == f"there is no 'word' (in the fragment {made['name']!r})"


async def test_a_fragment_in_use_stays_and_goes_on_working(gql: Gql) -> None:
    made = await fragment(gql)
    content = await create(gql, parts=parts(html=f'{{% render "{made["name"]}", title: word %}}'))
    (error,) = await gql.refused(DELETE_FRAGMENT, id=made["id"])
    assert error["code"] == "IN_USE"
    (error,) = await gql.refused(UPDATE_FRAGMENT, input={"id": made["id"], "html": "{{ brand }}{{ title }}"})
    assert (error["code"], error["path"]) == ("FRAGMENT_BREAKS_CONTENT", f"fragments.{made['name']}.html:1:4")
    assert (await gql.ask("query ($id: ID!) { fragment(id: $id) { version } }", id=made["id"]))["fragment"]["version"] == 1

    await gql.do("mutation ($id: ID!) { deleteContent(id: $id) { userErrors { code message } } }", id=content["id"])
    await gql.do(DELETE_FRAGMENT, id=made["id"])


async def test_a_preview_shows_the_variant_of_the_profile_or_the_one_asked_for(gql: Gql) -> None:
    html = '<p>{% dynamic "hero" %}<img src="x"></p><a href="{% unsubscribe_url %}">x</a>'
    content = await create(gql, parts=parts(html=html, subject='{% dynamic "hero" %}'), dynamic=[HERO])
    assert (await gql.ask(CONTENT, id=content["id"]))["content"] == {"version": 1, "dynamic": [HERO]}
    french = await create_profile(gql, email=f"{fresh('zoe')}@shop.example", country="FR")
    nowhere = await create_profile(gql, email=f"{fresh('zoe')}@shop.example")

    async def shown(profile: str, **more: Any) -> tuple[str, str, bool]:
        asked = {"contentId": content["id"], "profileId": profile, **more}
        found = (await gql.ask(PREVIEW, input=asked))["preview"]
        return found["subject"], found["text"].split()[0], "<b>Bonjour</b>" in found["html"]

    assert await shown(french) == ("Bonjour", "Bonjour", True)
    assert await shown(nowhere) == ("hello", "Hello", False)
    assert await shown(nowhere, variants=[{"name": "hero", "number": 1}]) == ("Bonjour", "Bonjour", True)
    assert await shown(french, variants=[{"name": "hero", "number": 0}]) == ("hello", "Hello", False)
    for variants, code in (
        ([{"name": "hreo", "number": 0}], "UNKNOWN_DYNAMIC"),
        ([{"name": "hero", "number": 2}], "UNKNOWN_VARIANT"),
        ([{"name": "hero", "number": 0}] * 2, "VARIANT_TWICE"),
    ):
        assert await gql.code(PREVIEW, input={"contentId": content["id"], "profileId": french, "variants": variants}) == code


async def test_a_draft_with_fragments_and_variants_is_tried_and_told_where(gql: Gql) -> None:
    made = await fragment(gql, html='<p>{{ title }}{{ profile.city }}\n<img src="x"></p>')
    profile = await create_profile(gql, email=f"{fresh('zoe')}@shop.example", firstName="Zoë", country="FR")
    hero = {**HERO, "html": f'{{% render "{made["name"]}", title: profile.first_name %}}'}
    other = {**HERO, "name": "other"}
    draft = {"parts": parts(html='<p>{% dynamic "hero" %}</p>'), "dynamic": [hero, other], "profileId": profile}

    found = (await gql.ask(PREVIEW, input={**draft, "variants": [{"name": "hero", "number": 0}]}))["preview"]
    assert "<p>Zoë" in found["html"]
    told = {(one["code"], one["part"], one["line"], one["column"]) for one in found["warnings"]}
    assert ("IMAGE_WITHOUT_ALT", f"fragments.{made['name']}.html", 2, 1) in told
    assert ("MISSING_VALUE", f"fragments.{made['name']}.html", 1, 18) in told
    assert ("DYNAMIC_UNUSED", "dynamic.other", None, None) in told

    wrong = {**hero, "variants": [{"label": "x", "condition": "contry = 'FR'"}]}
    (error,) = await gql.errors(PREVIEW, input={**draft, "dynamic": [wrong]})
    assert error["extensions"]["path"] == "dynamic.hero.variants.0.condition:1:1"

    # what was asked for in vain hides nothing of that
    both = await gql.errors(PREVIEW, input={**draft, "dynamic": [wrong], "variants": [{"name": "hreo", "number": 0}] * 2})
    assert [one["extensions"]["code"] for one in both] == ["UNKNOWN_FIELD", "VARIANT_TWICE", "UNKNOWN_DYNAMIC"]


async def test_a_condition_alone_shows_something_to_some(gql: Gql) -> None:
    vip = {"name": "vip", "variants": [{"label": "VIP", "condition": "country = 'FR'"}]}
    html = '{% if dynamic.vip == 1 %}<p>Only you</p>{% endif %}<a href="{% unsubscribe_url %}">x</a>'
    content = await create(gql, parts=parts(html=html), dynamic=[vip])
    for country, seen in (("FR", True), ("DE", False), (None, False)):
        profile = await create_profile(gql, email=f"{fresh('zoe')}@shop.example", country=country, firstName="Zoë")
        shown = (await gql.ask(PREVIEW, input={"contentId": content["id"], "profileId": profile}))["preview"]
        assert ("Only you" in shown["html"], "Only you" in shown["text"]) == (seen, seen)
        assert [one["code"] for one in shown["warnings"]] == ["NULLABLE_FIELD"]


async def test_dynamic_content_is_changed_as_a_whole(gql: Gql) -> None:
    content = await create(gql, parts=parts(html='{% dynamic "hero" %}'), dynamic=[HERO])
    wrong = {**HERO, "variants": [{"label": "x", "condition": "country = 'FR' and gender = 'femal'", "html": ""}]}
    (error,) = await gql.refused(UPDATE, input={"id": content["id"], "dynamic": [wrong]})
    assert (error["code"], error["path"]) == ("BAD_VALUE", "dynamic.hero.variants.0.condition:1:29")
    assert (await gql.refused(UPDATE, input={"id": content["id"], "dynamic": []}))[0]["code"] == "UNKNOWN_DYNAMIC"
    await gql.do(UPDATE, input={"id": content["id"], "dynamic": [{**HERO, "html": "new"}]})
    kept = (await gql.ask(CONTENT, id=content["id"]))["content"]
    assert (kept["version"], kept["dynamic"][0]["html"]) == (2, "new")


async def test_links_in_fragments_are_listed_for_several_contents_at_once(gql: Gql) -> None:
    button = await fragment(gql, html='<p>\n<a href="https://shop.example/go">Go</a></p>', parameters=[])
    html = f'{{% render "{button["name"]}" %}}<a href="{{% unsubscribe_url %}}">x</a>'
    ids = [(await create(gql, parts=parts(html=html)))["id"] for _ in range(2)]
    asked = "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Content { foundLinks { url part line column } } } }"
    for node in (await gql.ask(asked, ids=ids))["nodes"]:
        found = {"url": "https://shop.example/go", "part": f"fragments.{button['name']}.html", "line": 2, "column": 10}
        assert found in node["foundLinks"]
