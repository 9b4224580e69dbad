"""The ways through the conditions and loops of a template: whether something is printed on every one of them."""

from __future__ import annotations

from collections.abc import Sequence

from core.content.checks.known import KnownValues
from core.content.checks.truths import NOTHING_HOLDS, Truths, Unanswered, World, ask, written
from core.content.checks.uses import Uses, uses_of
from core.content.liquid import within
from render_ext import Constant, Reading
from render_ext.nodes import (
    Branch,
    Capture,
    Case,
    Compare,
    Expression,
    For,
    If,
    Logic,
    Name,
    Node,
    Output,
    Path,
    Range,
    SystemUrl,
    TableRow,
    bodies,
)

MOST_WORLDS = 200  # that are looked at of one part


class Ways:
    """Looks for a system URL at places where it is `seen`."""

    def __init__(self, nodes: tuple[Node, ...], name: str, seen: Sequence[tuple[int, int]], known: KnownValues):
        self.nodes = nodes
        self.name = name
        self.seen = seen
        self.known = known
        self.uses: Uses = uses_of(nodes)
        self.truths = Truths(self.uses, known)
        self.places: list[int] = []  # where it stands, seen or not
        self.captured: set[str] = set()  # names that hold it on the way being gone
        self.capturing = 0
        self.rounds: list[str] = []  # the variables of the loops around
        self.concerned: set[int] = set()  # the `id` of nodes that it may be in
        self._concerns(nodes, _captured_names(nodes))

    def all_lead_there(self) -> bool:
        """Whether it is printed for everybody. Where there are too many ways, those looked at are believed."""
        if not self._leads(self.nodes, NOTHING_HOLDS):
            return False
        worlds: list[World] = [{}]
        for _ in range(MOST_WORLDS):
            if not worlds:
                break
            world = worlds.pop()
            self.captured.clear()
            try:
                if not self._leads(self.nodes, world):
                    return False
            except Unanswered as asked:
                self.capturing = 0
                self.rounds.clear()
                worlds += [{**world, asked.question: True}, {**world, asked.question: False}]
        return True

    def _concerns(self, nodes: tuple[Node, ...], names: frozenset[str]) -> bool:
        found = False
        for node in nodes:
            inside = [self._concerns(body, names) for body in bodies(node)]  # of all, for their places
            itself = isinstance(node, SystemUrl) and node.name == self.name
            if itself:
                self.places.append(node.at)
            if itself or any(inside) or (isinstance(node, Output) and _root(node.expression) in names):
                self.concerned.add(id(node))
                found = True
        return found

    # ---- one way ---------------------------------------------------------------------------------

    def _leads(self, nodes: tuple[Node, ...], world: World) -> bool:
        concerned = [node for node in nodes if id(node) in self.concerned]
        if any(isinstance(node, SystemUrl) and self._is_seen(node.at) for node in concerned):
            return True  # whatever the conditions before it say
        return any(self._node(node, world) for node in concerned)

    def _node(self, node: Node, world: World) -> bool:
        if isinstance(node, SystemUrl):
            return self._is_seen(node.at)
        if isinstance(node, Output):
            return _root(node.expression) in self.captured and self._is_seen(node.at)
        if isinstance(node, Capture):
            return self._capture(node, world)
        if isinstance(node, If):
            return self._if(node, world)
        if isinstance(node, Case):
            return self._case(node, world)
        if isinstance(node, (For, TableRow)):
            return self._loop(node, world)
        return any(self._leads(body, world) for body in bodies(node))

    def _is_seen(self, at: int) -> bool:
        return self.capturing > 0 or within(self.seen, at)

    def _capture(self, node: Capture, world: World) -> bool:
        self.capturing += 1
        holds = self._leads(node.body, world)
        self.capturing -= 1
        (self.captured.add if holds else self.captured.discard)(node.name)
        return False

    def _if(self, node: If, world: World) -> bool:
        if any(self._varies(branch) for branch in node.branches):
            return any(self._leads(body, world) for body in bodies(node))
        for branch in node.branches:
            if self.truths.holds(branch.condition, world) is not branch.negated:
                return self._leads(branch.body, world)
        return self._leads(node.otherwise, world)

    def _case(self, node: Case, world: World) -> bool:
        if _root(node.subject) in {*self.rounds, *(["forloop"] if self.rounds else [])}:
            return any(self._leads(body, world) for body in bodies(node))
        matched = leads = False
        for branch in node.branches:
            if branch.values:
                meets = any(self.truths.equals(node.subject, value, world) for value in branch.values)
                matched = matched or meets
            else:
                meets = not matched
            leads = leads or (meets and self._leads(branch.body, world))
        return leads

    def _loop(self, node: For | TableRow, world: World) -> bool:
        if not self._runs(node.collection, world):
            return isinstance(node, For) and self._leads(node.otherwise, world)
        self.rounds.append(node.variable)
        leads = self._leads(node.body, world)
        self.rounds.pop()
        return leads

    def _runs(self, collection: Expression, world: World) -> bool:
        """Whether a loop has a round."""
        if isinstance(collection, Range):
            first, last = self.uses.operand(collection.first), self.uses.operand(collection.last)
            if isinstance(first, Constant) and isinstance(last, Constant):
                return isinstance(first.value, int) and isinstance(last.value, int) and first.value <= last.value
        operand = self.uses.operand(collection)
        known = self.known.known(operand.path) if isinstance(operand, Reading) else None
        if known is not None and len(known) == 1:
            return bool(known[0])
        return ask(f"items of {written(collection)}", world)

    def _varies(self, branch: Branch) -> bool:
        """Whether a condition may hold in one round of a loop and not in another."""
        names = {*self.rounds, "forloop"} if self.rounds else set()
        condition = branch.condition
        parts: list[Compare | Expression] = []
        while isinstance(condition, Logic):
            parts.append(condition.left)
            condition = condition.rest
        parts.append(condition)
        sides = [side for part in parts for side in ((part.left, part.right) if isinstance(part, Compare) else (part,))]
        return any(_root(side) in names for side in sides)


def _captured_names(nodes: tuple[Node, ...]) -> frozenset[str]:
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, Capture):
            found.add(node.name)
        for body in bodies(node):
            found |= _captured_names(body)
    return frozenset(found)


def _root(expression: Expression | None) -> str | None:
    root = expression.root if isinstance(expression, Path) else None
    return root.name if isinstance(root, Name) else None
