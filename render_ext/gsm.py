"""Texts of short messages: made harmless, brought into GSM 03.38 where that is possible, counted in parts."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias
from unicodedata import category, combining, normalize

from render_ext._gsm import count_parts, survey
from render_ext.gsm_tables import HARMLESS, LETTERS, SIGNS

EncodingName: TypeAlias = Literal["gsm7", "ucs2"]
Transliteration: TypeAlias = Literal["none", "signs", "letters"]
MOST_MARKS: Final = 2000  # accents of a text that are put to their letters: for accents in a row the time is quadratic
REMEMBERED: Final = 4096  # neighbours kept per table, whatever values hold


class Neighbours(dict[int, str]):
    """For str.translate: what is near a character in GSM 03.38; the character itself where nothing is."""

    def __init__(self, letters: bool):
        super().__init__()
        self.letters = letters

    def __missing__(self, code: int) -> str:
        found = self._find(chr(code))
        if len(self) < REMEMBERED:
            self[code] = found
        return found

    def _find(self, character: str) -> str:
        if survey(character)[0] >= 0:
            return character
        known = SIGNS.get(character)
        if known is None and self.letters:
            known = "" if category(character) == "Mn" else LETTERS.get(character)
        if known is None and (self.letters or category(character)[0] not in "LM"):
            known = self._decomposed(character)
        return character if known is None else known

    def _decomposed(self, character: str) -> str | None:
        """The character without its accents, or in several simpler ones; None where that leads nowhere."""
        found = []
        for simple in normalize("NFKD", character):
            if category(simple) != "Mn":
                near = simple if simple == character else self[ord(simple)]
                if survey(near)[0] < 0:
                    return None
                found.append(near)
        return "".join(found) or None


NEIGHBOURS: Final = {"signs": Neighbours(letters=False), "letters": Neighbours(letters=True)}


def harmless(text: str) -> str:
    """A text without what could break a message or turn its direction; line ends as LF (see HARMLESS)."""
    return text.replace("\r\n", "\n").translate(HARMLESS)


def nearest_gsm(text: str, transliteration: Transliteration) -> str:
    """A text with as much of it in GSM 03.38 as there are neighbours; what has none stays."""
    if len(text) - list(map(combining, text)).count(0) <= MOST_MARKS:
        text = normalize("NFC", text)
    return text if transliteration == "none" else text.translate(NEIGHBOURS[transliteration])


def may_fit(text: str, outside: int, transliteration: Transliteration) -> bool:
    """Whether `nearest_gsm` might get over the first character that is not in the alphabet: a quick look before it."""
    if survey(nearest_gsm(text[outside], transliteration))[0] >= 0:
        return True
    return any(map(combining, text[outside : outside + 2]))


def sms_parts(body: bytes) -> int:
    """How many parts a text takes, in GSM 03.38 where all of it is in the alphabet: for `Limits.units` of a channel."""
    text = body.decode("utf-8", "replace")
    return count_parts(text, survey(text)[0] >= 0)
