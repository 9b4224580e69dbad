"""A field of the team's own, from its publication to the mailbox and the mirror page."""

from __future__ import annotations

from html import escape
from typing import Any

import pytest

from tests.flows.client import Client, Refused
from tests.flows.conftest import Place
from tests.flows.journey import (
    create_account,
    create_audience,
    create_content,
    create_delivery,
    find_profile,
    import_people,
    make_csv,
    send,
)
from tests.flows.people import fresh_domain
from tests.flows.post import read_letters

FIELDS: tuple[dict[str, Any], ...] = (
    {"dataset": "profile", "name": "motto", "kind": "TEXT", "maxLength": 100},
    {"dataset": "profile", "name": "spent", "kind": "DECIMAL"},
    {"dataset": "profile", "name": "renewal", "kind": "DATE"},
    {
        "dataset": "profile", "name": "tier", "kind": "ENUMERATION",
        "choices": [{"name": "gold", "label": "Gold card"}, {"name": "silver", "label": "Silver card"}],
    },
    {"dataset": "delivery", "name": "theme", "kind": "TEXT", "maxLength": 50},
    {"dataset": "campaign", "name": "slogan", "kind": "TEXT", "maxLength": 50},
)  # fmt: skip
HOSTILE = "<script>&\"'{{ profile.email }}</script>"
PARTS = {
    "subject": "{{ profile.motto }} ({{ profile.tier }})",
    "html": "<html><body><p>{{ profile.motto }}|{{ profile.spent }}|{{ profile.renewal | date: '%d.%m.%Y' }}|"
    "{{ profile.tier }}|{{ delivery.theme }}|{{ campaign.slogan }}</p>"
    '<a href="https://shop.example/?m={{ profile.motto }}">Shop</a> <a href="{% mirror_url %}">Web</a>'
    ' <a href="{% unsubscribe_url %}">Leave</a></body></html>',
    "text": "{{ profile.motto }}|{{ profile.spent }}|{{ profile.tier }}|{{ delivery.theme }}|{{ campaign.slogan }} "
    "{% unsubscribe_url %}",
    "from_name": "The shop",
    "from_address": "news@shop.example",
}


async def publish(client: Client) -> None:
    for one in FIELDS:
        saved = await client.do(
            """mutation ($i: SaveDataFieldInput!) { saveDataField(input: $i) {
                 draft { version } userErrors { code message path } } }""",
            i={"label": one["name"], **one},
        )
    await publish_draft(client, saved)


async def publish_draft(client: Client, saved: dict[str, Any]) -> None:
    await client.do(
        """mutation ($v: Int!) { publishDataModel(draftVersion: $v) {
             dataModel { version } userErrors { code message path } } }""",
        v=saved["draft"]["version"],
    )


async def a_campaign(client: Client) -> str:
    made = await client.do(
        """mutation ($i: CreateCampaignInput!) { createCampaign(input: $i) {
             campaign { id teamFields } userErrors { code message path } } }""",
        i={"name": "own-fields", "label": "Own fields", "teamFields": {"slogan": "Buy <now>"}},
    )
    assert made["campaign"]["teamFields"] == {"slogan": "Buy <now>"}
    campaign_id: str = made["campaign"]["id"]
    return campaign_id


async def test_a_published_field_is_imported_written_and_shown_as_it_was_sent(place: Place) -> None:
    client = place.client
    domain = fresh_domain()
    # Given fields of the team, in the processes of the house at once, and people with values from a file
    await publish(client)
    people = [
        {"email": f"a@{domain}", "motto": HOSTILE, "spent": "1234.50", "renewal": "2026-12-31", "tier": "Gold card"},
        {"email": f"b@{domain}", "tier": "gold"},
        {"email": f"c@{domain}", "tier": "silver", "motto": "nobody writes to me"},
    ]
    await import_people(client, make_csv(people, ("email", "motto", "spent", "renewal", "tier")))

    # When they are asked about, and read in every part of a message
    audience = await create_audience(client, f"email_domain = '{domain}' and tier = 'gold'")
    content = await create_content(client, PARTS)
    account = await create_account(client, place.sink_port)
    delivery = await create_delivery(
        client, audience=audience, account=account, content=content,
        campaignId=await a_campaign(client), teamFields={"theme": "R&D"},
    )  # fmt: skip
    assert (await send(client, delivery))["counts"]["accepted"] == 2

    # Then the mails have the values, each part in its own spelling
    letters = {one.recipient: one for one in read_letters(place.mail) if one.recipient.endswith(domain)}
    assert sorted(letters) == [f"a@{domain}", f"b@{domain}"]
    full, empty = letters[f"a@{domain}"], letters[f"b@{domain}"]
    assert full.subject == f"{HOSTILE} (gold)"
    line = f"<p>{escape(HOSTILE).replace('&#x27;', '&#39;')}|1234.50|31.12.2026|gold|R&amp;D|Buy &lt;now&gt;</p>"
    assert line in full.html
    assert f"{HOSTILE}|1234.50|gold|R&D|Buy <now>" in full.text
    assert "<p>|||gold|R&amp;D|Buy &lt;now&gt;</p>" in empty.html

    # And the mirror page and the link stay what they were when everything has changed
    before = await client.http.get(full.mirror)
    assert line in before.text
    person = await find_profile(client, f"a@{domain}")
    await client.do(
        """mutation ($i: UpdateProfileInput!) { updateProfile(input: $i) {
             profile { id } userErrors { code message path } } }""",
        i={"id": person["id"], "teamFields": {"motto": "other", "spent": "0", "tier": "silver", "renewal": None}},
    )
    after = await client.http.get(full.mirror)
    assert after.content == before.content
    (link,) = full.links
    led = await client.http.get(link, follow_redirects=False)
    assert led.headers["location"].startswith("https://shop.example/?m=%3Cscript%3E%26%22%27%7B%7B")

    # And what is read is not hidden, by whoever asks
    removed = await client.do(
        """mutation { removeDataField(dataset: "profile", name: "motto") {
             draft { version } userErrors { code message path } } }"""
    )
    with pytest.raises(Refused, match=r"\(motto\)") as refused:
        await publish_draft(client, removed)
    assert refused.value.codes == ["FIELD_IN_USE"]
