"""Pieces → tree. Every tag is a method `_tag_<name>`, listed in `tags`; those that hold a body are in block_tags.py."""

from __future__ import annotations

import re

from render_ext.block_tags import BlockTags
from render_ext.expressions import Markup
from render_ext.lexer import Piece
from render_ext.nodes import (
    Assign,
    Comment,
    Count,
    Cycle,
    Expression,
    Fragment,
    Interrupt,
    Link,
    Literal,
    Node,
    Output,
    Partial,
    Range,
    SystemUrl,
    Text,
)
from render_ext.walk import Given, PartialUse

HIGHEST_LINK = 9999
TARGET_START = re.compile(r"[ \t\r\n]*https?://(?:[^/?#\s\\@]+@)?(?P<host>[^/?#\s\\@]+)(?P<end>[/?#]|\s*\Z)", re.IGNORECASE)
SYSTEM_URLS = ("open_pixel_url", "mirror_url", "unsubscribe_url")


class Parser(BlockTags):
    """Reads one template: the message's, or a `partial`. `links`, `notes`: whether their tags may stand in it."""

    def __init__(self, source: str, template: str, nesting: int, *, links: bool, notes: bool = True, partial: bool = False):
        super().__init__(source, template, nesting, partial=partial, notes=notes)
        self.in_fragment = False
        self.tags.update(
            {
                "assign": self._tag_assign,
                "echo": self._tag_echo,
                "cycle": self._tag_cycle,
                "increment": self._tag_count,
                "decrement": self._tag_count,
                "include": self._tag_partial,
                "render": self._tag_partial,
                "fragment": self._tag_fragment,
                "break": self._tag_interrupt,
                "continue": self._tag_interrupt,
                "#": self._tag_inline_comment,
            }
        )
        if links:
            self.tags["link"] = self._tag_link
            self.tags.update(dict.fromkeys(SYSTEM_URLS, self._tag_system_url))

    def _tag_assign(self, piece: Piece) -> Assign:
        markup = self._markup(piece)
        name = markup.name("a name to assign to")
        if markup.token.text == "==":
            markup.fail("`=`", suggestion="`=`")
        markup.require("=")
        expression = markup.filtered()
        markup.end("`|` or the end of the tag")
        return Assign(name.text, expression, piece.name_at)

    def _tag_echo(self, piece: Piece) -> Output:
        return self._output(piece)

    def _tag_cycle(self, piece: Piece) -> Cycle:
        markup = self._markup(piece)
        group = None
        values, key = [markup.expression()], [self._written(markup, 0)]
        if markup.accept(":"):
            group = values.pop()
            key.clear()
        while markup.token.kind != "end":
            if values:
                self._comma(markup)
            if markup.token.kind == "end":
                break
            start = markup.index
            values.append(markup.expression())
            key.append(self._written(markup, start))
        if not values:
            markup.fail("a value to print")
        if group is None and not all(map(_is_fixed, values)):  # what a variable holds may differ: each tag counts for itself
            key.append(f"{self.template}:{piece.name_at}")
        return Cycle(group, tuple(key), tuple(values), piece.name_at)

    def _comma(self, markup: Markup) -> None:
        if not markup.accept(","):
            markup.end("`,` or the end of the tag")

    def _written(self, markup: Markup, start: int) -> str:
        """The expression just read as it is written, whatever its quotes: what tells one unnamed cycle from another."""
        first, last = markup.tokens[start], markup.tokens[markup.index - 1]
        return f"'{first.text[1:-1]}" if first.kind == "string" else self.source[first.at : last.at + len(last.text)]

    def _tag_count(self, piece: Piece) -> Count:
        markup = self._markup(piece)
        name = markup.name("the name of a counter")
        markup.end()
        return Count(name.text, 1 if piece.name == "increment" else -1, piece.name_at)

    def _tag_interrupt(self, piece: Piece) -> Interrupt:
        self._nothing_after(piece)
        if self.in_link and not self.loops:
            self._fail(f"`{piece.name}` out of a link", piece, expected="a loop around it inside the link")
        return Interrupt(piece.name, piece.name_at)

    def _tag_inline_comment(self, piece: Piece) -> Comment:
        first, *others = piece.text.split("\n")
        at = piece.at + len(first) + 1
        for line in others:
            written = line.strip()
            if written and not written.startswith("#"):
                message = "every line of an inline comment starts with `#`"
                place = piece._replace(name=written, name_at=at + line.index(written))
                self._fail(message, place, expected="`#`", found=f"`{written[:20]}`")
            at += len(line) + 1
        return Comment(piece.name_at)

    # ---- partials --------------------------------------------------------------------------------

    def _tag_partial(self, piece: Piece) -> Partial:
        use, node = self._head(piece)
        if self.in_fragment and not node.isolated:
            self._fail("`include` inside a fragment", piece, expected="`render`")
        self.uses.append(use)
        return node

    def _tag_fragment(self, piece: Piece) -> Fragment:
        """A partial that stands in place, as `render` has it: so `break` in it leaves no loop around it."""
        _, head = self._head(piece)
        outside = self.loops, self.in_fragment
        self.loops, self.in_fragment = 0, True
        body, stopped = self._block(("endfragment",), piece)
        self.loops, self.in_fragment = outside
        self._nothing_after(stopped)
        return Fragment(head, body, piece.name_at)

    def _head(self, piece: Piece) -> tuple[PartialUse, Partial]:
        markup = self._markup(piece)
        token = markup.token
        if token.kind != "string":
            message = "the name of a partial must be written out: it is looked up before anything is rendered"
            markup.fail("a name in quotes", message=message, suggestion=f"`'{token.text}'`" if token.kind == "name" else None)
        markup.take()
        name = token.text[1:-1]
        bound, each = None, False
        bindings: list[Given] = []
        if markup.token.text in ("with", "for") and markup.token.kind == "name":
            each = markup.take().text == "for"
            start = markup.index
            bound = markup.expression()
            bindings.append(self._given(markup, "", start))
        variable = name.rsplit("/", 1)[-1]
        if markup.accept("as"):
            variable = markup.name("a name for the variable").text
        isolated = piece.name != "include"
        given: list[Given] = []
        node = Partial(name, isolated, bound, each, variable, self._parameters(markup, given), piece.name_at)
        given += [one._replace(name=variable) for one in bindings]
        return PartialUse(name, token.at, len(token.text), self.depth, isolated, each, piece.name_at, tuple(given)), node

    def _given(self, markup: Markup, name: str, start: int) -> Given:
        first, last = markup.tokens[start], markup.tokens[markup.index - 1]
        return Given(name, self.source[first.at : last.at + len(last.text)], first.at)

    def _parameters(self, markup: Markup, given: list[Given]) -> tuple[tuple[str, Expression], ...]:
        found: dict[str, Expression] = {}
        markup.accept(",")
        while markup.token.kind != "end":
            name = markup.name("`name: value` or the end of the tag")
            markup.require(":")
            start = markup.index
            found[name.text] = markup.expression()
            given.append(self._given(markup, name.text, start))
            markup.accept(",")
        return tuple(found.items())

    # ---- links -----------------------------------------------------------------------------------

    def _tag_link(self, piece: Piece) -> Link:
        markup = self._markup(piece)
        number = markup.token
        if number.kind != "number" or not number.text.isdigit() or len(number.text) > len(str(HIGHEST_LINK)):
            markup.fail(f"the number of the link, 0 to {HIGHEST_LINK}")
        markup.take()
        markup.end()
        start = piece.at + len(piece.text)
        start = self.source.index("%}", start) + 2
        outside, self.loops, self.in_link = self.loops, 0, True
        body, stopped = self._block(("endlink",), piece)
        self.loops, self.in_link = outside, False
        self._nothing_after(stopped)
        target = self.source[start : self.source.rindex("{%", 0, stopped.name_at)]
        self._check_target(body, piece)
        return Link(int(number.text), body, target, piece.name_at)

    def _check_target(self, body: tuple[Node, ...], piece: Piece) -> None:
        """Scheme and host must be literal and complete before any output: no value can move the link."""
        first = body[0] if body else None
        match = TARGET_START.match(first.text) if isinstance(first, Text) else None
        if match is None or (not match["end"].strip() and len(body) > 1):
            self._fail(
                "the scheme and host of a tracked link must be written out",
                piece,
                expected="a target that begins like `https://host/`, before any output",
            )
        if not match["host"].isascii():
            self._fail(
                "the host of a tracked link must be in its ASCII form",
                piece,
                found=f"`{match['host']}`",
                suggestion=_ascii_host(match["host"]),
            )

    def _tag_system_url(self, piece: Piece) -> SystemUrl:
        self._nothing_after(piece)
        return SystemUrl(piece.name, piece.name_at)


def _is_fixed(value: Expression) -> bool:
    if isinstance(value, Range):
        return _is_fixed(value.first) and _is_fixed(value.last)
    return isinstance(value, Literal)


def _ascii_host(host: str) -> str | None:
    try:
        return f"`{host.encode('idna').decode()}`"
    except UnicodeError:
        return None
