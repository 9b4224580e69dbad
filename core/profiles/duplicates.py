"""Profiles that may be one person, by rules: each names keys that all have to be the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from core.db import Connection
from core.errors import Invalid
from core.paging import Page, decode_key, encode_key
from core.profiles.fields import FieldType
from core.profiles.merge_records import DuplicateGroup
from core.profiles.store import duplicates as store
from core.profiles.team_fields import present_fields

MOST_RULES = 5
MOST_KEYS = 6  # of a rule
MEMBERS = 100  # of a group that are named; all are counted

# Keys as they are compared. An external id or a crypted id is nobody else's, so nobody is found by it.
KEYS: Mapping[str, str] = {
    "email": "email_key",
    "mobile_phone": "mobile_phone",
    "phone": "phone",
    # Without accents, capitals and the order of the words: of first and last name, in which files often differ.
    "name": "CASE WHEN first_name IS NOT NULL AND last_name IS NOT NULL"
    " THEN nullif(array_to_tsvector(folded_words(first_name || ' ' || last_name)), '')::text END",
    "birth_date": "birth_date",
    "zip_code": "nullif(array_to_string(folded_words(zip_code), ''), '')",
    "city": "nullif(array_to_string(folded_words(city), ' '), '')",
    "country": "country",
}
_COMPARED = frozenset(
    {FieldType.TEXT, FieldType.INTEGER, FieldType.DECIMAL, FieldType.DAY, FieldType.INSTANT, FieldType.CHOICE}
)

Rules = Sequence[Sequence[str]]


async def list_duplicates(conn: Connection, rules: Rules, *, first: int, after: str | None = None) -> Page[DuplicateGroup]:
    """Groups rule by rule, the oldest first. A group that an earlier rule finds as a whole is not told again.

    Raises Invalid (NO_RULE, TOO_MANY, UNKNOWN_KEY, BAD_CURSOR).
    """
    keys = await _read(conn, rules)
    at, last = decode_key(after, 2) if after is not None else (0, 0)
    found: list[DuplicateGroup] = []
    for n in range(max(0, at), len(keys)):
        missing = first + 1 - len(found)
        if missing > 0:
            found += await store.list_groups(conn, keys[n], keys[:n], n, last if n == at else 0, missing, MEMBERS)
    return Page(rows=found[:first], has_next=len(found) > first)


async def count_duplicates(conn: Connection, rules: Rules) -> int:
    """How many groups there are by all rules. Raises as `list_duplicates`."""
    keys = await _read(conn, rules)
    return sum([await store.count_groups(conn, keys[n], keys[:n]) for n in range(len(keys))])


def cursor_of(group: DuplicateGroup) -> str:
    """Where the page behind a group starts."""
    return encode_key((group.rule, group.ids[0]))


async def _read(conn: Connection, rules: Rules) -> list[list[str]]:
    if not rules or not all(rules):
        hint = 'Name keys, such as ["email"] or ["name", "birth_date"].'
        raise Invalid("a rule needs a key", code="NO_RULE", path="rules", hint=hint)
    if len(rules) > MOST_RULES or any(len(rule) > MOST_KEYS for rule in rules):
        raise Invalid(f"at most {MOST_RULES} rules of {MOST_KEYS} keys", code="TOO_MANY", path="rules", hint="Ask in steps.")
    team = {name: one.column for name, one in (await present_fields(conn)).team.items() if one.type in _COMPARED}
    known = {**team, **KEYS}
    for n, rule in enumerate(rules):
        for name in rule:
            if name not in known:
                near = get_close_matches(name, known, 1)
                hint = f"Did you mean {near[0]!r}?" if near else f"Keys: {', '.join(known)}."
                raise Invalid(f"people are not compared by {name[:80]!r}", code="UNKNOWN_KEY", path=f"rules.{n}", hint=hint)
    return [[known[name] for name in dict.fromkeys(rule)] for rule in rules]
