"""Blocks → steps: branches, loops, what is captured; and how `break` and `continue` leave them."""

from __future__ import annotations

from collections.abc import Callable

from render_ext._buffer import Escape
from render_ext._vm import LoopKind, Op, Operator
from render_ext.expression_steps import ExpressionSteps, Loop
from render_ext.filters import Surroundings
from render_ext.nodes import (
    Branch,
    Capture,
    Case,
    Compare,
    Condition,
    Expression,
    Footnote,
    For,
    If,
    IfChanged,
    Interrupt,
    Logic,
    Node,
    TableRow,
    When,
)

OPERATORS = {
    "==": Operator.EQUAL,
    "!=": Operator.UNEQUAL,
    "<": Operator.LESS,
    "<=": Operator.LESS_EQUAL,
    ">": Operator.GREATER,
    ">=": Operator.GREATER_EQUAL,
    "contains": Operator.CONTAINS,
}
HAS_OFFSET, HAS_LIMIT, REVERSE, RESUME, HAS_COLS = 1, 2, 4, 8, 16  # the bits in the b of FOR and TABLE
INTERRUPTS = {"break": 1, "continue": 2}


class BlockSteps(ExpressionSteps):
    """Steps of the nodes that hold others."""

    def __init__(self, escape: Escape, around: Surroundings):
        super().__init__(around)
        self.escape = escape
        self.in_link = False
        self.open: list[Loop | Callable[[], object]] = []  # loops, and what ends each capture, around here
        self.level = 0  # loops around here, those of partials too
        self.highest = 0
        self.hidden: dict[str, int] = {}  # slots of what has no name in the template
        self.resumed: set[str] = set()  # names of the loops that go on where another stopped

    def body(self, nodes: tuple[Node, ...]) -> None:
        """Steps of a list of nodes."""
        raise NotImplementedError

    def hidden_slot(self, purpose: str) -> int:
        """The slot for something that has no name in the template."""
        if purpose not in self.hidden:
            self.hidden[purpose] = self.new_slot()
        return self.hidden[purpose]

    def new_slot(self, following: int = -1) -> int:
        """One more slot; `following` is looked at where it is empty."""
        self.layout.following.append(following)
        return len(self.layout.following) - 1

    def _register(self) -> int:
        self.layout.registers += 1
        return self.layout.registers - 1

    # ---- branches --------------------------------------------------------------------------------

    def _if(self, node: If) -> None:
        ends: list[int] = []
        for branch in node.branches:
            skip = self._branch(branch)
            self.body(branch.body)
            if branch is not node.branches[-1] or node.otherwise:
                ends.append(self.emit(Op.JUMP, at=branch.at))
            self.aim(skip)
        self.body(node.otherwise)
        self.aim(ends)

    def _branch(self, branch: Branch) -> list[int]:
        """Steps that fall through into the body, or jump; returns the jumps that skip the body."""
        skip = self.unless(branch.condition)
        if not branch.negated:
            return skip
        over = self.emit(Op.JUMP, at=branch.at)
        self.aim(skip)
        return [over]

    def unless(self, condition: Condition) -> list[int]:
        """Steps that fall through where the condition holds; returns the jumps taken where it does not."""
        skip: list[int] = []
        settled: list[int] = []
        while isinstance(condition, Logic):  # grouped from the right: what decides the rest decides the whole
            self._operand(condition.left)
            if condition.operator == "and":
                skip.append(self.emit(Op.JUMP_IF_FALSE, at=condition.left.at))
            else:
                settled.append(self.emit(Op.JUMP_IF_TRUE, at=condition.left.at))
            condition = condition.rest
        self._operand(condition)
        skip.append(self.emit(Op.JUMP_IF_FALSE, at=condition.at))
        self.aim(settled)
        return skip

    def _operand(self, condition: Compare | Expression) -> None:
        if isinstance(condition, Compare):
            self.expression(condition.left)
            self.expression(condition.right)
            self.emit(Op.COMPARE, OPERATORS[condition.operator], at=condition.at)
        else:
            self.expression(condition)

    def _case(self, node: Case) -> None:
        matched = self._register() if any(not branch.values for branch in node.branches) else -1
        if matched >= 0:
            self.emit(Op.SET, 0, matched, at=node.at)
        for branch in node.branches:
            if branch.values:
                self._when(node.subject, branch, matched)
            else:
                skip = self.emit(Op.JUMP_IF_SET, b=matched, at=branch.at)
                self.body(branch.body)
                self.aim([skip])

    def _when(self, subject: Expression, branch: When, matched: int) -> None:
        """The body for every value that matches; with several values it is a routine of its own behind them."""
        routine = self._register() if len(branch.values) > 1 else -1
        calls: list[int] = []
        skip: list[int] = []
        for value in branch.values:
            self.aim(skip)
            self.expression(subject)
            self.expression(value)
            self.emit(Op.COMPARE, Operator.EQUAL, at=value.at)
            skip = [self.emit(Op.JUMP_IF_FALSE, at=value.at)]
            if matched >= 0:
                self.emit(Op.SET, 1, matched, at=branch.at)
            if routine >= 0:
                calls.append(self.emit(Op.GO_SUB, b=routine, at=branch.at))
        if routine < 0:
            self.body(branch.body)
            self.aim(skip)
            return
        self.aim(skip)
        over = self.emit(Op.JUMP, at=branch.at)
        self.aim(calls)
        self.body(branch.body)
        self.emit(Op.END_SUB, b=routine, at=branch.at)
        self.aim([over])

    # ---- loops -----------------------------------------------------------------------------------

    def _for(self, node: For) -> None:
        self.expression(node.collection)
        flags = (REVERSE if node.reverse else 0) | (RESUME if node.resumed else 0)
        flags |= self._options((HAS_OFFSET, node.offset), (HAS_LIMIT, node.limit))
        record = self.hidden_slot(f"loop {node.name}") if node.name in self.resumed and not self.in_link else -1
        value = (self.scoped[node.variable], node.name, LoopKind.PLAIN, record)
        start = self.emit(Op.FOR, b=flags, value=value, at=node.at, effect=-_taken(flags))
        loop = Loop(node.variable, "forloop", Op.LEAVE, self.escape)
        self._enter(loop)
        top = self.here()
        self.body(node.body)
        self.aim(loop.next)
        self.emit(Op.NEXT, top, at=node.at)
        self._leave()
        over = [self.emit(Op.JUMP, at=node.at)] if node.otherwise else []
        self.aim([start])
        self.body(node.otherwise)
        self.aim(over + loop.leave)

    def _tablerow(self, node: TableRow) -> None:
        self.expression(node.collection)
        flags = self._options((HAS_OFFSET, node.offset), (HAS_LIMIT, node.limit), (HAS_COLS, node.cols))
        value = (self.scoped[node.variable], self.escape)
        start = self.emit(Op.TABLE, b=flags, value=value, at=node.at, effect=-_taken(flags))
        loop = Loop(node.variable, "tablerowloop", Op.LEAVE_TABLE, self.escape)
        self._enter(loop)
        top = self.here()
        self.body(node.body)
        self.aim(loop.next)
        self.emit(Op.NEXT_CELL, top, self.escape, at=node.at)
        self._leave()
        self.aim([start, *loop.leave])

    def _options(self, *options: tuple[int, Expression | None]) -> int:
        flags = 0
        for flag, expression in options:
            if expression is not None:
                self.expression(expression)
                flags |= flag
        return flags

    def _enter(self, loop: Loop) -> None:
        self.loops.append(loop)
        self.open.append(loop)
        self.deeper(1)

    def _leave(self) -> None:
        self.loops.pop()
        self.open.pop()
        self.deeper(-1)

    def deeper(self, by: int) -> None:
        """One loop more around here, or one less."""
        self.level += by
        self.highest = max(self.highest, self.level)

    # ---- what is held back -----------------------------------------------------------------------

    def _capture(self, node: Capture) -> None:
        """Already escaped for HTML, it is trusted there; elsewhere it is escaped where it is printed, as any text."""
        page = self.escape
        slot, is_html = self.slots[node.name], page is Escape.ESCAPE_HTML
        self.escape = page if is_html else Escape.ESCAPE_NONE
        self._hold(node.body, node.at, lambda: self.emit(Op.END_CAPTURE, slot, int(is_html), at=node.at))
        self.escape = page

    def _footnote(self, node: Footnote) -> None:
        self._hold(node.body, node.at, lambda: self.emit(Op.END_FOOTNOTE, at=node.at))

    def _ifchanged(self, node: IfChanged) -> None:
        slot = self.hidden_slot("ifchanged")
        self._hold(node.body, node.at, lambda: self.emit(Op.END_CHANGED, slot, at=node.at))

    def _hold(self, nodes: tuple[Node, ...], at: int, end: Callable[[], object]) -> None:
        self.emit(Op.CAPTURE, at=at)
        self.open.append(end)
        self.body(nodes)
        self.open.pop()
        end()

    # ---- interrupts ------------------------------------------------------------------------------

    def _interrupt(self, node: Interrupt) -> None:
        self.interrupt(node.word, node.at)

    def interrupt(self, word: str, at: int) -> None:
        """Leave the loop around here or go on with it; what is being captured on the way ends where it is."""
        for opened in reversed(self.open):
            if not isinstance(opened, Loop):
                opened()
            elif word == "break":
                opened.leave.append(self.emit(opened.leave_op, b=opened.escape, at=at))
                return
            else:
                opened.next.append(self.emit(Op.JUMP, at=at))
                return
        if self.in_partial:
            self.emit(Op.RETURN, b=INTERRUPTS[word], at=at)
        else:
            self.emit(Op.HALT, at=at)


def _taken(flags: int) -> int:
    """How many values a loop takes off the stack."""
    return 1 + bool(flags & HAS_OFFSET) + bool(flags & HAS_LIMIT) + bool(flags & HAS_COLS)
