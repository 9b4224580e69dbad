"""What recipients reach, over ASGI on real parts: a message is composed and prepared, and its own addresses are used."""

from __future__ import annotations

import asyncio
import base64
import os
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import httpx
import pytest
import pytest_asyncio
from starlette.types import Receive, Scope, Send

from api.http.tracking import PublicPages
from core.db import Pool, open_pool
from core.public_urls import PublicUrls
from core.reporting import people
from core.secrets import new_key_text, parse_keyring
from core.tracking import reading
from core.tracking.process import tracking_of
from core.tracking.records import TrackingEvent, TrackingKind
from core.tracking.store import count_rows
from core.tracking.stream import read
from render_ext import Token, TokenKey, TokenKind, mint
from tests.core.tracking.campaign import BASE_URL, Campaign, add_profile, prepared_campaign

BROWSER = {"user-agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140.0.0.0 Safari/537.36"}


async def elsewhere(scope: Scope, receive: Receive, send: Send) -> None:
    """The rest of the API."""
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


def client_of(pages: PublicPages) -> httpx.AsyncClient:
    """A browser that does not follow redirects and keeps no cookies it is not given."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=pages.in_front_of(elsewhere)), base_url=BASE_URL, headers=BROWSER
    )


@pytest_asyncio.fixture
async def anna(pool: Pool) -> int:
    """Anna & Co, in France."""
    async with pool.acquire() as conn:
        return await add_profile(conn, "Anna & Co/é", "FR")


@pytest_asyncio.fixture
async def campaign(pool: Pool, database_url: str, tmp_path: Path, anna: int) -> AsyncIterator[Campaign]:
    """The spring delivery."""
    async with prepared_campaign(pool, database_url, tmp_path) as made:
        yield made


@pytest_asyncio.fixture
async def pages(campaign: Campaign) -> AsyncIterator[PublicPages]:
    """The public pages of a process."""
    opened = PublicPages(campaign.runtime)
    await opened.start()
    try:
        yield opened
    finally:
        await opened.stop()


@pytest_asyncio.fixture
async def client(pages: PublicPages) -> AsyncIterator[httpx.AsyncClient]:
    """A browser."""
    async with client_of(pages) as opened:
        yield opened


async def events(pool: Pool) -> list[TrackingEvent]:
    """All that is stored."""
    async with pool.acquire() as conn:
        return await read(conn, 0, 1000)


async def opted_out(pool: Pool, profile_id: int) -> bool:
    """Whether they refuse email."""
    flag: bool = await pool.fetchval("SELECT opt_out_email FROM profile WHERE id = $1", profile_id)
    return flag


async def test_clicks_lead_where_the_message_says(client: httpx.AsyncClient, campaign: Campaign, pool: Pool, anna: int) -> None:
    # Given the links of Anna's message: a fixed one, one only for France, one with her name, and the hidden one
    paths = await campaign.paths(anna)
    answers = [await client.get(path) for path in paths.clicks[:3]]
    # Then each leads to its address, personal values encoded, and nothing may keep the answer
    assert [answer.status_code for answer in answers] == [302, 302, 302]
    assert [answer.headers["location"] for answer in answers] == [
        "https://shop.example/spring?from=mail&kind=a",
        "https://shop.example/france",
        "https://shop.example/for/Anna%20%26%20Co%2F%C3%A9?c=FR",
    ]
    assert all(answer.headers["cache-control"] == "no-store" for answer in answers)
    assert not any("set-cookie" in answer.headers for answer in answers)
    # And each answer is a stored event, with the address as its author wrote it
    stored = [one for one in await events(pool) if one.corrects is None]
    assert [(one.kind, one.recipient_id, one.link) for one in stored] == [
        (TrackingKind.CLICK, anna, 1), (TrackingKind.CLICK, anna, 2), (TrackingKind.CLICK, anna, 3),
    ]  # fmt: skip
    assert stored[2].url == "https://shop.example/for/{{ profile.first_name }}?c={{ profile.country }}"
    assert stored[0].user_agent == BROWSER["user-agent"]


async def test_every_link_at_once_is_a_machine_also_where_conditions_hide_some(
    client: httpx.AsyncClient, campaign: Campaign, pool: Pool, database_url: str, tmp_path: Path
) -> None:
    # Given somebody outside France, whose message shows two of the three links
    async with pool.acquire() as conn:
        otto = await add_profile(conn, "Otto")
        await conn.execute("UPDATE delivery SET version = version + 1 WHERE id = $1", campaign.delivery_id)
        await conn.execute(
            """
            INSERT INTO ledger (delivery_id, recipient_id, program_id, due_at, state, address, address_key, values)
            SELECT delivery_id, $2, program_id, due_at, state, address, address_key,
                   values || '{"country": "DE", "first_name": "Otto"}'
              FROM ledger WHERE delivery_id = $1 LIMIT 1
            """,
            campaign.delivery_id, otto,
        )  # fmt: skip
    paths = await campaign.paths(otto)
    assert len(paths.clicks) == 3, "two links and the hidden one"
    # When all that is shown is followed within a moment
    for path in paths.clicks[:2]:
        assert (await client.get(path)).status_code == 302
    # Then a moment later the clicks are taken back: whoever reads a message does not do that
    await tracking_of(campaign.runtime).recorder.settled()
    found = await events(pool)
    assert [(one.corrects, one.machine_rule) for one in found] == [(None, 0), (None, 0), (1, 7), (2, 7)]


async def test_the_hidden_link_marks_a_machine(client: httpx.AsyncClient, campaign: Campaign, pool: Pool, anna: int) -> None:
    paths = await campaign.paths(anna)
    answer = await client.get(paths.clicks[-1])
    assert answer.status_code == 302
    assert answer.headers["location"].startswith(BASE_URL)
    assert [one.machine_rule for one in await events(pool)] == [8]


async def test_the_pixel(client: httpx.AsyncClient, campaign: Campaign, pool: Pool, anna: int) -> None:
    paths = await campaign.paths(anna)
    answer = await client.get(paths.pixel)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/gif")
    assert answer.content.startswith(b"GIF89a\x01\x00\x01\x00")
    assert answer.headers["cache-control"] == "no-store"
    assert [one.kind for one in await events(pool)] == [TrackingKind.OPEN]


async def test_the_mirror_page_is_what_was_sent(client: httpx.AsyncClient, campaign: Campaign, pool: Pool, anna: int) -> None:
    paths = await campaign.paths(anna)
    answer = await client.get(paths.mirror)
    assert answer.status_code == 200
    assert answer.text.rstrip("\n") == (await campaign.html(anna)).replace("\r\n", "\n").rstrip("\n")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox ")
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy
    assert "set-cookie" not in answer.headers
    assert [one.kind for one in await events(pool)] == [TrackingKind.MIRROR]


async def test_the_team_sees_the_mirror_page_of_a_message_that_went_out_without_being_counted(
    client: httpx.AsyncClient, campaign: Campaign, pool: Pool, anna: int
) -> None:
    urls = PublicUrls(campaign.runtime.settings, campaign.runtime.keyring)
    gone = PublicUrls(campaign.runtime.settings, parse_keyring(new_key_text(2)))
    async with pool.acquire() as conn:
        (before,) = (await people.history(conn, anna, urls=urls, first=5)).rows
        await conn.execute("UPDATE ledger SET state = 4, settled_at = now()")
        (message,) = (await people.history(conn, anna, urls=urls, first=5)).rows
        (without_key,) = (await people.history(conn, anna, urls=gone, first=5)).rows
    assert (before.mirror_url, without_key.mirror_url) == (None, None)

    assert message.mirror_url is not None
    assert message.mirror_url.startswith(f"{BASE_URL}/m/")
    shown = await client.get(message.mirror_url)
    assert shown.status_code == 200
    assert shown.text.rstrip("\n") == (await campaign.html(anna)).replace("\r\n", "\n").rstrip("\n")
    assert await events(pool) == []

    await pool.execute("UPDATE ledger SET values = NULL, address = NULL, address_key = NULL")
    async with pool.acquire() as conn:
        (erased,) = (await people.history(conn, anna, urls=urls, first=5)).rows
    assert erased.mirror_url is None
    assert (await client.get(message.mirror_url)).status_code == 410


async def test_after_erasure_the_mirror_is_gone_and_links_lead_nowhere_personal(
    client: httpx.AsyncClient, campaign: Campaign, pool: Pool, anna: int
) -> None:
    paths = await campaign.paths(anna)
    await pool.execute("UPDATE ledger SET values = NULL, address = NULL, address_key = NULL")
    assert (await client.get(paths.mirror)).status_code == 410
    assert (await client.get(paths.clicks[2])).status_code == 410
    assert await events(pool) == []


async def test_after_erasure_links_that_are_the_same_for_everybody_go_on_working(
    client: httpx.AsyncClient, campaign: Campaign, pool: Pool, anna: int
) -> None:
    # Given links that nobody has followed yet: a fixed one, a fixed one under a condition, and the hidden one
    paths = await campaign.paths(anna)
    await pool.execute("UPDATE ledger SET values = NULL, address = NULL, address_key = NULL")
    answers = [await client.get(paths.clicks[number]) for number in (0, 1, -1)]
    assert [answer.status_code for answer in answers] == [302, 302, 302]
    assert [answer.headers["location"] for answer in answers[:2]] == [
        "https://shop.example/spring?from=mail&kind=a",
        "https://shop.example/france",
    ]
    first, *_ = await events(pool)
    assert first.url == "https://shop.example/spring?from=mail&kind=a"


async def test_unsubscribing_is_shown_by_get_and_done_by_post(
    client: httpx.AsyncClient, campaign: Campaign, pool: Pool, anna: int
) -> None:
    paths = await campaign.paths(anna)
    # Given a scanner and a browser that look at the address
    shown = await client.get(paths.unsubscribe)
    assert shown.status_code == 200
    assert '<form method="post">' in shown.text
    assert (await client.head(paths.unsubscribe)).status_code == 200
    assert not await opted_out(pool, anna)
    assert await events(pool) == []
    # When the button is pressed, then pressed again
    done = await client.post(paths.unsubscribe, data={"confirm": "yes"})
    assert "You are unsubscribed" in done.text
    assert await opted_out(pool, anna)
    assert (await client.post(paths.unsubscribe, data={"confirm": "yes"})).status_code == 200
    # Then it is one person who left, and the audit says that it was the recipient
    async with pool.acquire() as conn:
        (count,) = [one for one in await reading.counts(conn, campaign.delivery_id) if one.kind == TrackingKind.UNSUBSCRIBE]
        assert (count.total, count.uniques, count.machine) == (2, 1, False)
        actors = await conn.fetch("SELECT actor, object_id FROM audit_entry WHERE action = 'profile.opt_out'")
    assert [tuple(row) for row in actors] == [("recipient", str(anna))]


@pytest.mark.parametrize("form", ["urlencoded", "multipart"])
async def test_one_click_unsubscription_of_mail_providers(
    client: httpx.AsyncClient, campaign: Campaign, pool: Pool, anna: int, form: str
) -> None:
    """RFC 8058: the address of the List-Unsubscribe header, without cookies, from a server without a browser's name."""
    message = await campaign.message(anna)
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    address = next(part for part in message["List-Unsubscribe"].replace("<", " ").replace(">", " ").split() if "/u/" in part)
    path = address.rstrip(",").removeprefix(BASE_URL)
    fields = {"List-Unsubscribe": "One-Click"}
    if form == "multipart":
        answer = await client.post(
            path, files={name: (None, value) for name, value in fields.items()}, headers={"user-agent": ""}
        )
    else:
        answer = await client.post(path, data=fields, headers={"user-agent": ""})
    assert answer.status_code == 200
    assert await opted_out(pool, anna)
    (event,) = await events(pool)
    assert (event.kind, event.machine_rule) == (TrackingKind.UNSUBSCRIBE, 0)


async def test_somebody_deleted_meanwhile_still_gets_a_kind_answer(
    client: httpx.AsyncClient, campaign: Campaign, pool: Pool, anna: int
) -> None:
    paths = await campaign.paths(anna)
    await pool.execute("DELETE FROM profile WHERE id = $1", anna)
    assert (await client.post(paths.unsubscribe)).status_code == 200


async def test_head_answers_alike_and_stores_nothing(
    client: httpx.AsyncClient, campaign: Campaign, pool: Pool, anna: int
) -> None:
    paths = await campaign.paths(anna)
    for path in (*paths.clicks, paths.pixel, paths.mirror, paths.unsubscribe):
        head = await client.head(path)
        assert head.content == b""
        assert await events(pool) == []
        get = await client.get(path)
        assert (head.status_code, head.headers) == (get.status_code, get.headers)
        await pool.execute("TRUNCATE tracking_event")


async def test_a_token_that_is_not_ours_says_nothing(
    client: httpx.AsyncClient, campaign: Campaign, pool: Pool, anna: int
) -> None:
    # Given tokens that are forged, altered, cut, of another kind, of a key that is gone, of nobody
    paths = await campaign.paths(anna)
    good = paths.clicks[0].removeprefix("/c/")
    stranger = TokenKey(1, bytes(32))
    gone = TokenKey(9, bytes(32))

    def told(key: TokenKey) -> str:
        token = Token(
            kind=TokenKind.CLICK, key_id=key.key_id, delivery_id=campaign.delivery_id, recipient_kind=1,
            recipient_id=anna, link=1,
        )  # fmt: skip
        return f"/c/{mint(key, token)}"

    swapped = ("A" if good[5] != "A" else "B").join((good[:5], good[6:]))
    wrong = [
        told(stranger), told(gone),
        f"/c/{swapped}", f"/c/{good[:-1]}", f"/c/{good}A", "/c/", "/c/%00", "/c/" + "A" * 5000, "/c/..%2f..%2fetc",
        f"/o/{good}", f"/m/{good}", f"/u/{good}", "/u/nonsense", f"/c/{paths.unsubscribe[3:]}",
    ]  # fmt: skip
    answers = [await client.get(path) for path in wrong] + [await client.post("/u/" + good), await client.post("/u/x")]
    # Then all get the same page, byte for byte, whatever is wrong, and nothing has changed
    assert {(answer.status_code, answer.content) for answer in answers} == {(404, answers[0].content)}
    assert "set-cookie" not in answers[0].headers
    assert await events(pool) == []
    assert not await opted_out(pool, anna)


async def test_a_token_of_a_message_that_never_was_is_not_found(
    client: httpx.AsyncClient, pages: PublicPages, campaign: Campaign, pool: Pool
) -> None:
    """Made with our key for a recipient without a ledger row, and for a link that is not there."""
    keys = campaign.runtime.keyring.derive_all("public-tokens")
    key = TokenKey(1, keys[1])
    for token in (
        Token(kind=TokenKind.CLICK, key_id=1, delivery_id=campaign.delivery_id, recipient_kind=1, recipient_id=10**9, link=3),
        Token(kind=TokenKind.CLICK, key_id=1, delivery_id=10**9, recipient_kind=1, recipient_id=1, link=1),
        Token(kind=TokenKind.CLICK, key_id=1, delivery_id=campaign.delivery_id, recipient_kind=1, recipient_id=1, link=77),
        Token(kind=TokenKind.CLICK, key_id=1, delivery_id=2**63 - 1, recipient_kind=2**40, recipient_id=1, link=77),
    ):
        assert (await client.get(f"/c/{mint(key, token)}")).status_code == 404
    assert await events(pool) == []


async def test_other_verbs_and_large_bodies(client: httpx.AsyncClient, campaign: Campaign, pool: Pool, anna: int) -> None:
    paths = await campaign.paths(anna)
    for verb, path, allowed in (("POST", paths.clicks[0], "GET, HEAD"), ("PUT", paths.unsubscribe, "GET, HEAD, POST")):
        answer = await client.request(verb, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    large = await client.post(paths.unsubscribe, content=b"x" * 70_000)
    assert large.status_code == 413
    assert not await opted_out(pool, anna)
    assert await events(pool) == []


async def test_everything_else_goes_on_to_the_api(client: httpx.AsyncClient) -> None:
    for path in ("/", "/graphql", "/c", "/cc/x", "/x/c/token", "/health"):
        answer = await client.get(path)
        assert (answer.status_code, answer.text) == (299, path)


async def test_while_the_database_is_away_people_are_asked_to_come_again(
    campaign: Campaign, pool: Pool, server_url: str, database_url: str, anna: int
) -> None:
    # Given a process whose hits wait half a second, and a link that needs no row any more
    paths = await campaign.paths(anna)
    door = await open_pool(database_url, size=5, application="the door")
    hasty = campaign.runtime.settings.model_copy(update={"hit_wait_seconds": 0.5})
    runtime = campaign.runtime
    runtime.pool, runtime.settings = door, hasty
    pages = PublicPages(runtime)
    await pages.start()
    async with client_of(pages) as client:
        assert (await client.get(paths.clicks[0])).status_code == 302
        # When the database refuses everybody
        name = await pool.fetchval("SELECT current_database()")
        outside = await asyncpg.connect(server_url)
        await outside.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await pool.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'the door'")
        wanted = [
            client.get(paths.clicks[0]),
            client.get(paths.pixel),
            client.get(paths.mirror),
            client.post(paths.unsubscribe),
        ]
        answers = await asyncio.gather(*wanted)
        # Then nothing is pretended: 503, and when to come again
        assert [(answer.status_code, answer.headers["retry-after"]) for answer in answers] == [(503, "5")] * 4
        # But the page that only asks is shown, without what the delivery names
        asked = await client.get(paths.unsubscribe)
        assert (asked.status_code, asked.text.count("<form")) == (200, 1)
        await outside.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        await outside.close()
        assert not await opted_out(pool, anna)
        # And a click while it comes back waits, and is stored
        assert (await client.get(paths.clicks[0])).status_code == 302
    await pages.stop()
    door.terminate()
    runtime.pool = pool
    async with pool.acquire() as conn:
        assert len(await read(conn, 0, 100)) == 2
        assert await reading.counts(conn, campaign.delivery_id) == await count_rows.recount(conn, campaign.delivery_id)


async def test_a_base_url_with_a_path(campaign: Campaign, anna: int) -> None:
    """Behind a proxy that keeps the path, and behind one that takes it off."""
    paths = await campaign.paths(anna)
    runtime = campaign.runtime
    runtime.settings = runtime.settings.model_copy(update={"base_url": f"{BASE_URL}/t"})
    pages = PublicPages(runtime)
    await pages.start()
    async with client_of(pages) as client:
        assert (await client.get(paths.pixel)).status_code == 200
        assert (await client.get(f"/t{paths.pixel}")).status_code == 200
        assert (await client.get(f"/s{paths.pixel}")).status_code == 299
    await pages.stop()


async def test_every_redirect_answered_before_the_process_was_killed_is_stored(
    campaign: Campaign, pool: Pool, database_url: str, tmp_path: Path, anna: int
) -> None:
    # Given a real API process
    settings = campaign.runtime.settings
    (key,) = campaign.runtime.keyring.by_id.values()
    environment = {
        **os.environ,
        "CLARION_DATABASE_URL": database_url,
        "CLARION_VAR_DIR": str(tmp_path),
        "CLARION_BASE_URL": settings.base_url,
        "CLARION_SECRET_KEYS": f"{key.key_id}:{base64.b64encode(key.secret).decode()}",
    }
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "api.server", "--port", "0", env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert server.stdout is not None
    said = (await server.stdout.readline()).decode()
    assert "listening on http://" in said, said
    path = (await campaign.paths(anna)).clicks[0]
    answered = 0

    # When people click, and the process is killed in the middle of it
    async def click_on(client: httpx.AsyncClient) -> None:
        nonlocal answered
        with suppress(httpx.TransportError):
            while True:
                assert (await client.get(path)).status_code == 302
                answered += 1
                if answered == 300:
                    server.kill()

    async with httpx.AsyncClient(base_url=said.split()[-1], headers=BROWSER) as client:
        await asyncio.gather(*(click_on(client) for _ in range(20)))
    await server.wait()
    # Then each answer is an event, and at most the clicks that were still waiting are stored besides
    assert answered >= 300
    async with pool.acquire() as conn:
        (click,) = [one for one in await reading.counts(conn, campaign.delivery_id) if (one.kind, one.link) == (1, 0)]
        assert answered <= click.total <= answered + 20
        assert click.uniques == 1
        assert await reading.counts(conn, campaign.delivery_id) == await count_rows.recount(conn, campaign.delivery_id)
