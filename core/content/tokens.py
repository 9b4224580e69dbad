"""Words that stand for pieces of a source while another program works on it, and give them back.

A token is made of small letters and digits, so that it is a word in a text, an attribute, a style sheet and an
address alike, and it occurs nowhere in the source.
"""

from __future__ import annotations

import re
from hashlib import sha256


class Tokens:
    """The tokens of one source; each has a number, from 0."""

    def __init__(self, source: str):
        # Made from the source: nobody can write it there, in whatever spelling.
        self.prefix = f"lq{sha256(source.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}z"
        self.pattern = re.compile(rf"{self.prefix}([0-9]{{6}})z")
        self.kept: list[str] = []

    def give(self, text: str) -> str:
        """A new token for a piece of the source."""
        self.kept.append(text)
        return f"{self.prefix}{len(self.kept) - 1:06}z"

    def restore(self, text: str) -> str:
        """The pieces in the place of their tokens."""
        return self.pattern.sub(lambda found: self.kept[int(found[1])], text)

    def within(self, text: str) -> list[int]:
        """The numbers of the tokens in a text, in order."""
        return [int(found[1]) for found in self.pattern.finditer(text)]
