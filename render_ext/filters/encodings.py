"""Filters that write a text in another alphabet, and read it back: URLs, Base64, JSON, digests."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from datetime import date, datetime
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any, Final
from urllib.parse import quote_plus, unquote_to_bytes

from render_ext.errors import FilterError, LimitReached
from render_ext.filters.records import Surroundings, allow, items_of
from render_ext.values import DEEPEST, to_text, unprintable

PLAIN_IN_URL: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~ "
SURROGATE: Final = re.compile("[\ud800-\udfff]")
URL_SAFE: Final = str.maketrans("-_", "+/")
UNSAFE_IN_SCRIPTS: Final = str.maketrans({sign: f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"})


def to_bytes(value: Any) -> bytes:
    """The UTF-8 of a value's text, each lone surrogate as U+FFFD."""
    text = to_text(value)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return SURROGATE.sub("\ufffd", text).encode()


def from_bytes(data: bytes) -> str:
    """The text that bytes mean. Raises FilterError."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise FilterError("what is encoded there is no text") from None


def url_encode(around: Surroundings, value: Any) -> str | None:
    """For the query of a URL: all but letters, digits and `-._~` as %XX, a space as +."""
    if value is None:
        return None
    data = to_bytes(value)
    allow(around, len(data) + 2 * len(data.translate(None, PLAIN_IN_URL)))
    return quote_plus(data)


def url_decode(value: Any) -> str | None:
    """What %XX and + in a URL stand for."""
    return None if value is None else from_bytes(unquote_to_bytes(to_bytes(value).replace(b"+", b" ")))


def base64_encode(around: Surroundings, value: Any) -> str:
    """In Base64."""
    data = to_bytes(value)
    allow(around, (len(data) + 2) // 3 * 4)
    return base64.b64encode(data).decode()


def base64_url_safe_encode(around: Surroundings, value: Any) -> str:
    """In Base64 with `-` and `_` for `+` and `/`."""
    data = to_bytes(value)
    allow(around, (len(data) + 2) // 3 * 4)
    return base64.urlsafe_b64encode(data).decode()


def base64_decode(value: Any) -> str:
    """The text that was written in Base64."""
    return _decoded(to_text(value))


def base64_url_safe_decode(value: Any) -> str:
    """The text that was written in Base64 for URLs; the `=` at the end may be missing."""
    text = to_text(value)
    if not text.endswith("="):
        text += "=" * (-len(text) % 4)
    return _decoded(text.translate(URL_SAFE))


def _decoded(text: str) -> str:
    """Raises FilterError for whatever Base64 would not be written like."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise FilterError("invalid Base64") from None
    if base64.b64encode(data).decode() != text:
        raise FilterError("invalid Base64")
    return from_bytes(data)


# ---- digests -------------------------------------------------------------------------------------


def md5(value: Any) -> str:
    """MD5 in hexadecimal digits, as some addresses of pictures want it; no protection against forgery."""
    return hashlib.md5(to_bytes(value), usedforsecurity=False).hexdigest()


def sha1(value: Any) -> str:
    """SHA-1 in hexadecimal digits; no protection against forgery."""
    return hashlib.sha1(to_bytes(value), usedforsecurity=False).hexdigest()


def sha256(value: Any) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(to_bytes(value)).hexdigest()


def hmac_sha256(value: Any, key: Any) -> str:
    """HMAC with SHA-256 under a key, in hexadecimal digits."""
    return hmac.digest(to_bytes(key), to_bytes(value), "sha256").hex()


# ---- JSON ----------------------------------------------------------------------------------------


def json(around: Surroundings, value: Any) -> str:
    """As JSON that may stand in a `<script>`: `<`, `>`, `&` and the line ends of Unicode are written as escapes."""
    return _json(around, value, 0).translate(UNSAFE_IN_SCRIPTS)


def _json(around: Surroundings, value: Any, depth: int) -> str:
    if isinstance(value, str):
        return encode_basestring(value)
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true" if value else "false"
    if isinstance(value, (int, float, Decimal)):
        return to_text(value) if isinstance(value, int) or Decimal(value).is_finite() else "null"
    if isinstance(value, datetime):
        return encode_basestring(value.isoformat())
    if isinstance(value, date):
        return encode_basestring(to_text(value))
    if depth >= DEEPEST:
        raise LimitReached("nesting", DEEPEST)
    if isinstance(value, range):
        value = items_of(around, value)
    if isinstance(value, (list, tuple)):
        return "[" + ",".join([_json(around, item, depth + 1) for item in value]) + "]"
    if isinstance(value, dict):
        pairs = [f"{encode_basestring(to_text(key))}:{_json(around, item, depth + 1)}" for key, item in value.items()]
        return "{" + ",".join(pairs) + "}"
    raise unprintable(value)
