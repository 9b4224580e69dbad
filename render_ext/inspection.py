"""What a template does with its values, told without rendering it: for checks while somebody writes.

inspection = inspect("Hello {{ profile.first_name | upcase }}")
inspection.chains[0].input.path    # ("profile", "first_name")
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, TypeAlias

from render_ext.errors import FilterError, LimitReached, RenderError
from render_ext.filters import FILTERS, Surroundings
from render_ext.filters.kinds import MEANT_FOR, ValueKind
from render_ext.implied import implied
from render_ext.limits import DEFAULT_LIMITS, Limits
from render_ext.nodes import (
    Assign,
    Capture,
    Case,
    Condition,
    Cycle,
    Expression,
    FilterCall,
    Filtered,
    For,
    If,
    Interrupt,
    Literal,
    Name,
    Node,
    Output,
    Path,
    Range,
    Scalar,
    TableRow,
    bodies,
)
from render_ext.partials import read_templates
from render_ext.places import line_starts
from render_ext.reads import UNKNOWN, Reader, assigned_names

BOUNDING = frozenset({"at_most", "modulo", "size", "find_index"})  # filters after which a number cannot be any number
MOST_ORIGINS = 8  # that are remembered of an assigned value
_TRIAL = Surroundings(datetime(2001, 2, 3, tzinfo=UTC), UTC, "en", 20_000)  # texts that a trial makes stay short


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that is written out."""

    value: Scalar


@dataclass(frozen=True, slots=True)
class Reading:
    """A value that is read: the path to it (items of a list are `*`), and how it is written.

    `picked`: one of several that a number or a variable in brackets picks.
    """

    path: tuple[str, ...]
    text: str
    picked: bool = False


Operand: TypeAlias = Constant | Reading | None  # None: only a rendering knows


@dataclass(frozen=True, slots=True)
class Call:
    """One filter of a chain."""

    name: str
    arguments: tuple[Operand, ...]
    keywords: tuple[tuple[str, Operand], ...]
    line: int
    column: int

    @property
    def meant_for(self) -> frozenset[ValueKind]:
        """What the filter is for."""
        return MEANT_FOR[self.name]

    @property
    def is_constant(self) -> bool:
        """Whether all its arguments are written out, so that it can be tried."""
        return all(isinstance(one, Constant) for one in (*self.arguments, *(value for _, value in self.keywords)))

    def tried_on(self, value: Any) -> Any:
        """What the filter makes of a value. Raises RenderError; it must be constant."""
        known = FILTERS[self.name]
        arguments = [one.value for one in self.arguments if isinstance(one, Constant)]
        keywords = {name: one.value for name, one in self.keywords if isinstance(one, Constant)}
        try:
            return known.function(*([_TRIAL] if known.surroundings else []), value, *arguments, **keywords)
        except FilterError as error:
            raise RenderError(f"filter `{self.name}`: {error}") from None
        except LimitReached as error:
            raise RenderError(str(error), limit=error.limit) from None


@dataclass(frozen=True, slots=True)
class Chain:
    """A value and the filters that it goes through.

    `into`: the name that it is assigned to or captured in; None: it is printed. `tested`: it stands where a condition has made
    sure that the value is something. `at`: an offset in its output or tag; `line` and `column` are those of the value.
    """

    input: Operand
    calls: tuple[Call, ...]
    into: str | None
    tested: bool
    at: int
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class RangeLoop:
    """A loop over `(first..last)` without a limit; `origins` are the values that decide how often it runs."""

    origins: tuple[Reading, ...]
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Given:
    """A name that gets a value: by `assign`, or `captured`."""

    name: str
    captured: bool
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Ends:
    """What a loop over a range goes from and to."""

    first: Operand
    last: Operand


@dataclass(frozen=True, slots=True)
class Inspection:
    """What `inspect` found, in the order of the source.

    `tested` are the names that conditions look at or `default` fills, `printed` those that are printed, `read` all.
    """

    chains: tuple[Chain, ...]
    ranges: tuple[RangeLoop, ...]
    given: tuple[Given, ...]
    tested: frozenset[str]
    printed: frozenset[str]
    read: frozenset[str]
    nodes: tuple[Node, ...] = field(repr=False)
    outputs: dict[int, Chain] = field(repr=False)  # by the `id` of their node
    collections: dict[int, Operand | Ends] = field(repr=False)  # of loops, by the `id` of their node
    starts: list[int] = field(repr=False)  # of lines

    def place(self, at: int) -> tuple[int, int]:
        """Line and column of an offset, from 1."""
        return _place(self.starts, at)


def inspect(source: str, *, name: str = "template", links: bool = False, limits: Limits = DEFAULT_LIMITS) -> Inspection:
    """Look at a template that uses no partials. Raises TemplateSyntaxError."""
    nodes = read_templates(source, name, {}, limits=limits, links=links).main.nodes
    inspector = _Inspector(source, assigned_names(nodes))
    inspector.body(nodes)
    return Inspection(
        chains=tuple(inspector.chains),
        ranges=tuple(inspector.ranges),
        given=tuple(inspector.given),
        tested=frozenset(inspector.tested_names),
        printed=frozenset(inspector.printed_names),
        read=frozenset(inspector.read_names),
        nodes=nodes,
        outputs=inspector.outputs,
        collections=inspector.collections,
        starts=inspector.starts,
    )


class _Inspector(Reader):
    """Walks as the reader of variables does, and notes more on its way."""

    def __init__(self, source: str, assigned: frozenset[str]):
        super().__init__({}, assigned)
        self.source = source
        self.chains: list[Chain] = []
        self.ranges: list[RangeLoop] = []
        self.given: list[Given] = []
        self.outputs: dict[int, Chain] = {}
        self.collections: dict[int, Operand | Ends] = {}
        self.tested_names: set[str] = set()
        self.printed_names: set[str] = set()
        self.read_names: set[str] = set()
        self.origins: dict[str, tuple[Reading, ...]] = {}  # of assigned names, where nothing bounds them
        self.sure: Counter[tuple[str, ...]] = Counter()  # the paths that conditions around here have tested
        self.capturing: list[str] = []

    @cached_property
    def starts(self) -> list[int]:
        return line_starts(self.source)

    # ---- nodes -----------------------------------------------------------------------------------

    def _node(self, node: Node) -> None:
        if isinstance(node, Output) and node.expression is not None:
            self.outputs[id(node)] = self._chain(node.expression, node.at, self.capturing[-1] if self.capturing else None)
            self.printed_names |= _root_names(node.expression)
        elif isinstance(node, Assign):
            chain = self._chain(node.expression, node.at, node.name)
            self._note_origins(node.name, chain)
        elif isinstance(node, Cycle):
            for expression in node.values:
                self.printed_names |= _root_names(expression)
        if isinstance(node, (Assign, Capture)):
            self.given.append(Given(node.name, isinstance(node, Capture), *_place(self.starts, node.at)))
        if not isinstance(node, Capture):
            super()._node(node)
            return
        self.capturing.append(node.name)
        super()._node(node)
        self.capturing.pop()

    def _if(self, node: If) -> None:
        """As the reader does, with what each branch may rely on."""
        made = []
        with self._counted() as counted:
            for branch in node.branches:
                self.condition(branch.condition)
                self._test(branch.condition)
                with self._counted() as inside:
                    inside += self._sources(branch.condition, not branch.negated)
                    made.append(self._perhaps(branch.body))
                counted += self._sources(branch.condition, branch.negated)
            made.append(self._perhaps(node.otherwise))
        self._make(set.intersection(*made))

    def _case(self, node: Case) -> None:
        self.tested_names |= _root_names(node.subject)
        self.expression(node.subject)
        source = self._source(node.subject) if isinstance(node.subject, Path) else None
        for branch in node.branches:
            for value in branch.values:
                self.expression(value)
                self.tested_names |= _root_names(value)
            with self._counted() as inside:
                inside += [source.path] if source is not None and branch.values else []
                self._perhaps(branch.body)

    def _loop(self, node: For | TableRow) -> None:
        collection = node.collection
        if not isinstance(collection, Range):
            self.collections[id(node)] = self._operand_of(collection)
        else:
            self.collections[id(node)] = Ends(self._operand_of(collection.first), self._operand_of(collection.last))
            origins = (*self._origins_of(collection.first), *self._origins_of(collection.last))
            if origins and not isinstance(node.limit, Literal) and not _leaves(node.body):
                self.ranges.append(RangeLoop(origins, *_place(self.starts, node.at)))
        super()._loop(node)

    # ---- conditions ------------------------------------------------------------------------------

    @contextmanager
    def _counted(self) -> Iterator[_Sure]:
        """What is added to the yielded list is sure up to the end of the block."""
        added = _Sure(self.sure)
        yield added
        self.sure.subtract(added.paths)

    def _sources(self, condition: Condition, truth: bool) -> list[tuple[str, ...]]:
        found = (self._source(path) for path in implied(condition, truth))
        return [source.path for source in found if source is not None]

    def _test(self, condition: Condition) -> None:
        for path in implied(condition, None):
            self.tested_names |= _root_names(path)

    # ---- expressions -----------------------------------------------------------------------------

    def _chain(self, expression: Expression, at: int, into: str | None) -> Chain:
        filtered = expression if isinstance(expression, Filtered) else None
        first = filtered.input if filtered is not None else expression
        operand = self._operand_of(first)
        calls = tuple(self._call(call) for call in filtered.filters) if filtered is not None else ()
        if any(call.name == "default" for call in calls):
            self.tested_names |= _root_names(first)
        tested = isinstance(operand, Reading) and self.sure[operand.path] > 0
        chain = Chain(operand, calls, into, tested, at, *_place(self.starts, expression.at))
        self.chains.append(chain)
        return chain

    def _call(self, call: FilterCall) -> Call:
        arguments = tuple(self._operand_of(argument) for argument in call.arguments)
        keywords = tuple((name, self._operand_of(value)) for name, value in call.keywords)
        return Call(call.name, arguments, keywords, *_place(self.starts, call.at))

    def _operand_of(self, expression: Expression) -> Operand:
        if isinstance(expression, Literal):
            return Constant(expression.value)
        source = self._source(expression) if isinstance(expression, Path) else None
        if source is None or source.assigned or not isinstance(expression, Path):
            return None
        picked = any(not isinstance(key, Name) for key in expression.keys) and UNKNOWN in source.path
        return Reading(source.path, expression.text, picked)

    def _path(self, path: Path) -> None:
        if isinstance(path.root, Name):
            self.read_names.add(path.root.name)
        super()._path(path)

    def _note_origins(self, name: str, chain: Chain) -> None:
        if any(call.name in BOUNDING for call in chain.calls):
            return
        found = list(self.origins.get(name, ()))
        for operand in (chain.input, *(argument for call in chain.calls for argument in call.arguments)):
            if isinstance(operand, Reading) and len(found) < MOST_ORIGINS:
                found.append(operand)
        self.origins[name] = tuple(found)

    def _origins_of(self, expression: Expression) -> tuple[Reading, ...]:
        operand = self._operand_of(expression)
        if isinstance(operand, Reading):
            return (operand,)
        root = expression.root if isinstance(expression, Path) else None
        return self.origins.get(root.name, ()) if isinstance(root, Name) else ()


class _Sure:
    """Paths that are counted as long as a block lasts."""

    def __init__(self, counter: Counter[tuple[str, ...]]):
        self.counter = counter
        self.paths: list[tuple[str, ...]] = []

    def __iadd__(self, paths: list[tuple[str, ...]]) -> _Sure:
        self.paths += paths
        self.counter.update(paths)
        return self


def _leaves(nodes: tuple[Node, ...]) -> bool:
    """Whether a loop with this body may end before its last item."""
    waiting = [nodes]
    for body in waiting:
        for node in body:
            if isinstance(node, Interrupt) and node.word == "break":
                return True
            if not isinstance(node, (For, TableRow)):
                waiting += bodies(node)
    return False


def _root_names(expression: Expression) -> set[str]:
    """The name that an expression begins with."""
    if isinstance(expression, Filtered):
        expression = expression.input
    return {expression.root.name} if isinstance(expression, Path) and isinstance(expression.root, Name) else set()


def _place(starts: list[int], at: int) -> tuple[int, int]:
    line = bisect_right(starts, at)
    return line, at - starts[line - 1] + 1
