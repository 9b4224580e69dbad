"""Where links lead that lead nowhere: to no address, to none with a host, to hosts that nobody outside reaches."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from core.content.checks.part import CheckedPart
from core.content.links.addresses import BadAddress, examine
from core.content.links.rewriting import rewrite_html
from core.content.records import ContentWarning
from core.egress import refused_because

# RFC 6761 and 6762, RFC 7686, RFC 8375, RFC 9476, ICANN's `internal`, and what RFC 6762 (appendix G) names as used at home
# and in offices.
PRIVATE_NAMES = (
    "localhost", "localdomain", "local", "internal", "intranet", "lan", "corp", "home", "private", "home.arpa", "invalid",
    "test", "onion", "alt",
)  # fmt: skip
_BARE = re.compile(r"(?<![\w{])(https?://[^\s<>\"'/?#)]+)[^\s<>\"]*", re.IGNORECASE)
_CANDIDATE = re.compile(r"https?://[^\s]+?(?=[\s,]|\Z)", re.IGNORECASE)  # an image of a `srcset`
_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)\.?", re.DOTALL)  # WHATWG URL: a host that ends in a number


def empty_links(part: CheckedPart) -> Iterator[ContentWarning]:
    """Links without an address, or with the `#` that stands in for one."""
    for found in part.addresses("href", "a", "area"):
        if found.value.lower() in ("", "#", "mailto:", "tel:", "sms:"):
            shown = found.value or "no address"
            yield part.told_at(
                found.piece.start,
                "EMPTY_LINK",
                f"this link has {shown} and leads nowhere",
                "Write the address, or take the link away.",
            )


def relative_links(part: CheckedPart) -> Iterator[ContentWarning]:
    """Links without scheme and host."""
    if part.is_html and part.content.tracking:
        yield from map(part.built.warning, rewrite_html(part.text, rules=part.content.rules).warnings)


def private_hosts(part: CheckedPart) -> Iterator[ContentWarning]:
    """Links to hosts and images on hosts that only some house's own network has."""
    for offset, address, what in _web_addresses(part):
        host = _host(address)
        if host is not None and (reason := private_because(host)):
            yield part.told_at(
                offset,
                "LINK_PRIVATE_HOST",
                f"the host {host[:80]!r} of this {what} cannot be reached by recipients: it is {reason}",
                "Write the address that the public has.",
            )


def private_because(host: str) -> str | None:
    """Why a host is not for everybody, or None. Nothing is looked up."""
    name = host.lower().strip("[]").rstrip(".")
    if address := _ip_address(name):
        return refused_because(address)
    if "." not in name and name not in PRIVATE_NAMES:
        return "a name without a domain"
    if any(label.startswith("-") or label.endswith("-") for label in name.split(".")):
        return "a name with a hyphen at the wrong end"
    ending = next((one for one in PRIVATE_NAMES if name == one or name.endswith(f".{one}")), None)
    return f"a name under '{ending}'" if ending else None


def _ip_address(name: str) -> str | None:
    """The IP address that a host is, in whatever way it is written: `2130706433` and `0x7f.1` are 127.0.0.1."""
    if ":" in name:
        return name if _is_ip(name) else None
    if not _NUMERIC.fullmatch(name):
        return None
    try:
        return socket.inet_ntoa(socket.inet_aton(name))
    except (OSError, UnicodeError):
        return None


def _is_ip(name: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET6, name)
    except (OSError, UnicodeError):
        return False
    return True


def _web_addresses(part: CheckedPart) -> Iterator[tuple[int, str, str]]:
    """Every web address that is written out up to its host: where it stands, what it is, and of what."""
    if not part.is_html:
        for bare in _BARE.finditer(part.masked):
            yield bare.start(), bare[1], "address"
        return
    for found in part.addresses("href", "a", "area"):
        yield found.attribute.start, found.value, "link"
    for found in part.addresses("action", "form"):
        yield found.attribute.start, found.value, "form"
    for found in part.addresses("src", "img", "input"):
        yield found.attribute.start, found.value, "image"
    for found in part.addresses("background"):
        yield found.attribute.start, found.value, "background"
    for found in part.addresses("srcset", "img", "source"):
        for candidate in _CANDIDATE.findall(found.value):
            yield found.attribute.start, candidate, "image"


def _host(address: str) -> str | None:
    """The host of a web address that is not Liquid's to choose."""
    try:
        return urlsplit(examine(address).target).hostname
    except (BadAddress, ValueError):
        return None
