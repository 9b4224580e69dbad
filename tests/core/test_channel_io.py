"""What a plugin says and asks for goes through its account's door: counted, and without secrets."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from channels.contract import EgressRefused
from core.channel_io import AccountIO
from core.egress import GuardedIO
from core.redaction import BLOT, Redaction

PLAIN = st.characters(codec="utf-8", exclude_characters=BLOT)


def count(channel: str, outcome: str) -> float:
    return REGISTRY.get_sample_value("clarion_channel_connections_total", {"channel": channel, "outcome": outcome}) or 0.0


def door(channel: str, *secrets: str, allow_private: bool = True, addresses: Sequence[str] = ("127.0.0.1",)) -> AccountIO:
    async def resolve(host: str, port: int) -> Sequence[str]:
        if not addresses:
            await asyncio.sleep(60)
        return addresses

    return AccountIO(GuardedIO(allow_private=allow_private, resolve=resolve), channel, Redaction(secrets))


async def test_connections_are_counted_by_what_came_of_them() -> None:
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        (await door("owl").connect("owl.example", port, timeout=5)).close()
    with pytest.raises(ConnectionRefusedError):
        await door("owl").connect("owl.example", port, timeout=5)
    with pytest.raises(EgressRefused):
        await door("owl", allow_private=False).connect("owl.example", port, timeout=5)
    with pytest.raises(TimeoutError):
        await door("owl", addresses=()).connect("owl.example", port, timeout=0.05)

    assert {outcome: count("owl", outcome) for outcome in ("connected", "failed", "refused", "timeout")} == {
        "connected": 1, "failed": 1, "refused": 1, "timeout": 1,
    }  # fmt: skip
    assert REGISTRY.get_sample_value("clarion_channel_connection_seconds_count", {"channel": "owl"}) == 1


def test_what_a_plugin_logs_names_the_channel_and_no_secret() -> None:
    with capture_logs() as lines:
        door("owl", "s3cr3t/pass").log("refused with s3cr3t/pass", answer="401 for s3cr3t%2Fpass", pair=("x", "s3cr3t/pass"))

    assert lines[0]["channel"] == "owl"
    assert lines[0]["says"] == "refused with …"
    assert "s3cr3t" not in repr(lines)


@given(st.text(PLAIN, min_size=4, max_size=30), st.text(PLAIN, max_size=20), st.text(PLAIN, max_size=20))
def test_no_spelling_of_a_secret_is_left(secret: str, before: str, after: str) -> None:
    raw = secret.encode()
    io = door("owl", secret)
    for spelling in (secret, base64.b64encode(raw).decode().rstrip("="), quote(raw)):
        assert spelling not in io.redacted(before + spelling + after)


KEY = "-----BEGIN PRIVATE KEY-----\n" + "MC4CAQAwBQYDK2VwBCIEIJ3t" * 2 + "\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("secret", "text", "left"),
    [
        ("hunter2pw", "AUTH PLAIN " + base64.b64encode(b"\0user\0hunter2pw").decode(), "AUTH PLAIN AHVzZXIA…"),
        ("hunter2pw", base64.b64encode(b"\0users\0hunter2pw").decode(), "AHVzZXJzAG…w=="),
        ("hunter2pw", base64.b64encode(b"\0us\0hunter2pw").decode(), "AHVzAG…w=="),
        ('pässw"ord/1', '{"a": "p\\u00e4ssw\\"ord/1"} p%c3%a4ssw%22ord%2f1', '{"a": "…"} …'),
        (KEY, repr({"key": KEY}), "{'key': '…'}"),
        (KEY, KEY.replace("\n", "\r\n"), "-----BEGIN PRIVATE KEY-----\r\n…\r\n-----END PRIVATE KEY-----\r\n"),
    ],
)
def test_a_secret_is_known_however_it_is_spelt(secret: str, text: str, left: str) -> None:
    found = Redaction([secret])(text)
    assert found == left


def test_a_secret_too_short_to_be_one_blots_nothing_out() -> None:
    assert door("owl", "a", "").redacted("a bad day") == "a bad day"


def test_what_a_plugin_counts_is_a_name_and_nothing_else() -> None:
    def counted(event: str) -> float:
        return REGISTRY.get_sample_value("clarion_channel_events_total", {"channel": "crow", "event": event}) or 0.0

    io = door("crow")
    for event in ("archive_refused", "archive_refused", "anna@mail.example", "x" * 41, "", "A b"):
        io.count(event)

    assert (counted("archive_refused"), counted("other")) == (2, 4)
