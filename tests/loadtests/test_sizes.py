"""What the README says of the benchmarks' sizes is so."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from loadtests.bench import BENCHMARKS

ROOT = Path(__file__).resolve().parents[2]
SIZES = ("ROWS", "MESSAGES", "PROFILES", "PURCHASES", "EVENTS", "RUNS")


def told() -> dict[str, dict[str, int]]:
    """The sizes of each benchmark with their defaults, from the README's table."""
    readme = (ROOT / "loadtests/README.md").read_text(encoding="utf-8")
    table = readme[readme.index("| sizes |") : readme.index("### How to read a line")]
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", table, re.MULTILINE)
    return {name: {size: int(value) for size, value in re.findall(r"`(\w+)=(\d+)`", cell)} for name, cell in rows}


def sizes(name: str) -> dict[str, int]:
    """What a benchmark would measure in the environment as it is."""
    names = runpy.run_path(str(ROOT / f"{BENCHMARKS[name].replace('.', '/')}.py"), run_name="not_main")
    return {size: names[size] for size in SIZES if size in names}


def test_every_benchmark_is_in_the_table() -> None:
    """With the variables it obeys."""
    assert set(told()) == set(BENCHMARKS)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_size_is_obeyed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that the table names, and no others."""
    for size in SIZES:
        monkeypatch.delenv(size, raising=False)
    assert sizes(name) == told()[name]

    asked = dict(zip(SIZES, (2_345_678, 34_567, 3_456, 45_678, 56_789, 2), strict=True))
    for size, value in asked.items():
        monkeypatch.setenv(size, str(value))
    assert sizes(name) == {size: asked[size] for size in told()[name]}
