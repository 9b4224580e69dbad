"""docs/targeting.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from core.targeting import audiences, errors, language
from core.targeting.check import check
from core.targeting.errors import ExpressionError
from core.targeting.functions.listing import as_markdown
from core.targeting.json_parse import parse_json
from core.targeting.parse import parse_text

DOCS = (Path(__file__).parents[3] / "docs" / "targeting.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```", DOCS, re.DOTALL | re.MULTILINE)
    return [body for name, body in found if name == kind]


def test_the_example_is_the_same_in_both_spellings() -> None:
    in_text, in_json = parse_text(blocks("")[0]), parse_json(msgspec.json.decode(blocks("json")[0]))

    assert in_text == in_json
    assert check(in_text)


def test_the_mistake_shown_is_the_one_made() -> None:
    source, shown = blocks("")[-1].strip().split("\n")
    with pytest.raises(ExpressionError) as caught:
        check(parse_text(source))

    told = f"{caught.value.path}: {caught.value.message}. {caught.value.hint}"
    assert told == shown


def test_the_limits_are_those_of_the_code() -> None:
    limits = DOCS.partition("## Limits")[2].partition("##")[0]
    numbers = [int(number.replace(",", "")) for number in re.findall(r"\| ([\d,]+)", limits)]

    assert numbers == [
        language.MAX_LENGTH,
        language.MAX_DEPTH,
        language.MAX_NODES,
        language.MAX_LINKS,
        language.MAX_STEPS,
        language.MAX_PARTS,
        language.MAX_VALUES,
        language.MAX_LIST_VALUES,
        language.MAX_TOP,
        language.MAX_RANKS,
        language.MAX_KEYS,
        language.MAX_YEARS,
        audiences.MAX_SAMPLE,
    ]


def test_every_word_and_function_is_there() -> None:
    reserved = DOCS.partition("**Reserved words**")[2].partition("`.")[0].partition(": `")[2]

    assert set(reserved.split()) == language.RESERVED
    for measure in language.Measure:
        assert f"`{measure.value}" in DOCS
    for operator in language.Operator:
        assert f"`{operator.value}`" in DOCS or f" {operator.value} " in DOCS


def test_the_functions_are_listed_as_they_are() -> None:
    listed = DOCS.partition("<!-- functions -->\n")[2].partition("<!-- end of functions -->")[0]

    assert listed.strip() == as_markdown().strip()


def test_the_codes_are_those_of_the_errors() -> None:
    codes = {value for name, value in vars(errors).items() if name.isupper() and isinstance(value, str)}
    assert codes == set(re.findall(r"`([A-Z]+_[A-Z_]+)`", DOCS))
