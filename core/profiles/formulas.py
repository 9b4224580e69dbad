"""Cells that a spreadsheet would compute: an export puts a `'` before them, an import takes it off again. Pure.

A cell that begins with any number of `'` and then one of `= + - @ TAB CR` gets one more, so that taking one off always gives
back what was there.
"""

from __future__ import annotations

import re

ESCAPED = re.compile(r"'+[=+\-@\t\r]")
MARK = re.compile(rb"'[=+\-@\t\r]")  # stands wherever something was escaped
_DANGEROUS = re.compile(r"'*[=+\-@\t\r]")


def escaped(cell: str) -> str:
    """The cell as a spreadsheet may see it."""
    return "'" + cell if _DANGEROUS.match(cell) else cell


def unescaped(cell: str) -> str:
    """What `escaped` was given; a cell that it did not touch stays."""
    return cell[1:] if cell[:1] == "'" and ESCAPED.match(cell) else cell
