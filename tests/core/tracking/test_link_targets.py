"""Where links lead: by language, with campaign parameters, in loops, and never to where a value wants."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from channels.contract import Program
from core.content.compile import FrozenContent, thaw
from core.content.records import CampaignParameter, CampaignParameters, LinkSettings, TrackingMode
from core.db import Pool
from core.delivery import programs, reading
from core.errors import NotFound
from core.public_urls import PublicUrls
from core.tracking.process import sent_messages_of
from core.tracking.records import Message
from core.tracking.sent import Gone, SentMessages
from tests.core.tracking.campaign import BASE_URL, Campaign, add_profile, prepared_campaign

HTML = """{% for sku in skus %}{% if sku != "skip" %}
<a href="https://shop.example/p/{{ sku }}?for={{ profile.first_name }}">P</a>{% endif %}{% endfor %}
<a href="https://shop.example/all#top">All</a> <a href="https://other.example/never?x={{ profile.country }}">Never</a>
<a href="https://shop.example/leave">Leave</a> <a href="https://shop.example/view">View</a>
<a href="{% unsubscribe_url %}">Bye</a>"""
GERMAN = """<a href="https://shop.example/de/{{ profile.first_name }}">Hier</a> <a href="https://shop.example/all#top">Alle</a>
<a href="{% mirror_url %}">Im Browser</a> <a href="{% unsubscribe_url %}">Weg</a>"""
AUTHORED: dict[str, Any] = {
    "data": {"skus": ["tea & co", "skip", "cake/2"]},
    "translations": {"de": {"html": GERMAN, "text": ""}},
    "links": (
        LinkSettings(url="https://other.example/never?x={{ profile.country }}", mode=TrackingMode.NEVER),
        LinkSettings(url="https://shop.example/leave", mode=TrackingMode.OPT_OUT, category="exit", campaign_parameters=False),
        LinkSettings(url="https://shop.example/view", mode=TrackingMode.MIRROR),
        LinkSettings(url="https://shop.example/all#top", label="Everything"),
    ),
    "campaign_parameters": CampaignParameters(
        parameters=(
            CampaignParameter(name="utm_source", value="news & more"),
            CampaignParameter(name="utm_content", value="{{ profile.country }}-{{ delivery.label }}"),
        ),
        hosts=("shop.example",),
    ),
}
HOSTILE = "@evil.example/?#&x=1"


def urls_of(campaign: Campaign) -> PublicUrls:
    return PublicUrls(campaign.runtime.settings, campaign.runtime.keyring)


async def test_every_link_leads_where_its_language_and_settings_say(pool: Pool, database_url: str, tmp_path: Path) -> None:
    async with pool.acquire() as conn:
        ana = await add_profile(conn, HOSTILE, "FR")
        bert = await add_profile(conn, "Bert", "DE", "de-CH")
    async with prepared_campaign(pool, database_url, tmp_path, html=HTML, **AUTHORED) as campaign:
        sent = sent_messages_of(campaign.runtime)
        urls = urls_of(campaign)

        async def locations(profile_id: int) -> list[str]:
            found = []
            for path in (await campaign.paths(profile_id)).clicks[:-1]:  # without the hidden one
                token = urls.read(path.rsplit("/", 1)[1])
                assert token is not None
                found.append((await sent.target(token)).location)
            return found

        # Ana reads English; nothing in her name leads anywhere else
        utm = "utm_source=news%20%26%20more&utm_content=FR-spring"
        name = "%40evil.example%2F%3F%23%26x%3D1"
        assert await locations(ana) == [
            f"https://shop.example/p/tea%20%26%20co?for={name}&{utm}",
            f"https://shop.example/p/cake%2F2?for={name}&{utm}",
            f"https://shop.example/all?{utm}#top",
            "https://shop.example/leave",
        ]
        html = await campaign.html(ana)
        assert '<a href="https://other.example/never?x=FR">' in html
        assert html.count(f"{BASE_URL}/m/") == 1
        # Bert reads German
        utm = utm.replace("FR", "DE")
        assert await locations(bert) == [f"https://shop.example/de/Bert?{utm}", f"https://shop.example/all?{utm}#top"]
        german = (await sent.parts(Message(delivery_id=campaign.delivery_id, recipient_kind=1, recipient_id=bert))).html
        assert german is not None
        assert "Hier" in german

        # And numbers mean the same in both, so that reports add up
        async with pool.acquire() as conn:
            links = await reading.list_links(conn, campaign.delivery_id)
            hidden = await sent.hidden(conn, campaign.delivery_id)
            shown = await sent.shown(
                conn, [Message(delivery_id=campaign.delivery_id, recipient_kind=1, recipient_id=one) for one in (ana, bert)]
            )
        assert [(link.number, link.url, link.label, link.category, link.mode) for link in links] == [
            (1, "https://shop.example/p/{{ sku }}?for={{ profile.first_name }}", "P", None, TrackingMode.TRACKED),
            (2, "https://shop.example/all#top", "Everything", None, TrackingMode.TRACKED),
            (3, "https://shop.example/leave", "Leave", "exit", TrackingMode.OPT_OUT),
            (5, "https://shop.example/de/{{ profile.first_name }}", "Hier", None, TrackingMode.TRACKED),
        ]  # fmt: skip
        assert hidden == {4}
        assert [one.visible for one in shown.values()] == [{1, 2, 3}, {5, 2}]


async def test_a_fixed_address_with_a_personal_parameter_is_personal(pool: Pool, database_url: str, tmp_path: Path) -> None:
    async with pool.acquire() as conn:
        people = [await add_profile(conn, "Ana", country) for country in ("FR", "ES")]
    async with prepared_campaign(pool, database_url, tmp_path, html=HTML, **AUTHORED) as campaign:
        sent = sent_messages_of(campaign.runtime)
        tokens = {}
        for one in people:
            for path in (await campaign.paths(one)).clicks:
                token = urls_of(campaign).read(path.rsplit("/", 1)[1])
                assert token is not None
                tokens[one, token.link] = token
        found = [dict(parse_qsl(urlsplit((await sent.target(tokens[one, 2])).location).query)) for one in people]
        assert [one["utm_content"] for one in found] == ["FR-spring", "ES-spring"]

        # After their erasure only what says nothing about them goes on leading somewhere
        async with pool.acquire() as conn:
            await conn.execute('UPDATE ledger SET "values" = NULL, address = NULL')
        afresh = SentMessages(pool, campaign.engine.programs, urls_of(campaign), wait_seconds=2)
        assert (await afresh.target(tokens[people[0], 3])).location == "https://shop.example/leave"
        with pytest.raises(Gone):
            await afresh.target(tokens[people[0], 2])
        await afresh.close()


async def test_an_occurrence_that_was_not_written_leads_nowhere(pool: Pool, database_url: str, tmp_path: Path) -> None:
    async with pool.acquire() as conn:
        ana = await add_profile(conn, "Ana")
    async with prepared_campaign(pool, database_url, tmp_path, html=HTML, **AUTHORED) as campaign:
        sent = sent_messages_of(campaign.runtime)
        token = urls_of(campaign).read((await campaign.paths(ana)).clicks[1].rsplit("/", 1)[1])
        assert token is not None
        assert (token.link, token.link_occurrence) == (1, 1)
        assert re.match("https://shop.example/p/cake", (await sent.target(token)).location)
        with pytest.raises(NotFound):
            await sent.target(replace(token, link_occurrence=2))


async def test_a_language_that_cannot_be_compiled_any_more_stops_no_other(
    pool: Pool, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pool.acquire() as conn:
        ana = await add_profile(conn, "Ana", "FR")
        bert = await add_profile(conn, "Bert", "DE", "de")
    async with prepared_campaign(pool, database_url, tmp_path, html=HTML, **AUTHORED) as campaign:
        ours = {one: urls_of(campaign).read((await campaign.paths(one)).clicks[0].rsplit("/", 1)[1]) for one in (ana, bert)}
        tried: list[str] = []

        def unable(frozen: FrozenContent, *more: Any) -> Program:
            if frozen.locale != "de":
                return thaw(frozen, *more)
            tried.append(frozen.locale)
            raise ValueError("a stranger's mistake")

        monkeypatch.setattr(programs, "thaw", unable)
        afresh = programs.Programs(campaign.engine.registry, urls_of(campaign))
        sent = SentMessages(pool, afresh, urls_of(campaign), wait_seconds=2)
        for _ in range(2):
            token = ours[bert]
            assert token is not None
            with pytest.raises(NotFound):
                await sent.target(token)
        token = ours[ana]
        assert token is not None
        assert "tea" in (await sent.target(token)).location
        assert tried == ["de"]
        await sent.close()
