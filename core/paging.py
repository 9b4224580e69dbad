"""Keyset cursors: a page starts after a key, never at an offset, so page 10,000 costs what page 1 does."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from core.errors import Invalid

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """How many rows, after which key. `after` is None for the first page."""

    first: int
    after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Rows with their keys, and whether more follow."""

    rows: Sequence[T]
    has_next: bool


def encode_cursor(key: int) -> str:
    """An opaque cursor."""
    return encode_key((key,))


def decode_cursor(text: str, path: str = "after") -> int:
    """Raises Invalid (BAD_CURSOR)."""
    return decode_key(text, 1, path)[0]


def encode_key(key: Sequence[int]) -> str:
    """An opaque cursor of rows whose key is several numbers."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def decode_key(text: str, length: int, path: str = "after") -> tuple[int, ...]:
    """The numbers of a cursor, which are so many. Raises Invalid (BAD_CURSOR)."""
    try:
        raw = base64.urlsafe_b64decode((text + "=" * (-len(text) % 4)).encode("ascii"))
        key = msgspec.json.decode(raw, type=tuple[int, ...])
    except (ValueError, binascii.Error, UnicodeError, msgspec.DecodeError):
        key = ()
    if len(key) != length or not all(-(2**63) <= one < 2**63 for one in key):
        raise Invalid("this is not a cursor", code="BAD_CURSOR", path=path, hint="Pass an `endCursor` as it came.")
    return key


def page_request(first: int | None, after: str | None, *, largest: int, default: int = 50) -> PageRequest:
    """Check the arguments of a connection. Raises Invalid (BAD_PAGE_SIZE, BAD_CURSOR)."""
    size = default if first is None else first
    if not 1 <= size <= largest:
        raise Invalid(
            f"first must be 1 to {largest}, not {size}",
            code="BAD_PAGE_SIZE",
            path="first",
            hint="Ask for smaller pages.",
        )
    return PageRequest(first=size, after=None if after is None else decode_cursor(after))


def cut(rows: Sequence[T], request: PageRequest) -> Page[T]:
    """Make a page of `first + 1` fetched rows."""
    return Page(rows=rows[: request.first], has_next=len(rows) > request.first)
