"""Mail servers for the flows, and their mail read as recipients read it."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from html.parser import HTMLParser
from pathlib import Path

from api.cli.sink import Behaviour, Sink, read_sink

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def sink_process(folder: Path) -> AsyncIterator[int]:
    """`clarion sink` as a process of its own; yields its port."""
    command = ["-m", "api.cli.main", "sink", "--port", "0", "--directory", str(folder)]
    process = await asyncio.create_subprocess_exec(sys.executable, *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        said = (await process.stdout.readline()).decode()
        yield int(said.rsplit(":", 1)[1])
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def provider(folder: Path, behaviour: Behaviour | None = None) -> AsyncIterator[Sink]:
    """A sink of this process, whose manners a test may change: new connections meet the new ones."""
    sink = Sink(directory=folder, behaviour=behaviour)
    await sink.start()
    try:
        yield sink
    finally:
        await sink.close()


def change_manners(sink: Sink, behaviour: Behaviour) -> None:
    """From now on the server behaves so; connections that stand are dropped."""
    sink.behaviour = behaviour
    for session in list(sink.sessions):
        session.abort()


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One mail as its recipient sees it."""

    recipient: str
    message_id: str
    subject: str
    html: str
    text: str
    unsubscribe: str  # the one-click address of the headers
    links: tuple[str, ...]  # what a reader can follow, without the pages that Clarion adds
    mirror: str
    pixel: str
    message: EmailMessage


def read_letters(folder: Path) -> list[Letter]:
    """Everything that arrived, in order, parsed by the standard library without a defect."""
    return [_letter(caught.recipients, caught.body) for caught in read_sink(folder)]


def recipients(folder: Path) -> list[str]:
    """Who got mail, once for each."""
    return [recipient for caught in read_sink(folder) for recipient in caught.recipients]


def _letter(to: tuple[str, ...], body: bytes) -> Letter:
    parsed = BytesParser(policy=policy.default).parsebytes(body)
    assert isinstance(parsed, EmailMessage)
    assert not [defect for part in parsed.walk() for defect in part.defects]
    (recipient,) = to
    html = _content(parsed, "html")
    anchors = _Anchors(html)
    one_click = re.fullmatch(r"<(http[^>]+)>", str(parsed["List-Unsubscribe"]))
    assert one_click is not None
    assert parsed["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    return Letter(
        recipient=recipient,
        message_id=str(parsed["Message-ID"]),
        subject=str(parsed["Subject"]),
        html=html,
        text=_content(parsed, "plain"),
        unsubscribe=one_click[1],
        links=tuple(link for link in anchors.shown if "/c/" in link),
        mirror=next((link for link in anchors.shown if "/m/" in link), ""),
        pixel=next(source for source in anchors.images if "/o/" in source),
        message=parsed,
    )


def _content(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None, f"no {kind} part"
    content: str = part.get_content()
    return content


class _Anchors(HTMLParser):
    """The links that a reader sees, and the pictures."""

    def __init__(self, html: str):
        super().__init__()
        self.shown: list[str] = []
        self.images: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        hidden = "display:none" in found.get("style", "").replace(" ", "")
        if tag == "a" and "href" in found and not hidden:
            self.shown.append(found["href"])
        if tag == "img":
            self.images.append(found.get("src", ""))
