"""Tree → flat list of steps for the VM (what each step does is written at the top of _vm.pyx).

Neighbouring texts are joined, conditions become jumps, names become slots, and everything that can be decided before the first
recipient is decided here. The main template comes first; each partial that it uses follows once, as a routine. The steps of
expressions are in expression_steps.py, those of blocks in block_steps.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from render_ext._buffer import Escape, Transfer, encode
from render_ext._vm import AS_TEXT, LoopKind, Op
from render_ext.block_steps import INTERRUPTS, BlockSteps
from render_ext.filters import Surroundings
from render_ext.layout import Layout, PathOperand, Step, Unit
from render_ext.nodes import (
    Assign,
    Capture,
    Case,
    Count,
    Cycle,
    Expression,
    Filtered,
    Footnote,
    For,
    Fragment,
    If,
    IfChanged,
    Interrupt,
    Link,
    Literal,
    Node,
    Output,
    Partial,
    Path,
    SystemUrl,
    TableRow,
    Text,
    bodies,
)
from render_ext.partials import Template, Templates
from render_ext.reads import variables_read
from render_ext.tokens import TokenKind

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
LISTS_ONLY = 1  # in the b of JUMP_UNLESS_EACH


def lay_out(templates: Templates, *, escape: Escape, transfer: Transfer, around: Surroundings) -> Layout:
    """The steps of a template and its partials."""
    compiler = _Compiler(templates, escape, around)
    layout = compiler.compile()
    layout.variables = variables_read(templates)
    _encode_texts(layout.steps, transfer)
    return layout


def _encode_texts(steps: list[Step], transfer: Transfer) -> None:
    for index, step in enumerate(steps):
        if step.op is Op.TEXT:
            plain = encode(step.value, Escape.ESCAPE_NONE, Transfer.TRANSFER_NONE)
            wire = plain if transfer is Transfer.TRANSFER_NONE else encode(step.value, Escape.ESCAPE_NONE, transfer)
            steps[index] = step._replace(value=(plain, wire))


class _Key(NamedTuple):
    """A routine: a partial, and what its outputs are escaped for."""

    name: str
    escape: Escape


class _Call(NamedTuple):
    """Where a routine is called, with how much of the stack, how many loops and how many fragments in use."""

    step: int
    routine: _Key
    stack: int
    loops: int
    fragments: int
    isolated: bool


class _Needs(NamedTuple):
    """What a template needs to run, with all that it calls."""

    stack: int
    loops: int
    calls: int
    renders: int


class _Compiler(BlockSteps):
    def __init__(self, templates: Templates, escape: Escape, around: Surroundings):
        super().__init__(escape, around)
        self.templates = templates
        self.calls: list[_Call] = []
        self.starts: dict[_Key, int] = {}
        self.needs: dict[_Key, _Needs] = {}
        self.fragments = 0  # around here
        self.innermost = 0  # the most of them

    def compile(self) -> Layout:
        """The layout of the main template, with the routines behind it."""
        for template in self.templates.all():
            self.find_names(template.nodes)
        self._give_slots()
        main = self._template(self.templates.main, Op.HALT)
        self.in_partial = True
        own: dict[_Key, tuple[_Needs, list[_Call]]] = {}
        waiting = [call.routine for call in main[1]]
        for key in waiting:
            if key not in own:
                self.escape = key.escape
                self.starts[key] = self.here()
                own[key] = self._template(self.templates.partials[key.name], Op.RETURN)
                waiting += [call.routine for call in own[key][1]]
        for call in self.calls:
            self.layout.steps[call.step] = self.layout.steps[call.step]._replace(a=self.starts[call.routine])
        needs = self._together(*main, own)
        layout = self.layout
        layout.stack, layout.loops, layout.calls, layout.renders = needs
        layout.slots = len(layout.following)
        layout.prefixes = len(self.prefixes) + self._number_repeated()
        return layout

    def _number_repeated(self) -> int:
        """Give the paths into the values that stand several times a number each, after those of prefixes; returns how many."""
        steps = self.layout.steps
        paths = {
            index: (step.value.keys, step.value.commands)
            for index, step in enumerate(steps)
            if step.op in (Op.PUT_PATH, Op.LOAD_PATH) and step.a < 0 and len(step.value.keys) > 1
        }
        often = (path for path, number in Counter(paths.values()).items() if number > 1)
        numbers = {path: number for number, path in enumerate(often, len(self.prefixes))}
        for index, path in paths.items():
            if path in numbers:
                steps[index] = steps[index]._replace(value=steps[index].value._replace(whole=numbers[path]))
        return len(numbers)

    def _template(self, template: Template, end: Op) -> tuple[_Needs, list[_Call]]:
        """Append the steps of a template; returns what it needs by itself, and its calls."""
        self.layout.units.append(Unit(self.here(), template.name, template.source))
        self.depth = self.deepest = self.level = self.highest = self.fragments = self.innermost = 0
        before = len(self.calls)
        self.body(template.nodes)
        self.emit(end)
        return _Needs(self.deepest, self.highest, self.innermost, self.innermost), self.calls[before:]

    def _together(self, needs: _Needs, calls: list[_Call], own: dict[_Key, tuple[_Needs, list[_Call]]]) -> _Needs:
        """What a template needs with all that it calls."""
        stack, loops, deep, renders = needs
        for call in calls:
            if call.routine not in self.needs:
                self.needs[call.routine] = self._together(*own[call.routine], own)
            below = self.needs[call.routine]
            stack = max(stack, call.stack + below.stack)
            loops = max(loops, call.loops + below.loops)
            deep = max(deep, call.fragments + 1 + below.calls)
            renders = max(renders, call.fragments + call.isolated + below.renders)
        return _Needs(stack, loops, deep, renders)

    # ---- names -----------------------------------------------------------------------------------

    def find_names(self, nodes: tuple[Node, ...]) -> None:
        """Note every name that is given a value, before any step refers to it."""
        for node in nodes:
            if isinstance(node, (Assign, Capture)):
                self.slots[node.name] = -1
            elif isinstance(node, Count):
                self.counters[node.name] = -1
            elif isinstance(node, (For, TableRow)):
                self.scoped[node.variable] = -1
                if isinstance(node, For) and node.resumed:
                    self.resumed.add(node.name)
            elif isinstance(node, Fragment):
                self.find_names((node.head,))
            elif isinstance(node, Partial):
                names = [name for name, _ in node.parameters]
                names += [node.variable] if node.bound is not None else []
                (self.slots if node.isolated else self.scoped).update(dict.fromkeys(names, -1))
            for body in bodies(node):
                self.find_names(body)

    def _give_slots(self) -> None:
        for name in self.counters:
            self.counters[name] = self.new_slot()
        for name in self.slots:
            self.slots[name] = self.new_slot(self.counters.get(name, -1))
        for name in self.scoped:
            self.scoped[name] = self.new_slot(self.slots.get(name, self.counters.get(name, -1)))

    # ---- nodes -----------------------------------------------------------------------------------

    def text(self, text: str, at: int) -> None:
        """Append literal text."""
        if text:
            self.emit(Op.TEXT, value=text, at=at)

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
        elif isinstance(node, Case):
            self._case(node)
        elif isinstance(node, Capture):
            self._capture(node)
        elif isinstance(node, IfChanged):
            self._ifchanged(node)
        elif isinstance(node, Footnote):
            self._footnote(node)
        elif isinstance(node, TableRow):
            self._tablerow(node)
        elif isinstance(node, Cycle):
            self._cycle(node)
        elif isinstance(node, Count):
            self.emit(Op.COUNT, self.counters[node.name], self.escape, (node.name, node.by), node.at)
        elif isinstance(node, Partial):
            self._partial(node)
        elif isinstance(node, Fragment):
            self._fragment(node)
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

    def _cycle(self, node: Cycle) -> None:
        """One jump to the value whose turn it is, so that no other is read."""
        if node.group is not None:
            self.expression(node.group)
        slot = self.hidden_slot("cycle")
        effect = -1 if node.group is not None else 0
        turn = self.emit(Op.CYCLE, slot, at=node.at, effect=effect)
        targets: list[int] = []
        ends: list[int] = []
        for value in node.values:
            targets.append(self.here())
            self.body((Output(value, value.at),))
            ends.append(self.emit(Op.JUMP, at=node.at))
        key = None if node.group is not None else node.key
        self.layout.steps[turn] = self.layout.steps[turn]._replace(b=self.here(), value=(key, tuple(targets)))
        self.aim(ends)

    # ---- partials --------------------------------------------------------------------------------

    def _partial(self, node: Partial) -> None:
        if node.isolated:
            self._render(node, partial(self._call, node, Op.RENDER))
        else:
            self._include(node)

    def _call(self, node: Partial, op: Op, b: int = 0, value: object = None) -> None:
        step = self.emit(op, b=b, value=value, at=node.at)
        key = _Key(node.name, self.escape)
        self.calls.append(_Call(step, key, self.depth, self.level, self.fragments, node.isolated))

    def _include(self, node: Partial) -> None:
        """The parameters change places with what the names meant before, for as long as the partial runs."""
        held = self.new_slot() if node.bound is not None else -1
        if node.bound is not None:
            self.expression(node.bound)
            self.emit(Op.STORE, held, at=node.at)
        for name, value in node.parameters:
            self.expression(value)
            self.emit(Op.SWAP, self.scoped[name], at=node.at)
            self.parameters.append(name)
        self.parameters.clear()
        if node.bound is None:
            self._call(node, Op.CALL)
        else:
            self._include_bound(node, held)
        for name, _ in reversed(node.parameters):
            self.emit(Op.RESTORE, self.scoped[name], at=node.at)
        for word, number in INTERRUPTS.items():
            over = self.emit(Op.JUMP_UNLESS, b=number, at=node.at)
            self.interrupt(word, node.at)
            self.aim([over])

    def _include_bound(self, node: Partial, held: int) -> None:
        variable = self.scoped[node.variable]
        self.emit(Op.LOAD_PATH, held, value=PathOperand((node.variable,), 0, node.variable, -1), at=node.at)
        single = self.emit(Op.JUMP_UNLESS_EACH, b=LISTS_ONLY, at=node.at)
        start = self.emit(Op.FOR, value=(variable, node.name, LoopKind.HIDDEN, -1), at=node.at, effect=-1)
        self.deeper(1)
        top = self.here()
        self._call(node, Op.CALL)
        stop = self.emit(Op.LEAVE_IF_INTERRUPTED, at=node.at)
        self.emit(Op.NEXT, top, at=node.at)
        self.deeper(-1)
        over = self.emit(Op.JUMP, at=node.at)
        self.aim([single])
        self.depth += 1
        self.emit(Op.SWAP, variable, at=node.at)
        self._call(node, Op.CALL)
        self.emit(Op.RESTORE, variable, at=node.at)
        self.aim([start, stop, over])

    def _render(self, node: Partial, call: Callable[[int, object], None]) -> None:
        """The parameters stay on the stack; each `call`, given b and value of its step, copies them into slots of its own."""
        for _, value in node.parameters:
            self.expression(value)
        slots = tuple(self.slots[name] for name, _ in node.parameters)
        if node.bound is None:
            call(0, (slots, -1, -1))
        else:
            self._render_bound(node, node.bound, slots, call)
        if slots:
            self.emit(Op.DROP, len(slots), at=node.at, effect=-len(slots))

    def _render_bound(
        self, node: Partial, bound: Expression, slots: tuple[int, ...], call: Callable[[int, object], None]
    ) -> None:
        item = self.new_slot()
        value = (slots, item, self.slots[node.variable])
        self.expression(bound)
        over: list[int] = []
        if node.each:
            single = self.emit(Op.JUMP_UNLESS_EACH, at=node.at)
            over = [self.emit(Op.FOR, value=(item, node.name, LoopKind.EACH, -1), at=node.at, effect=-1)]
            self.deeper(1)
            top = self.here()
            call(1, value)
            self.emit(Op.NEXT, top, at=node.at)
            self.deeper(-1)
            over.append(self.emit(Op.JUMP, at=node.at))
            self.aim([single])
            self.depth += 1
        self.emit(Op.STORE, item, at=node.at)
        call(0, value)
        self.aim(over)

    # ---- fragments -------------------------------------------------------------------------------

    def _fragment(self, node: Fragment) -> None:
        """`render` of a body that follows: a routine of its own, entered as a partial is."""
        calls: list[int] = []

        def call(b: int, value: object) -> None:
            calls.append(self.emit(Op.RENDER, b=b, value=value, at=node.at))

        held = len(node.head.parameters)
        self._render(node.head, call)
        over = self.emit(Op.JUMP, at=node.at)
        self.aim(calls)
        outside = self.in_partial, self.loops, self.open
        self.in_partial, self.loops, self.open = True, [], []
        self.fragments += 1
        self.innermost = max(self.innermost, self.fragments)
        self.depth += held
        self.deeper(int(node.head.each))
        self.body(node.body)
        self.emit(Op.RETURN, at=node.at)
        self.deeper(-int(node.head.each))
        self.depth -= held
        self.fragments -= 1
        self.in_partial, self.loops, self.open = outside
        self.aim([over])

    # ---- links -----------------------------------------------------------------------------------

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
