"""Expressions → steps that leave their value on the stack; and where names are looked up.

The floor of the compiler: it numbers the steps, watches how high the stack grows, and knows the slots of names and loops.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from sys import intern
from typing import Any

from render_ext._buffer import Escape
from render_ext._vm import Field, Op
from render_ext.filters import FILTERS, Surroundings
from render_ext.layout import Layout, PathOperand, Step
from render_ext.nodes import Emptiness, Expression, Filtered, Literal, Name, Path, Range
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
ROW_FIELDS = {
    **{name: found for name, found in FIELDS.items() if name != "name"},
    "col": Field.COL,
    "col0": Field.COL0,
    "col_first": Field.COL_FIRST,
    "col_last": Field.COL_LAST,
    "row": Field.ROW,
}
LOOP_OBJECTS = {"forloop": (Op.LOAD_LOOP, FIELDS), "tablerowloop": (Op.LOAD_ROW, ROW_FIELDS)}
# How far each step moves the stack; FOR and FILTER, where it depends, say so when they are emitted.
EFFECT = {
    Op.LOAD: 1,
    Op.LOAD_PATH: 1,
    Op.LOAD_LOOP: 1,
    Op.LOAD_ROW: 1,
    Op.GET: -1,
    Op.RANGE: -1,
    Op.COMPARE: -1,
    Op.DEFAULT: -1,
    Op.PUT: -1,
    Op.STORE: -1,
    Op.RESTORE: -1,
    Op.JUMP_IF_FALSE: -1,
    Op.JUMP_IF_TRUE: -1,
}


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop being compiled: its variable, what its items are called, and the jumps of its `break` and `continue`."""

    variable: str
    loop_object: str
    leave_op: Op
    escape: Escape  # of what it prints
    leave: list[int] = field(default_factory=list)
    next: list[int] = field(default_factory=list)


class ExpressionSteps:
    """The steps so far, and what expressions among them may refer to.

    A name can have up to three slots: in `scoped` what a loop or an `include` gives it for a while, in `slots` what is assigned
    to it, in `counters` what `increment` makes of it. Where one is empty, the rendering looks into the next, and at last into
    the values.
    """

    def __init__(self, around: Surroundings):
        self.around = around
        self.layout = Layout()
        self.scoped: dict[str, int] = {}
        self.slots: dict[str, int] = {}
        self.counters: dict[str, int] = {}
        self.loops: list[Loop] = []
        self.prefixes: dict[tuple[str | int, ...], int] = {}
        self.in_partial = False
        self.parameters: list[str] = []  # of the `include` being compiled: each sees those before it
        self.depth = 0
        self.deepest = 0

    # ---- emitting --------------------------------------------------------------------------------

    def emit(self, op: Op, a: int = 0, b: int = 0, value: Any = None, at: int = 0, effect: int | None = None) -> int:
        """Append a step; returns its index."""
        self.depth += EFFECT.get(op, 0) if effect is None else effect
        self.deepest = max(self.deepest, self.depth)
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
        elif isinstance(path.root, Name) and self._is_loop_object(path.root.name):
            self._loop_object(path, path.root.name)
        elif isinstance(path.root, Name):
            self._dynamic(path)
        else:
            self.emit(Op.LOAD_VALUES, at=path.at, effect=1)
            self.expression(path.root)
            self.emit(Op.GET, 0, value=path.text, at=path.at)
            self._keys(path.keys, path)

    def simple_path(self, path: Path) -> tuple[int, PathOperand] | None:
        """Slot (-1: the values) and the way from there, for a path known before rendering."""
        if not isinstance(path.root, Name) or self._is_loop_object(path.root.name):
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
        given = name in self.scoped and (name in self.parameters or any(loop.variable == name for loop in self.loops))
        if given or (name in self.scoped and self.in_partial):
            return self.scoped[name]
        return self.slots.get(name, self.counters.get(name, -1))

    def _is_loop_object(self, name: str) -> bool:
        """Whether a name is `forloop` or `tablerowloop` here. In a partial that depends on where it is used."""
        if name not in LOOP_OBJECTS:
            return False
        for loop in reversed(self.loops):
            if loop.variable == name:  # set after the loop's own object, so it is what the name means
                return False
            if loop.loop_object == name:
                return True
        return self.in_partial and name not in self.slots and name not in self.scoped

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

    def _loop_object(self, path: Path, name: str) -> None:
        op, fields = LOOP_OBJECTS[name]
        outwards, keys = 0, path.keys
        while op is Op.LOAD_LOOP and keys and isinstance(keys[0], Name) and keys[0].name == "parentloop":
            outwards, keys = outwards + 1, keys[1:]
        if keys and isinstance(keys[0], Name) and keys[0].name in fields:
            self.emit(op, outwards, fields[keys[0].name], path.text, path.at)
            keys = keys[1:]
        else:
            self.emit(op, outwards, Field.ALL, path.text, path.at)
        self._keys(keys, path)


def _interned(keys: list[str | int]) -> tuple[str | int, ...]:
    """The same keys, in the form in which looking them up is fastest."""
    return tuple(intern(key) if isinstance(key, str) else key for key in keys)
