"""What a link's address is, and whether it may be tracked: scheme and host must be written out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import quote

import idna

from core.content.liquid import MASK, SYSTEM_URL, SpanKind, is_balanced, mask, pieces, spans

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_WEB = re.compile(r"https?://", re.IGNORECASE)
_SCRIPTS = frozenset({"javascript", "vbscript", "data"})
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:/?#\\\[\]@]+)(:[0-9]+)?")
_HOST_END = re.compile(r"[/?#\\]|\Z")
_NETWORK = re.compile(r"[/\\]{2,}")  # a host follows: readers take both for a slash, and more of them for two
_PORT = re.compile(r"[0-9]{1,5}(?=[/?#\\]|\Z)")
_LONGEST_LABEL, _HIGHEST_PORT = 63, 65_535
_ALLOWED = frozenset({"if", "elsif", "else", "endif", "unless", "endunless", "case", "when", "endcase", "for", "endfor", "#"})
_SAFE = "%/?#[]@!$&'()*+,;=:~-._"
_BLANKS = " \t\n\v\f\r"  # what Liquid takes for white space
_CONTROL = re.compile(r"[\t\n\r]")


class AddressKind(Enum):
    """What to do with an address."""

    TRACK = auto()
    LEAVE = auto()  # mailto:, tel:, #place, a system URL, …
    RELATIVE = auto()  # leads nowhere in a message


class BadAddress(Exception):
    """The address cannot be used."""

    def __init__(self, code: str, message: str, hint: str):
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Address:
    """An address that was looked at. `target`: the redirect's template, normalised; empty unless tracked."""

    kind: AddressKind
    target: str = ""


def examine(source: str) -> Address:
    """Look at an address with its entities decoded; it may hold Liquid. Raises BadAddress."""
    text = source.strip("".join(map(chr, range(33))))
    masked = mask(text)
    if not text or text.startswith("#") or SYSTEM_URL.match(text):
        return Address(AddressKind.LEAVE)
    plain = _CONTROL.sub("", masked.split(MASK, 1)[0])
    scheme = _SCHEME.match(plain)
    if scheme is not None and not _is_host_and_port(scheme, plain):
        return _with_scheme(text, masked, scheme[1].lower())
    network = _NETWORK.match(plain)
    if len(plain) < len(_CONTROL.sub("", masked)) and not re.search(r"[/?#\\]", plain[network.end() :] if network else plain):
        raise BadAddress(
            "LINK_NOT_LITERAL",
            "the scheme and host of a link must be written out, not come from Liquid",
            "Write https://host/ and let Liquid follow; put a condition around the whole link.",
        )
    return Address(AddressKind.RELATIVE)


def _is_host_and_port(scheme: re.Match[str], plain: str) -> bool:
    """Whether what reads as a scheme is the host of `example.com:80/x`, whose scheme is missing."""
    name = scheme[1].lower()
    port = _PORT.match(plain, scheme.end())
    if port is None or name in _SCRIPTS or name in ("http", "https"):
        return False
    return "." in name or name == "localhost" or port.end() < len(plain)  # a number alone may be one to call


def _with_scheme(text: str, masked: str, scheme: str) -> Address:
    if scheme in _SCRIPTS:
        raise BadAddress("LINK_SCRIPT", f"a link must not be a {scheme}: address", "Use an http or https address.")
    if scheme not in ("http", "https"):
        return Address(AddressKind.LEAVE)
    web = _WEB.match(masked)
    if web is None:
        raise BadAddress("LINK_INVALID", f"this is not {scheme}://host/…", f"Write {scheme}:// and the host.")
    end = _HOST_END.search(masked, web.end())
    assert end is not None  # \Z always matches
    return Address(AddressKind.TRACK, _target(text, masked, web.end(), end.start(), scheme))


def _target(text: str, masked: str, host_start: int, host_end: int, scheme: str) -> str:
    authority = masked[host_start:host_end]
    if MASK in authority:
        raise BadAddress(
            "LINK_NOT_LITERAL",
            "the host of a link must be written out up to its end",
            "Write a / after the host, before the first {{ or {%.",
        )
    if foreign := [span for span in spans(text) if span.kind is SpanKind.TAG and span.name not in _ALLOWED]:
        raise BadAddress(
            "LINK_TAG",
            f"the tag {foreign[0].name!r} has no place in a link",
            "In an address there may be outputs, conditions and loops.",
        )
    if not is_balanced(text):
        raise BadAddress(
            "LINK_UNBALANCED",
            "a block of Liquid begins or ends within this link",
            "Close inside the address what is opened in it, or put the condition around the whole link.",
        )
    authority = _CONTROL.sub("", authority)
    found = _HOST.fullmatch(authority)
    if found is None:
        raise BadAddress("LINK_INVALID", f"{authority!r} is not a host", "Write https://host/…")
    port = (found[2] or "")[1:].lstrip("0")
    if len(port) > len(str(_HIGHEST_PORT)) or int(port or 0) > _HIGHEST_PORT:
        raise BadAddress("LINK_INVALID", f"there is no port {port[:20]}", "Leave the port out, or write one up to 65535.")
    start = _ascii_host(found[1]) + (found[2] or "")
    rest = text[host_end:]
    if rest.startswith("\\"):
        rest = "/" + rest[1:]
    return f"{scheme}://{start}{encoded(rest, _SAFE)}"


def encoded_braces(source: str) -> str:
    """An address in which braces that are no Liquid are percent-encoded."""
    if "{" not in source and "}" not in source:
        return source
    return "".join(piece.replace("{", "%7B").replace("}", "%7D") if span is None else piece for piece, span in pieces(source))


def encoded(source: str, safe: str) -> str:
    """Literal text as an address carries it, percent-encoded but for `safe` characters; Liquid as it is.

    Blanks that a dash takes away go first: once they are %20, Liquid knows them no more.
    """
    kept = []
    found = list(pieces(source))
    for index, (piece, span) in enumerate(found):
        if span is None:
            text = piece.lstrip(_BLANKS) if index and _trims_after(found[index - 1][0]) else piece
            if index + 1 < len(found) and found[index + 1][0].startswith(("{{-", "{%-")):
                text = text.rstrip(_BLANKS)
            kept.append(quote(_CONTROL.sub("", text), safe=safe, errors="replace"))
        elif span.kind is not SpanKind.COMMENT:
            kept.append(piece)
    return "".join(kept)


def _trims_after(liquid: str) -> bool:
    return liquid.endswith(("-}}", "-%}")) and len(liquid) > len("{{-}}")  # there the one dash belongs to the other side


def _ascii_host(host: str) -> str:
    if host.startswith("["):
        return host
    if host.isascii() and re.fullmatch(r"[A-Za-z0-9._-]+", host):
        if any(not 0 < len(label) <= _LONGEST_LABEL for label in host.removesuffix(".").split(".")):
            raise BadAddress("LINK_INVALID", f"{host!r} is not a host", "Write names of 1 to 63 characters between the dots.")
        return host
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError:
        raise BadAddress("LINK_INVALID", f"{host!r} is not a host", "Write https://host/…") from None
