"""What an entry of a suppression list says, read from any spelling: an address, a hash of one, a domain. Pure."""

from __future__ import annotations

import hashlib
import re

from channels.contract import AddressKind
from core.errors import Invalid
from core.profiles.address_keys import KINDS_WITH_NUMBERS, address_key
from core.profiles.addresses import normal_domain
from core.profiles.errors import BadValue, shown
from core.profiles.suppression_records import EntryForm, SuppressionKind

Entry = tuple[EntryForm, str]

_HASH = re.compile(r"[0-9a-f]{32}|[0-9a-f]{64}")
_DIGITS = {EntryForm.SHA256: 64, EntryForm.MD5: 32}
_WHOLE_DOMAIN = re.compile(r"\*?@.*|[^@\s]+\.[^@\s]+")  # `@mail.example`, `*.mail.example`, `mail.example`
_DOMAINS = (EntryForm.DOMAIN, EntryForm.SUBDOMAINS)
# Elsewhere what looks like a hash may be an address, such as the token of a device.
_FOUND_OUT = frozenset({AddressKind.EMAIL, *KINDS_WITH_NUMBERS})


def read_entry(kind: SuppressionKind, text: str, form: EntryForm | None, region: str, path: str = "value") -> Entry:
    """The form and the normalised value of an entry; `form` None: found out.

    Raises Invalid (BAD_EMAIL, BAD_PHONE, BAD_ADDRESS, EMPTY_ADDRESS, BAD_DOMAIN, BAD_HASH, WRONG_FORM).
    """
    if kind is SuppressionKind.EMAIL_DOMAIN:
        return _domain(text, form, path)
    if form in _DOMAINS:
        raise Invalid("this list holds addresses, not domains", code="WRONG_FORM", path=path)
    if kind is SuppressionKind.EMAIL and form in (None, EntryForm.PLAIN) and _WHOLE_DOMAIN.fullmatch(text.strip()):
        raise Invalid(
            f"{shown(text)} is a whole domain, and this list holds addresses", code="WRONG_FORM", path=path,
            hint="Put the domain on a list of the kind EMAIL_DOMAIN.",
        )  # fmt: skip
    of = AddressKind(kind.value)
    digits = text.strip().lower()
    if form in _DIGITS:
        if not _HASH.fullmatch(digits) or len(digits) != _DIGITS[form]:
            raise Invalid(
                f"{shown(text)} is not a hash of {_DIGITS[form]} hexadecimal digits", code="BAD_HASH", path=path
            )  # fmt: skip
        return form, digits
    if form is None and of in _FOUND_OUT and _HASH.fullmatch(digits):
        return (EntryForm.SHA256 if len(digits) == 64 else EntryForm.MD5), digits
    return EntryForm.PLAIN, address_key(of, text, region, path)


def written(form: EntryForm, value: str) -> str:
    """An entry as it stands in a file; `read_entry` gives it back."""
    return f"*.{value}" if form is EntryForm.SUBDOMAINS else value


def all_forms(entry: Entry) -> list[Entry]:
    """An entry with the others that name the same address: who takes an address out means its hashes too."""
    form, value = entry
    return [entry, *hashes(value)] if form is EntryForm.PLAIN else [entry]


def hashes(address: str) -> list[Entry]:
    """The hashes of a normalised address."""
    data = address.encode()
    return [
        (EntryForm.SHA256, hashlib.sha256(data).hexdigest()),
        (EntryForm.MD5, hashlib.md5(data, usedforsecurity=False).hexdigest()),
    ]


def domains_of(address: str) -> list[Entry]:
    """What lists of domains may say of a normalised email address."""
    domain = address.rpartition("@")[2]
    labels = domain.split(".")
    return [(EntryForm.DOMAIN, domain), *((EntryForm.SUBDOMAINS, ".".join(labels[n:])) for n in range(len(labels)))]


def _domain(text: str, form: EntryForm | None, path: str) -> Entry:
    if form is not None and form not in _DOMAINS:
        raise Invalid("this list holds domains, not addresses", code="WRONG_FORM", path=path)
    bare = re.sub(r"^\*?@", "", text.strip()).rstrip(".")
    below = bare.startswith(("*.", "."))
    bare = bare.lstrip("*").removeprefix(".") if below else bare
    try:
        key = normal_domain(bare)[1]
    except BadValue:
        raise Invalid(
            f"{shown(text)} is not a domain", code="BAD_DOMAIN", path=path,
            hint="Write it like example.com, or *.example.com for it and all below it.",
        ) from None  # fmt: skip
    return (EntryForm.SUBDOMAINS if below or form is EntryForm.SUBDOMAINS else EntryForm.DOMAIN), key
