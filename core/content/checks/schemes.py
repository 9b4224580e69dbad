"""Schemes that mail readers do not follow, mistyped ones, and those that run a script where no link is looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from core.content.checks.part import BLANK, CheckedPart
from core.content.html.markup import Attribute, Kind, Piece, decode_attribute
from core.content.liquid import MASK, mask
from core.content.records import ContentWarning, WarningLevel

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_CONTROL = re.compile(r"[\t\n\r]")
_UNUSABLE = frozenset(
    {"about", "blob", "chrome", "file", "filesystem", "res", "resource", "view-source", "ws", "wss", "x-javascript"}
)
_MEANT = ("http", "https", "mailto")
_ALIKE = 0.75  # `htps` and `https` are; `ftp`, `ftps` and `http` are not
_FOLLOWED: Mapping[str, frozenset[str] | None] = {  # attributes in which readers follow an address; None: of every element
    "xlink:href": None,
    "formaction": None,
    "background": None,
    "action": frozenset({"form"}),
    "src": frozenset({"iframe", "embed", "frame", "img", "input", "script"}),
    "data": frozenset({"object"}),
    "href": frozenset({"base"}),
    "content": frozenset({"meta"}),
}
_REFRESH = re.compile(r"\s*[0-9.]*\s*[;,]?\s*(?:url\s*=\s*)?[\"']?", re.IGNORECASE)


def unusable_schemes(part: CheckedPart) -> Iterator[ContentWarning]:
    """Links that begin as no reader can follow: `file:`, `htps:`."""
    for found in part.addresses("href", "a", "area"):
        scheme = _scheme(found.value)
        near = get_close_matches(scheme, _MEANT, 1, _ALIKE) if scheme and scheme not in _MEANT else []
        if scheme in _UNUSABLE or near:
            yield part.told_at(
                found.attribute.start,
                "LINK_SCHEME",
                f"no mail reader follows the address {found.value[:80]!r}",
                f"Did you mean '{near[0]}:'?"
                if near
                else "Write an address that recipients can reach, beginning with https://",
            )


def script_addresses(part: CheckedPart) -> Iterator[ContentWarning]:
    """Addresses that run a script, in forms, frames and whatever else is no link."""
    for piece in part.pieces:
        if piece.kind is not Kind.START:
            continue
        for attribute in piece.attributes:
            value = _followed(part, piece, attribute)
            scheme = _scheme(value)
            if scheme in ("javascript", "vbscript") or (scheme == "data" and not _is_image(piece, attribute, value)):
                yield part.told_at(
                    attribute.start,
                    "LINK_SCRIPT",
                    f"the {attribute.name} of <{piece.name}> must not be a {scheme}: address",
                    "Use an http or https address.",
                    level=WarningLevel.ERROR,
                )


def _is_image(piece: Piece, attribute: Attribute, value: str) -> bool:
    """Whether `data:` stands where it can only be an image, or says that it is one."""
    shown = piece.name in ("img", "input") or attribute.name == "background"
    return shown or value.partition(":")[2].strip(BLANK).lower().startswith("image/")


def _followed(part: CheckedPart, piece: Piece, attribute: Attribute) -> str:
    """The address in an attribute in which one is followed, else nothing."""
    elements = _FOLLOWED.get(attribute.name, frozenset())
    if attribute.start < 0 or (elements is not None and piece.name not in elements):
        return ""
    value = decode_attribute(part.text[attribute.start : attribute.end])
    if attribute.name == "content":
        kind = piece.find("http-equiv")
        refreshes = kind is not None and part.text[kind.start : kind.end].strip().lower() == "refresh"
        return _REFRESH.sub("", value, count=1).strip(BLANK) if refreshes else ""
    return value.strip(BLANK)


def _scheme(address: str) -> str:
    """The scheme of an address as far as it is written out, in lower case."""
    found = _SCHEME.match(_CONTROL.sub("", mask(address).split(MASK, 1)[0]))
    return found[1].lower() if found else ""
