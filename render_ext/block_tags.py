"""The tags that hold a body: branches, loops, captures and comments."""

from __future__ import annotations

from render_ext.blanks import without_blanks_case, without_blanks_for, without_blanks_if
from render_ext.errors import nearest
from render_ext.expressions import Markup
from render_ext.lexer import Piece, PieceKind
from render_ext.nodes import (
    Branch,
    Capture,
    Case,
    Comment,
    Condition,
    Expression,
    Footnote,
    For,
    If,
    IfChanged,
    Node,
    TableRow,
    When,
)
from render_ext.walk import Walk


class BlockTags(Walk):
    """Every tag is a method `_tag_<name>`, listed in `tags`."""

    def __init__(self, source: str, template: str, nesting: int, *, partial: bool, notes: bool):
        super().__init__(source, template, nesting, partial=partial)
        self.notes = notes
        self.tags.update(
            {
                "if": self._tag_if,
                "unless": self._tag_if,
                "case": self._tag_case,
                "for": self._tag_for,
                "tablerow": self._tag_tablerow,
                "capture": self._tag_capture,
                "ifchanged": self._tag_ifchanged,
                "footnote": self._tag_footnote,
                "comment": self._tag_comment,
            }
        )

    # ---- branches --------------------------------------------------------------------------------

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
        return without_blanks_if(If(tuple(branches), otherwise, piece.name_at))

    def _condition(self, piece: Piece) -> Condition:
        return self._markup(piece).condition()

    def _tag_case(self, piece: Piece) -> Case:
        markup = self._markup(piece)
        subject = markup.expression()
        markup.end()
        branches: list[When] = []
        stops = ("when", "else", "endcase")
        _, stopped = self._block(stops, piece)  # what stands before the first `when` is never printed
        while stopped.name != "endcase":
            opening, values = stopped, self._values(stopped) if stopped.name == "when" else ()
            if not values:
                self._nothing_after(stopped)
            body, stopped = self._block(stops, piece)
            branches.append(When(values, body, opening.name_at))
        self._nothing_after(stopped)
        return without_blanks_case(Case(subject, tuple(branches), piece.name_at))

    def _values(self, piece: Piece) -> tuple[Expression, ...]:
        markup = self._markup(piece)
        found = [markup.operand()]
        while markup.accept(",") or markup.accept("or"):
            found.append(markup.operand())
        suggestion = "`or`" if markup.token.text in ("and", "|", "||") else None
        if markup.token.kind != "end":
            markup.fail("`,`, `or` or the end of the tag", suggestion=suggestion)
        return tuple(found)

    # ---- loops -----------------------------------------------------------------------------------

    def _tag_for(self, piece: Piece) -> For:
        markup = self._markup(piece)
        variable, collection, name = self._loop_head(markup)
        reverse = markup.accept("reversed")
        options, resumed = self._options(markup, ("limit", "offset"), "`reversed`, `limit:`, `offset:` or the end of the tag")
        if resumed and self.in_link:
            self._fail("`offset: continue` inside a link", piece, expected="the number of the first item")
        self.loops += 1
        body, stopped = self._block(("else", "endfor"), piece)
        self.loops -= 1
        otherwise: tuple[Node, ...] = ()
        if stopped.name == "else":
            self._nothing_after(stopped)
            otherwise, stopped = self._block(("endfor",), piece)
        self._nothing_after(stopped)
        limit, offset = options.get("limit"), options.get("offset")
        loop = For(variable, collection, name, limit, offset, reverse, body, otherwise, piece.name_at, resumed)
        return without_blanks_for(loop)

    def _loop_head(self, markup: Markup) -> tuple[str, Expression, str]:
        """Variable, collection, and the name of the loop: both as they are written."""
        variable = markup.name("the name of the loop variable").text
        markup.require("in")
        start = markup.token.at
        collection = markup.expression()
        last = markup.tokens[markup.index - 1]
        return variable, collection, f"{variable}-{self.source[start : last.at + len(last.text)]}"

    def _options(self, markup: Markup, known: tuple[str, ...], expected: str) -> tuple[dict[str, Expression], bool]:
        """The options of a loop, and whether it is to go on where another stopped."""
        options: dict[str, Expression] = {}
        resumed = False
        markup.accept(",")
        while markup.token.kind == "name":
            option = markup.take()
            if option.text not in known:
                suggestion = nearest(
                    option.text, known if option.text == "reversed" or "cols" in known else [*known, "reversed"]
                )
                markup.fail(" or ".join(f"`{name}:`" for name in known), token=option, suggestion=suggestion)
            markup.require(":")
            if option.text == "offset" and "cols" not in known:
                resumed = markup.token.text == "continue" and markup.token.kind == "name"
                if resumed:
                    markup.take()
                    options.pop("offset", None)
            if option.text != "offset" or not resumed:
                options[option.text] = markup.expression()
            markup.accept(",")
        markup.end(expected)
        return options, resumed

    def _tag_tablerow(self, piece: Piece) -> TableRow:
        markup = self._markup(piece)
        variable, collection, _ = self._loop_head(markup)
        options, _ = self._options(markup, ("cols", "limit", "offset"), "`cols:`, `limit:`, `offset:` or the end of the tag")
        self.loops += 1
        body, stopped = self._block(("endtablerow",), piece)
        self.loops -= 1
        self._nothing_after(stopped)
        limit, offset, cols = (options.get(name) for name in ("limit", "offset", "cols"))
        return TableRow(variable, collection, limit, offset, cols, body, piece.name_at)

    # ---- what is not printed here, or not again --------------------------------------------------

    def _tag_capture(self, piece: Piece) -> Capture:
        markup = self._markup(piece)
        if markup.token.kind == "string":
            name = markup.take().text[1:-1]
        else:
            name = markup.name("a name to assign to").text
        markup.end()
        body, stopped = self._block(("endcapture",), piece)
        self._nothing_after(stopped)
        return Capture(name, body, piece.name_at)

    def _tag_footnote(self, piece: Piece) -> Footnote:
        if not self.notes:
            self._fail(
                "`footnote` outside of the text part of an email",
                piece,
                expected='the address in its place, in HTML as `<a href="…">`',
            )
        self._nothing_after(piece)
        body, stopped = self._block(("endfootnote",), piece)
        self._nothing_after(stopped)
        return Footnote(body, piece.name_at)

    def _tag_ifchanged(self, piece: Piece) -> IfChanged:
        self._nothing_after(piece)
        body, stopped = self._block(("endifchanged",), piece)
        self._nothing_after(stopped)
        return IfChanged(body, piece.name_at)

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
        end = "`endcomment`" if self.in_liquid else "`{% endcomment %}`"
        found = "the end of `liquid`" if self.in_liquid else "the end of the template"
        return self._fail("`comment` is never closed", piece, expected=end, found=found)
