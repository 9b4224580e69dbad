"""What the sink caught, read as a recipient would: addresses, names, links."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import policy
from email.header import decode_header, make_header
from email.parser import BytesParser
from pathlib import Path

from api.cli.sink import read_sink

_HEADER = re.compile(
    rb"^(To|Message-ID|Subject|List-Unsubscribe):[ \t]*((?:.*\r\n(?:[ \t].*\r\n)*))", re.M | re.I
)
_CLICK = re.compile(rb'href="(https?://[^"\s]*/c/[\w-]+)"')
_PIXEL = re.compile(rb'src="(https?://[^"\s]*/o/[\w-]+)"')
_HTML = re.compile(rb"Content-Type: text/html.*?\r\n\r\n(.*?)\r\n--", re.S | re.I)
_HIDDEN = re.compile(rb"<a[^>]*display:\s*none[^>]*>", re.I)


@dataclass(frozen=True, slots=True)
class Mail:
    """One caught message, its links already decoded."""

    number: int
    recipient: str
    message_id: str
    subject: str
    html: bytes
    links: tuple[str, ...]
    pixel: str
    unsubscribe: str
    raw: bytes


def read_mails(directory: Path) -> Iterator[Mail]:
    """Every message of the sink, by a quick look at headers and the HTML part. Raises ValueError for a broken one."""
    for caught in read_sink(directory):
        head, _, _ = caught.body.partition(b"\r\n\r\n")
        headers = {name.lower(): value for name, value in _HEADER.findall(head + b"\r\n")}
        found = _HTML.search(caught.body)
        if found is None:
            raise ValueError(f"message {caught.number} has no HTML part")
        html = (
            binascii.a2b_qp(found[1])
            if b"quoted-printable" in caught.body[: found.end()]
            else binascii.a2b_base64(found[1])
        )
        visible = _HIDDEN.sub(b"", html)
        pixel = _PIXEL.search(html)
        leave = re.search(rb"<(https?://[^>]*/u/[^>]*)>", headers[b"list-unsubscribe"].replace(b"\r\n", b""))
        if pixel is None or leave is None:
            raise ValueError(f"message {caught.number} lacks the pixel or the unsubscribe address")
        yield Mail(
            number=caught.number,
            recipient=caught.recipients[0],
            message_id=headers[b"message-id"].strip().decode(),
            subject=str(make_header(decode_header(headers[b"subject"].decode().replace("\r\n", "").strip()))),
            html=html,
            links=tuple(link.decode() for link in _CLICK.findall(visible)),
            pixel=pixel[1].decode(),
            unsubscribe=leave[1].decode(),
            raw=caught.body,
        )


def parse_fully(mail: Mail) -> list[str]:
    """Parse with the standard library and return every link of the HTML part. Raises ValueError for any defect."""
    message = BytesParser(policy=policy.default).parsebytes(mail.raw)
    defects = [*message.defects, *(defect for part in message.walk() for defect in part.defects)]
    html = message.get_body(("html",))
    text = message.get_body(("plain",))
    if defects or html is None or text is None:
        raise ValueError(f"message {mail.number} does not parse: {defects or 'a part is missing'}")
    links = re.findall(r'href="(https?://[^"]+)"', html.get_content())
    if len(links) < len(mail.links):
        raise ValueError(f"message {mail.number} lost links")
    return links
