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

    `assigned`: the template also gives the name a value itself, which may or may not have happened here. `partial`: the name of
    the partial that reads it, where it is not the template itself; `line` and `column` are those in the partial.
    """

    path: tuple[str, ...]
    text: str
    line: int
    column: int
    assigned: bool = False
    partial: str | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A tracked link: its number, its target as written, and the line it is on."""

    number: int
    target: str
    line: int


def variable_places(layout: Layout, source: str) -> tuple[Variable, ...]:
    """The variables of a layout in the order of the source, then those of each partial."""
    starts: dict[str | None, list[int]] = {unit.name: line_starts(unit.source) for unit in layout.units[1:]}
    starts[None] = line_starts(source)
    order = {name: number for number, name in enumerate([None, *(unit.name for unit in layout.units[1:])])}
    found = []
    for variable in sorted(layout.variables, key=lambda variable: (order[variable.partial], variable.at)):
        lines = starts[variable.partial]
        line = bisect_right(lines, variable.at)
        column = variable.at - lines[line - 1] + 1
        found.append(Variable(variable.path, variable.text, line, column, variable.assigned, variable.partial))
    return tuple(found)


def link_places(layout: Layout, source: str) -> tuple[Link, ...]:
    """The links of a layout, in the order of the source."""
    starts = line_starts(source)
    return tuple(Link(link.number, link.source, bisect_right(starts, link.at)) for link in layout.links)


def line_starts(source: str) -> list[int]:
    starts = [0]
    at = source.find("\n")
    while at >= 0:
        starts.append(at + 1)
        at = source.find("\n", at + 1)
    return starts
