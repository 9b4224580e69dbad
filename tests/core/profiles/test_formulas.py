"""Taking off what was put on gives back what was there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.profiles.formulas import escaped, unescaped

CELLS = st.text() | st.text("'=+-@\t\ra", max_size=5)


@given(CELLS)
def test_escaping_is_undone(cell: str) -> None:
    assert unescaped(escaped(cell)) == cell


@given(CELLS)
def test_an_escaped_cell_begins_with_nothing_that_computes(cell: str) -> None:
    assert not escaped(cell).startswith(("=", "+", "-", "@", "\t", "\r"))
