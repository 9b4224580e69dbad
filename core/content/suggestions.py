"""What somebody probably meant, without comparing for minutes: names are compared letter by letter."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

MOST_COMPARED = 200  # names
LONGEST = 64  # characters of a name


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that a mistyped one most resembles, or None; of many names only the first are compared."""
    candidates = [one for one in islice(known, MOST_COMPARED) if len(one) <= LONGEST]
    found = get_close_matches(name, candidates, 1) if len(name) <= LONGEST else []
    return found[0] if found else None
