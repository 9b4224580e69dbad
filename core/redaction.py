"""Takes secrets out of the words of others: what plugins log, what providers answer, what a traceback shows."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from urllib.parse import quote

SHORTEST_SECRET = 4  # characters; a shorter one would blot out half of every text, and guards nothing
BLOT = "…"


class Redaction:
    """A function from text to text without certain secrets, as they are, in Base64 or in a URL."""

    def __init__(self, secrets: Iterable[object]):
        given = {str(secret) for secret in secrets if secret is not None}
        spellings = {spelling for secret in given if len(secret) >= SHORTEST_SECRET for spelling in _spellings(secret)}
        longest_first = sorted(spellings, key=len, reverse=True)
        self._secret = re.compile("|".join(map(re.escape, longest_first))) if spellings else None

    def __call__(self, text: str) -> str:
        """The text without them."""
        return text if self._secret is None else self._secret.sub(BLOT, text)


def _spellings(secret: str) -> list[str]:
    raw = secret.encode("utf-8", "surrogatepass")
    in_base64 = [encode(raw).decode().rstrip("=") for encode in (base64.b64encode, base64.urlsafe_b64encode)]
    return [secret, *in_base64, quote(raw), quote(raw, safe="")]
