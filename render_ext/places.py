"""Where things stand in a template, in lines and columns."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from render_ext.layout import Layout


@dataclass(frozen=True, slots=True)
class Variable:
    """A value that a template reads: the path to it (items of a list are `*`), and how it is written.

    `assigned`: the template also gives the name a value itself, which may or may not have happened here.
    """

    path: tuple[str, ...]
    text: str
    line: int
    column: int
    assigned: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A tracked link: its number, its target as written, and the line it is on."""

    number: int
    target: str
    line: int


def variable_places(layout: Layout, source: str) -> tuple[Variable, ...]:
    """The variables of a layout, in the order of the source."""
    starts = _line_starts(source)
    found = []
    for variable in sorted(layout.variables, key=lambda variable: variable.at):
        line = bisect_right(starts, variable.at)
        column = variable.at - starts[line - 1] + 1
        found.append(Variable(variable.path, variable.text, line, column, variable.assigned))
    return tuple(found)


def link_places(layout: Layout, source: str) -> tuple[Link, ...]:
    """The links of a layout, in the order of the source."""
    starts = _line_starts(source)
    return tuple(Link(link.number, link.source, bisect_right(starts, link.at)) for link in layout.links)


def _line_starts(source: str) -> list[int]:
    starts = [0]
    at = source.find("\n")
    while at >= 0:
        starts.append(at + 1)
        at = source.find("\n", at + 1)
    return starts
