"""Regular expressions that authors may write: the part that Postgres reads as everybody does, and reads soon.

References back, looking around, named groups and POSIX classes are refused, and so is what Postgres would refuse
while a question runs.
"""

from __future__ import annotations

import re

MAX_PATTERN = 200  # characters
MAX_REPEATS = 100  # of one piece, counted through the groups around it
MAX_GROUPS = 10  # within each other

_CLASSES = "dDwWsS"
_SPECIAL = r"\.[]{}()*+?^$|/-"
_COUNT = re.compile(r"\{(\d{1,3})(,(\d{0,3}))?\}", re.ASCII)
_SAID = "a pattern of characters, `.`, `[a-z]`, `(…)`, `|`, `*`, `+`, `?`, `{2,5}`, `^`, `$`, `\\d`, `\\w` and `\\s`"


class _Refused(Exception):
    """The pattern is not one of those."""


def refuse_pattern(value: object) -> str | None:
    """What should stand there instead; None where the pattern is one of those that may."""
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_PATTERN:
        return f"a pattern of 1 to {MAX_PATTERN} characters"
    try:
        _Reader(value).all()
    except _Refused as refused:
        return str(refused) or _SAID
    return None


class _Reader:
    """Reads a pattern from left to right; `all` ends at its end or raises _Refused."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def all(self) -> None:
        if self.alternatives(0) > MAX_REPEATS:
            raise _Refused(f"a pattern that repeats a piece at most {MAX_REPEATS} times")
        if self.at < len(self.text):
            raise _Refused

    def alternatives(self, depth: int) -> int:
        """Reads to the end of a group; how often the most repeated piece of it is written out."""
        if depth > MAX_GROUPS:
            raise _Refused(f"at most {MAX_GROUPS} groups within each other")
        most = 1
        while self.at < len(self.text) and self.text[self.at] != ")":
            if self.text[self.at] == "|":
                self.at += 1
            else:
                most = max(most, self.piece(depth))
                if most > MAX_REPEATS:
                    raise _Refused(f"a pattern that repeats a piece at most {MAX_REPEATS} times")
        return most

    def piece(self, depth: int) -> int:
        sign = self.text[self.at]
        self.at += 1
        repeats = 1
        match sign:
            case "^" | "$":
                return 1
            case "(":
                if self.text[self.at : self.at + 2] == "?:":
                    self.at += 2
                repeats = self.alternatives(depth + 1)
                self.expect(")")
            case "[":
                self.bracket()
            case "\\":
                self.escape()
            case "*" | "+" | "?" | "{" | "}" | ")" | "]":
                raise _Refused
        return repeats * self.count()

    def count(self) -> int:
        """How often what came before may be written out."""
        sign = self.text[self.at : self.at + 1]
        times = 1
        if sign in ("*", "+", "?") and sign:
            self.at += 1
        elif sign == "{":
            found = _COUNT.match(self.text, self.at)
            if found is None:
                raise _Refused
            least, most = int(found[1]), int(found[3] or found[1])
            if not 0 < most <= MAX_REPEATS or least > most:
                raise _Refused(f"counts from {{1}} to {{{MAX_REPEATS}}}")
            times = most
            self.at = found.end()
        if self.text[self.at : self.at + 1] in ("*", "+", "?", "{"):
            raise _Refused
        return times

    def escape(self) -> None:
        sign = self.text[self.at : self.at + 1]
        if not sign or sign not in _CLASSES + _SPECIAL:
            raise _Refused
        self.at += 1

    def bracket(self) -> None:
        """A class: characters and ranges, in order, and no class of POSIX within it."""
        if self.text[self.at : self.at + 1] == "^":
            self.at += 1
        members = 0
        while self.at < len(self.text) and self.text[self.at] != "]":
            low = self.member()
            if self.text[self.at : self.at + 1] == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                high = self.member()
                if not low or not high or low > high or not (low.isascii() and high.isascii()):
                    raise _Refused
            members += 1
        self.expect("]")
        if not members:
            raise _Refused

    def member(self) -> str:
        """One character of a class; nothing for a class such as `\\d`."""
        sign = self.text[self.at]
        self.at += 1
        if sign == "[":
            raise _Refused
        if sign != "\\":
            return sign
        self.escape()
        escaped = self.text[self.at - 1]
        if escaped in "DWS":  # Postgres knows no opposite within a class
            raise _Refused
        return "" if escaped in _CLASSES else escaped

    def expect(self, sign: str) -> None:
        if self.text[self.at : self.at + 1] != sign:
            raise _Refused
        self.at += 1
