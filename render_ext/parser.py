"""Pieces → tree. Every tag is a method `_tag_<name>`, listed in TAGS."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NoReturn

from render_ext.errors import TemplateSyntaxError, nearest
from render_ext.expressions import Markup
from render_ext.lexer import Piece, PieceKind, pieces
from render_ext.nodes import (
    Assign,
    Branch,
    Comment,
    Condition,
    Expression,
    For,
    If,
    Interrupt,
    Link,
    Node,
    Output,
    SystemUrl,
    Text,
)

HIGHEST_LINK = 9999
TARGET_START = re.compile(r"[ \t\r\n]*https?://(?:[^/?#\s\\@]+@)?(?P<host>[^/?#\s\\@]+)(?P<end>[/?#]|\s*\Z)", re.IGNORECASE)
SYSTEM_URLS = ("open_pixel_url", "mirror_url", "unsubscribe_url")
FOLLOWERS = ("elsif", "else", "endif", "endunless", "endfor", "endcomment", "endlink", "endraw")


def parse(source: str, template: str, *, nesting: int, links: bool) -> tuple[Node, ...]:
    """The tree of a template. Raises TemplateSyntaxError."""
    return Parser(source, template, nesting, links).parse()


class Parser:
    """Walks over the pieces once; a block tag reads its own body."""

    def __init__(self, source: str, template: str, nesting: int, links: bool):
        self.source = source
        self.template = template
        self.nesting = nesting
        self.pieces = pieces(source, template)
        self.index = 0
        self.depth = 0
        self.in_link = False
        self.loops = 0  # open around here, within the link if there is one
        self.tags: dict[str, Callable[[Piece], Node]] = {
            "if": self._tag_if,
            "unless": self._tag_if,
            "for": self._tag_for,
            "assign": self._tag_assign,
            "break": self._tag_interrupt,
            "continue": self._tag_interrupt,
            "comment": self._tag_comment,
            "#": self._tag_inline_comment,
        }
        if links:
            self.tags["link"] = self._tag_link
            self.tags.update(dict.fromkeys(SYSTEM_URLS, self._tag_system_url))

    def parse(self) -> tuple[Node, ...]:
        """The whole template."""
        body, stopped = self._body((), None)
        assert stopped is None
        return body

    def _body(self, stops: Sequence[str], opened: Piece | None) -> tuple[tuple[Node, ...], Piece | None]:
        """Nodes up to one of the tags in `stops`, which is returned (None at the end of the template)."""
        found: list[Node] = []
        while self.index < len(self.pieces):
            piece = self.pieces[self.index]
            self.index += 1
            if piece.kind is PieceKind.TEXT:
                found.append(Text(piece.text, piece.at))
            elif piece.kind is PieceKind.OUTPUT:
                found.append(self._output(piece))
            elif piece.name in stops:
                return tuple(found), piece
            else:
                found.append(self._tag(piece, stops))
        if opened is not None:
            self._fail(
                f"`{opened.name}` is never closed",
                opened,
                expected=f"`{{% {stops[-1]} %}}`",
                found="the end of the template",
            )
        return tuple(found), None

    def _output(self, piece: Piece) -> Output:
        markup = self._markup(piece)
        if markup.token.kind == "end":
            return Output(None, piece.at)
        expression = markup.filtered()
        markup.end("`|` or `}}`")
        return Output(expression, piece.at)

    def _tag(self, piece: Piece, stops: Sequence[str]) -> Node:
        handler = self.tags.get(piece.name)
        if handler is None:
            known = list(self.tags) + [stop for stop in stops if stop not in self.tags]
            if piece.name in FOLLOWERS:
                expected = " or ".join(f"`{stop}`" for stop in stops) if stops else "no open block here"
                self._fail(f"unexpected `{piece.name}`", piece, expected=expected)
            self._fail(f"unknown tag `{piece.name}`", piece, expected="a tag", suggestion=nearest(piece.name, known))
        if self.in_link and piece.name not in ("if", "unless", "for", "comment", "#", "break", "continue"):
            self._fail(f"`{piece.name}` inside a link", piece, expected="outputs, conditions and loops only")
        return handler(piece)

    def _block(self, stops: Sequence[str], opened: Piece) -> tuple[tuple[Node, ...], Piece]:
        self.depth += 1
        if self.depth > self.nesting:
            self._fail(f"blocks nested deeper than the limit nesting={self.nesting}", opened)
        body, stopped = self._body(stops, opened)
        self.depth -= 1
        assert stopped is not None
        return body, stopped

    # ---- tags ------------------------------------------------------------------------------------

    def _tag_if(self, piece: Piece) -> If:
        end = f"end{piece.name}"
        branches: list[Branch] = []
        otherwise: tuple[Node, ...] = ()
        opening = piece
        condition = self._condition(piece)
        while True:
            body, stopped = self._block(("elsif", "else", end), piece)
            branches.append(Branch(condition, opening.name == "unless", body, opening.name_at))
            if stopped.name != "elsif":
                break
            opening, condition = stopped, self._condition(stopped)
        if stopped.name == "else":
            self._nothing_after(stopped)
            otherwise, stopped = self._block((end,), piece)
        self._nothing_after(stopped)
        return _without_blanks_if(If(tuple(branches), otherwise, piece.name_at))

    def _condition(self, piece: Piece) -> Condition:
        return self._markup(piece).condition()

    def _tag_for(self, piece: Piece) -> For:
        markup = self._markup(piece)
        variable = markup.name("the name of the loop variable").text
        markup.require("in")
        start = markup.token.at
        collection = markup.expression()
        last = markup.tokens[markup.index - 1]
        name = f"{variable}-{self.source[start : last.at + len(last.text)]}"
        reverse = markup.accept("reversed")
        options: dict[str, Expression] = {}
        while markup.token.kind == "name":
            option = markup.take()
            if option.text not in ("limit", "offset"):
                suggestion = nearest(option.text, ["limit", "offset", "reversed"])
                markup.fail("`limit:` or `offset:`", token=option, suggestion=suggestion)
            markup.require(":")
            options[option.text] = markup.expression()
            markup.accept(",")
        markup.end("`reversed`, `limit:`, `offset:` or the end of the tag")
        self.loops += 1
        body, stopped = self._block(("else", "endfor"), piece)
        self.loops -= 1
        otherwise: tuple[Node, ...] = ()
        if stopped.name == "else":
            self._nothing_after(stopped)
            otherwise, stopped = self._block(("endfor",), piece)
        self._nothing_after(stopped)
        loop = For(
            variable,
            collection,
            name,
            options.get("limit"),
            options.get("offset"),
            reverse,
            body,
            otherwise,
            piece.name_at,
        )
        return _without_blanks_for(loop)

    def _tag_assign(self, piece: Piece) -> Assign:
        markup = self._markup(piece)
        name = markup.name("a name to assign to")
        if markup.token.text == "==":
            markup.fail("`=`", suggestion="`=`")
        markup.require("=")
        expression = markup.filtered()
        markup.end("`|` or the end of the tag")
        return Assign(name.text, expression, piece.name_at)

    def _tag_interrupt(self, piece: Piece) -> Interrupt:
        self._nothing_after(piece)
        if self.in_link and not self.loops:
            self._fail(f"`{piece.name}` out of a link", piece, expected="a loop around it inside the link")
        return Interrupt(piece.name, piece.name_at)

    def _tag_comment(self, piece: Piece) -> Comment:
        depth = 1
        while self.index < len(self.pieces):
            inner = self.pieces[self.index]
            self.index += 1
            if inner.kind is PieceKind.TAG and inner.name == "comment":
                depth += 1
            elif inner.kind is PieceKind.TAG and inner.name == "endcomment":
                depth -= 1
                if depth == 0:
                    return Comment(piece.name_at)
        return self._fail("`comment` is never closed", piece, expected="`{% endcomment %}`", found="the end of the template")

    def _tag_inline_comment(self, piece: Piece) -> Comment:
        for line in piece.text.split("\n")[1:]:
            if line.strip() and not line.strip().startswith("#"):
                self._fail("every line of an inline comment starts with `#`", piece, expected="`#`")
        return Comment(piece.name_at)

    def _tag_link(self, piece: Piece) -> Link:
        markup = self._markup(piece)
        number = markup.token
        if number.kind != "number" or not number.text.isdigit() or int(number.text[:9]) > HIGHEST_LINK:
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

    # ---- errors ----------------------------------------------------------------------------------

    def _markup(self, piece: Piece) -> Markup:
        return Markup(piece, self.source, self.template)

    def _nothing_after(self, piece: Piece) -> None:
        if piece.text.strip():
            self._markup(piece).end()

    def _fail(
        self,
        message: str,
        piece: Piece,
        *,
        expected: str | None = None,
        found: str | None = None,
        suggestion: str | None = None,
    ) -> NoReturn:
        raise TemplateSyntaxError(
            message,
            template=self.template,
            source=self.source,
            at=piece.name_at,
            width=len(piece.name),
            found=found if found is not None else f"`{piece.name}`",
            expected=expected,
            suggestion=suggestion,
        )


def _ascii_host(host: str) -> str | None:
    try:
        return f"`{host.encode('idna').decode()}`"
    except UnicodeError:
        return None


# ---- blank blocks --------------------------------------------------------------------------------
# A block whose every branch holds only whitespace and tags that print nothing prints no whitespace either.


def is_blank(body: tuple[Node, ...]) -> bool:
    """Nothing in it can print."""
    return all(_prints_nothing(node) for node in body)


def _prints_nothing(node: Node) -> bool:
    if isinstance(node, Text):
        return not node.text.strip()
    if isinstance(node, If):
        return all(is_blank(branch.body) for branch in node.branches) and is_blank(node.otherwise)
    if isinstance(node, For):
        return is_blank(node.body) and is_blank(node.otherwise)
    return isinstance(node, (Assign, Comment))


def _without_text(body: tuple[Node, ...]) -> tuple[Node, ...]:
    return tuple(node for node in body if not isinstance(node, Text))


def _without_blanks_if(node: If) -> If:
    if not _prints_nothing(node):
        return node
    branches = tuple(
        Branch(branch.condition, branch.negated, _without_text(branch.body), branch.at) for branch in node.branches
    )
    return If(branches, _without_text(node.otherwise), node.at)


def _without_blanks_for(node: For) -> For:
    if not _prints_nothing(node):
        return node
    return For(
        node.variable,
        node.collection,
        node.name,
        node.limit,
        node.offset,
        node.reverse,
        _without_text(node.body),
        _without_text(node.otherwise),
        node.at,
    )
