"""Tokens: the native hash against the standard library's, one text per token, and nothing but our own accepted."""

from __future__ import annotations

import base64
import hashlib
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from render_ext import (
    Identity,
    RenderError,
    Token,
    TokenKey,
    TokenKind,
    TokenSigner,
    compile,
    mint,
    read_envelope_sender,
    read_message_id,
    verify,
)
from render_ext._tokens import blake2s_mac

HIGHEST = 2**63 - 1
KEY = TokenKey(7, bytes(range(32)))
KEYS = {7: KEY, 8: TokenKey(8, b"other key of thirty-two bytes ok")}
SIGNER = TokenSigner("https://t.example.com", KEY)
ALPHABET = string.ascii_letters + string.digits + "-_"

numbers = st.integers(0, HIGHEST) | st.integers(0, 300) | st.sampled_from([0, 127, 128, 16383, 16384, HIGHEST])
keys = st.builds(TokenKey, st.integers(0, 255), st.binary(min_size=32, max_size=32))
bodies = {
    "delivery_id": numbers,
    "recipient_kind": numbers,
    "recipient_id": numbers,
    "occurrence": numbers,
    "link": numbers,
    "link_occurrence": numbers,
}
kinds = st.sampled_from(TokenKind)


def decoded(text: str) -> bytes:
    """The bytes of a token."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(data: bytes) -> str:
    """The text of bytes."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def sealed(body: bytes, key: TokenKey = KEY) -> str:
    """A text with a correct MAC over any body."""
    return encoded(body + hashlib.blake2s(body, key=key.secret, digest_size=10).digest())


SAMPLE = Token(
    kind=TokenKind.CLICK, key_id=7, delivery_id=12, recipient_kind=1, recipient_id=1234567, link=5, link_occurrence=1
)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=1, max_size=300))
def test_the_hash_is_keyed_blake2s(secret: bytes, message: bytes) -> None:
    assert blake2s_mac(secret, message) == hashlib.blake2s(message, key=secret, digest_size=10).digest()


@pytest.mark.parametrize("size", [1, 55, 56, 57, 63, 64, 65, 127, 128, 129, 192])
def test_the_hash_at_the_edges_of_its_blocks(size: int) -> None:
    message = bytes(i % 251 for i in range(size))
    assert blake2s_mac(KEY.secret, message) == hashlib.blake2s(message, key=KEY.secret, digest_size=10).digest()


@given(keys, kinds, st.fixed_dictionaries(bodies))
def test_a_token_comes_back(key: TokenKey, kind: TokenKind, fields: dict[str, int]) -> None:
    token = Token(kind=kind, key_id=key.key_id, **fields)
    text = mint(key, token)
    assert set(text) <= set(ALPHABET)
    assert verify(text, {key.key_id: key}) == token
    assert verify(text, {}) is None


def test_the_format_is_what_the_design_says() -> None:
    body = bytes([0x11, 7, 12, 1, 0x87, 0xAD, 0x4B, 0, 5, 1])
    assert mint(KEY, SAMPLE) == sealed(body)
    assert verify(sealed(body), KEYS) == SAMPLE


def test_every_flipped_bit_makes_it_void() -> None:
    text = mint(KEY, SAMPLE)
    data = decoded(text)
    for bit in range(len(data) * 8):
        altered = bytearray(data)
        altered[bit // 8] ^= 1 << bit % 8
        assert verify(encoded(bytes(altered)), KEYS) is None, bit
    for position in range(len(text)):
        for character in ALPHABET.replace(text[position], ""):
            assert verify(text[:position] + character + text[position + 1 :], KEYS) is None


def test_another_text_of_the_same_bytes_is_refused() -> None:
    """Unused bits of the last character, padding, the other alphabet, white space."""
    body = bytes([0x11, 7, 12, 1, 1, 0, 5])
    for extra in (b"\x01", b"\x80\x01", b"\xff\x80\x01"):  # three lengths of text
        text = sealed(body + extra)
        assert verify(text, KEYS) is not None
        last = ALPHABET_ORDER.index(text[-1])
        for other in range(64):
            if other != last:
                assert verify(text[:-1] + ALPHABET_ORDER[other], KEYS) is None
        for misspelt in (text + "=", text + "A", " " + text, text + "\n", text[:-1], text.replace("-", "+") + "/"):
            assert verify(misspelt, KEYS) is None


ALPHABET_ORDER = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"


@pytest.mark.parametrize(
    "body",
    [
        bytes([0x11, 7, 12, 1, 1, 0, 5]),  # a number is missing
        bytes([0x11, 7, 12, 1, 1, 0, 5, 0, 0]),  # one too many
        bytes([0x11, 7, 0x8C, 0, 1, 1, 0, 5, 0]),  # a longer spelling of 12
        bytes([0x11, 7, 12, 1, 1, 0, 5, 0x80]),  # cut off within a number
        bytes([0x11, 7, *[0xFF] * 9, 1, 1, 1, 0, 5, 0]),  # 2**64 - 1
        bytes([0x21, 7, 12, 1, 1, 0, 5, 0]),  # another version
        bytes([0x14, 7, 12, 1, 1, 0, 5, 0]),  # a kind that is none
        bytes([0x1F, 7, 12, 1, 1, 0, 5, 0]),  # the kind of an envelope sender
    ],
)
def test_a_body_that_we_would_not_write_is_refused_even_with_a_true_mac(body: bytes) -> None:
    assert verify(sealed(body), KEYS) is None


def test_a_token_of_another_key_is_void() -> None:
    text = mint(KEY, SAMPLE)
    assert verify(text, {7: KEYS[8]}) is None
    assert verify(text, {8: KEYS[8]}) is None
    body = decoded(text)[:-10]
    assert verify(sealed(body, KEYS[8]), KEYS) is None


@given(st.text() | st.text(alphabet=ALPHABET, max_size=120) | st.binary() | st.none() | st.integers())
def test_hostile_input_is_none_and_nothing_else(text: Any) -> None:
    assert verify(text, KEYS) is None
    assert read_envelope_sender(text, KEYS) is None
    assert read_message_id(text, KEYS) is None
    if isinstance(text, str):
        assert read_envelope_sender("b-" + text, KEYS) is None


@pytest.mark.parametrize("field", ["delivery_id", "recipient_kind", "recipient_id", "occurrence"])
@pytest.mark.parametrize("number", [-1, 2**63, 2**64, 10**30])
def test_numbers_out_of_range_are_refused(field: str, number: int) -> None:
    values: dict[str, Any] = {"delivery_id": 1, "recipient_kind": 1, "recipient_id": 1, "occurrence": 0, field: number}
    with pytest.raises(ValueError, match="0 to 2"):
        mint(KEY, Token(kind=TokenKind.OPEN, key_id=7, **values))
    program = compile("{% mirror_url %}", links=True, signer=SIGNER)
    with pytest.raises(ValueError, match="0 to 2"):
        program.render({}, identity=Identity(**values))


def test_keys_and_base_urls_are_checked() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        TokenKey(1, b"short")
    with pytest.raises(ValueError, match="0 to 255"):
        TokenKey(256, bytes(32))
    with pytest.raises(ValueError, match="names key 9"):
        mint(KEY, Token(kind=TokenKind.OPEN, key_id=9, delivery_id=1, recipient_kind=1, recipient_id=1))
    for base in ("ftp://x", "https://x/\r\n", 'https://x/"', "https://x?y", "x", "https://x/" + "a" * 600):
        with pytest.raises(ValueError, match="base URL"):
            TokenSigner(base, KEY)
    assert "secret" not in repr(KEY)
    assert str(KEY.secret) not in repr(SIGNER)


def test_a_signer_writes_whole_urls() -> None:
    signer = TokenSigner("http://localhost:8000/mail/", KEY)
    identity = Identity(12, 1, 1234567)
    letters = {TokenKind.CLICK: "c", TokenKind.OPEN: "o", TokenKind.UNSUBSCRIBE: "u", TokenKind.MIRROR: "m"}
    for kind, letter in letters.items():
        start, _, text = signer.url(kind, identity, 5, 1).rpartition("/")
        assert start == f"http://localhost:8000/mail/{letter}"
        token = verify(text, KEYS)
        assert token is not None
        assert (token.kind, token.identity, token.link, token.link_occurrence) == (kind, identity, 5, 1)


@given(numbers, st.integers(0, 255), numbers, st.integers(0, 2**31 - 1))
def test_envelope_senders_and_message_ids_lead_back(delivery: int, kind: int, recipient: int, occurrence: int) -> None:
    identity = Identity(delivery, kind, recipient, occurrence)
    sender = SIGNER.local_part(identity, bounce=True)
    assert len(sender) <= 64
    assert read_envelope_sender(sender + "@bounce.example.com", KEYS) == identity
    assert read_envelope_sender(sender.upper() + "@BOUNCE.EXAMPLE.COM", KEYS) == identity
    message_id = SIGNER.local_part(identity, bounce=False)
    assert read_message_id(f"<{message_id}@example.com>", KEYS) == identity
    assert read_message_id(f" {message_id}@example.com", KEYS) == identity
    assert read_envelope_sender("b-" + message_id, KEYS) is None
    assert read_message_id(sender.removeprefix("b-"), KEYS) is None


def test_altered_envelope_senders_are_void() -> None:
    sender = SIGNER.local_part(Identity(12, 1, 1234567), bounce=True)
    for position in range(2, len(sender)):
        for character in "abcdefghijklmnopqrstuvwxyz234567".replace(sender[position], ""):
            altered = sender[:position] + character + sender[position + 1 :]
            assert read_envelope_sender(altered + "@x.example", KEYS) is None


def test_a_failing_identity_is_a_value_error_not_a_crash() -> None:
    program = compile("{% link 1 %}https://x.example/{% endlink %}", links=True, signer=SIGNER)
    with pytest.raises(AttributeError):
        program.render({}, identity=object())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="bind one first"):
        program.bind(None).render({}, identity=Identity(1, 1, 1))
    assert not issubclass(ValueError, RenderError)
