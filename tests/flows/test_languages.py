"""One delivery in three languages: each reader's words, numbers and addresses, and clicks that add up over all of them."""

from __future__ import annotations

from tests.flows.conftest import Place
from tests.flows.journey import (
    create_account,
    create_audience,
    create_content,
    create_delivery,
    import_people,
    make_csv,
    prepare,
    reach,
    report_of,
    send,
)
from tests.flows.people import fresh_domain
from tests.flows.post import Letter, read_letters

READERS = {"ana": "en-GB", "bert": "de-CH", "caio": "pt-BR", "dora": "pt", "emil": "", "fumi": "ja"}

ENGLISH = """<html><body>
<p>Hello {{ profile.first_name }}, {{ 1234.5 | number }} things until {{ delivery.date | localdate: 'MMMM' }}</p>
{% for product in products %}
<a href="https://shop.example/p/{{ product.sku }}?for={{ profile.first_name }}">{{ product.name }}</a>
{% endfor %}
<a href="https://shop.example/all#top">Everything</a>
<a href="https://partner.example/x?a=1&amp;b={{ profile.country }}">Partner</a>
<a href="https://shop.example/leave">No more</a> <a href="https://shop.example/online">Online</a>
<a href="{% unsubscribe_url %}">Unsubscribe</a></body></html>"""
GERMAN = ENGLISH.replace("Hello", "Hallo").replace("Everything", "Alles").replace("things until", "Dinge bis")
PORTUGUESE = """<html><body><p>Olá {{ profile.first_name }}, {{ 1234.5 | number }}</p>
<a href="https://loja.shop.example/tudo">Tudo</a> <a href="https://shop.example/all#top">All</a>
<a href="https://shop.example/online">Online</a> <a href="{% unsubscribe_url %}">Sair</a></body></html>"""
PARTS = {"subject": "News, {{ profile.first_name }}", "html": ENGLISH, "from_address": "news@shop.example", "from_name": "Shop"}
AUTHORED = {
    "language": "en",
    "translations": [
        {
            "language": "de",
            "parts": [{"name": "html", "source": GERMAN}, {"name": "subject", "source": "Neues, {{ profile.first_name }}"}],
        },
        {"language": "pt_br", "parts": [{"name": "html", "source": PORTUGUESE}]},
    ],
    "links": [
        {"url": "https://shop.example/all#top", "label": "Everything there is", "category": "overview"},
        {"url": "https://partner.example/x?a=1&b={{ profile.country }}", "mode": "NEVER"},
        {"url": "https://shop.example/leave", "mode": "OPT_OUT", "campaignParameters": False},
        {"url": "https://shop.example/online", "mode": "MIRROR"},
    ],
    "campaignParameters": {
        "parameters": [
            {"name": "utm_source", "value": "newsletter"},
            {"name": "utm_content", "value": "{{ profile.country | default: 'none' }} & co"},
        ],
        "hosts": ["shop.example"],
    },
}  # fmt: skip


async def test_each_reader_gets_a_language_and_every_link_its_settings(place: Place) -> None:
    client = place.client
    domain = fresh_domain()
    rows = [
        {"email": f"{name}@{domain}", "first_name": name.title(), "country": "FR", "language": language}
        for name, language in READERS.items()
    ]
    await import_people(client, make_csv(rows, ("email", "first_name", "country", "language")))
    delivery = await create_delivery(
        client,
        audience=await create_audience(client, f"email_domain = '{domain}'"),
        account=await create_account(client, place.sink_port),
        content=await create_content(client, PARTS, **AUTHORED),
    )

    # When it is sent
    done = await send(client, delivery)
    assert done["counts"]["accepted"] == len(READERS)

    # Then everybody reads their language, and numbers as they are written there
    letters = {
        letter.recipient.split("@")[0]: letter for letter in read_letters(place.mail) if letter.recipient.endswith(f"@{domain}")
    }
    for name in ("ana", "emil", "fumi"):
        assert f"Hello {name.title()}, 1,234.5 things" in letters[name].html
        assert letters[name].subject == f"News, {name.title()}"
    assert "Hallo Bert, 1.234,5 Dinge bis" in letters["bert"].html
    assert letters["bert"].subject == "Neues, Bert"
    for name in ("caio", "dora"):
        assert f"Olá {name.title()}, 1.234,5" in letters[name].html
        assert letters[name].subject == f"News, {name.title()}"  # is not translated
        assert "Olá" in letters[name].text

    # And links lead where they should, with what was to be appended
    utm = "utm_source=newsletter&utm_content=FR%20%26%20co"
    everybody = [f"https://shop.example/p/{sku}?for={{}}&{utm}" for sku in ("boot", "lamp")]
    everybody += [f"https://shop.example/all?{utm}#top", "https://shop.example/leave"]
    for name in ("ana", "bert"):
        assert await _locations(place, letters[name]) == [target.format(name.title()) for target in everybody]
        assert '"https://partner.example/x?a=1&amp;b=FR"' in letters[name].html
    assert await _locations(place, letters["caio"]) == [
        f"https://loja.shop.example/tudo?{utm}", f"https://shop.example/all?{utm}#top",
    ]  # fmt: skip

    # And the address that stands for the mirror page shows the same message, in the same language
    for name, word in (("ana", "Hello Ana"), ("bert", "Hallo Bert"), ("dora", "Olá Dora")):
        page = await client.http.get(letters[name].mirror)
        assert page.status_code == 200
        assert word in page.text

    # And clicks of all languages add up, link by link; who follows every link at once is a machine
    assert (await report_of(client, delivery))["metrics"]["clicks"] == 0
    links = {link["url"]: link for link in (await report_of(client, delivery, machines=True))["links"]}
    overview = links["https://shop.example/all#top"]
    assert (overview["total"], overview["unique"]) == (3, 3)
    assert (overview["label"], overview["category"], overview["mode"]) == ("Everything there is", "overview", "TRACKED")
    assert links["https://shop.example/leave"]["mode"] == "OPT_OUT"
    assert links["https://loja.shop.example/tudo"]["total"] == 1
    assert len(links) == 4


async def test_a_preparation_that_is_stopped_half_way_and_done_again_has_the_languages_of_now(place: Place) -> None:
    client = place.client
    domain = fresh_domain()
    rows = [{"email": f"{name}@{domain}", "first_name": name, "language": language} for name, language in READERS.items()]
    await import_people(client, make_csv(rows, ("email", "first_name", "language")))
    content = await create_content(client, PARTS, **AUTHORED)
    delivery = await create_delivery(
        client,
        audience=await create_audience(client, f"email_domain = '{domain}'"),
        account=await create_account(client, place.sink_port),
        content=content,
    )
    await prepare(client, delivery)
    await client.do(
        "mutation ($input: UpdateContentInput!) { updateContent(input: $input) { content { id } userErrors { code } } }",
        input={"id": content, "translations": [{"language": "de", "parts": None}]},
    )
    await prepare(client, delivery)
    await client.do("mutation ($id: ID!) { confirmDelivery(id: $id) { delivery { id } userErrors { code } } }", id=delivery)
    await reach(client, delivery, "FINISHED")
    letters = {letter.recipient: letter for letter in read_letters(place.mail)}
    assert "Hello bert" in letters[f"bert@{domain}"].html
    assert "Olá caio" in letters[f"caio@{domain}"].html


async def _locations(place: Place, letter: Letter) -> list[str]:
    """Where the links of a letter lead, each visited once."""
    answers = [await place.client.http.get(link, follow_redirects=False) for link in letter.links]
    assert [answer.status_code for answer in answers] == [302] * len(answers)
    return [answer.headers["location"] for answer in answers]
