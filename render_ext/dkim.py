"""DKIM: which domains sign (plain data), their keys (secrets), and how a signature's field is written.

RFC 6376 with RSA and RFC 8463 with Ed25519, relaxed/relaxed, the whole body. Canonical forms and hashing are native
(`_dkim.pyx`). Every field of the header is signed but the few of UNSIGNED, and From once more than it is there, so that
nobody can add another.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from enum import StrEnum
from hashlib import sha256
from typing import TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

PrivateKey: TypeAlias = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

LINE = 76
SMALLEST_RSA = 2048
LARGEST_RSA = 4096  # one signature of 4,096 bits takes some milliseconds, one of 16,384 half a second
OPENSSH = (  # which has no other form of its Ed25519 keys
    "an OpenSSH key, not one in PEM (-----BEGIN PRIVATE KEY-----). Convert a copy of an RSA key: ssh-keygen -p -N '' -m PKCS8"
    " -f COPY; make an Ed25519 key anew: openssl genpkey -algorithm ed25519"
)
LONGEST_PEM = 10_000  # characters; a key of 4,096 bits has some 3,300, and looking at a larger one takes seconds
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
DOMAIN = re.compile(rf"(?=.{{1,190}}\Z){LABEL}(?:\.{LABEL})+")
SELECTOR = re.compile(rf"(?=.{{1,120}}\Z){LABEL}(?:\.{LABEL})*")
DATE = re.compile(rb"(?:\A|\n)Date:([^\r]*)\r\n", re.IGNORECASE)
UNSIGNED = frozenset(  # what is written or taken away on the way
    {
        b"arc-authentication-results", b"arc-message-signature", b"arc-seal", b"authentication-results", b"bcc",
        b"dkim-signature", b"received", b"received-spf", b"return-path",
    }
)  # fmt: skip


class BadDkimKey(ValueError):
    """A key, or the name of one, that cannot sign."""


class MissingDkimKey(BadDkimKey):
    """A selector is to sign and no key was given for it."""


class DkimAlgorithm(StrEnum):
    """How a key signs; the names that stand in signatures."""

    RSA = "rsa-sha256"
    ED25519 = "ed25519-sha256"


@dataclass(frozen=True, slots=True, kw_only=True)
class DkimSelector:
    """One signature: the domain that answers for the message, which of its keys, and seconds until it expires."""

    domain: str
    selector: str
    expires_after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DkimKey:
    """A private key, in PEM without a password. `from_pem` sees which algorithm it is for."""

    domain: str
    selector: str
    algorithm: DkimAlgorithm
    private_key: str = field(repr=False)
    _loaded: PrivateKey | None = field(default=None, init=False, repr=False, compare=False)

    @classmethod
    def from_pem(cls, domain: str, selector: str, private_key: str) -> DkimKey:
        """Raises BadDkimKey for anything but RSA of 2,048 to 4,096 bits and Ed25519."""
        loaded = load(private_key)
        algorithm = DkimAlgorithm.RSA if isinstance(loaded, rsa.RSAPrivateKey) else DkimAlgorithm.ED25519
        key = cls(domain=domain, selector=selector, algorithm=algorithm, private_key=private_key)
        object.__setattr__(key, "_loaded", loaded)  # reading it is slow: the key is checked
        return key

    def load(self) -> PrivateKey:
        """The key at work; read once where `from_pem` made it. Raises BadDkimKey."""
        return self._loaded or load(self.private_key)

    def dns_record(self) -> tuple[str, str]:
        """Name and value of the TXT record that verifiers look for. Raises BadDkimKey."""
        public = self.load().public_key()
        encoding, form = serialization.Encoding, serialization.PublicFormat
        if isinstance(public, ed25519.Ed25519PublicKey):
            kind, data = "ed25519", public.public_bytes(encoding.Raw, form.Raw)
        else:
            kind, data = "rsa", public.public_bytes(encoding.DER, form.SubjectPublicKeyInfo)
        value = f"v=DKIM1; k={kind}; p={base64.b64encode(data).decode()}"
        return f"{self.selector}._domainkey.{self.domain}", value


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A selector with its key at work: `sign` makes the signature of the canonical header."""

    selector: DkimSelector
    algorithm: DkimAlgorithm
    sign: Callable[[bytes], bytes]


def find_signatures(selectors: Iterable[DkimSelector], keys: Iterable[DkimKey]) -> tuple[Signature, ...]:
    """What signs for the selectors, in their order. Raises MissingDkimKey and BadDkimKey."""
    by_name = {(key.domain.lower(), key.selector.lower()): key for key in keys}
    signatures = []
    for one in selectors:
        if DOMAIN.fullmatch(one.domain) is None:
            raise BadDkimKey(f"not a domain that can sign: {one.domain!r}")
        if SELECTOR.fullmatch(one.selector) is None:
            raise BadDkimKey(f"not a DKIM selector: {one.selector!r}")
        if one.expires_after is not None and one.expires_after <= 0:
            raise BadDkimKey("a signature expires after it was made: expires_after is 1 or more")
        key = by_name.get((one.domain.lower(), one.selector.lower()))
        if key is None:
            raise MissingDkimKey(f"no key was given for the DKIM selector {one.selector!r} of {one.domain}")
        signatures.append(Signature(selector=one, algorithm=key.algorithm, sign=_signing(key)))
    return tuple(signatures)


def load(private_key: str) -> PrivateKey:
    """The key of a PEM text. Raises BadDkimKey, which does not repeat what was given."""
    if private_key.lstrip().startswith("-----BEGIN OPENSSH"):
        raise BadDkimKey(OPENSSH)
    if len(private_key) > LONGEST_PEM:
        raise BadDkimKey(f"longer than a private key of {LARGEST_RSA} bits in PEM")
    try:
        found = serialization.load_pem_private_key(private_key.strip().encode(), password=None)
    except TypeError:
        raise BadDkimKey("the key is protected by a password; give it without one") from None
    except (ValueError, UnsupportedAlgorithm):
        raise BadDkimKey("not a private key in PEM (-----BEGIN PRIVATE KEY-----)") from None
    if isinstance(found, ed25519.Ed25519PrivateKey):
        return found
    if not isinstance(found, rsa.RSAPrivateKey):
        raise BadDkimKey("DKIM signs with RSA or Ed25519, not with another kind of key")
    if found.key_size < SMALLEST_RSA:
        raise BadDkimKey(f"an RSA key has {SMALLEST_RSA} bits or more, not {found.key_size}")
    if found.key_size > LARGEST_RSA:
        raise BadDkimKey(f"an RSA key has {LARGEST_RSA} bits at most, not {found.key_size}: larger ones sign too slowly")
    return found


def _signing(key: DkimKey) -> Callable[[bytes], bytes]:
    private = key.load()
    if (key.algorithm == DkimAlgorithm.RSA) != isinstance(private, rsa.RSAPrivateKey):
        raise BadDkimKey(f"the key of the DKIM selector {key.selector!r} is not for {key.algorithm}")
    if isinstance(private, rsa.RSAPrivateKey):
        scheme, algorithm = padding.PKCS1v15(), hashes.SHA256()
        return lambda data: private.sign(data, scheme, algorithm)
    return lambda data: private.sign(sha256(data).digest())  # RFC 8463 signs the hash, which Ed25519 hashes again


def date_of(message: bytes) -> int:
    """The Date of a message, as seconds since 1970. Raises ValueError where it has none, or one that is no date."""
    found = DATE.search(message, 0, message.find(b"\r\n\r\n") + 2)
    if found is None:
        raise ValueError("the message has no Date field")
    text = found[1].decode("ascii", "replace")
    try:
        seconds = int(parsedate_to_datetime(text).timestamp())
    except (ValueError, OverflowError):  # the year 0, say, or one that a zone moves out of the calendar
        raise ValueError(f"the message's Date is none: {text.strip()[:100]!r}") from None
    if seconds < 0:
        raise ValueError(f"the message's Date is before 1970: {text.strip()[:100]!r}")
    return seconds


def signature_start(signature: Signature, names: Sequence[str], at: int) -> bytes:
    """The field up to its body hash, folded; `names` are those of the signed fields, the last one of the header first."""
    one = signature.selector
    tags = [
        "DKIM-Signature: v=1;", f" a={signature.algorithm.value};", " c=relaxed/relaxed;", f" d={one.domain.lower()};",
        f" s={one.selector};", f" t={at};",
    ]  # fmt: skip
    if one.expires_after is not None:
        tags.append(f" x={at + one.expires_after};")
    listed = [f"{name}:" for name in names]
    return folded([*tags, f" h={''.join(listed[:1])}", *listed[1:], "from;"]).encode() + b"\r\n bh="


def folded(pieces: Iterable[str]) -> str:
    """The pieces one after the other, on lines of 76 characters where they fit; a space begins each line but the first."""
    lines = [""]
    for piece in pieces:
        if lines[-1] and len(lines[-1]) + len(piece) > LINE:
            lines.append(f" {piece.lstrip()}")
        else:
            lines[-1] += piece
    return "\r\n".join(lines)
