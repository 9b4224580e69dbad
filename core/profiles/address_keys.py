"""The one form in which addresses of each kind are compared, whatever their spelling. Pure."""

from __future__ import annotations

import unicodedata

from channels.contract import AddressKind
from core.errors import Invalid
from core.profiles.addresses import parse_email
from core.profiles.errors import BadValue
from core.profiles.phones import parse_phone
from core.profiles.values import UNSTORABLE

KINDS_WITH_NUMBERS = frozenset({AddressKind.MOBILE, AddressKind.PHONE, AddressKind.FAX})
LONGEST = 1000  # characters of an address that is neither an email address nor a number
LONGEST_POSTAL = 600  # characters of a postal address that are compared: what an index holds, whatever the script

_FILLING = str.maketrans("", "", " -./()")


def address_key(kind: AddressKind, address: str, region: str = "US", path: str = "address") -> str:
    """The form in which addresses of a kind are compared.

    Capitals make no difference but in what a device or an application is reached by: tokens are taken letter by letter. Of a
    postal address the first LONGEST_POSTAL characters are compared.

    Raises Invalid (BAD_EMAIL, BAD_PHONE, BAD_ADDRESS, EMPTY_ADDRESS).
    """
    try:
        if kind is AddressKind.EMAIL:
            return parse_email(address).key
        if kind in KINDS_WITH_NUMBERS:
            return parse_phone(address, region)
    except BadValue as error:
        raise error.at(path, "address") from None
    key = _other(kind, address)
    if not key:
        raise Invalid("an address is missing", code="EMPTY_ADDRESS", path=path)
    if len(key) > LONGEST or UNSTORABLE.search(key):
        raise Invalid(
            f"an address has up to {LONGEST} characters, none of them a control character", code="BAD_ADDRESS", path=path
        )
    return key


def prefix_key(kind: AddressKind | None, prefix: str) -> str:
    """The beginning of an address as it is compared; kind None: of any kind."""
    text = unicodedata.normalize("NFC", prefix.strip())
    if kind in KINDS_WITH_NUMBERS or (kind is None and text[:1] == "+"):
        bare = text.translate(_FILLING)
        return f"+{bare[2:]}" if bare.startswith("00") else bare
    return text if kind in (AddressKind.PUSH, AddressKind.IN_APP) else text.lower()


def _other(kind: AddressKind, address: str) -> str:
    if kind in (AddressKind.PUSH, AddressKind.IN_APP):
        return address.strip()
    folded = unicodedata.normalize("NFC", " ".join(unicodedata.normalize("NFC", address).lower().split()))
    return folded[:LONGEST_POSTAL] if kind is AddressKind.POSTAL else folded
