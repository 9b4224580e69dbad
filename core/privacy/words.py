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


def word_bytes(person: Person) -> re.Pattern[bytes] | None:
    """What bytes of files are searched for, in the encodings that files have; None: nothing."""
    parts: list[bytes] = []
    for word in person.words:
        if len(word) >= SHORTEST:
            parts += _number_bytes(word) if _NUMBER.fullmatch(word) else _spellings(word)
    return re.compile(b"|".join(dict.fromkeys(parts)), re.IGNORECASE) if parts else None


def name_bytes(person: Person) -> list[list[re.Pattern[bytes]]]:
    """The same for names, whose parts have to be found together."""
    return [[re.compile(b"|".join(_spellings(part)), re.IGNORECASE) for part in names] for names in _names(person)]


def _names(person: Person) -> list[tuple[str, ...]]:
    return [names for names in person.names if len(names) > 1 and all(len(part) >= SHORTEST_NAME for part in names)]


def _pattern(word: str) -> str:
    return BETWEEN.join(re.sub(r"\D", "", word)[-DIGITS:]) if _NUMBER.fullmatch(word) else _escaped(word)


def _escaped(word: str) -> str:
    """For Postgres and for Python: what is no letter, digit or blank is meant as it stands."""
    return _SPECIAL.sub(r"\\\1", word) if word.isascii() else re.sub(r"([!-/:-@\[-^`{-~])", r"\\\1", word)


def _number_bytes(number: str) -> list[bytes]:
    """Digits as ASCII, and with the zero bytes of UTF-16 between them."""
    digits = re.sub(r"\D", "", number)[-DIGITS:]
    return [rb"[-. /()\x00]*".join(digit.encode() for digit in digits)]


def _spellings(word: str) -> list[bytes]:
    """A word as files write it; capitals of what is not ASCII are spelt out, for bytes know none."""
    forms = dict.fromkeys((word, word.lower(), word.upper(), word.title()) if not word.isascii() else (word,))
    found: list[bytes] = []
    for form in forms:
        escaped = (form, html.escape(form), json.dumps(form)[1:-1])
        for text in dict.fromkeys(escaped):
            for encoding in ("utf-8", "utf-16-le", "utf-16-be", "cp1252", "latin-1"):
                try:
                    found.append(re.escape(text.encode(encoding)))
                except UnicodeEncodeError:
                    continue
    return list(dict.fromkeys(found))
