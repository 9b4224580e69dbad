"""What the columns of a file mean: the header is matched with the table of fields, or by the import's own mapping. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from core.errors import Invalid
from core.profiles.fields import Field, columns_of
from core.profiles.records import ImportOptions, MatchKey, UnknownColumns
from core.profiles.team_fields import Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The columns of a file that are read, and the profile's columns they become."""

    match_key: MatchKey
    options: ImportOptions
    header: tuple[str, ...]
    fields: tuple[tuple[int, Field], ...]  # cell number, field

    @property
    def staged(self) -> tuple[str, ...]:
        """The columns that a chunk writes, in order; an email fills three."""
        return tuple(column for _, field in self.fields for column in columns_of(field))

    @property
    def by_column(self) -> dict[str, Field]:
        """The fields by their columns."""
        return {field.column: field for _, field in self.fields}

    @property
    def key_column(self) -> str:
        """The column that finds the profile."""
        return "email_key" if self.match_key is MatchKey.EMAIL else self.match_key.value

    @property
    def kept_refusals(self) -> frozenset[str]:
        """Columns in which a row takes back nothing that was said before."""
        return (
            frozenset() if self.options.lift_opt_outs else frozenset(field.column for _, field in self.fields if field.opt_out)
        )

    @property
    def other_unique(self) -> tuple[str, ...]:
        """Columns in which no two profiles have the same value, apart from the key."""
        return tuple(field.column for _, field in self.fields if field.unique and field.column != self.key_column)


def check_mapping(mapping: Mapping[str, str | None], fields: Fields) -> None:
    """Raises Invalid (UNKNOWN_FIELD, DUPLICATE_FIELD) for a mapping that no header could make good."""
    seen: dict[str, str] = {}
    for header, name in mapping.items():
        if name is None:
            continue
        if name not in fields.settable:
            near = get_close_matches(name, fields.settable, 1)
            raise Invalid(
                f"{name[:80]!r} is not a field that a file can set", code="UNKNOWN_FIELD",
                path=f"options.mapping.{header[:80]}", hint=f"Did you mean {near[0]!r}?" if near else None,
            )  # fmt: skip
        if name in seen:
            raise Invalid(
                f"the columns {seen[name]!r} and {header[:80]!r} are both the field {name!r}",
                code="DUPLICATE_FIELD", path=f"options.mapping.{header[:80]}", hint="Map one of them to null.",
            )  # fmt: skip
        seen[name] = header[:80]


def plan_columns(header: Sequence[str], match_key: MatchKey, options: ImportOptions, fields: Fields) -> Plan:
    """Raises Invalid with the place in the header: EMPTY_COLUMN_NAME, DUPLICATE_COLUMN, UNKNOWN_COLUMN, NO_KEY_COLUMN."""
    mapping = options.mapping or {}
    check_mapping(mapping, fields)
    _check_present(header, mapping)
    titles = _titles(fields)
    found: list[tuple[int, Field]] = []
    names: dict[str, int] = {}
    for index, title in enumerate(header):
        name = _name(index, title.strip(), mapping, options, titles)
        if name is None or name not in fields.settable:
            continue  # what only the house sets: exports have it
        if name in names:
            raise _at(
                index, "DUPLICATE_COLUMN", f"{title[:80]!r} is the field {name!r}, as is column {names[name] + 1}",
                "Rename one of them, or map it to null.",
            )  # fmt: skip
        names[name] = index
        found.append((index, fields.settable[name]))
    if match_key.value not in names:
        raise Invalid(
            f"the file has no column {match_key.value!r}, by which its rows find their profiles",
            code="NO_KEY_COLUMN", path="line 1", hint="Add it, map a column to it, or choose another key.",
        )  # fmt: skip
    return Plan(match_key=match_key, options=options, header=tuple(header), fields=tuple(found))


def _check_present(header: Sequence[str], mapping: Mapping[str, str | None]) -> None:
    titles = {title.strip() for title in header}
    for wanted in mapping:
        if wanted not in titles:
            near = get_close_matches(wanted, titles, 1)
            raise Invalid(
                f"the file has no column {wanted[:80]!r}, which the mapping names", code="UNKNOWN_COLUMN",
                path="line 1", hint=f"Did you mean {near[0]!r}?" if near else None,
            )  # fmt: skip


def _name(
    index: int, title: str, mapping: Mapping[str, str | None], options: ImportOptions, titles: Mapping[str, str]
) -> str | None:
    """The field of a column; None to leave it out."""
    if title in mapping:
        return mapping[title]
    if not title:
        raise _at(index, "EMPTY_COLUMN_NAME", "has no name", "Name it, or take the column out.")
    name = title if title in titles.values() else titles.get(_plain(title))
    if name is not None or options.unknown_columns is UnknownColumns.IGNORE:
        return name
    near = get_close_matches(_plain(title), titles, 1)
    raise _at(
        index, "UNKNOWN_COLUMN", f"{title[:80]!r} is not a field of a profile",
        f"Did you mean {titles[near[0]]!r}?" if near else "Map it to a field or to null, or ignore unknown columns.",
    )  # fmt: skip


def _at(index: int, code: str, message: str, hint: str) -> Invalid:
    return Invalid(f"column {index + 1} {message}", code=code, path=f"line 1, column {index + 1}", hint=hint)


def _plain(title: str) -> str:
    """A title without what people spell differently: `First Name`, `firstName` and `first_name` are the same."""
    return re.sub(r"[\W_]+", "", title).lower()


def _titles(fields: Fields) -> dict[str, str]:
    """The names of fields by what a header may call them: a name before a label, ours before the team's."""
    names = [(field.name, field.name) for field in fields.all.values()]
    others = [(title, field.name) for field in fields.all.values() for title in (*field.aliases, field.label)]
    found: dict[str, str] = {}
    for title, name in (*names, *others):
        found.setdefault(_plain(title), name)
    return found
