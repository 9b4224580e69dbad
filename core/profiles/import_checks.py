"""What an import may ask for: its options are looked at before there is a file. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from zoneinfo import available_timezones

from core.errors import Invalid
from core.profiles.errors import BadValue
from core.profiles.fields import Field
from core.profiles.files.shape_checks import MOST_COLUMNS, check_once, check_shape, is_separator
from core.profiles.import_cells import parse_date_format
from core.profiles.import_columns import check_mapping, usable_fields
from core.profiles.import_keys import ImportKey, find_keys
from core.profiles.import_options import ColumnRule, ImportMode, OnError, OtherValues
from core.profiles.import_target import Destination
from core.profiles.phones import is_region
from core.profiles.run_records import ImportOptions
from core.profiles.team_fields import Fields
from core.profiles.values import Reading, clean

ANY_COUNTRY = "US"  # of numbers that are only looked at
MOST_VALUES = 10_000  # of a table of values
LONGEST_TEXT = 1000  # characters of a cell in an option
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # by the database


def check_options(options: ImportOptions, match_key: str, destination: Destination, *, today: date) -> None:
    """Raises Invalid for what no file could make good; its path says which option it is."""
    delimiter = options.delimiter
    if delimiter is not None and (not is_separator(delimiter) or delimiter == '"' == options.file.quote):
        raise Invalid(
            f"{delimiter[:20]!r} cannot separate cells", code="BAD_DELIMITER", path="options.delimiter",
            hint="Use one character, such as ',' ';' '|', a tab or a blank; leave it out to have it found.",
        )  # fmt: skip
    check_shape(options.file, delimiter)
    if options.default_country is not None and not is_region(options.default_country):
        raise Invalid(
            f"{options.default_country[:20]!r} is not a country with phone numbers", code="BAD_COUNTRY",
            path="options.default_country", hint="Use the two letters of ISO 3166-1, such as FR.",
        )  # fmt: skip
    if options.most_rejects is not None and options.most_rejects < 0:
        raise Invalid("a number of rows is not negative", code="BAD_LIMIT", path="options.most_rejects")
    if options.expected_columns is not None:
        check_once([title.strip() for title in options.expected_columns], "options.expected_columns")
    _check_names(options)
    fields = destination.fields
    keys = find_keys(match_key, options.more_keys, fields.keys)
    _check_keys(keys, options.mode, destination)
    check_mapping(options.mapping or {}, fields, keys)
    _check_texts(options.nulls, "options.nulls")
    reading = Reading(region=options.default_country or ANY_COUNTRY, today=today)
    usable = usable_fields(fields, keys)
    _check_constants(options, fields, keys, reading)
    if len(options.columns) > MOST_COLUMNS:
        raise Invalid(f"there are rules for more than {MOST_COLUMNS} columns", code="BAD_COLUMNS", path="options.columns")
    check_once([rule.column.strip() for rule in options.columns], "options.columns")
    for number, rule in enumerate(options.columns):
        name = (options.mapping or {}).get(rule.column) or rule.column
        _check_rule(rule, usable.get(name), reading, f"options.columns.{number}")


def _check_keys(keys: Sequence[ImportKey], mode: ImportMode, destination: Destination) -> None:
    if mode not in destination.modes:
        able = ", ".join(one.name for one in ImportMode if one in destination.modes)
        raise Invalid(
            f"the mode {mode.name} is not possible here", code="BAD_MODE", path="options.mode", hint=f"Use one of {able}."
        )
    given = next((key for key in keys if key.given), None)
    if given is not None and mode is ImportMode.INSERT:
        raise Invalid(
            f"a {destination.fields.noun} that is new has no {given.name} yet", code="BAD_KEY", path="match_key",
            hint="Choose a key of your own, such as external_id.",
        )  # fmt: skip


def _check_constants(options: ImportOptions, fields: Fields, keys: Sequence[ImportKey], reading: Reading) -> None:
    path = "options.constants"
    check_mapping({name: name for name in options.constants}, fields, keys, path)
    mapped = set((options.mapping or {}).values())
    usable = usable_fields(fields, keys)
    for name, cell in options.constants.items():
        if name in mapped:
            raise Invalid(
                f"the field {name!r} has a column and a constant", code="DUPLICATE_FIELD", path=f"{path}.{name}",
                hint="Map the column to null, or take the constant out.",
            )  # fmt: skip
        _check_texts((cell,), f"{path}.{name}")
        _check_cell(usable[name], cell, reading, f"{path}.{name}")


def _check_rule(rule: ColumnRule, field: Field | None, reading: Reading, path: str) -> None:
    """`field`: that of the column, where it is known before there is a header."""
    values = rule.values or {}
    if len(values) > MOST_VALUES:
        raise Invalid(f"a table has at most {MOST_VALUES} values", code="TOO_MANY_VALUES", path=f"{path}.values")
    _check_texts((*rule.nulls, *values, *values.values(), rule.default or ""), path)
    for name in ("decimal_mark", "thousands_mark"):
        mark = getattr(rule, name)
        if mark is not None and (len(mark) != 1 or mark.isalnum() or mark in "+-\r\n\0"):
            raise Invalid(
                f"{mark[:20]!r} stands in no number", code="BAD_MARK", path=f"{path}.{name}", hint="Such as ',' or '.'."
            )
    if rule.thousands_mark is not None and rule.thousands_mark == (rule.decimal_mark or "."):
        raise Invalid(
            "the mark of thousands is that of decimals", code="BAD_MARK", path=f"{path}.thousands_mark",
            hint="Say the decimal mark too.",
        )  # fmt: skip
    if rule.date_format is not None:
        parse_date_format(rule.date_format, f"{path}.date_format")
    if rule.time_zone is not None and rule.time_zone not in available_timezones():
        raise Invalid(
            f"{rule.time_zone[:40]!r} is not a time zone", code="BAD_TIME_ZONE", path=f"{path}.time_zone",
            hint="Use the IANA name, such as Europe/Paris.",
        )  # fmt: skip
    if rule.default is None and (rule.on_error is OnError.DEFAULT or rule.other_values is OtherValues.DEFAULT):
        raise Invalid("the column has no default", code="NO_DEFAULT", path=f"{path}.default", hint="Say what to put there.")
    if rule.default is not None and field is not None:
        _check_cell(field, rule.default, reading, f"{path}.default")


def _check_names(options: ImportOptions) -> None:
    """Names of columns and the like: any that can be kept with the import."""
    shape = options.file
    for path, names in (
        ("mapping", options.mapping or ()), ("expected_columns", options.expected_columns or ()),
        ("file.entry", (shape.entry or "",)), ("file.sheet", (shape.sheet or "",)),
        ("file.fixed_columns", [one.name for one in shape.fixed_columns]),
        ("columns", [rule.column for rule in options.columns]),
    ):  # fmt: skip
        if any(_UNSTORABLE.search(name) for name in names):
            raise Invalid("a name here has no NUL, and no half of a character", code="BAD_TEXT", path=f"options.{path}")


def _check_texts(texts: Sequence[str], path: str) -> None:
    if any(len(text) > LONGEST_TEXT or _UNSTORABLE.search(text) for text in texts):
        raise Invalid(
            f"a text here has at most {LONGEST_TEXT} characters, no NUL, and no half of a character", code="BAD_TEXT", path=path
        )


def _check_cell(field: Field, cell: str, reading: Reading, path: str) -> None:
    try:
        clean(field, cell, reading)
    except BadValue as error:
        raise error.at(path, field.label) from None
