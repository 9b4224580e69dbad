"""HTML as a flat list of pieces with their offsets, cut as the HTML standard (13.2.5, tokenization) cuts it.

Nothing is repaired, moved or written: who rewrites HTML replaces ranges of the source and leaves the rest.
Hidden conditional comments (`<!--[if mso]> … <![endif]-->`) are read through: Outlook shows what is in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from html import unescape
from html.entities import html5

from core.content.liquid import MASK, mask

RAW_TEXT = frozenset({"script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes", "plaintext"})
VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"})
_SPACE = r"[ \t\n\f\r]"
_CONDITION = re.compile(rf"<!--{_SPACE}*\[if[^\]>]*\]{_SPACE}*>", re.IGNORECASE)
_REVEALED = re.compile(r"(?:<!)?-->")  # right after a condition: everybody sees what follows
_NAME = re.compile(r"[^ \t\n\f\r/>]+")
_ATTRIBUTE = re.compile(
    rf"""
    (?P<name>[^ \t\n\f\r/>][^ \t\n\f\r/>=]*)
    (?: {_SPACE}* = {_SPACE}*
        (?: "(?P<double>[^"]*)" | '(?P<single>[^']*)' | (?P<bare>[^ \t\n\f\r>"'][^ \t\n\f\r>]*) )
    )?
    """,
    re.VERBOSE,
)
_BETWEEN = re.compile(r"[ \t\n\f\r/]*")
_OPEN_QUOTE = re.compile(rf"{_SPACE}*={_SPACE}*[\"']")
_NO_VALUE = re.compile(rf"{_SPACE}*=")
_COMMENT_END = re.compile(r"--!?>")
_REFERENCE = re.compile(r"&(?:#(?:[0-9]+|[xX][0-9a-fA-F]+);?|[A-Za-z][A-Za-z0-9]*;?)")
_IN_TEXT = re.compile(r"&(?:#(?:[0-9]+|[xX][0-9a-fA-F]+);?|[A-Za-z][A-Za-z0-9]{0,31};?)")


# What numbers in the C1 range mean (HTML 13.2.5.80): those of Windows-1252, where it has any.
_WINDOWS = {code: bytes([code]).decode("cp1252") for code in range(0x80, 0xA0) if code not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)}


class Kind(Enum):
    """What a piece of HTML is."""

    TEXT = auto()
    RAW_TEXT = auto()  # inside style, script, title, …: no markup
    START = auto()
    END = auto()
    COMMENT = auto()  # also declarations and processing instructions
    UNCLOSED = auto()  # a tag or comment without an end: readers drop it and all that follows


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute; `start` and `end` are those of its value without quotes, -1 where there is none."""

    name: str  # in lower case, Liquid around it taken away
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of HTML between two offsets."""

    kind: Kind
    start: int
    end: int
    name: str = ""  # of a tag, in lower case
    attributes: tuple[Attribute, ...] = ()
    conditional: bool = False  # inside a hidden conditional comment

    def find(self, name: str) -> Attribute | None:
        """The attribute that counts: the first of its name (HTML 13.2.5.33)."""
        return next((found for found in self.attributes if found.name == name and found.start >= 0), None)


def read(source: str) -> Iterator[Piece]:
    """The pieces of a source in order. Joined, they are the source."""
    return _Reader(mask(source)).read()


class _Reader:
    """One walk over a masked source."""

    def __init__(self, masked: str):
        self.text = masked
        self.condition_end = -1  # where the hidden conditional comment ends that we are in

    def read(self) -> Iterator[Piece]:
        position = 0
        while position < len(self.text):
            conditional = position < self.condition_end
            limit = self.condition_end if conditional else len(self.text)
            piece = self._next(position, limit, conditional)
            yield piece
            position = piece.end
            if piece.kind is Kind.START and piece.name in RAW_TEXT:
                end = self._raw_end(piece.name, position, limit)
                if end > position:
                    yield Piece(Kind.RAW_TEXT, position, end, piece.name, (), conditional)
                position = end

    def _next(self, position: int, limit: int, conditional: bool) -> Piece:
        opening = self.text.find("<", position, limit)
        if opening != position:
            return Piece(Kind.TEXT, position, limit if opening < 0 else opening, conditional=conditional)
        after = self.text[position + 1 : position + 2]
        if after == "!":
            return self._comment(position, limit, conditional)
        letter = self.text[position + 2 : position + 3] if after == "/" else after
        named = letter.isascii() and letter.isalpha()
        if after == "?" or (after == "/" and not named):
            return self._until(position, limit, conditional, ">")
        if named:
            return self._tag(position, limit, conditional)
        following = self.text.find("<", position + 1, limit)
        return Piece(Kind.TEXT, position, limit if following < 0 else following, conditional=conditional)

    def _comment(self, position: int, limit: int, conditional: bool) -> Piece:
        if not self.text.startswith("<!--", position):
            return self._until(position, limit, conditional, ">")
        if condition := _CONDITION.match(self.text, position, limit):
            if revealed := _REVEALED.match(self.text, condition.end(), limit):
                return Piece(Kind.COMMENT, position, revealed.end())
            closing = _COMMENT_END.search(self.text, condition.end(), limit)
            if closing is None:
                return Piece(Kind.UNCLOSED, position, len(self.text))
            self.condition_end = closing.end()
            return Piece(Kind.COMMENT, position, condition.end())
        for short in ("<!-->", "<!--->"):
            if self.text.startswith(short, position):
                return Piece(Kind.COMMENT, position, position + len(short), conditional=conditional)
        found = _COMMENT_END.search(self.text, position + 4, limit)
        if found is None:
            return Piece(Kind.UNCLOSED, position, limit, conditional=conditional)
        return Piece(Kind.COMMENT, position, found.end(), conditional=conditional)

    def _until(self, position: int, limit: int, conditional: bool, mark: str) -> Piece:
        end = self.text.find(mark, position, limit)
        if end < 0:
            return Piece(Kind.UNCLOSED, position, limit, conditional=conditional)
        return Piece(Kind.COMMENT, position, end + len(mark), conditional=conditional)

    def _tag(self, position: int, limit: int, conditional: bool) -> Piece:
        closing = self.text[position + 1] == "/"
        found = _NAME.match(self.text, position + (2 if closing else 1), limit)
        assert found is not None  # the caller saw a letter
        attributes = []
        cursor = found.end()
        while True:
            between = _BETWEEN.match(self.text, cursor, limit)
            cursor = between.end() if between else cursor
            if cursor >= limit:
                return Piece(Kind.UNCLOSED, position, limit, conditional=conditional)
            if self.text[cursor] == ">":
                break
            match = _ATTRIBUTE.match(self.text, cursor, limit)
            assert match is not None  # neither space, slash nor end
            cursor = match.end()
            if match.lastgroup == "name":
                if _OPEN_QUOTE.match(self.text, cursor, limit):
                    return Piece(Kind.UNCLOSED, position, limit, conditional=conditional)
                if empty := _NO_VALUE.match(self.text, cursor, limit):
                    cursor = empty.end()
            attributes.append(_attribute(match))
        kind = Kind.END if closing else Kind.START
        return Piece(kind, position, cursor + 1, found[0].lower(), tuple(attributes), conditional)

    def _raw_end(self, name: str, position: int, limit: int) -> int:
        if name == "plaintext":
            return limit
        found = re.compile(rf"</{name}(?=[ \t\n\f\r/>])", re.IGNORECASE).search(self.text, position, limit)
        return found.start() if found else limit


def _attribute(match: re.Match[str]) -> Attribute:
    name = match["name"].replace(MASK, "").lower()
    group = match.lastgroup
    if group is None or group == "name":
        return Attribute(name, -1, -1)
    return Attribute(name, match.start(group), match.end(group))


def decode_attribute(text: str) -> str:
    """Replace character references as an attribute's value has them (HTML 13.2.5.73).

    Unlike in text, `&copy=1` and `&copyright` stay as they are: that is how unescaped addresses survive.
    """
    return _REFERENCE.sub(lambda match: _character(match, text), text)


def _character(match: re.Match[str], text: str) -> str:
    found = match[0]
    if found.startswith("&#"):
        return _numbered(found)
    if not found.endswith(";") and text[match.end() : match.end() + 1] == "=":
        return found
    return html5.get(found[1:], found)


def _numbered(reference: str) -> str:
    """The character of a number (HTML 13.2.5.80), which may have any number of digits."""
    digits = reference[2:].rstrip(";")
    base = 16 if digits[0] in "xX" else 10
    digits = digits.lstrip("xX").lstrip("0")
    code = int(digits, base) if 0 < len(digits) < 9 else 0
    if code == 0 or code > 0x10FFFF or 0xD800 <= code < 0xE000:
        return "\ufffd"
    return _WINDOWS.get(code, chr(code))


def unescaped(text: str) -> str:
    """A text with its character references read (HTML 13.2.5.72)."""
    return _IN_TEXT.sub(lambda match: _numbered(match[0]) if match[0][1] == "#" else unescape(match[0]), text)
