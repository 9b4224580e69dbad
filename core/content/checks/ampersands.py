"""Ampersands that are read as something else than was meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.entities import html5

from core.content.checks.part import CheckedPart
from core.content.html.markup import Kind, Piece
from core.content.records import ContentWarning

CODE = "AMPERSAND"
LEGACY = frozenset(name for name in html5 if not name.endswith(";"))  # read without a semicolon too (HTML 13.5)
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_TWICE = re.compile(r"&amp;(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_TWICE_IN_WORDS = re.compile(r"&amp;(?:amp|nbsp|quot|apos|[lr][sd]quo|[nm]dash|hellip|euro|#[0-9]{2,7});")
_ENDLESS = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,31})(?![A-Za-z0-9;])")
_ENDLESS_IN_WORDS = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,31})=")
_WHOLE = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,31};)(?==)")  # as the name of a parameter
_ADDRESSES = frozenset({"href", "src", "action", "background"})
_WORDS = frozenset({"alt", "title"})
_ESCAPES = frozenset({"amp;", "lt;", "gt;", "quot;", "apos;"})
_LONGEST = max(map(len, LEGACY))


def misread_ampersands(part: CheckedPart) -> Iterator[ContentWarning]:
    """`&copy=1` in an address, `&notify=1` in words, `&amp;amp;`, and `&amp;` where nothing reads it."""
    if not part.is_html:
        yield from _in_plain_text(part)
        return
    for piece in part.pieces:
        if piece.kind is Kind.START:
            for attribute in piece.attributes:
                if attribute.name in _ADDRESSES and attribute.start >= 0:
                    yield from _in_address(part, attribute.start, attribute.end)
                elif attribute.name in _WORDS and attribute.start >= 0:
                    yield from (
                        _twice(part, found) for found in _TWICE_IN_WORDS.finditer(part.masked, attribute.start, attribute.end)
                    )
        elif piece.kind is Kind.TEXT:
            yield from _in_words(part, piece)


def _in_address(part: CheckedPart, start: int, end: int) -> Iterator[ContentWarning]:
    for found in _TWICE.finditer(part.masked, start, end):
        if _is_known(f"&{found[0][5:]}"):
            yield _twice(part, found)
    query = part.masked.find("?", start, end)
    if query < 0:
        return
    for found in _ENDLESS.finditer(part.masked, query, end):
        if found[1] in LEGACY:  # the whole name only: `&region` is no `&reg` in an attribute (HTML 13.2.5.73)
            yield _misread(part, found, html5[found[1]], "address may be")
    for found in _WHOLE.finditer(part.masked, query, end):
        if found[1] in html5 and found[1] not in _ESCAPES:
            yield _misread(part, found, html5[found[1]], "address is")


def _in_words(part: CheckedPart, piece: Piece) -> Iterator[ContentWarning]:
    for found in _TWICE_IN_WORDS.finditer(part.masked, piece.start, piece.end):
        yield _twice(part, found)
    for found in _ENDLESS_IN_WORDS.finditer(part.masked, piece.start, piece.end):
        if name := _legacy_prefix(found[1]):
            yield _misread(part, found, html5[name] + found[1][len(name) :], "text is")


def _legacy_prefix(name: str) -> str:
    """The longest legacy name that a name in text begins with: `&notify` is read as `¬ify` (HTML 13.2.5.73)."""
    return next((name[:size] for size in range(min(len(name), _LONGEST), 1, -1) if name[:size] in LEGACY), "")


def _in_plain_text(part: CheckedPart) -> Iterator[ContentWarning]:
    for found in _REFERENCE.finditer(part.masked):
        if _is_known(found[0]):
            yield part.told_at(
                found.start(),
                CODE,
                f"{part.name} is no HTML: readers see {found[0]!r} as it is written",
                "Write the character itself.",
            )


def _is_known(reference: str) -> bool:
    return reference.startswith("&#") or reference[1:] in html5


def _twice(part: CheckedPart, found: re.Match[str]) -> ContentWarning:
    once = f"&{found[0][5:]}"
    return part.told_at(
        found.start(), CODE, f"{found[0]!r} is escaped twice: readers get {once!r} as it is written", f"Write {once}"
    )


def _misread(part: CheckedPart, found: re.Match[str], read: str, what: str) -> ContentWarning:
    return part.told_at(
        found.start(), CODE, f"'&{found[1]}' in this {what} read as {read!r}", f"Write &amp;{found[1].rstrip(';')}"
    )
