"""Tokens, envelope senders and Message-IDs that somebody else made: never accepted, never more than refused."""

from __future__ import annotations

import base64
import hashlib
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from render_ext import Identity, Token, TokenKey, TokenKind, TokenSigner, mint, read_envelope_sender, read_message_id, verify
from tests.fuzz import hostile
from tests.fuzz.budget import fuzz, rounds

KEYS = {1: TokenKey(1, bytes(range(32))), 7: TokenKey(7, bytes(range(100, 132))), 255: TokenKey(255, b"\xff" * 32)}
STRANGER = TokenKey(7, b"f" * 32)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
NUMBERS = [0, 1, 127, 128, 2**14, 2**31 - 1, 2**32, 2**56, 2**63 - 1]


def token(chance: Random, key: TokenKey) -> Token:
    """Any token of a key."""
    names = ("delivery_id", "recipient_kind", "recipient_id", "occurrence", "link", "link_occurrence")
    numbers = {name: chance.choice([*NUMBERS, chance.randrange(2**63)]) for name in names}
    return Token(kind=chance.choice(list(TokenKind)), key_id=key.key_id, **numbers)


def damaged(chance: Random, text: str) -> str:
    """The text, changed in a few places, cut, or grown."""
    for _ in range(chance.choice([1, 1, 2, 5])):
        at = chance.randrange(len(text) + 1)
        kind = chance.randrange(6)
        if kind == 0:
            text = text[:at] + chance.choice(ALPHABET) + text[at + 1 :]
        elif kind == 1:
            text = text[:at] + text[at + chance.randrange(1, 4) :]
        elif kind == 2:
            text = text[:at] + chance.choice([*ALPHABET, *hostile.BITS, "=", "+", "/"]) + text[at:]
        elif kind == 3:
            text = text[:at]
        elif kind == 4:
            text = text[:at] + text[at:].swapcase()
        else:
            text = text[at:] + text[:at]
    return text


@pytest.mark.parametrize("chance", rounds(20), ids=repr)
def test_damaged_tokens(chance: Random) -> None:
    for _ in range(300):
        key = chance.choice(list(KEYS.values()))
        good = token(chance, key)
        text = mint(key, good)
        assert verify(text, KEYS) == good
        bad = damaged(chance, text)
        assert bad == text or verify(bad, KEYS) is None
        data = bytearray(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        assert verify(base64.urlsafe_b64encode(bytes(data)).decode().rstrip("="), KEYS) is None


@pytest.mark.parametrize("chance", rounds(10), ids=repr)
def test_tokens_of_a_stranger(chance: Random) -> None:
    for _ in range(300):
        forged = mint(STRANGER, token(chance, STRANGER))
        assert verify(forged, KEYS) is None
        known = mint(KEYS[7], token(chance, KEYS[7]))
        assert verify(known[:-14] + forged[-14:], KEYS) is None  # the MAC of another
        assert verify(known, {7: STRANGER}) is None


@pytest.mark.parametrize("chance", rounds(10), ids=repr)
def test_bodies_that_we_would_not_write_but_with_a_true_mac(chance: Random) -> None:
    """Whoever has the key may write what they like; what is read is at most what `mint` would have written."""
    for _ in range(300):
        body = bytearray(b"\x11\x07" + chance.randbytes(chance.randrange(70)))
        body[0] = chance.choice([0x10, 0x11, 0x12, 0x13, 0x16, 0x1E, 0x1F, 0x21, 0x01])
        mac = hashlib.blake2s(body, key=KEYS[7].secret, digest_size=10).digest()
        text = base64.urlsafe_b64encode(bytes(body) + mac).decode().rstrip("=")
        found = verify(text, KEYS)
        assert found is None or mint(KEYS[7], found) == text


@pytest.mark.parametrize("chance", rounds(10), ids=repr)
def test_damaged_addresses(chance: Random) -> None:
    for _ in range(200):
        key = chance.choice(list(KEYS.values()))
        signer = TokenSigner("https://t.example.com", key)
        identity = Identity(*(chance.choice([*NUMBERS[:6], chance.randrange(2**40)]) for _ in range(4)))
        for bounce, read in ((True, read_envelope_sender), (False, read_message_id)):
            try:
                local = signer.local_part(identity, bounce=bounce)
            except ValueError:
                continue
            assert read(f"{local}@b.example", KEYS) == identity
            bad = damaged(chance, local)
            found = read(f"{bad}@b.example", KEYS)
            assert found is None or same_address(bad, local), bad


def same_address(one: str, other: str) -> bool:
    """Upper case, and white space around, do not make another address of it."""
    return one.strip().lower() == other.lower()


@fuzz(300)
@given(hostile.values | st.text(alphabet=ALPHABET, max_size=200) | st.binary())
def test_anything_but_a_token(text: Any) -> None:
    assert verify(text, KEYS) is None
    assert read_envelope_sender(text, KEYS) is None
    assert read_message_id(text, KEYS) is None
    for start in ("b-", "<", "B-") if isinstance(text, str) else ():
        assert read_envelope_sender(start + text + "@x.example", KEYS) is None
        assert read_message_id(start + text + "@x.example>", KEYS) is None


@pytest.mark.parametrize("size", [1_000, 1_000_000, 10_000_000])
def test_long_texts(size: int) -> None:
    for text in ("A" * size, "b-" + "a" * size, "<" * size, "\ud800" * size):
        assert verify(text, KEYS) is None
        assert read_envelope_sender(text, KEYS) is None
        assert read_message_id(text, KEYS) is None
