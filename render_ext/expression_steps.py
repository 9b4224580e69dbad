"""Expressions → steps that leave their value on the stack; and where names are looked up.

The floor of the compiler: it numbers the steps, watches how high the stack grows, and knows the slots of names and loops.
"""

from __future__ import annotations

from sys import intern
from typing import Any, NamedTuple

from render_ext._vm import Field, Op
from render_ext.filters import FILTERS, Surroundings
from render_ext.layout import Layout, PathOperand, Step
from render_ext.nodes import Emptiness, Expression, Filtered, For, Literal, Name, Path, Range
from render_ext.values import BLANK, EMPTY

COMMANDS = ("size", "first", "last")
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


class Loop(NamedTuple):
    """A loop being compiled: where its variable lives, what `break` and `continue` jump to."""

    variable: str
    slot: int
    level: int
    node: For
    leave: list[int]
    next: list[int]


class ExpressionSteps:
    """The steps so far, and what expressions among them may refer to."""

    def __init__(self, around: Surroundings):
        self.around = around
        self.layout = Layout()
        self.slots: dict[str, int] = {}
        self.loops: list[Loop] = []
        self.prefixes: dict[tuple[str | int, ...], int] = {}
        self.depth = 0

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
        operand = self.simple_path(path)
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

    def simple_path(self, path: Path) -> tuple[int, PathOperand] | None:
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
