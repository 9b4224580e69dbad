"""By what rows of a file find what is there: keys of ours, and the unique keys of a team. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

from core.errors import Invalid
from core.profiles.fields import FIELDS
from core.profiles.run_records import MatchKey


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportKey:
    """One way to find what a row is about: all of its columns are equal. A row that lacks one of them does not have the key."""

    name: str
    label: str
    fields: tuple[str, ...]
    columns: tuple[str, ...]  # that are compared
    shared: bool = False  # several may have it
    given: bool = False  # only the house gives it, so nothing new has it


def _ours(key: MatchKey) -> ImportKey:
    return ImportKey(
        name=key.value, label=FIELDS[key.value].label, fields=(key.value,),
        columns=("email_key",) if key is MatchKey.EMAIL else (key.value,),
        shared=key in (MatchKey.EMAIL, MatchKey.MOBILE_PHONE), given=key is MatchKey.ID,
    )  # fmt: skip


OUR_KEYS: Mapping[str, ImportKey] = MappingProxyType({key.value: _ours(key) for key in MatchKey})
"""Those of profiles that every installation has."""


def find_keys(match_key: str, more_keys: Sequence[str], known: Mapping[str, ImportKey]) -> tuple[ImportKey, ...]:
    """The keys of these names. Raises Invalid (UNKNOWN_KEY, DUPLICATE_KEY)."""
    found: dict[str, ImportKey] = {}
    for number, name in enumerate((match_key, *more_keys)):
        path = f"options.more_keys.{number - 1}" if number else "match_key"
        if name not in known:
            near = get_close_matches(name, known, 1)
            raise Invalid(
                f"rows cannot be found by {name[:80]!r}", code="UNKNOWN_KEY", path=path,
                hint=f"Did you mean {near[0]!r}?" if near else f"Keys: {', '.join(known)}.",
            )  # fmt: skip
        if name in found:
            raise Invalid("a key is named twice", code="DUPLICATE_KEY", path="options.more_keys")
        found[name] = known[name]
    return tuple(found.values())
