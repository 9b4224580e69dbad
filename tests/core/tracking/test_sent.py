"""What a template says about its links without being rendered, and messages that cannot be rendered again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import msgspec
import pytest

from channels.contract import RenderedParts
from channels.email.program import EmailMessages
from core.clock import system_clock
from core.config import load_settings
from core.db import Connection, Pool
from core.delivery.programs import LoadedProgram
from core.errors import NotFound
from core.public_urls import PublicUrls
from core.secrets import new_key_text, parse_keyring
from core.tracking.hits import HitRecorder
from core.tracking.machines import ShownLinks
from core.tracking.process import sent_messages_of
from core.tracking.records import Message
from core.tracking.sent import SentMessages, unconditional_links
from core.tracking.stream import read
from tests.core.tracking.campaign import BASE_URL, add_profile, prepared_campaign
from tests.core.tracking.people import hit

A, B, C = (f"{{% link {n} %}}https://shop.example/{{% endlink %}}" for n in (1, 2, 12))


@pytest.mark.parametrize(
    ("source", "always"),
    [
        ("", set()),
        (f"{A} {C.replace('{%', '{%-').replace('%}', '-%}')}", {1, 12}),
        (f"{{% if profile.city %}}{A}{{% else %}}{B}{{% endif %}}{C}", {12}),
        (f"{{% for one in products %}}{{% if one.new %}}{A}{{% endif %}}{{% endfor %}}{B}", {2}),
        (f"{{% footnote %}}{A}{{% endfootnote %}}{{% if a %}}{{% footnote %}}{B}{{% endfootnote %}}{{% endif %}}", {1}),
        (f"{{% unless a %}}{A}{{% endunless %}}", set()),
        (f"{{% assign a = 1 %}}{A}{{% if a %}}{{% endif %}}{B}{{{{ 'if' }}}}", {1, 2}),
        (f"{{% somethingnew %}}{A}{{% endsomethingnew %}}{B}", {2}),
    ],
)
def test_links_that_no_condition_can_leave_out(source: str, always: set[int]) -> None:
    assert unconditional_links(source) == always


class Unloadable:
    """Programs of which delivery 8's cannot be loaded."""

    def __init__(self, error: Exception):
        self.error = error
        self.asked = 0

    async def list_of(self, conn: Connection, delivery_id: int) -> list[LoadedProgram]:
        """None, or the error."""
        if delivery_id != 8:
            return []
        self.asked += 1
        raise self.error


def sent_of(pool: Pool, programs: object) -> SentMessages:
    """A reader of sent messages."""
    urls = PublicUrls(load_settings(base_url=BASE_URL), parse_keyring(new_key_text(1)))
    return SentMessages(pool, programs, urls, wait_seconds=2)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "error", [KeyError("host"), msgspec.ValidationError("no"), FileNotFoundError("key.pem"), NotFound("x")]
)
async def test_a_delivery_that_cannot_be_loaded_stops_nobodys_hits(pool: Pool, error: Exception) -> None:
    # Given a delivery whose channel raises what it likes when it is made
    programs = Unloadable(error)
    recorder = HitRecorder(pool, sent_of(pool, programs), system_clock, wait_seconds=2)
    # When hits of it and of another come together
    await asyncio.gather(*(recorder.record(hit(link=1, delivery=delivery)) for delivery in (7, 8, 8, 7)))
    await recorder.settled()
    await recorder.close()
    # Then all are stored, and it was not tried for each of them
    async with pool.acquire() as conn:
        assert len(await read(conn, 0, 100)) == 4
    assert programs.asked == 1


async def test_a_lost_connection_is_not_taken_for_a_broken_delivery(conn: Connection, pool: Pool) -> None:
    sent = sent_of(pool, Unloadable(asyncpg.ConnectionDoesNotExistError("gone")))
    with pytest.raises(asyncpg.ConnectionDoesNotExistError):
        await sent.hidden(conn, 8)


async def test_a_message_that_its_channel_cannot_render_again_shows_its_hidden_links(
    pool: Pool, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parts(self: EmailMessages, row: object) -> RenderedParts:
        raise ValueError("a stranger's mistake")

    async with pool.acquire() as conn:
        anna = await add_profile(conn, "Anna", "FR")
    async with prepared_campaign(pool, database_url, tmp_path) as campaign:
        message = Message(delivery_id=campaign.delivery_id, recipient_kind=1, recipient_id=anna)
        monkeypatch.setattr(EmailMessages, "parts", parts)
        async with pool.acquire() as conn:
            shown = await sent_messages_of(campaign.runtime).shown(conn, [message])
    assert shown == {message: ShownLinks(hidden=frozenset({4}))}
