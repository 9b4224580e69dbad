"""Whole email messages: EmailSource (plain data that can be stored) → EmailProgram (compiled) → bytes on
the wire.

A message is `multipart/alternative` (text, then HTML) or a single part, in UTF-8. Each part has one
transfer encoding, chosen here once: 7bit where the text is fixed, short-lined ASCII; base64 where its fixed
text is mostly of another script; quoted-printable otherwise, with everything but the values encoded
beforehand.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from typing import Any, ClassVar

from render_ext._buffer import Escape, Transfer, encode
from render_ext._dkim import DkimSigner
from render_ext._email import Assembler, Encoding, Part
from render_ext._headers import mailbox_field, unstructured_field
from render_ext._tokens import TokenSigner
from render_ext._vm import Program
from render_ext.dkim import DkimKey, DkimSelector
from render_ext.errors import BadSender, RenderError
from render_ext.limits import DEFAULT_LIMITS, Limits
from render_ext.messages import Stored, check_made_for
from render_ext.places import Link, Variable
from render_ext.template import Options, build
from render_ext.tokens import Identity
from render_ext.version import ENGINE_VERSION

FIELD_NAME = re.compile(r"[!-9;-~]{1,70}")
DOMAIN = re.compile(r"(?=.{1,190}\Z)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*")
OURS = {
    "bcc", "cc", "date", "from", "list-unsubscribe", "list-unsubscribe-post", "message-id", "mime-version",
    "reply-to", "return-path", "sender", "subject", "to",
}  # fmt: skip
SENDER_PARTS = {"From": "from_address", "Reply-To": "reply_to"}  # what EmailSource calls the addresses of these fields
SHORT_LINE = 76
ENCODING_NAMES = {
    Encoding.SEVEN_BIT: "7bit",
    Encoding.QUOTED_PRINTABLE: "quoted-printable",
    Encoding.BASE64: "base64",
}
PARTS = {"plain": ("text", Escape.ESCAPE_NONE), "html": ("html", Escape.ESCAPE_HTML)}  # by subtype: name, escape
TRANSFERS = {
    Encoding.SEVEN_BIT: Transfer.TRANSFER_CRLF,
    Encoding.QUOTED_PRINTABLE: Transfer.TRANSFER_QP,
    Encoding.BASE64: Transfer.TRANSFER_CRLF,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailRow:
    """One recipient of a batch: the address and display name for To, the ledger row, what templates see."""

    address: str
    identity: Identity
    values: dict[str, Any]
    name: str | None = None


@dataclass(frozen=True, slots=True)
class RenderedEmail:
    """What a recipient reads, with "\\n" line ends; a part that the message does not have is None."""

    subject: str
    html: str | None
    text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailSource(Stored):
    """Everything the bytes of a message depend on, besides the recipient and the signer; plain data.

    - `subject`, `html`, `text`: templates; one of html and text may be None. Where `tracked`, they hold the
      tags of `compile(links=True)`.
    - `headers`: further fields, name and value, fixed.
    - `date` (aware): the Date field, and `now` of the templates. `seed`: what the boundary is made of.
    - `dkim`: who signs the message, dated as it is; the keys are secrets and stay outside.
    - `message_id_domain`, `envelope_domain`: what stands after the @ of the Message-ID and of the envelope
      sender.
    - `engine`: the version that the source was made for; another engine refuses it.
    """

    WHAT: ClassVar[str] = "an email source"

    subject: str
    html: str | None = None
    text: str | None = None
    from_address: str
    from_name: str | None = None
    reply_to: str | None = None
    reply_to_name: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    message_id_domain: str
    envelope_domain: str | None = None
    date: datetime
    seed: str
    tracked: bool = True
    list_unsubscribe: bool = True
    dkim: tuple[DkimSelector, ...] = ()
    partials: Mapping[str, str] = field(default_factory=dict)
    locale: str = "en"
    zone: str = "UTC"
    strict_variables: bool = False
    limits: Limits = DEFAULT_LIMITS
    engine: int = ENGINE_VERSION

    def compile(self, signer: TokenSigner, *, keys: Iterable[DkimKey] = ()) -> EmailProgram:
        """The program; its tokens are made by `signer`, its signatures with `keys`.

        Raises TemplateSyntaxError, MissingDkimKey, BadDkimKey, and ValueError for an address, field or domain
        that cannot stand in a message, for a message without a body, and for a source of another engine
        version.
        """
        return EmailProgram(self, signer, keys)


class EmailProgram:
    """A compiled email. Pure: the same row always becomes the same bytes. Threads may share one."""

    def __init__(self, source: EmailSource, signer: TokenSigner, keys: Iterable[DkimKey] = ()):
        _check(source)
        self.source = source
        self.signer = signer
        self._dkim = DkimSigner(source.dkim, keys) if source.dkim else None
        options = Options(
            strict_variables=source.strict_variables,
            now=source.date,
            locale=source.locale,
            zone=source.zone,
            limits=source.limits,
            partials={name: _with_line_feeds(text) for name, text in source.partials.items()},
        )
        self._subject = build(source.subject, "subject", Escape.ESCAPE_HEADER, options)
        self._kinds: list[str] = []
        self._programs: list[Program] = []
        self._assembler = self._assemble(options)

    def render_many(self, rows: Sequence[EmailRow]) -> list[bytes | RenderError]:
        """For each row its message, ready for the wire, or the RenderError that kept it from being made.

        Lines end with CRLF and are at most 998 characters; none begins with a dot.
        """
        return self._assembler.render_many(rows)

    def render_parts(self, values: dict[str, Any], identity: Identity) -> RenderedEmail:
        """What the recipient of a row reads: the same text that is sent. Raises RenderError."""
        subject, *bodies = self._assembler.render_parts(values, identity)
        found = dict(zip(self._kinds, bodies, strict=True))
        return RenderedEmail(subject, found.get("html"), found.get("plain"))

    def resolve_link(self, values: dict[str, Any], number: int, occurrence: int = 0) -> str | None:
        """The target of a tracked link, the `occurrence`-th time it is there. Raises RenderError."""
        return self._assembler.resolve_link(values, number, occurrence)

    def message_id(self, identity: Identity) -> str:
        """The Message-ID of a row, in angle brackets; the same on every attempt."""
        return f"<{self.signer.local_part(identity, bounce=False)}@{self.source.message_id_domain}>"

    def envelope_sender(self, identity: Identity) -> str:
        """The address that bounces of a row go to. Raises ValueError without an `envelope_domain`."""
        if self.source.envelope_domain is None:
            raise ValueError("the source names no envelope domain")
        return f"{self.signer.local_part(identity, bounce=True)}@{self.source.envelope_domain}"

    @property
    def links(self) -> tuple[Link, ...]:
        """The tracked links of all parts."""
        return tuple(link for program in self._programs for link in program.links)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """What the subject and the parts read of the values."""
        programs = [self._subject, *self._programs]
        return tuple(variable for program in programs for variable in program.variables)

    def _assemble(self, options: Options) -> Assembler:
        source = self.source
        bodies = [(kind, text) for kind, text in (("plain", source.text), ("html", source.html)) if text is not None]
        boundary = "=_" + hashlib.sha256(b"boundary\0" + source.seed.encode()).hexdigest()[:32]
        several = len(bodies) > 1
        parts = []
        for kind, text in bodies:
            part = self._part(kind, text, f"\r\n--{boundary}\r\n" if several else "", options)
            self._kinds.append(kind)
            self._programs.append(part.program)
            parts.append(part)
        tail = b"MIME-Version: 1.0\r\n"
        if several:
            tail += f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n'.encode()
        closing = f"\r\n--{boundary}--\r\n" if several else "\r\n" if parts[0].encoding == Encoding.BASE64 else ""
        return Assembler(
            signer=self.signer,
            subject=self._subject,
            parts=tuple(parts),
            fields=_fields(source),
            tail=tail,
            closing=closing.encode(),
            domain=source.message_id_domain.encode(),
            unsubscribe=source.list_unsubscribe,
            dkim=self._dkim,
            signed_at=int(source.date.timestamp()),
            most_bytes=min(source.limits.output_bytes, 1 << 40),
        )

    def _part(self, kind: str, text: str, opening: str, options: Options) -> Part:
        text = _with_line_feeds(text)
        name, escape = PARTS[kind]
        links, signer = self.source.tracked, self.signer
        encoding = choose_encoding(build(text, name, escape, options, links=links))
        transfer = TRANSFERS[encoding]
        program = build(text, name, escape, options, links=links, signer=signer, transfer=transfer)
        head = (
            f'{opening}Content-Type: text/{kind}; charset="utf-8"\r\n'
            f"Content-Transfer-Encoding: {ENCODING_NAMES[encoding]}\r\n\r\n"
        )
        return Part(program, head.encode(), encoding)


def choose_encoding(program: Program) -> Encoding:
    """The transfer encoding for a part, by its fixed text alone."""
    texts, fixed = program.static_text()
    if fixed and _is_seven_bit(texts):
        return Encoding.SEVEN_BIT
    size = len(texts.encode("utf-8", "replace"))
    quoted = len(encode(texts, Escape.ESCAPE_NONE, Transfer.TRANSFER_QP))
    return Encoding.BASE64 if quoted > size * 78 / 57 + 78 else Encoding.QUOTED_PRINTABLE


def _with_line_feeds(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _is_seven_bit(text: str) -> bool:
    if not text.isascii() or not text.endswith("\n") or re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text):
        return False
    return all(len(line) <= SHORT_LINE and not line.startswith((".", "From ")) for line in text.split("\n"))


def _check(source: EmailSource) -> None:
    check_made_for(source.engine, source.date)
    if source.html is None and source.text is None:
        raise ValueError("an email needs html or text")
    for domain in (source.message_id_domain, source.envelope_domain):
        if domain is not None and DOMAIN.fullmatch(domain) is None:
            raise ValueError(f"not a domain name: {domain!r}")
    for name, value in source.headers:
        if FIELD_NAME.fullmatch(name) is None:
            raise ValueError(f"not the name of a header field: {name!r}")
        if name.lower() in OURS or name.lower().startswith("content-"):
            raise ValueError(f"the header field {name} is written by the engine")
        if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
            raise ValueError(f"the header field {name} holds a control character")


def _fields(source: EmailSource) -> bytes:
    """The fields that are the same for everyone, before To."""
    fields = [
        f"Date: {format_datetime(source.date)}\r\n".encode(),
        _mailbox("From", source.from_name, source.from_address),
    ]
    if source.reply_to is not None:
        fields.append(_mailbox("Reply-To", source.reply_to_name, source.reply_to))
    fields += [unstructured_field(name, value) for name, value in source.headers]
    return b"".join(fields)


def _mailbox(name: str, display_name: str | None, address: str) -> bytes:
    try:
        return mailbox_field(name, display_name, address)
    except ValueError as error:
        raise BadSender(f"{name}: {error}: {address!r}", SENDER_PARTS[name]) from None
