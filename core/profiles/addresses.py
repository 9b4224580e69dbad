"""Email addresses: what is one (RFC 5321, 6531, without quoted local parts), and the form in which they are compared.

`address` keeps the local part as the person spells it; a domain that is not ASCII is written in its ASCII form (IDNA
2008 after UTS 46), so that it can be mailed through any server. `key` is `address` in small letters: two spellings
of one address have the same key. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

import idna

from core.profiles.errors import BadValue, shown

LOCAL_BYTES = 64  # RFC 5321, 4.5.3.1.1
ADDRESS_LENGTH = 254  # RFC 5321, 4.5.3.1.3: a path of 256 with its brackets
DOMAIN_LENGTH = 253
MEMORY = 50_000  # domains remembered

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\U0010ffff]+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_PLAIN_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_PLAIN = re.compile(rf"({_PLAIN_ATOM}(?:\.{_PLAIN_ATOM})*)@([A-Za-z0-9.-]+)")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?=[a-z]){_LABEL}")
_INVISIBLE = "\ufeff\u200b\u200c\u200d\u200e\u200f\u2060"  # what copying out of a document leaves at the ends

_HINT = "Write it like name@example.com."


class EmailAddress(NamedTuple):
    """A valid address."""

    address: str
    key: str
    domain: str  # of the key


def plain_email(text: str) -> tuple[str, str, str] | None:
    """Address, key and domain of what is an address as it stands; None when `parse_email` has to look at it.

    Raises BadValue (BAD_EMAIL).
    """
    plain = _PLAIN.fullmatch(text)
    if plain is None or plain.end(1) > LOCAL_BYTES or len(text) > ADDRESS_LENGTH:
        return None
    stored, key_domain = _domains[plain[2]]
    return (text, text.lower(), key_domain) if stored == plain[2] else None


def parse_email(text: str) -> EmailAddress:
    """The address in a text. Raises BadValue (BAD_EMAIL)."""
    plain = plain_email(text)
    return EmailAddress(*plain) if plain is not None else _parse_slowly(text)


def _parse_slowly(text: str) -> EmailAddress:
    local, at, domain = text.strip().strip(_INVISIBLE).strip().rpartition("@")
    if not at:
        raise _bad(text, "has no @")
    if not local.isascii():
        local = unicodedata.normalize("NFC", local)
    if not _LOCAL.fullmatch(local) or not local.isprintable():
        raise _bad(text, _local_fault(local))
    stored, key_domain = normal_domain(domain)
    address, key = f"{local}@{stored}", f"{_small(local)}@{key_domain}"
    if len(local.encode()) > LOCAL_BYTES or len(_small(local).encode()) > LOCAL_BYTES:
        raise _bad(text, f"has more than {LOCAL_BYTES} bytes before the @")
    if len(address.encode()) > ADDRESS_LENGTH or len(key.encode()) > ADDRESS_LENGTH:
        raise _bad(text, f"has more than {ADDRESS_LENGTH} bytes")
    return EmailAddress(address, key, key_domain)


class _Domains(dict[str, tuple[str, str]]):
    """Domains met before: files of people repeat them."""

    def __missing__(self, domain: str) -> tuple[str, str]:
        found = _examine_domain(domain)
        if len(self) >= MEMORY:
            self.clear()
        self[domain] = found
        return found


_domains = _Domains()


def normal_domain(domain: str) -> tuple[str, str]:
    """A domain as it is stored and as it is compared. Raises BadValue (BAD_EMAIL)."""
    return _domains[domain]


def _examine_domain(domain: str) -> tuple[str, str]:
    if len(domain) > DOMAIN_LENGTH:
        raise _bad(domain, f"has a domain of more than {DOMAIN_LENGTH} characters")
    stored, key = domain, domain.lower()
    if not domain.isascii() or "xn--" in key:
        try:
            stored = key = idna.encode(domain, uts46=True, std3_rules=True).decode("ascii").lower()
        except (idna.IDNAError, UnicodeError):
            raise _bad(domain, "has a domain that cannot exist (IDNA)") from None
    if len(key) > DOMAIN_LENGTH or not _DOMAIN.fullmatch(key):
        raise _bad(domain, "has no valid domain after the @")
    return stored, key


def _small(local: str) -> str:
    """Small letters stay themselves when made small again: some capitals take two steps."""
    lowered = local.lower()
    return lowered if lowered.isascii() else unicodedata.normalize("NFC", lowered)


def _local_fault(local: str) -> str:
    if not local:
        return "has nothing before the @"
    if ".." in local or local[0] == "." or local[-1] == ".":
        return "has a dot too many before the @"
    odd = next((character for character in local if not _LOCAL.fullmatch(character) and character != "."), None)
    odd = odd or next((character for character in local if not character.isprintable()), None)
    return f"has {shown(odd)} before the @"


def _bad(text: str, fault: str) -> BadValue:
    return BadValue("BAD_EMAIL", f"{shown(text)} is not an email address: it {fault}", _HINT)
