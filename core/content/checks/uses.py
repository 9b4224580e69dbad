"""What a template does with values beside printing them: it compares them, loops up to them, gives them to filters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from render_ext import Constant, Operand, Reading
from render_ext.implied import implied
from render_ext.nodes import (
    Compare,
    Condition,
    Count,
    Cycle,
    Expression,
    Filtered,
    For,
    If,
    Literal,
    Name,
    Node,
    Path,
    Range,
    TableRow,
)
from render_ext.reads import UNKNOWN, Reader, assigned_names

ORDERING = frozenset({"<", "<=", ">", ">="})


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two values that are put in order."""

    operator: str
    left: Operand
    right: Operand
    at: int


@dataclass(frozen=True, slots=True)
class Bound:
    """What says where a loop begins and ends: `limit`, `offset`, or an end of a range."""

    word: str
    operand: Operand
    at: int


@dataclass(frozen=True, slots=True)
class Joined:
    """A value that goes into what is printed beside the value of a chain: given to a filter, or one of a `cycle`.

    `filter_at`: where the filter stands, -1 for a `cycle`. `tested` as of `render_ext.Chain`.
    """

    reading: Reading
    filter_at: int
    tested: bool
    at: int


@dataclass(frozen=True, slots=True)
class Followed:
    """Keys that are followed from a name which the template assigned; `of_item`: from an item of a loop over it."""

    name: str
    of_item: bool
    keys: tuple[str, ...]
    text: str
    at: int


@dataclass(slots=True)
class Uses:
    """What was found, in the order of the source."""

    comparisons: list[Comparison] = field(default_factory=list)
    bounds: list[Bound] = field(default_factory=list)
    collections: list[tuple[Operand, int]] = field(default_factory=list)  # of loops that go over no range
    counted: list[Count] = field(default_factory=list)
    joined: list[Joined] = field(default_factory=list)
    followed: list[Followed] = field(default_factory=list)
    operands: dict[int, Operand] = field(default_factory=dict)  # by the `id` of their expression

    def operand(self, expression: Expression) -> Operand:
        """What an expression of the template stands for, where that can be told."""
        return Constant(expression.value) if isinstance(expression, Literal) else self.operands.get(id(expression))


def uses_of(nodes: tuple[Node, ...]) -> Uses:
    """Look at the nodes of an inspection, which have to live on as long as what is found."""
    reader = _UseReader(assigned_names(nodes))
    reader.body(nodes)
    return reader.uses


class _UseReader(Reader):
    """Walks as the reader of variables does, so that names mean what they mean there."""

    def __init__(self, assigned: frozenset[str]):
        super().__init__({}, assigned)
        self.uses = Uses()
        self.sure: Counter[tuple[str, ...]] = Counter()  # the paths that conditions around here have tested
        self.over: list[tuple[str, str]] = []  # the variable of each loop around, and the name that it goes over

    def _node(self, node: Node) -> None:
        super()._node(node)
        if isinstance(node, Count) and not self.apart:  # there a counter begins at 0
            self.uses.counted.append(node)
        elif isinstance(node, Cycle):
            for value in node.values:
                self._join(value, -1)

    def _loop(self, node: For | TableRow) -> None:
        for word, bound in (("limit", node.limit), ("offset", node.offset)):
            if bound is not None and isinstance(node, For):  # a `tablerow` takes any value
                self._bound(word, bound)
        collection = node.collection
        self.over.append((node.variable, plain_name(collection)))
        super()._loop(node)
        self.over.pop()
        if not isinstance(collection, Range):
            self.uses.collections.append((self.uses.operand(collection), collection.at))

    def _bound(self, word: str, expression: Expression) -> None:
        self.expression(expression)
        self.uses.bounds.append(Bound(word, self.uses.operand(expression), expression.at))

    def _operand(self, operand: Compare | Expression) -> None:
        super()._operand(operand)
        if isinstance(operand, Compare) and operand.operator in ORDERING:
            sides = self.uses.operand(operand.left), self.uses.operand(operand.right)
            self.uses.comparisons.append(Comparison(operand.operator, *sides, operand.at))

    def expression(self, expression: Expression | None) -> None:
        """As the reader does, with the ends of ranges and what filters are given."""
        super().expression(expression)
        if isinstance(expression, Range):
            for end in (expression.first, expression.last):
                self.uses.bounds.append(Bound("range", self.uses.operand(end), end.at))
        elif isinstance(expression, Filtered):
            for call in expression.filters:
                for argument in call.arguments:
                    self._join(argument, call.at)

    def _join(self, expression: Expression, filter_at: int) -> None:
        reading = self.uses.operand(expression)
        if isinstance(reading, Reading):
            self.uses.joined.append(Joined(reading, filter_at, self.sure[reading.path] > 0, expression.at))

    def _path(self, path: Path) -> None:
        super()._path(path)
        source = self._source(path)
        names = [key.name for key in path.keys if isinstance(key, Name)]
        if source is not None and not source.assigned:
            picked = len(names) < len(path.keys) and UNKNOWN in source.path
            self.uses.operands[id(path)] = Reading(source.path, path.text, picked)
        elif isinstance(path.root, Name) and names and len(names) == len(path.keys):
            of = next((name for variable, name in reversed(self.over) if variable == path.root.name), None)
            name = path.root.name if of is None else of
            self.uses.followed.append(Followed(name, of is not None, tuple(names), path.text, path.at))

    # ---- conditions ------------------------------------------------------------------------------

    def _if(self, node: If) -> None:
        """As the reader does, with what each branch may rely on."""
        made = []
        with self._relying() as outer:
            for branch in node.branches:
                self.condition(branch.condition)
                with self._relying() as inner:
                    inner(self._sources(branch.condition, not branch.negated))
                    made.append(self._perhaps(branch.body))
                outer(self._sources(branch.condition, branch.negated))
            made.append(self._perhaps(node.otherwise))
        self._make(set.intersection(*made))

    @contextmanager
    def _relying(self) -> Iterator[_Adding]:
        adding = _Adding(self.sure)
        yield adding
        self.sure.subtract(adding.paths)

    def _sources(self, condition: Condition, truth: bool) -> list[tuple[str, ...]]:
        found = (self._source(path) for path in implied(condition, truth))
        return [source.path for source in found if source is not None]


class _Adding:
    """Adds paths that are sure up to the end of a block."""

    def __init__(self, sure: Counter[tuple[str, ...]]):
        self.sure = sure
        self.paths: list[tuple[str, ...]] = []

    def __call__(self, paths: list[tuple[str, ...]]) -> None:
        self.paths += paths
        self.sure.update(paths)


def plain_name(expression: Expression) -> str:
    """The name that an expression is; nothing of a path into it."""
    if isinstance(expression, Path) and isinstance(expression.root, Name) and not expression.keys:
        return expression.root.name
    return ""
