"""Finding people by what one remembers of them: any words of name, email and searchable fields, a number, a key."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from unicodedata import normalize

from core.datamodel.keys import usable_words
from core.datamodel.present import model_of
from core.datamodel.searchable import Words
from core.db import Connection
from core.errors import Invalid
from core.paging import decode_key, encode_key
from core.profiles.addresses import parse_email
from core.profiles.errors import BadValue
from core.profiles.phones import parse_phone
from core.profiles.records import Profile
from core.profiles.store import profiles as store
from core.profiles.store import search, search_fields
from core.profiles.values import UNSTORABLE

MOST_WORDS = 8  # of a text; more do not tell people apart
MOST_CHARACTERS = 300
MOST_EXACT = 1_000  # people with one email who come before the others
STEPS = 80  # profiles walked over for each row asked for
FIRST_STEPS = 8  # where fields of the team are searched: their words are computed, and those of few people looked up at once

_NUMBER = re.compile(r"\+?[\d\s().\-/]+")
_LEAST_DIGITS = 5  # of what is taken for a telephone number


class Rank(IntEnum):
    """Why somebody was found; lower ones come first."""

    EXACT = 0  # the email or the external id
    EMAIL_BEGINS = 1
    WORDS = 2  # each word just so
    BEGINNINGS = 3  # each word begins one


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of what was found, the best first."""

    rows: Sequence[Profile]
    has_next: bool
    ranks: Mapping[int, Rank]  # by the profile's id

    def cursor(self, profile: Profile) -> str:
        """Where the page behind this profile starts."""
        return encode_key((self.ranks[profile.id], profile.id))


async def search_profiles(conn: Connection, text: str, *, first: int, after: str | None = None, region: str) -> Found:
    """Who has every word of the text, or its beginning, in name, email or searchable fields; the number or the key that it is.

    `region` is the country of phone numbers without a prefix. Raises Invalid (EMPTY_SEARCH, BAD_CURSOR).
    """
    text = normalize("NFC", UNSTORABLE.sub(" ", text)).strip()[:MOST_CHARACTERS]
    if not text:
        raise Invalid("a search needs a text", code="EMPTY_SEARCH", path="text", hint="Type the beginning of a name.")
    rank, last = decode_key(after, 2) if after is not None else (Rank.EXACT, 0)
    email, keys = _email(text), list(dict.fromkeys((text, text.lower(), text.upper())))
    words, exact, stamp = await search.read_text(conn, text.split()[:MOST_WORDS], email, keys, MOST_EXACT)
    found: list[tuple[Rank, int]] = [(Rank.EXACT, one) for one in exact if (Rank.EXACT, one) > (rank, last)][: first + 1]

    fields: Words | None = None

    async def add(at: Rank, query: str | None, but: str | None) -> None:
        need = first + 1 - len(found)
        if query is None or need <= 0 or rank > at:
            return
        ids = await _find(conn, fields, query, but, exact, last if rank == at else 0, need)
        found.extend((at, one) for one in ids)

    begun = False
    if "@" in text[1:] and " " not in text and rank <= Rank.EMAIL_BEGINS:
        start = last if rank == Rank.EMAIL_BEGINS else 0
        ids = await search.email_begins(conn, email, exact, start, first + 1)
        begun = bool(ids or exact) or rank == Rank.EMAIL_BEGINS
        found = [*found, *((Rank.EMAIL_BEGINS, one) for one in ids)][: first + 1]
    if not begun:
        fields = await usable_words(conn, await model_of(conn, stamp))
        whole, beginnings = _queries(text, words, region, also_words=fields is not None)
        await add(Rank.WORDS, whole, None)
        await add(Rank.BEGINNINGS, beginnings, whole)
    people = await store.get_profiles(conn, [key for _, key in found[:first]]) if found else {}
    return Found(
        rows=[people[key] for _, key in found[:first] if key in people],
        has_next=len(found) > first,
        ranks={key: at for at, key in found},
    )


async def _find(
    conn: Connection, fields: Words | None, query: str, but: str | None, without: Sequence[int], after: int, need: int
) -> list[int]:
    """So many behind a profile who have the words of a query, and not those of the other."""
    if fields is None:
        ids = await search.walk(conn, query, but, without, after, need, STEPS * need)
        return ids if len(ids) == need else await search.look_up(conn, query, but, without, after, need)
    both = query if but is None else f"({query}) & !({but})"
    ids = await search_fields.walk(conn, fields, both, without, after, need, FIRST_STEPS * need)
    if len(ids) < need and len(ids) * STEPS > FIRST_STEPS * need:  # going on, it would find enough
        ids = await search_fields.walk(conn, fields, both, without, after, need, STEPS * need)
    return ids if len(ids) == need else await search_fields.look_up(conn, fields, both, without, after, need)


def _email(text: str) -> str:
    """As addresses are compared, also when it is only the beginning of one."""
    try:
        return parse_email(text).key
    except BadValue:
        return text.lower()


def _queries(text: str, words: Sequence[Sequence[str]], region: str, *, also_words: bool) -> tuple[str | None, str | None]:
    """What to ask the index on words: for the words themselves, and for beginnings. None when there are no words. What looks
    like a telephone number may be a number of a team's with dashes too: `also_words`."""
    numbers = _numbers(text, region)
    if not numbers:
        return _of_words(text, words)
    whole = " | ".join(map(_quoted, numbers))
    beginnings = " | ".join(f"{_quoted(one)}:*" for one in numbers)
    if also_words:
        finished, begun = _of_words(text, words)
        return f"{whole} | ({finished})", f"{beginnings} | ({begun})"  # there are some: the digits
    return whole, beginnings


def _of_words(text: str, words: Sequence[Sequence[str]]) -> tuple[str | None, str | None]:
    """For the words, and with beginnings. Only the last word before a blank may go on: a dash or a dot ends one."""
    finished = [word for part in words for word in part]
    if not finished:
        return None, None
    begun = [
        _quoted(word) + (":*" if n == len(part) and not token.endswith("@") else "")
        for token, part in zip(text.split(), words, strict=False)
        for n, word in enumerate(part, start=1)
    ]
    return " & ".join(map(_quoted, finished)), " & ".join(begun)


def _numbers(text: str, region: str) -> list[str]:
    """The digits of what looks like a telephone number, as typed and with the country in front."""
    if not _NUMBER.fullmatch(text):
        return []
    digits = "".join(filter(str.isdigit, text))
    if len(digits) < _LEAST_DIGITS:
        return []
    try:
        return list(dict.fromkeys((digits, parse_phone(text, region)[1:])))
    except BadValue:
        return [digits]


def _quoted(word: str) -> str:
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"
