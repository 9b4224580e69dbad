"""What may be said of how a file is written. Pure."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Sequence

from core.errors import Invalid
from core.profiles.import_options import FileFormat, FileShape

MOST_COLUMNS = 1000  # that options may name
WIDEST = 100_000  # characters of a line of fixed width
MOST_SKIPPED = 1000  # lines before the header
_NO_TEXT = frozenset({"idna", "punycode", "raw_unicode_escape", "unicode_escape", "utf-7", "undefined", "mbcs", "oem"})


def check_shape(shape: FileShape, delimiter: str | None, path: str = "options.file") -> None:
    """Raises Invalid (BAD_QUOTE, BAD_ENCODING, BAD_LIMIT, BAD_COLUMNS, DUPLICATE_COLUMN)."""
    for name, mark in (("quote", shape.quote), ("escape", shape.escape)):
        if mark is not None and (not is_mark(mark) or mark == delimiter):
            hint = "Use one sign."
            raise Invalid(f"{mark[:20]!r} cannot be the {name}", code="BAD_QUOTE", path=f"{path}.{name}", hint=hint)
    if shape.quote is not None and shape.quote == shape.escape:
        raise Invalid(
            "the quote and the escape are the same", code="BAD_QUOTE", path=f"{path}.escape",
            hint="A quote within quotes is doubled in any case: leave the escape out.",
        )  # fmt: skip
    if shape.encoding is not None:
        check_encoding(shape.encoding, f"{path}.encoding")
    if not 0 <= shape.skip_lines <= MOST_SKIPPED:
        raise Invalid(f"0 to {MOST_SKIPPED} lines can be left out", code="BAD_LIMIT", path=f"{path}.skip_lines")
    _check_fixed(shape, f"{path}.fixed_columns")


def is_separator(text: str) -> bool:
    """One sign that can stand between cells: a blank, too, where each blank ends a cell."""
    return text == " " or is_mark(text)


def is_mark(text: str) -> bool:
    """One sign that can stand between cells, or around them."""
    return len(text) == 1 and not text.isalnum() and text not in "\r\n\0 " and not "\ud800" <= text <= "\udfff"


def check_encoding(name: str, path: str) -> None:
    """Raises Invalid (BAD_ENCODING)."""
    try:
        found = codecs.lookup(name[:40]).name
        "".encode(found)  # those that are no encoding of text refuse this
    except (LookupError, ValueError):
        found = ""
    if not found or found in _NO_TEXT:
        raise Invalid(
            f"{name[:40]!r} is not an encoding of text", code="BAD_ENCODING", path=path,
            hint="For example utf-8, utf-16, latin-1, windows-1252 or shift_jis.",
        )  # fmt: skip


def check_once(names: Sequence[str], path: str) -> None:
    """Raises Invalid (DUPLICATE_COLUMN)."""
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise Invalid(f"the column {twice[0][:80]!r} is named twice", code="DUPLICATE_COLUMN", path=path)


def _check_fixed(shape: FileShape, path: str) -> None:
    fixed = shape.fixed_columns
    wanted = shape.format is FileFormat.FIXED_WIDTH
    if (wanted and not fixed) or (fixed and shape.format not in (None, FileFormat.FIXED_WIDTH)):
        raise Invalid(
            "columns of fixed width and the format fixed_width belong together", code="BAD_COLUMNS", path=path,
            hint="Name each column with its number of characters.",
        )  # fmt: skip
    if (
        len(fixed) > MOST_COLUMNS
        or any(not 0 < one.width <= WIDEST for one in fixed)
        or sum(one.width for one in fixed) > WIDEST
    ):
        raise Invalid(
            f"there are at most {MOST_COLUMNS} columns, of at least one character and {WIDEST} together", code="BAD_COLUMNS",
            path=path,
        )  # fmt: skip
    check_once([one.name.strip() for one in fixed], path)
