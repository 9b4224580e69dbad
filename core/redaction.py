"""Takes secrets out of the words of others: what plugins log, what providers answer, what a traceback shows."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

SHORTEST_SECRET = 4  # characters; a shorter one would blot out half of every text, and guards nothing
SHORTEST_LINE = 16  # of a secret of several lines, such as a key: each is one
BLOT = "…"
_PERCENT = re.compile("%([0-9A-F]{2})")
_URL_SAFE = str.maketrans("+/", "-_")


class Redaction:
    """A function from text to text without certain secrets, as they are, in Base64 or in a URL."""

    def __init__(self, secrets: Iterable[object]):
        given = {str(secret) for secret in secrets if secret is not None}
        spellings = {spelling for secret in given if len(secret) >= SHORTEST_SECRET for spelling in _spellings(secret)}
        longest_first = sorted((one for one in spellings if len(one) >= SHORTEST_SECRET), key=len, reverse=True)
        self._secret = re.compile("|".join(map(_pattern, longest_first))) if longest_first else None

    def __call__(self, text: str) -> str:
        """The text without them."""
        return text if self._secret is None else self._secret.sub(BLOT, text)


def _pattern(spelling: str) -> str:
    """Numbers of characters in URLs are written with capitals and without."""
    return _PERCENT.sub(lambda found: f"%(?i:{found[1]})", re.escape(spelling))


def _spellings(secret: str) -> Iterator[str]:
    """A secret as texts repeat it: as it is, escaped for Python, JSON or a URL, in Base64 wherever it begins in a text."""
    raw = secret.encode("utf-8", "surrogatepass")
    yield from (
        secret,
        secret.strip(),
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
    )
    yield from (quote(raw), quote(raw, safe=""))
    for before in range(3):
        # What stands beside it changes the first and the last characters: those between are the secret's own.
        found = base64.b64encode(b"\0" * before + raw).decode()[(0, 2, 3)[before] :].rstrip("=")
        own = found[: -1 if (before + len(raw)) % 3 else None]
        yield from (own, own.translate(_URL_SAFE))
    if "\n" in secret:
        yield from (line.strip() for line in secret.splitlines() if len(line) >= SHORTEST_LINE and not line.startswith("-----"))
