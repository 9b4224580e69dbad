"""The case files: context, template, and what comes of it.

A file holds cases of the form

    === title
    {"name": "Zoë", "$escape": "html"}
    ---
    template
    ---
    expected output, or "TemplateSyntaxError: …", or "RenderError: …"

where keys that begin with `$` are options of `compile`. With CLARION_UPDATE_CASES=1 the expectations are rewritten from
what comes out; review shows the difference.
"""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import render_ext

CASES = Path(__file__).parent / "cases"


class Case(NamedTuple):
    """One case of a file."""

    title: str
    context: str
    template: str
    expected: str


def read(path: Path) -> list[Case]:
    """The cases of a file."""
    found = []
    text = "\n" + path.read_text(encoding="utf-8").removesuffix("\n")
    for block in text.split("\n=== ")[1:]:
        title, rest = block.split("\n", 1)
        context, template, expected = rest.split("\n---\n")
        found.append(Case(title, context, template, expected))
    return found


def outcome(case: Case) -> str:
    """What comes of a case: the output, or the name and text of the error."""
    data: dict[str, Any] = json.loads(case.context)
    options = {key[1:]: value for key, value in data.items() if key.startswith("$")}
    values = {key: value for key, value in data.items() if not key.startswith("$")}
    if "now" in options:
        options["now"] = datetime.fromisoformat(options["now"])
    try:
        return render_ext.compile(case.template, **options).render(values)
    except render_ext.RenderExtError as error:
        return f"{type(error).__name__}: {error}"


FILES = sorted(CASES.glob("*.txt"))
PAIRS = [(path, case) for path in FILES for case in read(path)]


@pytest.mark.parametrize("case", [case for _, case in PAIRS], ids=[f"{path.stem}: {case.title}" for path, case in PAIRS])
def test_case(case: Case) -> None:
    assert outcome(case) == case.expected


def test_cases_can_be_rewritten() -> None:
    """Writing the cases back, with what comes out now where that is asked for, changes no other byte."""
    update = os.environ.get("CLARION_UPDATE_CASES") == "1"
    for path in FILES:
        blocks = []
        for case in read(path):
            expected = outcome(case) if update else case.expected
            blocks.append(f"=== {case.title}\n{case.context}\n---\n{case.template}\n---\n{expected}\n")
        if update:
            path.write_text("".join(blocks), encoding="utf-8")
        assert path.read_text(encoding="utf-8") == "".join(blocks)
