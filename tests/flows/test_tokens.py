"""Promise 5: a forged, altered or expired link changes nothing and reveals nothing."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from core.secrets import new_key_text
from render_ext import Token, TokenKey, TokenKind, mint, verify
from tests.flows.client import Client, Refused
from tests.flows.conftest import Place
from tests.flows.house import empty_database, house
from tests.flows.journey import create_account, create_content, create_delivery, report_of, send
from tests.flows.people import settle_in
from tests.flows.post import Letter, read_letters, sink_process

LETTERS = "comu"  # of the public addresses: click, open, mirror, unsubscribe


async def send_to(client: Client, port: int, people: int) -> tuple[str, str]:
    """A small delivery; returns the domain of its people and its id."""
    domain, audience = await settle_in(client, people)
    account = await create_account(client, port)
    delivery = await create_delivery(client, audience=audience, account=account, content=await create_content(client))
    await send(client, delivery)
    return domain, delivery


def tokens_of(letter: Letter) -> dict[str, str]:
    """The good token of each kind, by the letter of its address."""
    addresses = (letter.links[0], letter.pixel, letter.mirror, letter.unsubscribe)
    parts = [urlsplit(one).path.split("/") for one in addresses]
    assert "".join(kind for _, kind, _ in parts) == LETTERS
    return {kind: token for _, kind, token in parts}


def altered(tokens: dict[str, str]) -> Iterator[tuple[str, str]]:
    """(kind, token) of everything that somebody may try without a key."""
    for kind, token in tokens.items():
        for place in range(0, len(token), 3):
            other = "A" if token[place] != "A" else "B"
            yield kind, token[:place] + other + token[place + 1 :]
        yield kind, token[:-1]
        yield kind, token + "A"
        yield kind, token[::-1]
        yield kind, "%00" + token
        yield kind, token * 400
        yield from ((other, token) for other in tokens if other != kind)
    for kind in LETTERS:
        yield from ((kind, rubbish) for rubbish in ("x", "a" * 43, "%F0%9F%98%80", "..%2f..%2fgraphql", "1;drop"))


def forged(token: str) -> Iterator[tuple[str, str]]:
    """(kind, token) of good form, signed with a key of the forger's own."""
    key_id = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))[1]
    for number in {0, 1, key_id}:
        key = TokenKey(number, b"f" * 32)
        for kind, letter in zip(
            (TokenKind.CLICK, TokenKind.OPEN, TokenKind.MIRROR, TokenKind.UNSUBSCRIBE), LETTERS, strict=True
        ):
            made = Token(kind=kind, key_id=number, delivery_id=1, recipient_kind=1, recipient_id=1, occurrence=0, link=1)
            assert verify(mint(key, made), {number: key}) == made
            yield letter, mint(key, made)


async def state_of(client: Client, delivery: str) -> Any:
    """All that a token could change."""
    people = "opt_out_email = true"
    data = await client.ask(
        """
        query ($people: String!) {
          trackingEvents(machines: true) { cursor events { position } }
          target(expression: { text: $people }) { count }
        }
        """,
        people=people,
    )  # fmt: skip
    return data, await report_of(client, delivery)


async def all_neutral(http: httpx.AsyncClient, base_url: str, tries: list[tuple[str, str]]) -> None:
    """Every try, shown and acted on, gets the very same page."""
    pages = set()
    for kind, token in tries:
        for method in ("GET", "POST") if kind == "u" else ("GET",):
            response = await http.request(method, f"{base_url}/{kind}/{token}")
            assert response.status_code == 404, (method, kind, token, response.status_code)
            pages.add((response.text, tuple(sorted(set(response.headers) - {"date"}))))
    assert len(pages) == 1


async def test_altered_and_forged_links_change_and_reveal_nothing(place: Place) -> None:
    client = place.client
    domain, delivery = await send_to(client, place.sink_port, 3)
    letter = next(one for one in read_letters(place.mail) if one.recipient.endswith(domain))
    tokens = tokens_of(letter)
    before = await state_of(client, delivery)

    await all_neutral(client.http, client.base_url, [*altered(tokens), *forged(tokens["c"])])

    assert await state_of(client, delivery) == before
    # And the good ones still work
    assert (await client.http.get(letter.links[0])).status_code == 302
    assert (await client.http.post(letter.unsubscribe)).status_code == 200
    assert await state_of(client, delivery) != before


@pytest.mark.parametrize("token", ["", "rubbish", "clarion_1_" + "A" * 43, "clarion_99_" + "A" * 43])
async def test_a_wrong_api_token_opens_nothing(place: Place, token: str) -> None:
    async with Client(place.client.base_url, token or "-") as stranger:
        with pytest.raises(Refused) as refused:
            await stranger.ask("{ profiles(first: 1) { totalCount } }")
    assert set(refused.value.codes) <= {"BAD_TOKEN", "UNAUTHENTICATED"}


async def test_links_live_as_long_as_their_key(tmp_path: Path) -> None:
    old, new = new_key_text(1), new_key_text(2)
    caught = tmp_path / "mail"
    async with empty_database() as url, sink_process(caught) as port:
        # Given mails whose links were made with one key
        async with house(tmp_path, database_url=url, secret_keys=old, worker_processes=1) as made:
            async with Client(made.settings.base_url, made.token) as client:
                await send_to(client, port, 3)
                token = made.token
        letter = read_letters(caught)[0]
        path = urlsplit(letter.links[0]).path

        # When the key is the second in line, they work as before
        async with house(tmp_path, database_url=url, secret_keys=f"{new},{old}", worker_processes=1) as made:
            async with Client(made.settings.base_url, token) as client:
                assert (await client.http.get(made.settings.base_url + path)).status_code == 302
                made_token = await client.do(
                    """
                    mutation ($input: CreateTokenInput!) {
                      createApiToken(input: $input) { secret userErrors { code message path } }
                    }
                    """,
                    input={"name": "after the change", "roles": ["ADMINISTRATION"]},
                )

        # When it is gone, they have expired: the same page as for any other address that leads nowhere
        async with house(tmp_path, database_url=url, secret_keys=new, worker_processes=1) as made:
            async with Client(made.settings.base_url, made_token["secret"]) as client:
                events = await client.ask("{ trackingEvents { cursor } }")
                expired = list(tokens_of(letter).items())
                await all_neutral(client.http, made.settings.base_url, [*expired, ("c", "x")])
                assert await client.ask("{ trackingEvents { cursor } }") == events
                old_user = Client(made.settings.base_url, token)
                with pytest.raises(Refused):
                    await old_user.ask("{ viewer { name } }")
                await old_user.http.aclose()
