"""What the columns of a file are called, and which field a title means: exports write what imports read as the same. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from core.profiles.fields import Field


def plain(title: str) -> str:
    """A title without what people spell differently: `First Name`, `firstName` and `first_name` are the same."""
    return re.sub(r"[\W_]+", "", title).lower()


def known_titles(fields: Mapping[str, Field]) -> dict[str, str]:
    """The names of fields by what a header may call them, plain: a name before a label, ours before the team's."""
    names = [(field.name, field.name) for field in fields.values()]
    others = [(title, field.name) for field in fields.values() for title in (*field.aliases, field.label)]
    found: dict[str, str] = {}
    for title, name in (*names, *others):
        found.setdefault(plain(title), name)
    return found


def field_meant(title: str, fields: Mapping[str, Field], titles: Mapping[str, str]) -> str | None:
    """The name of the field that a title means, if any; `titles` are those of the fields."""
    return title if title in fields else titles.get(plain(title))


def told_apart(columns: Sequence[Field], fields: Mapping[str, Field]) -> list[Field]:
    """The columns of an export: one whose label means another of the fields, or stands twice, has its name for a label.

    `fields` are all among which an import of the file looks for a title.
    """
    titles = known_titles(fields)
    times = Counter(plain(one.label) for one in columns if one.name not in fields)

    def is_clear(one: Field) -> bool:
        if one.name not in fields:
            return times[plain(one.label)] == 1
        return not times[plain(one.label)] and field_meant(one.label.strip(), fields, titles) == one.name

    return [one if is_clear(one) else replace(one, label=one.name) for one in columns]
