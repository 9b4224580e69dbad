"""Tree → flat list of steps for the VM (what each step does is written at the top of _vm.pyx).

Neighbouring texts are joined, conditions become jumps, names become slots, and everything that can be
decided before the first recipient is decided here. The steps of expressions are in expression_steps.py.
"""

from __future__ import annotations

from render_ext._buffer import Escape, Transfer, encode
from render_ext._vm import AS_TEXT, Op, Operator
from render_ext.expression_steps import ExpressionSteps, Loop
from render_ext.filters import Surroundings
from render_ext.layout import Layout, Step
from render_ext.nodes import (
    Assign,
    Branch,
    Compare,
    Condition,
    Expression,
    Filtered,
    For,
    If,
    Interrupt,
    Link,
    Literal,
    Logic,
    Node,
    Output,
    Path,
    SystemUrl,
    Text,
)
from render_ext.reads import variables_read
from render_ext.tokens import TokenKind

OPERATORS = {
    "==": Operator.EQUAL,
    "!=": Operator.UNEQUAL,
    "<": Operator.LESS,
    "<=": Operator.LESS_EQUAL,
    ">": Operator.GREATER,
    ">=": Operator.GREATER_EQUAL,
    "contains": Operator.CONTAINS,
}
URL_KINDS = {
    "open_pixel_url": TokenKind.OPEN,
    "mirror_url": TokenKind.MIRROR,
    "unsubscribe_url": TokenKind.UNSUBSCRIBE,
}
# What `raw` means at each place: nothing may break out of a URL or a header whatever the author says.
RAW = {
    Escape.ESCAPE_NONE: Escape.ESCAPE_NONE,
    Escape.ESCAPE_HTML: Escape.ESCAPE_NONE,
    Escape.ESCAPE_JSON: Escape.ESCAPE_NONE,
    Escape.ESCAPE_URL: Escape.ESCAPE_URI,
    Escape.ESCAPE_URI: Escape.ESCAPE_URI,
    Escape.ESCAPE_HEADER: Escape.ESCAPE_HEADER,
}


def lay_out(nodes: tuple[Node, ...], *, escape: Escape, transfer: Transfer, around: Surroundings) -> Layout:
    """The steps of a tree."""
    compiler = _Compiler(escape, around)
    compiler.find_names(nodes)
    compiler.body(nodes)
    compiler.emit(Op.HALT)
    layout = compiler.finish()
    layout.variables = variables_read(nodes, assigned=frozenset(compiler.slots))
    _encode_texts(layout.steps, transfer)
    return layout


def _encode_texts(steps: list[Step], transfer: Transfer) -> None:
    for index, step in enumerate(steps):
        if step.op is Op.TEXT:
            plain = encode(step.value, Escape.ESCAPE_NONE, Transfer.TRANSFER_NONE)
            wire = plain if transfer is Transfer.TRANSFER_NONE else encode(step.value, Escape.ESCAPE_NONE, transfer)
            steps[index] = step._replace(value=(plain, wire))


class _Compiler(ExpressionSteps):
    def __init__(self, escape: Escape, around: Surroundings):
        super().__init__(around)
        self.escape = escape
        self.in_link = False
        self.loop_slots = 0

    def finish(self) -> Layout:
        """The layout, with the loop slots after the named ones."""
        self.layout.slots = len(self.slots) + self.loop_slots
        self.layout.prefixes = len(self.prefixes)
        return self.layout

    def find_names(self, nodes: tuple[Node, ...]) -> None:
        """Give every assigned name its slot, before any step refers to it."""
        for node in nodes:
            if isinstance(node, Assign):
                self.slots.setdefault(node.name, len(self.slots))
            elif isinstance(node, If):
                for branch in node.branches:
                    self.find_names(branch.body)
                self.find_names(node.otherwise)
            elif isinstance(node, For):
                self.find_names(node.body)
                self.find_names(node.otherwise)

    def text(self, text: str, at: int) -> None:
        """Append literal text."""
        if text:
            self.emit(Op.TEXT, value=text, at=at)

    # ---- nodes -----------------------------------------------------------------------------------

    def body(self, nodes: tuple[Node, ...]) -> None:
        """Steps of a list of nodes; texts next to each other become one."""
        pending: list[str] = []
        start = 0
        for node in nodes:
            constant = self._constant(node)
            if constant is None:
                self.text("".join(pending), start)
                pending.clear()
                self._node(node)
            else:
                start = start if pending else node.at
                pending.append(constant)
        self.text("".join(pending), start)

    def _constant(self, node: Node) -> str | None:
        if isinstance(node, Text):
            return _uri(node.text) if self.in_link else node.text
        if isinstance(node, Output):
            if node.expression is None:
                return ""
            if isinstance(node.expression, Literal) and isinstance(node.expression.value, str):
                return encode(node.expression.value, self.escape, Transfer.TRANSFER_NONE).decode()
        return None

    def _node(self, node: Node) -> None:
        if isinstance(node, Output):
            self._output(node)
        elif isinstance(node, If):
            self._if(node)
        elif isinstance(node, For):
            self._for(node)
        elif isinstance(node, Assign):
            self.expression(node.expression)
            self.emit(Op.STORE, self.slots[node.name], at=node.at)
        elif isinstance(node, Interrupt):
            self._interrupt(node)
        elif isinstance(node, Link):
            self._link(node)
        elif isinstance(node, SystemUrl):
            self.emit(Op.URL, URL_KINDS[node.name], at=node.at)

    def _output(self, node: Output) -> None:
        expression, escape, as_text = node.expression, self.escape, 0
        if isinstance(expression, Filtered):
            last = expression.filters[-1].name
            if last == "raw":
                escape = RAW[escape]
            elif last == "escape" and escape is Escape.ESCAPE_HTML:
                as_text = AS_TEXT  # where it is printed it is escaped anyway, but for HTML that `raw` made
            if last == "raw" or as_text:
                rest = expression.filters[:-1]
                expression = Filtered(expression.input, rest, expression.at) if rest else expression.input
        assert expression is not None
        if isinstance(expression, Path):
            operand = self.simple_path(expression)
            if operand is not None:
                self.emit(Op.PUT_PATH, operand[0], escape | as_text, operand[1], expression.at)
                return
        self.expression(expression)
        self.emit(Op.PUT, b=escape | as_text, at=node.at)

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

    def _for(self, node: For) -> None:
        self.expression(node.collection)
        flags = 0
        for flag, option in ((1, node.offset), (2, node.limit)):
            if option is not None:
                self.expression(option)
                flags |= flag
        flags |= 4 if node.reverse else 0
        taken = 1 + (flags & 1) + (flags >> 1 & 1)
        slot, level = self._loop_slot(), len(self.loops)
        self.layout.loops = max(self.layout.loops, level + 1)
        start = self.emit(Op.FOR, b=flags, value=(slot, node.name), at=node.at, effect=-taken)
        loop = Loop(node.variable, slot, level, node, [], [])
        self.loops.append(loop)
        top = self.here()
        self.body(node.body)
        self.aim(loop.next)
        self.emit(Op.NEXT, top, at=node.at)
        self.loops.pop()
        over = [self.emit(Op.JUMP, at=node.at)] if node.otherwise else []
        self.aim([start])
        self.body(node.otherwise)
        self.aim(over + loop.leave)

    def _loop_slot(self) -> int:
        self.loop_slots += 1
        return len(self.slots) + self.loop_slots - 1

    def _interrupt(self, node: Interrupt) -> None:
        if not self.loops:
            self.emit(Op.HALT, at=node.at)
        elif node.word == "break":
            self.loops[-1].leave.append(self.emit(Op.LEAVE, at=node.at))
        else:
            self.loops[-1].next.append(self.emit(Op.JUMP, at=node.at))

    def _link(self, node: Link) -> None:
        self.layout.links.append(node)
        self.layout.highest_link = max(self.layout.highest_link, node.number)
        start = self.emit(Op.LINK, b=node.number, at=node.at)
        page, self.escape, self.in_link = self.escape, Escape.ESCAPE_URL, True
        self.body(node.body)
        self.escape, self.in_link = page, False
        self.emit(Op.END_LINK, b=page, at=node.at)
        self.aim([start])


def _uri(text: str) -> str:
    """Static text of a URL as it may stand in one: spaces, quotes and what is not ASCII as %XX."""
    return encode(text, Escape.ESCAPE_URI, Transfer.TRANSFER_NONE).decode()
