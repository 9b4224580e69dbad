"""What the sink caught, read as a recipient would: addresses, names, links."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.parser import BytesParser
from html import unescape
from pathlib import Path

from api.cli.sink import SinkMessage, read_sink

_HEADER = re.compile(rb"^(To|Subject|List-Unsubscribe):[ \t]*(.*\r\n(?:[ \t].*\r\n)*)", re.M | re.I)
_HTML = b"\r\nContent-Type: text/html"
_CLICK = re.compile(rb'<a (?![^>]*display:none)[^>]*href="(https?://[^"\s]*/c/[\w-]+)"')
_HIDDEN = re.compile(rb'<a href="(https?://[^"\s]*/c/[\w-]+)" style="display:none"')
_PIXEL = re.compile(rb'src="(https?://[^"\s]*/o/[\w-]+)"')
_MIRROR = re.compile(rb'href="(https?://[^"\s]*/m/[\w-]+)"')
_LEAVE = re.compile(rb"<(https?://[^>\s]*/u/[\w-]+)>")
_GREETING = re.compile(rb"<h1>(.*?)</h1>", re.S)
_HREF = re.compile(r'href="(https?://[^"]+)"')
_BARE = re.compile(r"https?://[^\s<>]+")
_SHOWN = re.compile(r'src="(https?://[^"]+/o/[^"]+)"')
_PLAIN = policy.default.clone(refold_source="none")


class BrokenMail(ValueError):
    """A mail that is not what it must be; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One caught message, its links already decoded."""

    number: int
    recipient: str  # of the envelope
    to: str
    message_id: str
    subject: str
    greeting: str
    links: tuple[str, ...]  # tracked ones that people see
    hidden: str
    pixel: str
    mirror: str
    unsubscribe: str


def read_mails(directory: Path, skip: int = 0) -> Iterator[tuple[Mail, bytes]]:
    """Every message of the sink after the first `skip`, read by a quick look, with its bytes. Raises BrokenMail."""
    for caught in read_sink(directory):
        if caught.number >= skip:
            yield _look(caught), caught.body


def _look(caught: SinkMessage) -> Mail:
    head, _, _ = caught.body.partition(b"\r\n\r\n")
    headers = {name.lower(): value for name, value in _HEADER.findall(head + b"\r\n")}
    _, _, part = caught.body.partition(_HTML)
    if not part or len(caught.recipients) != 1:
        raise BrokenMail(f"mail {caught.number} has no HTML part, or {len(caught.recipients)} recipients")
    about, _, body = part.partition(b"\r\n\r\n")
    body = body.rpartition(b"\r\n--=_")[0]
    html = binascii.a2b_base64(body) if b"base64" in about else binascii.a2b_qp(body)
    found = [_HIDDEN.search(html), _PIXEL.search(html), _MIRROR.search(html), _GREETING.search(html)]
    leave = _LEAVE.search(headers.get(b"list-unsubscribe", b"").replace(b"\r\n", b""))
    hidden, pixel, mirror, greeting = (None if one is None else one[1].decode() for one in found)
    if hidden is None or pixel is None or mirror is None or greeting is None or leave is None:
        raise BrokenMail(f"mail {caught.number} lacks its greeting, pixel, mirror, hidden or unsubscribe link")
    return Mail(
        number=caught.number,
        recipient=caught.recipients[0],
        to=_text(headers.get(b"to", b"")),
        message_id=caught.message_id,
        subject=_text(headers.get(b"subject", b"")),
        greeting=unescape(greeting),
        links=tuple(link.decode() for link in _CLICK.findall(html)),
        hidden=hidden,
        pixel=pixel,
        mirror=mirror,
        unsubscribe=leave[1].decode(),
    )


def _text(value: bytes) -> str:
    text = value.decode("utf-8", "replace").replace("\r\n", "").strip()
    return str(make_header(decode_header(text))) if "=?" in text else text


@dataclass(frozen=True, slots=True)
class ParsedMail:
    """A message parsed to the last part with the standard library."""

    to: str
    message_id: str
    subject: str
    html: str
    text: str
    links: tuple[str, ...]  # of both parts, in order, repeats included
    pixels: tuple[str, ...]
    unsubscribe: str


def parse_fully(raw: bytes) -> ParsedMail:
    """Raises BrokenMail for any defect that the standard library finds."""
    message = BytesParser(policy=_PLAIN).parsebytes(raw)
    assert isinstance(message, EmailMessage)
    headers = dict(message.items())  # each is parsed anew whenever it is asked for
    parts = list(message.walk())
    defects = [defect for part in parts for defect in part.defects]
    defects += [defect for value in headers.values() for defect in value.defects]
    html, text = message.get_body(("html",)), message.get_body(("plain",))
    if defects or html is None or text is None:
        raise BrokenMail(f"a mail does not parse: {defects or 'a part is missing'}\n{raw[:300]!r}")
    page, plain = html.get_content(), text.get_content()
    return ParsedMail(
        to=str(headers["To"]),
        message_id=str(headers["Message-ID"]),
        subject=str(headers["Subject"]),
        html=page,
        text=plain,
        links=(*map(unescape, _HREF.findall(page)), *_BARE.findall(plain)),
        pixels=tuple(_SHOWN.findall(page)),
        unsubscribe=str(headers["List-Unsubscribe"]).strip("<>"),
    )
