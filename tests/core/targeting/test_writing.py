"""Values are brought to the form in which a column is kept."""

from __future__ import annotations

import pytest

from core.targeting.catalogue import Writing
from core.targeting.writing import as_kept, like_pattern


@pytest.mark.parametrize(
    ("writing", "text", "kept"),
    [
        (Writing.FREE, "É a%", "É a%"),
        (Writing.EXACT, "Key 1", "Key 1"),
        (Writing.UPPER, "fr", "FR"),
        (Writing.EMAIL, "Jörg@BÜCHER.example", "jörg@xn--bcher-kva.example"),
        (Writing.EMAIL, "@Bücher.example", "@xn--bcher-kva.example"),
        (Writing.EMAIL, "Jörg", "jörg"),
        (Writing.EMAIL, "@..ü", "@..ü"),
        (Writing.EMAIL, "", ""),
        (Writing.DOMAIN, "Bücher.Example", "xn--bcher-kva.example"),
        (Writing.DOMAIN, "Example.org", "example.org"),
        (Writing.EMAIL, "bücher.example", "bücher.example"),
        (Writing.PHONE, "+33 (6) 12-34.56/78", "+33612345678"),
        (Writing.PHONE, "+33 (0)6 12 34 56 78", "+33612345678"),
        (Writing.PHONE, "06 12", "0612"),
        (Writing.PHONE, "+33 6", "+336"),
    ],
)
def test_a_value_is_written_as_the_column_keeps_it(writing: Writing, text: str, kept: str) -> None:
    assert as_kept(writing, text) == kept


def test_wildcards_are_ordinary_characters() -> None:
    assert like_pattern(r"100%_\x") == r"100\%\_\\x"
