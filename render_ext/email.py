"""Whole email messages: EmailSource (plain data that can be stored) → EmailProgram (compiled) → bytes on
the wire.

A message has text, HTML or both, in UTF-8, and maybe files (`email_structure.py`). Each body has one transfer
encoding, chosen here once: 7bit where the text is fixed, short-lined ASCII; base64 where its fixed text is
mostly of another script; quoted-printable otherwise, with everything but the values encoded beforehand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from msgspec import Struct

from render_ext._buffer import Escape, Transfer, encode
from render_ext._dkim import DkimSigner
from render_ext._email import Assembler, Encoding, Part
from render_ext._tokens import TokenSigner
from render_ext._vm import Program
from render_ext.attachments import Attachment, check_attachments, encode_attachments
from render_ext.dkim import DkimKey, DkimSelector
from render_ext.email_fields import check_headers, fixed_fields, is_structured
from render_ext.email_structure import Structure, lay_out
from render_ext.errors import RenderError
from render_ext.limits import DEFAULT_LIMITS, Limits
from render_ext.messages import Stored, check_made_for
from render_ext.places import Link, Variable
from render_ext.template import Options, build
from render_ext.tokens import Identity
from render_ext.version import ENGINE_VERSION

DOMAIN = re.compile(r"(?=.{1,190}\Z)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*")
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


class EmailRow(Struct, frozen=True, kw_only=True, gc=False):
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
    - `headers`: further fields, name and template; a field that prints nothing is left out.
    - `to_name`: template of the display name in To; where it is None or prints nothing, that of the row.
    - `attachments`: files and images of the message; their bytes stay outside.
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
    to_name: str | None = None
    attachments: tuple[Attachment, ...] = ()
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

    def compile(self, signer: TokenSigner, *, keys: Iterable[DkimKey] = (), files: Iterable[bytes] = ()) -> EmailProgram:
        """The program; its tokens are made by `signer`, its signatures with `keys`, its attachments of `files`.

        Raises TemplateSyntaxError, MissingDkimKey, BadDkimKey, MissingAttachment, BadAttachment, and ValueError
        for an address, field or domain that cannot stand in a message, for a message without a body, and for a
        source of another engine version. Templates of fields are called `headers/0`, `headers/1`, ….
        """
        return EmailProgram(self, signer, keys, files)


class EmailProgram:
    """A compiled email. Pure: the same row always becomes the same bytes. Threads may share one."""

    def __init__(self, source: EmailSource, signer: TokenSigner, keys: Iterable[DkimKey] = (), files: Iterable[bytes] = ()):
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
        to_name = source.to_name
        self._to_name = None if to_name is None else build(to_name, "to_name", Escape.ESCAPE_HEADER, options)
        self._headers = [
            (name, build(value, f"headers/{number}", Escape.ESCAPE_HEADER, options))
            for number, (name, value) in enumerate(source.headers)
        ]
        self._kinds: list[str] = []
        self._programs: list[Program] = []
        self._assembler = self._assemble(options, files)

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
        """What the header and the parts read of the values."""
        header = [self._subject, *([] if self._to_name is None else [self._to_name])]
        programs = [*header, *(program for _, program in self._headers), *self._programs]
        return tuple(variable for program in programs for variable in program.variables)

    def _assemble(self, options: Options, files: Iterable[bytes]) -> Assembler:
        source = self.source
        bodies = [(kind, text) for kind, text in (("plain", source.text), ("html", source.html)) if text is not None]
        structure, most = self._structure(len(bodies), files)
        parts = []
        for (kind, text), opening in zip(bodies, structure.openings, strict=True):
            part = self._part(kind, text, opening, options)
            self._kinds.append(kind)
            self._programs.append(part.program)
            parts.append(part)
        fixed = [(name, *program.static_text()) for name, program in self._headers]
        return Assembler(
            signer=self.signer,
            subject=self._subject,
            to_name=self._to_name,
            headers=tuple(
                (f"{name}: ".encode(), program, is_structured(name))
                for (name, program), (_, _, same) in zip(self._headers, fixed, strict=True)
                if not same
            ),
            parts=tuple(parts),
            fields=fixed_fields(source, [(name, text) for name, text, same in fixed if same]),
            tail=b"MIME-Version: 1.0\r\n",
            closing=structure.closing or (b"\r\n" if parts[0].encoding == Encoding.BASE64 else b""),
            domain=source.message_id_domain.encode(),
            unsubscribe=source.list_unsubscribe,
            dkim=self._dkim,
            signed_at=int(source.date.timestamp()),
            most_bytes=min(source.limits.output_bytes, 1 << 40) + most,
        )

    def _structure(self, bodies: int, files: Iterable[bytes]) -> tuple[Structure, int]:
        """What stands around the bodies, and how many bytes of it are files, for which `limits` is not meant."""
        encoded = encode_attachments(self.source.attachments, files)
        images = [part for one, part in encoded if one.content_id is not None]
        attached = [part for one, part in encoded if one.content_id is None]
        return lay_out(bodies, images, attached, self.source.seed), sum(len(part) + 100 for _, part in encoded)

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
    check_headers(source.headers)
    check_attachments(source.attachments, html=source.html is not None)
