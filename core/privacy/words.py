"""By what somebody is known in a text or a file: patterns for Postgres and for bytes. Pure.

A text quotes a person where one of their words stands in it (an address, an identifier, a street), or where all parts of a name
do. Capitals make no difference; numbers of phones are known in every spelling by their last digits.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass

from core.personal import Person

SHORTEST = 4  # characters of a word; shorter ones would be found everywhere
SHORTEST_NAME = 2
DIGITS = 7  # of a phone number, that are enough to know it by
BETWEEN = "[-. /()]*"  # what people write between the digits of a number
BETWEEN_BYTES = b"-. /()\0"  # the same in files: UTF-16 has zero bytes there

_NUMBER = re.compile(r"\+?\d{7,15}")
_SPECIAL = re.compile(r"([^\w\s])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Quotes:
    """Patterns for Postgres (`~*`): each word by itself, and of each name all parts together."""

    words: tuple[str, ...]
    names: tuple[tuple[str, ...], ...]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to look for."""
        return not self.words and not self.names


def quotes_of(person: Person) -> Quotes:
    """What texts in the database are searched for."""
    words = tuple(dict.fromkeys(_pattern(word) for word in person.words if len(word) >= SHORTEST))
    return Quotes(words, tuple(tuple(map(_escaped, names)) for names in _names(person)))


def quoted_in(text: str, person: Person) -> bool:
    """The same for a text at hand."""
    found = quotes_of(person)
    return any(re.search(word, text, re.IGNORECASE) for word in found.words) or any(
        all(re.search(name, text, re.IGNORECASE) for name in names) for names in found.names
    )


def word_bytes(person: Person) -> list[bytes]:
    """What bytes of files are searched for, in the encodings that files have; in small letters. Numbers are apart."""
    words = [word for word in person.words if len(word) >= SHORTEST and not _NUMBER.fullmatch(word)]
    return list(dict.fromkeys(form for word in words for form in _spellings(word)))


def number_bytes(person: Person) -> list[bytes]:
    """The digits of numbers, to be looked for in bytes without what stands between digits (`BETWEEN_BYTES`)."""
    numbers = [re.sub(r"\D", "", word)[-DIGITS:].encode() for word in person.words if _NUMBER.fullmatch(word)]
    return list(dict.fromkeys(numbers))


def name_bytes(person: Person) -> list[list[list[bytes]]]:
    """The same as `word_bytes` for names: of each its parts, which have to be found together, of each part its spellings."""
    return [[_spellings(part) for part in names] for names in _names(person)]


def _names(person: Person) -> list[tuple[str, ...]]:
    return [names for names in person.names if len(names) > 1 and all(len(part) >= SHORTEST_NAME for part in names)]


def _pattern(word: str) -> str:
    return BETWEEN.join(re.sub(r"\D", "", word)[-DIGITS:]) if _NUMBER.fullmatch(word) else _escaped(word)


def _escaped(word: str) -> str:
    """For Postgres and for Python: what is no letter, digit or blank is meant as it stands."""
    return _SPECIAL.sub(r"\\\1", word) if word.isascii() else re.sub(r"([!-/:-@\[-^`{-~])", r"\\\1", word)


def _spellings(word: str) -> list[bytes]:
    """A word as files write it; capitals of what is not ASCII are spelt out, for bytes know none."""
    forms = dict.fromkeys((word, word.lower(), word.upper(), word.title()) if not word.isascii() else (word,))
    found: list[bytes] = []
    for form in forms:
        escaped = (form, html.escape(form), json.dumps(form)[1:-1])
        for text in dict.fromkeys(escaped):
            for encoding in ("utf-8", "utf-16-le", "utf-16-be", "cp1252", "latin-1"):
                try:
                    found.append(text.encode(encoding).lower())
                except UnicodeEncodeError:
                    continue
    return list(dict.fromkeys(found))
