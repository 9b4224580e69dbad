"""A slow, plain reading of the same tree, to hold the VM against: recursion instead of steps, text instead of bytes.

Filters and comparisons are the engine's own (they have case files); lookups, loops, branches, scopes, escapes and the order
of evaluation are written again here.
"""

from __future__ import annotations

import html
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from render_ext import nodes as n
from render_ext.filters import FILTERS, Surroundings
from render_ext.parser import parse
from render_ext.values import (
    BLANK,
    EMPTY,
    Html,
    contains,
    equal,
    less,
    loop_items,
    make_range,
    output_text,
    to_integer,
)

MISSING = object()


class _Interrupt(Exception):
    def __init__(self, word: str):
        self.word = word


def render(source: str, values: dict[str, Any], escape: str, around: Surroundings) -> str:
    """What the engine should print. Raises FilterError and LimitReached where it should fail."""
    walker = _Walker(values, escape, around)
    with suppress(_Interrupt):  # outside a loop: the end
        walker.body(parse(source, "reference", nesting=100, links=False))
    return valid("".join(walker.out))


class _Walker:
    def __init__(self, values: dict[str, Any], escape: str, around: Surroundings):
        self.values = values
        self.escape = escape
        self.around = around
        self.assigned: dict[str, Any] = {}
        self.loops: list[dict[str, Any]] = []
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
        elif isinstance(node, n.Interrupt):
            raise _Interrupt(node.word)

    def output(self, expression: n.Expression) -> None:
        is_raw = isinstance(expression, n.Filtered) and expression.filters[-1].name == "raw"
        value = self.value(expression)
        text = output_text(value)
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
            if condition.operator in ("==", "!="):
                return equal(left_value, right) == (condition.operator == "==")
            if condition.operator == "contains":
                return contains(left_value, right)
            return less(left_value, right, condition.operator)
        value = self.value(condition)
        return value is not None and value is not False

    def loop(self, node: n.For) -> None:
        collection = self.value(node.collection)
        offset = 0 if node.offset is None else self.value(node.offset)
        limit = None if node.limit is None else self.value(node.limit)
        offset = 0 if offset is None else to_integer(offset)
        limit = None if limit is None else to_integer(limit)
        items = list(loop_items(collection))
        if not isinstance(collection, str):
            items = [item for i, item in enumerate(items) if i >= offset and (limit is None or i < offset + limit)]
        if node.reverse:
            items.reverse()
        if not items:
            self.body(node.otherwise)
            return
        for index, item in enumerate(items):
            about = {
                "name": node.name,
                "length": len(items),
                "index": index + 1,
                "index0": index,
                "rindex": len(items) - index,
                "rindex0": len(items) - index - 1,
                "first": index == 0,
                "last": index == len(items) - 1,
                "parentloop": self.loops[-1]["forloop"] if self.loops else None,
            }
            self.loops.append({node.variable: item, "forloop": about})
            try:
                self.body(node.body)
            except _Interrupt as interrupt:
                if interrupt.word == "break":
                    break
            finally:
                self.loops.pop()

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
        for scope in [*reversed(self.loops), self.assigned, self.values]:
            if name in scope:
                return scope[name]
        return MISSING


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
