"""The floor of the parser: a walk over pieces, from block to block, and the errors for what does not fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn

from render_ext.errors import TemplateSyntaxError, nearest
from render_ext.expressions import Markup
from render_ext.lexer import Piece, PieceKind, lines, pieces, shown_start
from render_ext.limits import DEEPEST
from render_ext.nodes import Node, Output, Text

_BLOCKS = ("if", "unless", "for", "case", "capture", "comment", "ifchanged", "tablerow", "fragment", "footnote", "link")
ENDED = (*_BLOCKS, "raw", "doc")
FOLLOWERS = ("elsif", "else", "when", *(f"end{name}" for name in ENDED))
IN_LINK = ("if", "unless", "for", "case", "comment", "#", "break", "continue", "echo")
LINK_TAGS = ("link", "open_pixel_url")


class Given(NamedTuple):
    """A name that gets a value in a partial: a parameter, or what `with` and `for` bind."""

    name: str
    written: str  # the value, as it is written
    at: int


class PartialUse(NamedTuple):
    """A place where a partial is used."""

    name: str
    at: int  # of the name
    width: int
    depth: int  # how many blocks are open around it
    isolated: bool  # `render`, not `include`
    each: bool  # `for`: once for each item
    tag_at: int
    given: tuple[Given, ...]  # of two of a name the latter counts


class Walk:
    """Walks over the pieces once; a block tag reads its own body."""

    def __init__(self, source: str, template: str, nesting: int, *, partial: bool):
        self.source = source
        self.template = template
        self.nesting = min(nesting, DEEPEST)
        self.partial = partial
        self.pieces = pieces(source, template)
        self.index = 0
        self.depth = 0
        self.deepest = 0
        self.uses: list[PartialUse] = []
        self.in_liquid = False
        self.in_link = False
        self.loops = 0  # open around here, within the link if there is one
        self.tags: dict[str, Callable[[Piece], Node]] = {}

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
            if piece.kind is PieceKind.TEXT or piece.kind is PieceKind.RAW:
                found.append(Text(piece.text, piece.at, piece.kind is PieceKind.RAW))
            elif piece.kind is PieceKind.OUTPUT:
                found.append(self._output(piece))
            elif piece.name in stops:
                return tuple(found), piece
            elif piece.name == "liquid":
                found.extend(self._liquid(piece))
            else:
                found.append(self._tag(piece, stops))
        if opened is not None:
            self._fail(
                f"`{opened.name}` is never closed",
                opened,
                expected=f"`{stops[-1]}`" if self.in_liquid else f"`{{% {stops[-1]} %}}`",
                found="the end of `liquid`" if self.in_liquid else "the end of the template",
            )
        return tuple(found), None

    def _liquid(self, piece: Piece) -> tuple[Node, ...]:
        """The nodes of a `liquid` tag; blocks that it opens end in it."""
        self._deeper(piece)
        outside = self.pieces, self.index, self.in_liquid
        self.pieces, self.index, self.in_liquid = lines(piece, self.source, self.template), 0, True
        found, _ = self._body((), None)
        self.pieces, self.index, self.in_liquid = outside
        self.depth -= 1
        return found

    def _output(self, piece: Piece) -> Output:
        markup = self._markup(piece)
        if markup.token.kind == "end":
            return Output(None, piece.at)
        expression = markup.filtered()
        markup.end("`|` or the end of the tag" if piece.kind is PieceKind.TAG else "`|` or `}}`")
        return Output(expression, piece.at)

    def _tag(self, piece: Piece, stops: Sequence[str]) -> Node:
        handler = self.tags.get(piece.name)
        if handler is None:
            self._unknown(piece, stops)
        if self.in_link and piece.name not in IN_LINK:
            self._fail(f"`{piece.name}` inside a link", piece, expected="outputs, conditions and loops only")
        if piece.name in LINK_TAGS and (self.in_liquid or self.partial):
            place = "a partial" if self.partial else "`liquid`"
            self._fail(f"`{piece.name}` inside {place}", piece, expected="tracked links in the message itself only")
        return handler(piece)

    def _unknown(self, piece: Piece, stops: Sequence[str]) -> NoReturn:
        if not piece.name:
            found, expected = shown_start(piece.text), "the name of a tag, such as `if`"
            self._fail("a tag without a name", piece, found=found, expected=expected)
        if piece.name in FOLLOWERS:
            expected = " or ".join(f"`{stop}`" for stop in stops) if stops else "no open block here"
            self._fail(f"unexpected `{piece.name}`", piece, expected=expected)
        known = [*self.tags, "liquid", "raw", "doc", *(stop for stop in stops if stop not in self.tags)]
        lower = piece.name.lower()
        meant = f"`{lower}`" if lower in known or lower in FOLLOWERS else nearest(piece.name, known)
        self._fail(f"unknown tag `{piece.name}`", piece, expected="a tag", suggestion=meant)

    def _block(self, stops: Sequence[str], opened: Piece) -> tuple[tuple[Node, ...], Piece]:
        self._deeper(opened)
        body, stopped = self._body(stops, opened)
        self.depth -= 1
        assert stopped is not None
        return body, stopped

    def _deeper(self, opened: Piece) -> None:
        self.depth += 1
        self.deepest = max(self.deepest, self.depth)
        if self.depth > self.nesting:
            message = f"blocks nested deeper than the limit nesting={self.nesting}"
            self._fail(message, opened, expected=f"at most {self.nesting} blocks within each other")

    # ---- errors ----------------------------------------------------------------------------------

    def _markup(self, piece: Piece) -> Markup:
        return Markup(piece, self.source, self.template)

    def _nothing_after(self, piece: Piece) -> None:
        if not piece.text.strip():
            return
        markup = self._markup(piece)
        if piece.name == "else" and markup.token.text == "if" and markup.token.kind == "name":
            markup.fail("the end of the tag", suggestion="`elsif`")
        markup.end()

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
