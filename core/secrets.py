"""Master keys and what is derived from them: token keys, keyed hashes, encryption of stored secrets.

A master key has a small id. The newest one makes new tokens and encrypts; older ones still read, until they are taken
out of the settings. Losing a key makes stored channel passwords unreadable, tokens made with it void, and audit entries on
addresses that were written under it impossible to find by the address; nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets as random_source
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.config import Settings
from core.errors import Invalid

KEY_BYTES = 32
KEYED_HASH_DIGITS = 32  # hexadecimal: 128 bits


@dataclass(frozen=True, slots=True)
class MasterKey:
    """One master key; `key_id` is 0 to 255 and never used again for another key."""

    key_id: int
    secret: bytes

    def derive(self, purpose: str) -> bytes:
        """A 32-byte key for one purpose (HKDF-SHA256, RFC 5869)."""
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"clarion/" + purpose.encode()).derive(self.secret)


class Keyring:
    """The installation's master keys, newest first."""

    def __init__(self, keys: list[MasterKey]):
        if not keys:
            raise Invalid("there is no master key", code="NO_SECRET_KEY", hint="Set CLARION_SECRET_KEYS.")
        self.newest = keys[0]
        self.by_id = {key.key_id: key for key in keys}

    def derive_all(self, purpose: str) -> dict[int, bytes]:
        """The derived key of each master key, by its id."""
        return {key_id: key.derive(purpose) for key_id, key in self.by_id.items()}

    def keyed_hash(self, value: str, purpose: str, key_id: int | None = None) -> str:
        """What stands for a value that must not be told: its HMAC-SHA256 (half of it) under a derived key, `1:<32 hex digits>`.

        The newest key unless `key_id` says which; its id comes first.
        """
        key = self.newest if key_id is None else self.by_id[key_id]
        digest = hmac.new(key.derive(purpose), value.encode(), hashlib.sha256).hexdigest()
        return f"{key.key_id}:{digest[:KEYED_HASH_DIGITS]}"

    def keyed_hashes_of(self, values: Iterable[str], purpose: str) -> list[str]:
        """`keyed_hash` of many values, in their order, under the newest key."""
        key, number = self.newest.derive(purpose), self.newest.key_id
        digests = (hmac.new(key, value.encode(), hashlib.sha256).hexdigest() for value in values)
        return [f"{number}:{digest[:KEYED_HASH_DIGITS]}" for digest in digests]

    def keyed_hashes(self, value: str, purpose: str) -> list[str]:
        """What may stand for a value, under each key, newest first: for looking it up after a change of keys."""
        return [self.keyed_hash(value, purpose, key_id) for key_id in self.by_id]

    def encrypt(self, plain: bytes, context: str) -> bytes:
        """Encrypt with the newest key (ChaCha20-Poly1305, RFC 8439); `context` is bound to the text."""
        nonce = os.urandom(12)
        box = ChaCha20Poly1305(self.newest.derive("encryption"))
        return bytes([self.newest.key_id]) + nonce + box.encrypt(nonce, plain, context.encode())

    def decrypt(self, sealed: bytes, context: str) -> bytes:
        """Raises Invalid (SECRET_UNREADABLE) when the key is gone or the text was altered."""
        key = self.by_id.get(sealed[0]) if sealed else None
        if key is not None:
            try:
                return ChaCha20Poly1305(key.derive("encryption")).decrypt(sealed[1:13], sealed[13:], context.encode())
            except InvalidTag:
                pass
        raise Invalid(
            f"the stored secret of {context} cannot be read",
            code="SECRET_UNREADABLE",
            hint="Put the master key it was written with back into CLARION_SECRET_KEYS, or enter the secret again.",
        )


def key_id_of(sealed: bytes) -> int:
    """Which master key a text was encrypted with."""
    return sealed[0]


def load_keyring(settings: Settings) -> Keyring:
    """The keyring of the settings; in development it is made on first start in `var_dir/secret-keys`."""
    if settings.secret_keys is not None:
        return parse_keyring(settings.secret_keys.get_secret_value())
    return parse_keyring(_development_keys(settings.var_dir / "secret-keys"))


def parse_keyring(text: str) -> Keyring:
    """Read `id:base64,id:base64`. Raises Invalid (BAD_SECRET_KEYS)."""
    keys = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        try:
            key_id, encoded = part.split(":", 1)
            key = MasterKey(int(key_id), base64.b64decode(encoded, validate=True))
        except ValueError:
            raise _bad_keys() from None
        if len(key.secret) != KEY_BYTES or not 0 <= key.key_id <= 255:
            raise _bad_keys()
        keys.append(key)
    return Keyring(keys)


def new_key_text(key_id: int) -> str:
    """A fresh master key in the spelling of the setting."""
    return f"{key_id}:{base64.b64encode(random_source.token_bytes(KEY_BYTES)).decode()}"


def _development_keys(path: Path) -> str:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text()
        with os.fdopen(handle, "w") as file:
            file.write(new_key_text(1))
    return path.read_text()


def _bad_keys() -> Invalid:
    return Invalid(
        "CLARION_SECRET_KEYS is not a list of id:base64 keys of 32 bytes",
        code="BAD_SECRET_KEYS",
        hint="Make one with `clarion token key`.",
    )
