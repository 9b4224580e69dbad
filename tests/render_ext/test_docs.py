"""What the page for authors lists is what there is; what the stubs say is what was compiled."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from render_ext import Limits
from render_ext.filters import FILTERS
from render_ext.parser import Parser

PAGE = Path(__file__).parents[2] / "docs" / "templates.md"


def first_column(heading: str) -> set[str]:
    """The names in backquotes in the first column of the table under a heading."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \| ", section, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([a-z0-9_#]+)", row)}


def test_every_filter_is_documented_and_no_other() -> None:
    assert first_column("Filters") == set(FILTERS)


def test_every_tag_is_documented_and_no_other() -> None:
    tags = set(Parser("", "page", 1, links=True).tags)
    assert first_column("Tags") == tags | {"raw", "doc", "liquid", "elsif", "else", "when"}


def test_the_bounds_are_those_documented() -> None:
    bounds = PAGE.read_text(encoding="utf-8").split("\n## Bounds\n")[1]
    limits = Limits()
    for shown in (f"{limits.steps:,} steps", f"{limits.output_bytes // 10**6} MB", f"nest {limits.nesting} blocks"):
        assert shown in bounds
    assert f"{limits.value_bytes // 10**6} million characters" in bounds
    assert f"at most {limits.value_bytes // 10**6} MB, and partials go {limits.partials} deep" in bounds


def test_the_stubs_match_the_extension() -> None:
    modules = [f"render_ext.{name}" for name in ("_buffer", "_email", "_headers", "_tokens", "_vm")]
    command = [sys.executable, "-m", "mypy.stubtest", *modules, "--ignore-missing-stub"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
