"""What the compiler hands to the VM."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from render_ext.nodes import Link

if TYPE_CHECKING:
    from render_ext._vm import Op


class Step(NamedTuple):
    """One instruction; the meaning of the arguments depends on the op."""

    op: Op
    a: int
    b: int
    value: Any
    at: int


class PathOperand(NamedTuple):
    """The way to a value: keys from the root on, which of them are commands if no key, and how it is written."""

    keys: tuple[str | int, ...]
    commands: int
    text: str
    prefix: int
    whole: int = -1  # number of the value itself, of a path that stands several times in the template


class Variable(NamedTuple):
    """A value that a template reads, and where. Items of a loop appear as `*` under their list."""

    path: tuple[str, ...]
    text: str
    at: int
    assigned: bool  # the template gives the name a value itself, somewhere
    partial: str | None  # the one that it stands in


class Unit(NamedTuple):
    """The steps of one template: from which one on, and what it was made from."""

    start: int
    name: str
    source: str


@dataclass(slots=True)
class Layout:
    """All that the VM needs to know of a template."""

    steps: list[Step] = field(default_factory=list)
    slots: int = 0
    stack: int = 0
    loops: int = 0
    calls: int = 0  # of partials within partials
    renders: int = 0  # those among them that have slots of their own
    registers: int = 0
    following: list[int] = field(default_factory=list)  # for each slot the one to look at where it is empty, -1 for the values
    units: list[Unit] = field(default_factory=list)
    prefixes: int = 0  # what is looked up once per rendering: objects on the way to values, and values of repeated paths
    highest_link: int = -1
    variables: list[Variable] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
