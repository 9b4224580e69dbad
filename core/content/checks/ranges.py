"""Ranges that end where a recipient's own value says, on their way through names and filters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from core.content.checks.uses import Uses, plain_name
from render_ext import Reading
from render_ext.inspection import BOUNDING, MOST_ORIGINS
from render_ext.nodes import Assign, Expression, Filtered, For, Interrupt, Literal, Node, Output, Path, Range, TableRow, bodies

UNROLLED_NEVER = frozenset({"first", "last", "size", "default"})  # filters that do not go through all the items
Origins = tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Unrolled:
    """A place where all the items of such a range are gone through: by a filter, or by a loop over a name."""

    origins: Origins
    filter: str | None
    at: int


def unrolled(nodes: tuple[Node, ...], uses: Uses) -> list[Unrolled]:
    """The places in order. Loops over a range that is written in them are not among them: see `Inspection.ranges`."""
    return list(_Names(uses).body(nodes))


class _Names:
    """What assigned names are made from, read in the order of the source."""

    def __init__(self, uses: Uses):
        self.uses = uses
        self.ranges: dict[str, Origins] = {}
        self.numbers: dict[str, Origins] = {}

    def body(self, nodes: tuple[Node, ...]) -> Iterator[Unrolled]:
        for node in nodes:
            yield from self._node(node)
            for body in bodies(node):
                yield from self.body(body)

    def _node(self, node: Node) -> Iterator[Unrolled]:
        if isinstance(node, Output) and node.expression is not None:
            yield from self._filtered(node.expression)
        elif isinstance(node, Assign):
            yield from self._filtered(node.expression)
            self._assign(node)
        elif isinstance(node, (For, TableRow)) and isinstance(node.collection, Path):
            origins = self._range(node.collection)
            if origins and not isinstance(node.limit, Literal) and not _leaves(node.body):
                yield Unrolled(origins, None, node.at)

    def _filtered(self, expression: Expression) -> Iterator[Unrolled]:
        if not isinstance(expression, Filtered):
            return
        origins = self._range(expression.input)
        for call in expression.filters:
            given = (*origins, *(one for argument in call.arguments for one in self._range(argument)))
            if given and call.name not in UNROLLED_NEVER:
                yield Unrolled(given, call.name, call.at)
                return
            if call.name in ("first", "last", "size"):
                origins = ()

    def _assign(self, node: Assign) -> None:
        filtered = node.expression if isinstance(node.expression, Filtered) else None
        first = filtered.input if filtered is not None else node.expression
        calls = filtered.filters if filtered is not None else ()
        self.ranges.pop(node.name, None)
        if (found := self._range(first)) and not calls:
            self.ranges[node.name] = found
        elif any(call.name in BOUNDING for call in calls):
            self.numbers.pop(node.name, None)
        else:
            given = (first, *(argument for call in calls for argument in call.arguments))
            self.numbers[node.name] = tuple(one for operand in given for one in self._number(operand))[:MOST_ORIGINS]

    def _range(self, expression: Expression) -> Origins:
        """What says how long a range is; nothing where it is none."""
        if isinstance(expression, Range):
            return (*self._number(expression.first), *self._number(expression.last))
        return self.ranges.get(plain_name(expression), ())

    def _number(self, expression: Expression) -> Origins:
        operand = self.uses.operand(expression)
        return (operand,) if isinstance(operand, Reading) else self.numbers.get(plain_name(expression), ())


def _leaves(nodes: tuple[Node, ...]) -> bool:
    """Whether a loop with this body may end before its last item."""
    return any(
        (isinstance(node, Interrupt) and node.word == "break")
        or (not isinstance(node, (For, TableRow)) and any(_leaves(body) for body in bodies(node)))
        for node in nodes
    )
