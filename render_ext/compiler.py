"""Tree → flat list of steps for the VM (what each step does is written at the top of _vm.pyx).

Neighbouring texts are joined, conditions become jumps, names become slots, and everything that can be
decided before the first recipient is decided here.
"""

from __future__ import annotations

from sys import intern
from typing import Any, NamedTuple

from render_ext._buffer import Escape, Transfer, encode
from render_ext._vm import AS_TEXT, Field, Op, Operator
from render_ext.filters import FILTERS, Surroundings
from render_ext.layout import Layout, PathOperand, Step
from render_ext.nodes import (
    Assign,
    Branch,
    Compare,
    Condition,
    Emptiness,
    Expression,
    Filtered,
    For,
    If,
    Interrupt,
    Link,
    Literal,
    Logic,
    Name,
    Node,
    Output,
    Path,
    Range,
    SystemUrl,
    Text,
)
from render_ext.reads import variables_read
from render_ext.tokens import TokenKind
from render_ext.values import BLANK, EMPTY

COMMANDS = ("size", "first", "last")
OPERATORS = {
    "==": Operator.EQUAL,
    "!=": Operator.UNEQUAL,
    "<": Operator.LESS,
    "<=": Operator.LESS_EQUAL,
    ">": Operator.GREATER,
    ">=": Operator.GREATER_EQUAL,
    "contains": Operator.CONTAINS,
}
FIELDS = {
    "index": Field.INDEX,
    "index0": Field.INDEX0,
    "rindex": Field.RINDEX,
    "rindex0": Field.RINDEX0,
    "first": Field.FIRST,
    "last": Field.LAST,
    "length": Field.LENGTH,
    "name": Field.NAME,
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
# How far each step moves the stack; FOR and FILTER, where it depends, say so when they are emitted.
EFFECT = {
    Op.LOAD: 1,
    Op.LOAD_PATH: 1,
    Op.LOAD_LOOP: 1,
    Op.GET: -1,
    Op.RANGE: -1,
    Op.COMPARE: -1,
    Op.DEFAULT: -1,
    Op.PUT: -1,
    Op.STORE: -1,
    Op.JUMP_IF_FALSE: -1,
    Op.JUMP_IF_TRUE: -1,
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


class _Loop(NamedTuple):
    """A loop being compiled: where its variable lives, what `break` and `continue` jump to."""

    variable: str
    slot: int
    level: int
    node: For
    leave: list[int]
    next: list[int]


class _Compiler:
    def __init__(self, escape: Escape, around: Surroundings):
        self.escape = escape
        self.around = around
        self.layout = Layout()
        self.slots: dict[str, int] = {}
        self.loops: list[_Loop] = []
        self.prefixes: dict[tuple[str | int, ...], int] = {}
        self.in_link = False
        self.depth = 0
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

    # ---- emitting --------------------------------------------------------------------------------

    def emit(self, op: Op, a: int = 0, b: int = 0, value: Any = None, at: int = 0, effect: int | None = None) -> int:
        """Append a step; returns its index."""
        self.depth += EFFECT.get(op, 0) if effect is None else effect
        self.layout.stack = max(self.layout.stack, self.depth)
        self.layout.steps.append(Step(op, a, b, value, at))
        return len(self.layout.steps) - 1

    def here(self) -> int:
        """The index of the next step."""
        return len(self.layout.steps)

    def aim(self, indexes: list[int]) -> None:
        """Let jumps lead to the next step."""
        steps, target = self.layout.steps, self.here()
        for index in indexes:
            steps[index] = steps[index]._replace(a=target)

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
            operand = self._simple_path(expression)
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
        loop = _Loop(node.variable, slot, level, node, [], [])
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

    # ---- expressions -----------------------------------------------------------------------------

    def expression(self, expression: Expression) -> None:
        """Steps that leave the value on the stack."""
        if isinstance(expression, Literal):
            self.emit(Op.LOAD, value=expression.value, at=expression.at)
        elif isinstance(expression, Emptiness):
            self.emit(Op.LOAD, value=EMPTY if expression.word == "empty" else BLANK, at=expression.at)
        elif isinstance(expression, Range):
            self.expression(expression.first)
            self.expression(expression.last)
            self.emit(Op.RANGE, at=expression.at)
        elif isinstance(expression, Filtered):
            self._filtered(expression)
        else:
            self._path(expression)

    def _filtered(self, expression: Filtered) -> None:
        for call in reversed(expression.filters):
            if FILTERS[call.name].surroundings:
                self.emit(Op.LOAD, value=self.around, at=call.at)
        self.expression(expression.input)
        for call in expression.filters:
            known = FILTERS[call.name]
            for argument in call.arguments:
                self.expression(argument)
            if call.name == "default" and call.arguments and not call.keywords:
                self.emit(Op.DEFAULT, at=call.at)
                continue
            for _, argument in call.keywords:
                self.expression(argument)
            positional = 1 + known.surroundings + len(call.arguments)
            total = positional + len(call.keywords)
            names = tuple(name for name, _ in call.keywords) or None
            self.emit(Op.FILTER, positional, total, (known.function, names, call.name, known.price), call.at, effect=1 - total)

    def _path(self, path: Path) -> None:
        operand = self._simple_path(path)
        if operand is not None:
            self.emit(Op.LOAD_PATH, operand[0], 0, operand[1], path.at)
        elif isinstance(path.root, Name) and path.root.name == "forloop" and self.loops:
            self._forloop(path)
        elif isinstance(path.root, Name):
            self._dynamic(path)
        else:
            self.emit(Op.LOAD_VALUES, at=path.at, effect=1)
            self.expression(path.root)
            self.emit(Op.GET, 0, value=path.text, at=path.at)
            self._keys(path.keys, path)

    def _simple_path(self, path: Path) -> tuple[int, PathOperand] | None:
        """Slot (-1: the values) and the way from there, for a path known before rendering."""
        if not isinstance(path.root, Name) or (path.root.name == "forloop" and self.loops):
            return None
        keys: list[str | int] = [path.root.name]
        commands = 0
        for key in path.keys:
            if isinstance(key, Name):
                commands |= (key.name in COMMANDS) << len(keys)
                keys.append(key.name)
            elif isinstance(key, Literal) and type(key.value) in (str, int):
                keys.append(key.value)  # type: ignore[arg-type]
            else:
                return None
        if len(keys) > 60:
            return None
        slot = self._slot(path.root.name)
        return slot, PathOperand(_interned(keys), commands, path.text, self._prefix(slot, keys))

    def _prefix(self, slot: int, keys: list[str | int]) -> int:
        """The number of the object that holds the last key: the same for every path through it; -1 for none."""
        if slot >= 0 or len(keys) < 2:
            return -1
        return self.prefixes.setdefault(tuple(keys[:-1]), len(self.prefixes))

    def _slot(self, name: str) -> int:
        for loop in reversed(self.loops):
            if loop.variable == name:
                return loop.slot
        return self.slots.get(name, -1)

    def _dynamic(self, path: Path) -> None:
        assert isinstance(path.root, Name)
        root = PathOperand(_interned([path.root.name]), 0, path.text, -1)
        self.emit(Op.LOAD_PATH, self._slot(path.root.name), 0, root, path.at)
        self._keys(path.keys, path)

    def _keys(self, keys: tuple[Name | Expression, ...], path: Path) -> None:
        for key in keys:
            if isinstance(key, Name):
                self.emit(Op.LOAD, value=key.name, at=path.at)
                self.emit(Op.GET, int(key.name in COMMANDS), value=path.text, at=path.at)
            else:
                self.expression(key)
                self.emit(Op.GET, 0, value=path.text, at=path.at)

    def _forloop(self, path: Path) -> None:
        level = self.loops[-1].level
        keys = path.keys
        while keys and isinstance(keys[0], Name) and keys[0].name == "parentloop":
            level, keys = level - 1, keys[1:]
        if level < 0:
            self.emit(Op.LOAD, value=None, at=path.at)
        elif keys and isinstance(keys[0], Name) and keys[0].name in FIELDS:
            self.emit(Op.LOAD_LOOP, level, FIELDS[keys[0].name], at=path.at)
            keys = keys[1:]
        else:
            self.emit(Op.LOAD_LOOP, level, Field.ALL, at=path.at)
        self._keys(keys, path)


def _interned(keys: list[str | int]) -> tuple[str | int, ...]:
    """The same keys, in the form in which looking them up is fastest."""
    return tuple(intern(key) if isinstance(key, str) else key for key in keys)


def _uri(text: str) -> str:
    """Static text of a URL as it may stand in one: spaces, quotes and what is not ASCII as %XX."""
    return encode(text, Escape.ESCAPE_URI, Transfer.TRANSFER_NONE).decode()
