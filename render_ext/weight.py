"""The least that a rendering costs and prints, whoever the recipient is: fixed text, and loops over what is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from render_ext.inspection import Call, Chain, Constant, Ends, Inspection, Operand, Reading
from render_ext.limits import DEFAULT_LIMITS
from render_ext.nodes import (
    Assign,
    Capture,
    Case,
    Comment,
    Expression,
    Footnote,
    For,
    If,
    IfChanged,
    Interrupt,
    Link,
    Literal,
    Node,
    Output,
    SystemUrl,
    TableRow,
    Text,
)
from render_ext.values import loop_items

URL_BYTES = 40  # of any address that a message's own links get
NOTE_BYTES = len("[1]\n[1] x")  # of a footnote that says something
PRINTS_ANYWAY = frozenset({"json", "size"})  # filters that print something even for nothing


class Values(Protocol):
    """What is known of the values before there are recipients."""

    def known(self, path: tuple[str, ...]) -> Sequence[Any] | None:
        """All that a path leads to, where that is the same for everybody."""

    def is_something(self, path: tuple[str, ...]) -> bool:
        """Whether a path always leads to something that is not empty."""


class Weight(NamedTuple):
    """`steps` of Limits, and what is printed in bytes (`size`) and `characters`; `shown`: some of it is no white space."""

    steps: float = 0.0
    size: float = 0.0
    characters: float = 0.0
    shown: bool = False

    def plus(self, other: Weight) -> Weight:
        """Both, one after the other."""
        return Weight(
            self.steps + other.steps, self.size + other.size, self.characters + other.characters, self.shown or other.shown
        )

    def repeated(self, rounds: float) -> Weight:
        """The body of a loop, so many times."""
        return Weight(self.steps * rounds, self.size * rounds, self.characters * rounds, self.shown and rounds > 0)


@dataclass(frozen=True, slots=True)
class HeavyLoop:
    """A loop that takes more than all the steps of a rendering; `certain`: no condition can leave it out or cut it short."""

    steps: float
    certain: bool
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """The least of a whole template, and the loops that are too heavy."""

    least: Weight
    heavy: tuple[HeavyLoop, ...]


def estimate(inspection: Inspection, values: Values, *, steps: int = DEFAULT_LIMITS.steps) -> Estimate:
    """What a template takes at least. Linear in its size."""
    scale = _Scale(inspection, values, steps)
    least, _ = scale.body(inspection.nodes)
    return Estimate(least, tuple(scale.heavy))


class _Scale:
    def __init__(self, inspection: Inspection, values: Values, steps: int):
        self.inspection = inspection
        self.values = values
        self.steps = steps
        self.heavy: list[HeavyLoop] = []
        self.doubts = 0  # around the node: conditions, and loops that may not go over all their items

    def body(self, nodes: tuple[Node, ...]) -> tuple[Weight, bool]:
        """The least of some nodes, and whether a `break` or `continue` among them may leave out what follows."""
        whole, leaves, text_before = Weight(), False, False
        for node in nodes:
            weight, left = self._node(node)
            if text_before and isinstance(node, Text):  # neighbours are one step
                weight = weight._replace(steps=0.0)
            text_before = isinstance(node, Text) or (text_before and isinstance(node, Comment))
            if not leaves:
                whole = whole.plus(weight)
            if left and not leaves:
                leaves = True
                self.doubts += 1
        self.doubts -= leaves
        return whole, leaves

    def _node(self, node: Node) -> tuple[Weight, bool]:
        if isinstance(node, Text):
            size = len(node.text.encode("utf-8", "replace"))
            return Weight(1.0, size, len(node.text), bool(node.text.strip())), False
        if isinstance(node, Output):
            chain = self.inspection.outputs.get(id(node))
            shown = chain is not None and self._shows(chain)
            return Weight(1.0 if chain is not None else 0.0, shown, shown, shown), False
        if isinstance(node, (If, Case)):
            return self._choice(node)
        if isinstance(node, (For, TableRow)):
            return self._loop(node), False
        if isinstance(node, (Capture, IfChanged)):
            weight, leaves = self.body(node.body)
            return Weight(1.0 + weight.steps), leaves
        if isinstance(node, Footnote):
            weight, leaves = self.body(node.body)
            size = NOTE_BYTES if weight.shown else 0
            return Weight(1.0 + weight.steps, size, size, weight.shown), leaves
        if isinstance(node, (Link, SystemUrl)):
            return Weight(1.0, URL_BYTES, URL_BYTES, True), False
        if isinstance(node, (Comment, Interrupt)):
            return Weight(), isinstance(node, Interrupt)
        return Weight(1.0, shown=not isinstance(node, Assign)), False

    def _choice(self, node: If | Case) -> tuple[Weight, bool]:
        branches = [branch.body for branch in node.branches]
        if isinstance(node, If):
            branches.append(node.otherwise)
        elif not branches or node.branches[-1].values:
            branches.append(())
        self.doubts += 1
        weights, leaves = zip(*(self.body(branch) for branch in branches), strict=True)
        self.doubts -= 1
        steps, size, characters, shown = (min(column) for column in zip(*weights, strict=True))
        return Weight(1.0 + steps, size, characters, shown), any(leaves)

    # ---- loops -----------------------------------------------------------------------------------

    def _loop(self, node: For | TableRow) -> Weight:
        rounds = self._rounds(node)
        cut = node.limit is not None or node.offset is not None or (isinstance(node, For) and node.resumed)
        doubtful = cut or rounds is None or rounds < 1
        heavy_before = len(self.heavy)
        self.doubts += doubtful
        inside, leaves = self.body(node.body)
        self.doubts -= doubtful
        if rounds is None:
            return Weight(1.0)
        whole = inside.plus(Weight(1.0)).repeated(min(rounds, 1.0) if leaves else rounds)
        if whole.steps > self.steps and len(self.heavy) == heavy_before:  # else one within it is told
            line, column = self.inspection.place(node.at)
            self.heavy.append(HeavyLoop(whole.steps, self.doubts == 0, line, column))
        return whole.plus(Weight(1.0))

    def _rounds(self, node: For | TableRow) -> float | None:
        """How often a loop runs, over all its rounds within others on average; None: only a rendering knows."""
        found = self.inspection.collections.get(id(node))
        count = self._range_size(found) if isinstance(found, Ends) else self._item_count(found)
        offset, limit = _whole(node.offset), _whole(node.limit)
        if count is None or offset is None or limit is None:
            return None
        left = max(0.0, count - offset)
        return min(left, max(0.0, limit)) if node.limit is not None else left

    def _item_count(self, operand: Operand) -> float | None:
        if isinstance(operand, Constant):
            return float(isinstance(operand.value, str) and operand.value != "")
        known = self.values.known(operand.path) if isinstance(operand, Reading) else None
        if not known or not isinstance(operand, Reading):
            return None
        counts = [len(value) if isinstance(value, dict) else len(loop_items(value)) for value in known]
        return float(min(counts)) if operand.picked else sum(counts) / len(counts)

    def _range_size(self, ends: Ends) -> float | None:
        first, last = self._number(ends.first), self._number(ends.last)
        return None if first is None or last is None else max(0.0, last - first + 1)

    def _number(self, operand: Operand) -> float | None:
        known = self.values.known(operand.path) if isinstance(operand, Reading) else None
        value = operand.value if isinstance(operand, Constant) else known[0] if known is not None and len(known) == 1 else None
        return float(min(value, 10**12)) if isinstance(value, int) else None

    # ---- outputs ---------------------------------------------------------------------------------

    def _shows(self, chain: Chain) -> bool:
        """Whether something is printed for certain, as far as it can be known: what the template made itself counts."""
        operand = chain.input
        if operand is None or chain.tested or any(_fills(call) for call in chain.calls):
            return True
        if isinstance(operand, Constant):
            return operand.value is not None and str(operand.value).strip() != ""
        return self.values.is_something(operand.path)


def _fills(call: Call) -> bool:
    if call.name == "default":
        return any(not isinstance(one, Constant) or str(one.value or "").strip() != "" for one in call.arguments)
    return call.name in PRINTS_ANYWAY


def _whole(expression: Expression | None) -> float | None:
    """The number of a `limit` or `offset`; 0 where there is none, None where only a rendering knows it."""
    if expression is None:
        return 0.0
    value = expression.value if isinstance(expression, Literal) else None
    return float(value) if isinstance(value, int) else None
