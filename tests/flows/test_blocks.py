"""Fragments and dynamic content from writing to the mirror page: each recipient gets one variant, the right one."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import pytest

from tests.flows.client import Client, Refused
from tests.flows.conftest import Place
from tests.flows.journey import (
    ask_for,
    create_account,
    create_audience,
    create_content,
    create_delivery,
    create_fragment,
    explain,
    find_profile,
    import_people,
    make_csv,
    prepare,
    send,
)
from tests.flows.people import COLUMNS, fresh_domain, make_people
from tests.flows.post import Letter, read_letters

COUNT = 60
MARKS = ("default of all", "variant for France", "variant for M&amp;unich", "variant of the nameless")


def hero(section: str) -> dict[str, Any]:
    """Overlapping conditions, one of them on what many do not have; variants with links, Liquid and fragments."""
    return {
        "name": "hero",
        "variants": [
            {
                "label": "France",
                "condition": "country = 'FR'",
                "html": f'<p>{MARKS[1]} <a href="https://shop.example/fr/{{{{ profile.city }}}}">Voir</a></p>',
                "text": f"Le {MARKS[1]} https://shop.example/fr/{{{{ profile.city }}}}",
            },
            {
                "label": "Munich",
                "condition": "country in ('FR', 'DE')",
                "html": f'{{% render "{section}", title: profile.first_name %}}<p>{MARKS[2]}</p>',
            },
            {"label": "Nameless", "condition": "first_name is null", "html": f"<p>{MARKS[3]}</p>"},
        ],
        "html": f"<p>{MARKS[0]}</p>",
    }


def people(domain: str) -> list[dict[str, str]]:
    """People of four countries and of none, some without a name."""
    found = make_people(domain, COUNT)
    for number, person in enumerate(found):
        if number % 5 == 0:
            person["country"] = ""
        if number % 7 == 0:
            person["first_name"] = ""
    return found


def variant_of(person: dict[str, str]) -> int:
    """What the conditions say of somebody."""
    if person["country"] == "FR":
        return 1
    if person["country"] == "DE":
        return 2
    return 0 if person["first_name"] else 3


async def write(client: Client) -> tuple[str, str]:
    """Content made of fragments in fragments, in a loop, with parameters; returns its id and that of the inner fragment."""
    button_id, button = await create_fragment(
        client,
        '<a class="button" href="https://shop.example/p/{{ item.sku }}?n={{ place }}&c={{ profile.country }}">{{ words }}: '
        "{{ item.name }}</a>",
        parameters=[{"name": "item"}, {"name": "place", "default": 0}, {"name": "words", "default": "Buy"}],
    )
    _, section = await create_fragment(
        client,
        f'<h2>{{{{ title | default: "Hello" }}}}</h2>{{% for product in products %}}'
        f'{{% render "{button}" with product as item, place: forloop.index %}}{{% endfor %}}',
        parameters=[{"name": "title", "optional": True}],
    )
    parts = {
        "subject": '{% dynamic "topic" %} for you',
        "html": "<html><head><style>.button { color: #123456 }</style></head><body>"
        f'{{%- render "{section}", title: "All" -%}} {{% dynamic "hero" %}}'
        f'<p>{{% render "{button}" for products as item, words: "Look" %}}</p>'
        '<a href="{% mirror_url %}">Web</a> <a href="{% unsubscribe_url %}">Leave</a></body></html>',
        "from_name": "Shop",
        "from_address": "news@shop.example",
    }
    topic = {"name": "topic", "variants": [{"label": "x", "condition": "country = 'JP'", "text": "日本", "html": "JP"}]}
    topic["html"] = "News"
    content = await create_content(client, parts, dynamic=[hero(section), topic], inlineCss=True)
    return content, button_id


async def test_each_recipient_gets_exactly_one_variant_everywhere(place: Place) -> None:
    client = place.client
    domain = fresh_domain()
    persons = people(domain)
    run = await import_people(client, make_csv(persons, COLUMNS))
    assert run["inserted"] == COUNT

    # Given content of fragments and variants, seen in a preview
    content, button_id = await write(client)
    somebody = await find_profile(client, persons[2]["email"])
    assert MARKS[variant_of(persons[2])] in await _preview(client, content, somebody["id"])
    assert MARKS[1] in await _preview(client, content, somebody["id"], variants=[{"name": "hero", "number": 1}])

    # When it was prepared, and a fragment in a fragment is changed
    audience = await create_audience(client, f"email_domain = '{domain}'")
    account = await create_account(client, place.sink_port)
    delivery = await create_delivery(client, audience=audience, account=account, content=content)
    assert (await prepare(client, delivery))["state"] == "READY"
    await _change(
        client, button_id, parameters=[{"name": "item"}, {"name": "place", "default": 1}, {"name": "words", "default": "Get"}]
    )
    with pytest.raises(Refused) as stale:
        await ask_for(client, "confirm", delivery)
    assert stale.value.codes == ["STALE_PREPARATION"]
    assert re.match(r"the fragment '[\w-]+' changed", stale.value.errors[0]["message"])

    # Then, prepared again, everybody gets the one variant whose condition is the first that is true
    await send(client, delivery)
    letters = {letter.recipient: letter for letter in read_letters(place.mail) if letter.recipient.endswith(domain)}
    assert len(letters) == COUNT
    for person in persons:
        await _check(client, letters[person["email"]], person)
    assert {variant_of(person) for person in persons} == {0, 1, 2, 3}

    # And a change afterwards changes nothing of what was sent
    await _change(client, button_id, html="<p>changed</p>{{ item }}{{ place }}{{ words }}")
    for person in persons[:4]:
        await _check(client, letters[person["email"]], person)
    row = await explain(client, delivery, somebody["id"])
    assert row["row"]["state"] == "ACCEPTED"


async def _check(client: Client, letter: Letter, person: dict[str, str]) -> None:
    """One message: its variant in HTML, text and subject, its links, and the same on the mirror page."""
    number = variant_of(person)
    assert letter.subject == ("日本" if person["country"] == "JP" else "News") + " for you"
    page = await client.http.get(letter.mirror)
    assert page.status_code == 200
    for html in (letter.html, page.text):
        assert [mark for mark in MARKS if mark in html] == [MARKS[number]]
        assert html.count('style="color: #123456"') == (4 if number != 2 else 6)
    marks = [mark.replace("&amp;", "&") for mark in MARKS]
    assert [mark for mark in marks if mark in letter.text] == [marks[number]]

    country = person["country"]
    shop = "https://shop.example"
    in_a_section = [f"{shop}/p/{sku}?n={place}&c={country}" for place, sku in enumerate(("boot", "lamp"), 1)]
    in_the_end = [f"{shop}/p/{sku}?n=1&c={country}" for sku in ("boot", "lamp")]
    of_the_variant = {1: [f"{shop}/fr/{quote(person['city'])}"], 2: in_a_section}.get(number, [])
    assert await _targets(client, letter) == [*in_a_section, *of_the_variant, *in_the_end]


async def _targets(client: Client, letter: Letter) -> list[str]:
    """Where the links lead that a reader can follow."""
    answers = [await client.http.get(link) for link in letter.links]
    assert [answer.status_code for answer in answers] == [302] * len(answers)
    return [answer.headers["location"] for answer in answers]


async def _preview(client: Client, content: str, profile: str, **more: Any) -> str:
    document = "query ($input: PreviewInput!) { preview(input: $input) { html warnings { code part } } }"
    shown = (await client.ask(document, input={"contentId": content, "profileId": profile, **more}))["preview"]
    assert "RENDERING_FAILED" not in [one["code"] for one in shown["warnings"]]
    html: str = shown["html"]
    return html


async def _change(client: Client, fragment: str, **changes: Any) -> None:
    document = """
        mutation ($input: UpdateFragmentInput!) { updateFragment(input: $input) { userErrors { code message path } } }"""
    await client.do(document, input={"id": fragment, **changes})
