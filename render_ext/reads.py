"""What a template reads of the values it is given: every path that may lead into them, through loops and partials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from render_ext.layout import Variable
from render_ext.nodes import (
    Assign,
    Capture,
    Case,
    Compare,
    Condition,
    Count,
    Cycle,
    Expression,
    Filtered,
    Footnote,
    For,
    Fragment,
    If,
    IfChanged,
    Link,
    Literal,
    Logic,
    Name,
    Node,
    Output,
    Partial,
    Path,
    Range,
    TableRow,
    bodies,
)
from render_ext.partials import Template, Templates

UNKNOWN = "*"  # a key that only the rendering knows
MOST_READINGS = 32  # of one partial in different surroundings; after that it is read once more, as if in none


class _Source(NamedTuple):
    """Where in the values something comes from."""

    path: tuple[str, ...]
    assigned: bool  # or from what the template assigned


class _Bound(NamedTuple):
    """A name that a loop or a partial's parameter gives a meaning."""

    name: str
    source: _Source | None  # None: the template made it


def variables_read(templates: Templates) -> list[Variable]:
    """The paths read. A name is the template's own only where an `assign` has surely run before."""
    reader = Reader(templates.partials, frozenset().union(*(assigned_names(one.nodes) for one in templates.all())))
    reader.body(templates.main.nodes)
    return list(dict.fromkeys(reader.found))


def assigned_names(nodes: tuple[Node, ...]) -> frozenset[str]:
    """The names to which nodes may assign something, but for those in fragments: they stay there."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, (Assign, Capture, Count)):
            found.add(node.name)
        elif isinstance(node, Partial) and not node.isolated:
            found.update(name for name, _ in node.parameters)
            found.update([node.variable] if node.bound is not None else [])
        if not isinstance(node, Fragment):
            for body in bodies(node):
                found |= assigned_names(body)
    return frozenset(found)


class Reader:
    def __init__(self, partials: Mapping[str, Template], assigned: frozenset[str]):
        self.partials = partials
        self.assigned = assigned
        self.found: list[Variable] = []
        self.partial: str | None = None  # the one being read
        self.apart = False  # whether what is read stands in a partial or fragment
        self.bound: list[_Bound] = []
        self.loop_objects: list[str] = []  # `forloop` and `tablerowloop`, for each loop around
        self.made: set[str] = set()  # names that have a value of the template's own here, whatever the values are
        self.new: set[str] = set()  # those of them that got it in the body being read
        self.known: dict[str, dict[object, frozenset[str]]] = {}  # partial → surroundings → the names it makes

    # ---- nodes -----------------------------------------------------------------------------------

    def body(self, nodes: tuple[Node, ...]) -> None:
        for node in nodes:
            self._node(node)

    def _node(self, node: Node) -> None:
        if isinstance(node, Output):
            self.expression(node.expression)
        elif isinstance(node, Assign):
            self.expression(node.expression)
            self._make({node.name})
        elif isinstance(node, If):
            self._if(node)
        elif isinstance(node, Case):
            self._case(node)
        elif isinstance(node, (For, TableRow)):
            self._loop(node)
        elif isinstance(node, Capture):
            self.body(node.body)
            self._make({node.name})
        elif isinstance(node, (IfChanged, Footnote)):
            self.body(node.body)
        elif isinstance(node, Cycle):
            for expression in (node.group, *node.values):
                self.expression(expression)
        elif isinstance(node, Count):
            self.found.append(Variable((node.name,), node.name, node.at, True, self.partial))
        elif isinstance(node, Partial):
            self._partial(node)
        elif isinstance(node, Fragment):
            self._fragment(node)
        elif isinstance(node, Link):
            self._perhaps(node.body)

    def _if(self, node: If) -> None:
        made = []
        for branch in node.branches:
            self.condition(branch.condition)
            made.append(self._perhaps(branch.body))
        made.append(self._perhaps(node.otherwise))
        self._make(set.intersection(*made))

    def _case(self, node: Case) -> None:
        self.expression(node.subject)
        for branch in node.branches:
            for value in branch.values:
                self.expression(value)
            self._perhaps(branch.body)

    def _loop(self, node: For | TableRow) -> None:
        for expression in (node.collection, node.limit, node.offset, node.cols if isinstance(node, TableRow) else None):
            self.expression(expression)
        self.bound.append(_Bound(node.variable, self._items(node.collection)))
        self.loop_objects.append("forloop" if isinstance(node, For) else "tablerowloop")
        self._perhaps(node.body)
        self.bound.pop()
        self.loop_objects.pop()
        if isinstance(node, For):
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

    # ---- partials --------------------------------------------------------------------------------

    def _partial(self, node: Partial) -> None:
        within = self._given(node)
        made = self._reading(node.name, within, set() if node.isolated else self.made)
        if not node.isolated and node.bound is None:
            self._make(set(made))

    def _given(self, node: Partial) -> list[_Bound]:
        """What names mean in a partial; its parameters are read."""
        self.expression(node.bound)
        within = [] if node.isolated else list(self.bound)
        for name, value in node.parameters:
            self.expression(value)
            source = self._source(value) if isinstance(value, Path) else None
            if not node.isolated:  # the next one sees it
                self.bound.append(_Bound(name, source))
            within.append(_Bound(name, source))
        if not node.isolated and node.parameters:
            del self.bound[-len(node.parameters) :]
        if node.bound is not None:
            source = self._items(node.bound) if node.each else None
            if not node.each and isinstance(node.bound, Path):
                source = self._source(node.bound)
            within.append(_Bound(node.variable, source))
        return within

    def _reading(self, name: str, bound: list[_Bound], made: set[str]) -> frozenset[str]:
        """Read a partial in its surroundings, unless it was already; returns the names it makes."""
        readings = self.known.setdefault(name, {})
        if len(readings) >= MOST_READINGS:
            bound, made = [], set()
        key = (tuple(bound), frozenset(made))
        if key not in readings:
            outside, self.partial = self.partial, name
            readings[key] = self._apart(self.partials[name].nodes, bound, set(made))
            self.partial = outside
        return readings[key]

    def _fragment(self, node: Fragment) -> None:
        outside, self.assigned = self.assigned, assigned_names(node.body)
        self._apart(node.body, self._given(node.head), set())
        self.assigned = outside

    def _apart(self, nodes: tuple[Node, ...], bound: list[_Bound], made: set[str]) -> frozenset[str]:
        """Read nodes in surroundings of their own; returns the names they make."""
        outside = self.apart, self.bound, self.loop_objects, self.made, self.new
        self.apart, self.bound, self.loop_objects, self.made, self.new = True, bound, [], made, set()
        self.body(nodes)
        new = frozenset(self.new)
        self.apart, self.bound, self.loop_objects, self.made, self.new = outside
        return new

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
            self.found.append(Variable(source.path, path.text, path.at, source.assigned, self.partial))
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
        if root.name in self.loop_objects:
            return None
        if root.name in ("forloop", "tablerowloop") and self.apart and root.name not in self.assigned:
            return None
        for bound in reversed(self.bound):
            if bound.name == root.name:
                return bound.source
        return None if root.name in self.made else _Source((root.name,), root.name in self.assigned)


def _key_name(key: Name | Expression) -> str:
    if isinstance(key, Name):
        return key.name
    if isinstance(key, Literal) and isinstance(key.value, str):
        return key.value
    return UNKNOWN
