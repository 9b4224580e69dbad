"""What a template reads of the values it is given: every path that may lead into them, through the loops around it."""

from __future__ import annotations

from typing import NamedTuple

from render_ext.layout import Variable
from render_ext.nodes import (
    Assign,
    Compare,
    Condition,
    Expression,
    Filtered,
    For,
    If,
    Link,
    Literal,
    Logic,
    Name,
    Node,
    Output,
    Path,
    Range,
)

UNKNOWN = "*"  # a key that only the rendering knows


class _Source(NamedTuple):
    """Where in the values something comes from."""

    path: tuple[str, ...]
    assigned: bool  # or from what the template assigned


class _Loop(NamedTuple):
    variable: str
    items: _Source | None  # None: the template made them


def variables_read(nodes: tuple[Node, ...], *, assigned: frozenset[str]) -> list[Variable]:
    """The paths read. A name is the template's own only where an `assign` has surely run before; `assigned` are all of them."""
    reader = _Reader(assigned)
    reader.body(nodes)
    return reader.found


class _Reader:
    def __init__(self, assigned: frozenset[str]):
        self.assigned = assigned
        self.found: list[Variable] = []
        self.loops: list[_Loop] = []
        self.made: set[str] = set()  # names that have a value of the template's own here, whatever the values are
        self.new: set[str] = set()  # those of them that got it in the body being read

    # ---- nodes -----------------------------------------------------------------------------------

    def body(self, nodes: tuple[Node, ...]) -> None:
        for node in nodes:
            if isinstance(node, Output):
                self.expression(node.expression)
            elif isinstance(node, Assign):
                self.expression(node.expression)
                self._make({node.name})
            elif isinstance(node, If):
                self._if(node)
            elif isinstance(node, For):
                self._for(node)
            elif isinstance(node, Link):
                self._perhaps(node.body)

    def _if(self, node: If) -> None:
        made = []
        for branch in node.branches:
            self.condition(branch.condition)
            made.append(self._perhaps(branch.body))
        made.append(self._perhaps(node.otherwise))
        self._make(set.intersection(*made))

    def _for(self, node: For) -> None:
        for expression in (node.collection, node.limit, node.offset):
            self.expression(expression)
        self.loops.append(_Loop(node.variable, self._items(node.collection)))
        self._perhaps(node.body)
        self.loops.pop()
        self._perhaps(node.otherwise)

    def _items(self, collection: Expression) -> _Source | None:
        source = self._source(collection) if isinstance(collection, Path) else None
        return _Source((*source.path, UNKNOWN), source.assigned) if source is not None else None

    def _perhaps(self, nodes: tuple[Node, ...]) -> set[str]:
        """Read what may be skipped; returns the names it makes, which are not made for what follows."""
        outside, self.new = self.new, set()
        self.body(nodes)
        made, self.new = self.new, outside
        self.made -= made
        return made

    def _make(self, names: set[str]) -> None:
        self.new |= names - self.made
        self.made |= names

    # ---- expressions -----------------------------------------------------------------------------

    def condition(self, condition: Condition) -> None:
        while isinstance(condition, Logic):
            self._operand(condition.left)
            condition = condition.rest
        self._operand(condition)

    def _operand(self, operand: Compare | Expression) -> None:
        if isinstance(operand, Compare):
            self.expression(operand.left)
            self.expression(operand.right)
        else:
            self.expression(operand)

    def expression(self, expression: Expression | None) -> None:
        if isinstance(expression, Path):
            self._path(expression)
        elif isinstance(expression, Range):
            self.expression(expression.first)
            self.expression(expression.last)
        elif isinstance(expression, Filtered):
            self.expression(expression.input)
            for call in expression.filters:
                for argument in (*call.arguments, *(value for _, value in call.keywords)):
                    self.expression(argument)

    def _path(self, path: Path) -> None:
        source = self._source(path)
        if source is not None:
            self.found.append(Variable(source.path, path.text, path.at, source.assigned))
        for key in (path.root, *path.keys):
            if not isinstance(key, Name):
                self.expression(key)

    def _source(self, path: Path) -> _Source | None:
        """Where a path comes from; None for what the template made itself."""
        root = self._root(path.root)
        return _Source(root.path + tuple(_key_name(key) for key in path.keys), root.assigned) if root is not None else None

    def _root(self, root: Name | Expression) -> _Source | None:
        if not isinstance(root, Name):  # `["name"]` looks into the values, whatever was assigned
            return _Source((_key_name(root),), False)
        if root.name == "forloop" and self.loops:
            return None
        for loop in reversed(self.loops):
            if loop.variable == root.name:
                return loop.items
        return None if root.name in self.made else _Source((root.name,), root.name in self.assigned)


def _key_name(key: Name | Expression) -> str:
    if isinstance(key, Name):
        return key.name
    if isinstance(key, Literal) and isinstance(key.value, str):
        return key.value
    return UNKNOWN
