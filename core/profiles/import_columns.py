"""What the columns of a file mean: the header is matched with the table of fields, or by the import's own mapping. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from core.errors import Invalid
from core.profiles.fields import Field, columns_of
from core.profiles.import_keys import ImportKey, find_keys
from core.profiles.import_options import ColumnRule, FileFormat
from core.profiles.run_records import ImportOptions, UnknownColumns
from core.profiles.team_fields import Fields
from core.profiles.titles import field_meant, known_titles, plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The columns of a file that are read, and the profile's columns they become."""

    keys: tuple[ImportKey, ...]  # how a row finds what it is about: the first that finds something counts
    options: ImportOptions
    header: tuple[str, ...]
    fields: tuple[tuple[int, Field], ...]  # cell number, field
    constants: tuple[str, ...] = ()  # cells of every row, behind those of the file
    rules: Mapping[int, ColumnRule] = field(default_factory=dict)  # by cell number

    @property
    def written(self) -> tuple[str, ...]:
        """The columns that a profile gets."""
        return tuple(column for _, field in self.fields if field.settable for column in columns_of(field))

    @property
    def staged(self) -> tuple[str, ...]:
        """The columns that a chunk writes, in order; an email fills three."""
        return tuple(column for _, field in self.fields for column in columns_of(field))

    @property
    def by_column(self) -> dict[str, Field]:
        """The fields by their columns."""
        return {field.column: field for _, field in self.fields}

    @property
    def key_columns(self) -> tuple[tuple[str, ...], ...]:
        """The columns that find the profile, the first key's that finds one."""
        return tuple(key.columns for key in self.keys)

    @property
    def kept_keys(self) -> frozenset[str]:
        """Columns of keys that an empty cell takes from nobody: it says only that another key is meant."""
        return frozenset() if len(self.keys) == 1 else frozenset(self.columns_of_keys)

    @property
    def columns_of_keys(self) -> dict[str, ImportKey]:
        """Every column that belongs to a key, with the first such; an email's key has three."""
        named = {one.name: one for _, one in self.fields}
        found: dict[str, ImportKey] = {}
        for key in self.keys:
            for name in key.fields:
                for column in columns_of(named[name]):
                    found.setdefault(column, key)
        return found

    @property
    def kept_refusals(self) -> frozenset[str]:
        """Columns in which a row takes back nothing that was said before."""
        return (
            frozenset() if self.options.lift_opt_outs else frozenset(field.column for _, field in self.fields if field.opt_out)
        )

    @property
    def unique(self) -> tuple[str, ...]:
        """Columns in which no two profiles have the same value."""
        return tuple(field.column for _, field in self.fields if field.unique and field.settable)

    @property
    def all_unique(self) -> tuple[tuple[str, ...], ...]:
        """Columns in which no two profiles have the same values together: single ones, and those of the keys."""
        together = [key.columns for key in self.keys if len(key.columns) > 1]
        return (*((column,) for column in self.unique), *together)

    @property
    def other_unique(self) -> tuple[tuple[str, ...], ...]:
        """The same, apart from the first key."""
        return tuple(columns for columns in self.all_unique if columns != self.key_columns[0])


def check_mapping(
    mapping: Mapping[str, str | None], fields: Fields, keys: Sequence[ImportKey] = (), path: str = "options.mapping"
) -> None:
    """Raises Invalid (UNKNOWN_FIELD, DUPLICATE_FIELD) for a mapping that no header could make good."""
    seen: dict[str, str] = {}
    usable = usable_fields(fields, keys)
    for header, name in mapping.items():
        if name is None:
            continue
        if name not in usable:
            near = get_close_matches(name, usable, 1)
            raise Invalid(
                f"{name[:80]!r} is not a field that a file can set", code="UNKNOWN_FIELD",
                path=f"{path}.{header[:80]}", hint=f"Did you mean {near[0]!r}?" if near else None,
            )  # fmt: skip
        if name in seen:
            raise Invalid(
                f"the columns {seen[name]!r} and {header[:80]!r} are both the field {name!r}",
                code="DUPLICATE_FIELD", path=f"{path}.{header[:80]}", hint="Map one of them to null.",
            )  # fmt: skip
        seen[name] = header[:80]


def plan_columns(header: Sequence[str], match_key: str, options: ImportOptions, fields: Fields) -> Plan:
    """Raises Invalid with the place in the header: EMPTY_COLUMN_NAME, DUPLICATE_COLUMN, UNKNOWN_COLUMN, NO_KEY_COLUMN,
    NO_COLUMN.
    """
    mapping = options.mapping or {}
    keys = find_keys(match_key, options.more_keys, fields.keys)
    check_mapping(mapping, fields, keys)
    if options.expected_columns is not None:
        _check_expected(header, options.expected_columns)
    _check_present(header, (*mapping, *(rule.column for rule in options.columns)))
    titles = known_titles(fields.all)
    usable = usable_fields(fields, keys)
    found: list[tuple[int, Field]] = []
    names: dict[str, int] = {}
    for index, title in enumerate(header):
        name = _name(index, title.strip(), mapping, options, titles, fields)
        if name is None or name not in usable:
            continue  # what only the house sets: exports have it
        if name in names:
            raise _at(
                index, "DUPLICATE_COLUMN", f"{title[:80]!r} is the field {name!r}, as is column {names[name] + 1}",
                "Rename one of them, or map it to null.",
            )  # fmt: skip
        names[name] = index
        found.append((index, usable[name]))
    for index, name in enumerate(options.constants, start=len(header)):
        if name in names:
            raise _at(
                names[name], "DUPLICATE_COLUMN", f"is the field {name!r}, which has a constant too",
                "Map the column to null, or take the constant out.",
            )  # fmt: skip
        names[name] = index
        found.append((index, usable[name]))
    keys = tuple(_as_named(key, names, usable) for key in keys)
    if missing := [name for key in keys for name in key.fields if name not in names]:
        raise Invalid(
            f"the file has no column {missing[0]!r}, by which its rows find their {fields.noun}s",
            code="NO_KEY_COLUMN", path="line 1", hint="Add it, map a column to it, or choose another key.",
        )  # fmt: skip
    if missing := [name for name in fields.needed if name not in names]:
        raise Invalid(
            f"the file has no column {missing[0]!r}", code="NO_COLUMN", path="line 1",
            hint="Add it, map a column to it, or give it a constant.",
        )  # fmt: skip
    places = {title.strip(): index for index, title in enumerate(header)}
    return Plan(
        keys=keys, options=options, header=(*header, *options.constants), fields=tuple(found),
        constants=tuple(options.constants.values()), rules={places[rule.column.strip()]: rule for rule in options.columns},
    )  # fmt: skip


def _as_named(key: ImportKey, names: Mapping[str, int], usable: Mapping[str, Field]) -> ImportKey:
    """The key as a file has it: another row, `customer`, may stand there as what it is known by, `customer.email`."""
    found: list[str] = []
    for name in key.fields:
        parts = [] if name in names else [one for one in names if one.startswith(f"{name}.")]
        found += parts or [name]
    if tuple(found) == key.fields:
        return key
    return replace(key, fields=tuple(found), columns=tuple(usable[name].column for name in found))


def usable_fields(fields: Fields, keys: Sequence[ImportKey]) -> Mapping[str, Field]:
    """Those that a file can set, and those by which rows are found."""
    return {**{name: fields.all[name] for key in keys for name in key.fields}, **fields.settable}


def _check_expected(header: Sequence[str], expected: Sequence[str]) -> None:
    found, wanted = [title.strip() for title in header], [title.strip() for title in expected]
    missing = [title for title in wanted if title not in found]
    more = [title for title in found if title not in wanted]
    if missing or more:
        what = f"has no column {missing[0][:80]!r}" if missing else f"has a column {more[0][:80]!r}, which is not expected"
        hint = f"Expected: {', '.join(wanted)[:500]}." if wanted else "Name the columns, or leave `expectedColumns` out."
        raise Invalid(f"the file {what}", code="OTHER_COLUMNS", path="line 1", hint=hint)


def _check_present(header: Sequence[str], names: Sequence[str]) -> None:
    titles = {title.strip() for title in header}
    for wanted in map(str.strip, names):
        if wanted not in titles:
            near = get_close_matches(wanted, titles, 1)
            raise Invalid(
                f"the file has no column {wanted[:80]!r}, which the options name", code="UNKNOWN_COLUMN",
                path="line 1", hint=f"Did you mean {near[0]!r}?" if near else None,
            )  # fmt: skip


def _name(
    index: int, title: str, mapping: Mapping[str, str | None], options: ImportOptions, titles: Mapping[str, str], fields: Fields
) -> str | None:
    """The field of a column; None to leave it out."""
    if title in mapping:
        return mapping[title]
    if not options.file.header and options.file.format is not FileFormat.FIXED_WIDTH and options.mapping is not None:
        return None  # columns by position: those that nobody mapped
    if not title:
        raise _at(index, "EMPTY_COLUMN_NAME", "has no name", "Name it, or take the column out.")
    name = field_meant(title, fields.all, titles)
    if name is not None or options.unknown_columns is UnknownColumns.IGNORE:
        return name
    near = get_close_matches(plain(title), titles, 1)
    raise _at(
        index, "UNKNOWN_COLUMN", f"{title[:80]!r} is not a field of a {fields.noun}",
        f"Did you mean {titles[near[0]]!r}?" if near else "Map it to a field or to null, or ignore unknown columns.",
    )  # fmt: skip


def _at(index: int, code: str, message: str, hint: str) -> Invalid:
    return Invalid(f"column {index + 1} {message}", code=code, path=f"line 1, column {index + 1}", hint=hint)
