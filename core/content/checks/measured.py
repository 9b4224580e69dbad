"""Where a template becomes too long: the place after which what everybody gets has passed a size."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from typing import Literal

from core.content.checks.known import KnownValues
from render_ext import Inspection, estimate
from render_ext.nodes import Text

Measure = Literal["size", "characters"]


def passed_at(inspection: Inspection, known: KnownValues, most: float, measure: Measure) -> int:
    """The offset at which more than `most` is printed: within a text to the character, else where a block begins."""
    nodes = inspection.nodes

    def printed(count: int) -> float:
        return float(getattr(estimate(replace(inspection, nodes=nodes[:count]), known).least, measure))

    index = bisect_left(range(len(nodes)), True, key=lambda last: printed(last + 1) > most)
    if index == len(nodes):
        return 0
    node = nodes[index]
    left = int(most - printed(index))
    if not isinstance(node, Text):
        return node.at
    return node.at + (
        left if measure == "characters" else len(node.text.encode("utf-8", "replace")[:left].decode("utf-8", "ignore"))
    )
