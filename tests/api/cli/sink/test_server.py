"""The sink as other programs see it."""

from __future__ import annotations

import asyncio
import smtplib
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from api.cli.sink import Behaviour, Sink, read_sink

MESSAGE = b"Message-ID: <1@example.org>\r\nSubject: Hello\r\n\r\nHello\r\n.dot\r\n"


async def in_thread(work: Callable[[smtplib.SMTP], Any], port: int) -> Any:
    """Let the standard library speak to the sink."""

    def run() -> Any:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
            return work(client)

    return await asyncio.to_thread(run)


async def start(folder: Path | None, behaviour: Behaviour | None = None) -> Sink:
    """A running sink."""
    sink = Sink(directory=folder, behaviour=behaviour)
    await sink.start()
    return sink


async def test_mail_for_anybody_is_kept(tmp_path: Path) -> None:
    sink = await start(tmp_path)

    def send(client: smtplib.SMTP) -> None:
        refused = client.sendmail("a@example.org", ["b@example.org", "c@example.net"], MESSAGE)
        assert refused == {}

    await in_thread(send, sink.port)
    await sink.close()
    (got,) = read_sink(tmp_path)
    assert got.recipients == ("b@example.org", "c@example.net")
    assert (got.mail_from, got.body, got.message_id) == ("a@example.org", MESSAGE, "<1@example.org>")


@pytest.mark.parametrize(
    ("recipient", "code"),
    [
        ("bounce-1@example.org", 550),
        ("full-1@example.org", 452),
        ("later-1@example.org", 451),
        ("spam-1@example.org", 554),
        ("fine@example.org", 250),
    ],
)
async def test_recipients_order_their_answers(tmp_path: Path, recipient: str, code: int) -> None:
    sink = await start(tmp_path)

    def ask(client: smtplib.SMTP) -> int:
        client.ehlo()
        client.mail("a@example.org")
        return client.rcpt(recipient)[0]

    assert await in_thread(ask, sink.port) == code
    await sink.close()


async def test_the_protocol_is_kept_to(tmp_path: Path) -> None:
    sink = await start(tmp_path, Behaviour(size=1000))

    def talk(client: smtplib.SMTP) -> list[int]:
        codes = [client.docmd("DATA")[0], client.docmd("RCPT TO:<a@b>")[0], client.docmd("NONSENSE")[0]]
        codes += [
            client.ehlo()[0],
            client.docmd("MAIL FROM")[0],
            client.docmd("MAIL FROM:<a@b> SIZE=1001")[0],
        ]
        codes += [client.docmd("MAIL FROM:<a@b> SIZE=1000")[0], client.docmd("MAIL FROM:<a@b>")[0]]
        codes += [client.docmd("DATA")[0], client.docmd("RCPT TO:b")[0], client.rset()[0], client.noop()[0]]
        return codes

    assert await in_thread(talk, sink.port) == [503, 503, 500, 250, 501, 552, 250, 503, 554, 501, 250, 250]
    await sink.close()
    assert list(read_sink(tmp_path)) == []


async def test_without_a_folder_messages_are_only_counted() -> None:
    sink = await start(None)
    await in_thread(lambda client: client.sendmail("a@b.org", ["c@d.org"], MESSAGE), sink.port)
    assert sink.accepted == 1
    await sink.close()
    await sink.close()


@contextmanager
def process(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The sink as a process of its own, and its port."""
    command = [sys.executable, "-m", "api.cli.sink", "--port", "0", "--directory", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        yield running, int(running.stdout.readline().rpartition(":")[2])
        running.kill()


def test_an_answered_message_survives_a_kill(tmp_path: Path) -> None:
    with process(tmp_path) as (running, port):
        client = smtplib.SMTP("127.0.0.1", port, timeout=10)
        for _ in range(5):
            client.sendmail("a@b.org", ["c@d.org"], MESSAGE)
        running.kill()
        client.close()
    assert [message.body for message in read_sink(tmp_path)] == [MESSAGE] * 5


def test_sigterm_ends_it(tmp_path: Path) -> None:
    with process(tmp_path) as (running, _):
        running.terminate()
        assert running.wait(20) == 0
