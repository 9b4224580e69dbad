"""A slow, plain reading of the same tree, to hold the VM against: recursion instead of steps, text instead of bytes.

The parser and the filters are the engine's own (filters have case files, and python-liquid beside them). What values are to
conditions, loops and outputs is written again in `ruby.py`; lookups, loops, branches, scopes, escapes and the order of
evaluation are written again here.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from render_ext import nodes as n
from render_ext.errors import FilterError
from render_ext.filters import FILTERS, Surroundings
from render_ext.limits import Limits
from render_ext.partials import Templates, read_templates
from render_ext.values import BLANK, EMPTY, Html, leading_integer, make_range, to_integer
from tests.render_ext import ruby

MISSING = object()


class _Interrupt(Exception):
    def __init__(self, word: str):
        self.word = word


def render(source: str, values: dict[str, Any], escape: str, around: Surroundings, partials: Mapping[str, str]) -> str:
    """What the engine should print. Raises FilterError and LimitReached where it should fail."""
    templates = read_templates(source, "reference", partials, limits=Limits(), links=False)
    walker = _Walker(values, escape, around, templates)
    with suppress(_Interrupt):  # outside a loop: the end
        walker.body(templates.main.nodes)
    return valid("".join(walker.out))


class _Walker:
    def __init__(self, values: dict[str, Any], escape: str, around: Surroundings, templates: Templates):
        self.values = values
        self.escape = escape
        self.around = around
        self.templates = templates
        self.assigned: dict[str, Any] = {}
        self.scopes: list[dict[str, Any]] = []
        self.loops: list[dict[str, Any]] = []  # what `forloop` is, for each loop around
        self.counters: dict[str, Any] = {}
        self.turns: dict[Any, int] = {}
        self.stopped: dict[str, int] = {}  # where the last loop of a name did
        self.changed: str | None = None
        self.isolated = False
        self.out: list[str] = []

    def body(self, nodes: tuple[n.Node, ...]) -> None:
        for node in nodes:
            self.node(node)

    def node(self, node: n.Node) -> None:
        if isinstance(node, n.Text):
            self.out.append(node.text)
        elif isinstance(node, n.Output) and node.expression is not None:
            self.output(node.expression)
        elif isinstance(node, n.Assign):
            self.assigned[node.name] = self.value(node.expression)
        elif isinstance(node, n.If):
            self.choose(node)
        elif isinstance(node, n.For):
            self.loop(node)
        elif isinstance(node, n.TableRow):
            self.table(node)
        elif isinstance(node, n.Case):
            self.case(node)
        elif isinstance(node, n.Capture):
            self.capture(node)
        elif isinstance(node, n.IfChanged):
            self.if_changed(node)
        elif isinstance(node, n.Cycle):
            self.cycle(node)
        elif isinstance(node, n.Count):
            self.count(node)
        elif isinstance(node, n.Partial):
            self.render(node) if node.isolated else self.include(node)
        elif isinstance(node, n.Interrupt):
            raise _Interrupt(node.word)

    def output(self, expression: n.Expression) -> None:
        is_raw = isinstance(expression, n.Filtered) and expression.filters[-1].name == "raw"
        value = self.value(expression)
        text = ruby.output(value)
        trusted = self.escape == "html" and (is_raw or type(value) is Html)
        self.out.append(text if trusted else escaped(text, self.escape, is_raw))

    def choose(self, node: n.If) -> None:
        for branch in node.branches:
            if self.holds(branch.condition) != branch.negated:
                self.body(branch.body)
                return
        self.body(node.otherwise)

    def holds(self, condition: n.Condition) -> bool:
        if isinstance(condition, n.Logic):
            left = self.holds(condition.left)
            if left == (condition.operator == "or"):
                return left
            return self.holds(condition.rest)
        if isinstance(condition, n.Compare):
            left_value, right = self.value(condition.left), self.value(condition.right)
            return ruby.compare(left_value, condition.operator, right)
        return ruby.truthy(self.value(condition))

    def loop(self, node: n.For) -> None:
        collection = self.value(node.collection)
        offset = 0 if node.offset is None else self.value(node.offset)
        limit = None if node.limit is None else self.value(node.limit)
        offset = self.stopped.get(node.name, 0) if node.resumed else 0 if offset is None else to_integer(offset)
        limit = None if limit is None else to_integer(limit)
        items = cut(collection, offset, limit)
        self.stopped[node.name] = offset + len(items)
        if node.reverse:
            items.reverse()
        if not items:
            self.body(node.otherwise)
            return
        for index, item in enumerate(items):
            about = {"name": node.name, **places(index, len(items)), "parentloop": self.loops[-1] if self.loops else None}
            self.scopes.append({node.variable: item, "forloop": about})
            self.loops.append(about)
            try:
                self.body(node.body)
            except _Interrupt as interrupt:
                if interrupt.word == "break":
                    break
            finally:
                self.scopes.pop()
                self.loops.pop()

    def table(self, node: n.TableRow) -> None:
        collection = self.value(node.collection)
        bounds = [None if bound is None else self.value(bound) for bound in (node.offset, node.limit, node.cols)]
        if collection is None or collection is False:
            return
        offset = 0 if node.offset is None else whole(bounds[0])
        items = cut(collection, offset, None if node.limit is None else whole(bounds[1]))
        cols = len(items) if node.cols is None else whole(bounds[2])
        self.markup('<tr class="row1">\n')
        column, row = 1, 1
        for index, item in enumerate(items):
            about = {"col": column, "col0": column - 1, "col_first": column == 1, "col_last": column == cols, "row": row}
            self.scopes.append({node.variable: item, "tablerowloop": {**places(index, len(items)), **about}})
            self.markup(f'<td class="col{column}">')
            word = ""
            try:
                self.body(node.body)
            except _Interrupt as interrupt:
                word = interrupt.word
            finally:
                self.scopes.pop()
            self.markup("</td>")
            if word == "break":
                break
            if column == cols and index < len(items) - 1:
                self.markup(f'</tr>\n<tr class="row{row + 1}">')
            column, row = (1, row + 1) if column == cols else (column + 1, row)
        self.markup("</tr>\n")

    def markup(self, text: str) -> None:
        self.out.append(text if self.escape in ("none", "html") else escaped(text, self.escape, False))

    def case(self, node: n.Case) -> None:
        matched = False
        for branch in node.branches:
            if not branch.values and not matched:
                self.body(branch.body)
            for value in branch.values:
                if ruby.equal(self.value(node.subject), self.value(value)):
                    matched = True
                    self.body(branch.body)

    def capture(self, node: n.Capture) -> None:
        page, outside = self.escape, self.out
        self.escape, self.out = "html" if page == "html" else "none", []
        try:
            self.body(node.body)
        finally:
            text = valid("".join(self.out))
            self.assigned[node.name] = Html(text) if page == "html" else text
            self.escape, self.out = page, outside

    def if_changed(self, node: n.IfChanged) -> None:
        outside, self.out = self.out, []
        try:
            self.body(node.body)
        finally:
            text, self.out = valid("".join(self.out)), outside
            if text != self.changed:
                self.changed = text
                self.out.append(text)

    def cycle(self, node: n.Cycle) -> None:
        group = ("unnamed", *node.key) if node.group is None else self.value(node.group)
        key = (type(group).__name__, ruby.text(group))
        turn = self.turns.get(key, 0)
        self.turns[key] = turn + 1 if turn + 1 < len(node.values) else 0
        if turn < len(node.values):
            self.output(node.values[turn])

    def count(self, node: n.Count) -> None:
        given = None if self.isolated else self.values.get(node.name)
        now = self.counters.get(node.name, 0 if given is None or given is False else given)
        if now is True or not isinstance(now, (int, float)):
            raise FilterError("no number")
        self.counters[node.name] = now + node.by
        self.out.append(escaped(ruby.output(now if node.by > 0 else now + node.by), self.escape, False))

    def include(self, node: n.Partial) -> None:
        bound = None if node.bound is None else self.value(node.bound)
        scope: dict[str, Any] = {}
        self.scopes.append(scope)
        try:
            for name, value in node.parameters:
                scope[name] = self.value(value)
            for item in bound if isinstance(bound, (list, tuple)) else [bound]:
                if node.bound is not None:
                    scope[node.variable] = item
                self.body(self.templates.partials[node.name].nodes)
        finally:
            self.scopes.pop()

    def render(self, node: n.Partial) -> None:
        parameters = {name: self.value(value) for name, value in node.parameters}
        bound = None if node.bound is None else self.value(node.bound)
        each = node.each and isinstance(bound, (list, tuple, range, dict))
        items = ruby.items(bound) if each else [bound]
        for index, item in enumerate(items):
            walker = _Walker(self.values, self.escape, self.around, self.templates)
            walker.isolated = True
            walker.assigned = parameters | ({} if item is None else {node.variable: item})
            if each:
                about = {"name": node.name, **places(index, len(items)), "parentloop": None}
                walker.scopes.append({"forloop": about})
            with suppress(_Interrupt):
                walker.body(self.templates.partials[node.name].nodes)
            self.out += walker.out

    def value(self, expression: n.Expression) -> Any:
        if isinstance(expression, n.Literal):
            return expression.value
        if isinstance(expression, n.Emptiness):
            return EMPTY if expression.word == "empty" else BLANK
        if isinstance(expression, n.Range):
            return make_range(self.value(expression.first), self.value(expression.last))
        if isinstance(expression, n.Filtered):
            return self.filtered(expression)
        found = self.lookup(expression)
        return None if found is MISSING else found

    def filtered(self, expression: n.Filtered) -> Any:
        value = self.value(expression.input)
        for call in expression.filters:
            known = FILTERS[call.name]
            first = [self.around] if known.surroundings else []
            arguments = [self.value(argument) for argument in call.arguments]
            keywords = {name: self.value(argument) for name, argument in call.keywords}
            value = known.function(*first, value, *arguments, **keywords)
        return value

    def lookup(self, path: n.Path) -> Any:
        if isinstance(path.root, n.Name):
            here = self.named(path.root.name)
        else:
            key = self.value(path.root)
            here = self.values.get(key, MISSING) if isinstance(key, str) else MISSING
        for key in path.keys:
            if here is MISSING:
                return MISSING
            here = item(here, key.name, True) if isinstance(key, n.Name) else item(here, self.value(key), False)
        return here

    def named(self, name: str) -> Any:
        for scope in [*reversed(self.scopes), self.assigned, self.counters, self.values]:
            if name in scope:
                return scope[name]
        return MISSING


def cut(collection: Any, offset: int, limit: int | None) -> list[Any]:
    """The items of a loop. A text is one item, whatever the bounds."""
    items = ruby.items(collection)
    if isinstance(collection, str):
        return items
    return [item for i, item in enumerate(items) if i >= offset and (limit is None or i < offset + limit)]


def whole(value: Any) -> int:
    """An option of a tablerow."""
    if isinstance(value, str):
        return leading_integer(value)
    return 0 if value is None else int(value) if isinstance(value, float) else to_integer(value)


def places(index: int, length: int) -> dict[str, Any]:
    """What every loop tells of an item's place."""
    return {
        "length": length,
        "index": index + 1,
        "index0": index,
        "rindex": length - index,
        "rindex0": length - index - 1,
        "first": index == 0,
        "last": index == length - 1,
    }


def item(value: Any, key: Any, dotted: bool) -> Any:
    """The item of a value under a key, MISSING where there is none."""
    if isinstance(value, dict):
        if isinstance(key, str | int) and not isinstance(key, bool) and key in value:
            return value[key]
        if dotted and key == "size":
            return len(value)
        if dotted and key == "first" and value:
            return list(next(iter(value.items())))
        return MISSING
    if isinstance(value, list | tuple | range):
        if type(key) is int and not isinstance(value, range):
            return value[key] if -len(value) <= key < len(value) else MISSING
        if dotted and key == "size":
            return len(value)
        if dotted and key in ("first", "last") and len(value):
            return value[0 if key == "first" else -1]
    if isinstance(value, str) and dotted and key == "size":
        return len(value)
    return MISSING


def escaped(text: str, escape: str, is_raw: bool) -> str:
    """An output as it stands in the document."""
    if escape == "html":
        return html.escape(text).replace("&#x27;", "&#39;")
    if escape == "url":
        return quote(valid(text), safe=":/?#[]@!$&'()*+,;=%~" if is_raw else "~")
    if escape == "header":
        return "".join(" " if ord(c) < 32 or ord(c) == 127 else c for c in text)
    if escape == "json" and not is_raw:
        return "".join(json_character(c) for c in text)
    return text


def json_character(c: str) -> str:
    """One character inside a JSON string that stands in a page."""
    short = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    if c in short:
        return short[c]
    return f"\\u{ord(c):04X}" if ord(c) < 32 or c in "<>&\x7f" else c


def valid(text: str) -> str:
    """The text with lone surrogates replaced."""
    return "".join("\ufffd" if 0xD800 <= ord(c) <= 0xDFFF else c for c in text)
