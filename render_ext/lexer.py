"""Text → pieces (literal text, outputs, tags) → tokens of the markup inside them, each with its offset in
the source.

Whitespace control (`{%-`, `-%}`), `raw` and `doc` are settled here; the parser sees plain pieces.
"""

from __future__ import annotations

import re
import unicodedata
from enum import Enum
from typing import NamedTuple

from render_ext.errors import TemplateSyntaxError, code_point, is_unseen

WHITESPACE = " \t\n\v\f\r"
TAG_NAME = re.compile(r"[ \t\n\v\f\r]*([\w-]+|#)")
ENDS = {name: re.compile(r"\{%-?[ \t\n\v\f\r]*end" + name + r"[ \t\n\v\f\r]*(-?)%\}") for name in ("raw", "doc")}
DOC = re.compile(r"\{%-?[ \t\n\v\f\r]*doc(?![\w-])")
TOKEN = re.compile(
    r"""(?P<string>"[^"]*"|'[^']*')"""
    r"""|(?P<number>-?[0-9]+(?:\.[0-9]+)?)"""
    r"""|(?P<name>[^\W\d][\w-]*\??)"""
    r"""|(?P<sign>==|!=|<>|<=|>=|\.\.|[|.:,\[\]()<>=])"""
    r"""|(?P<space>[ \t\n\v\f\r]+)"""
)

CURLY_QUOTES = "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a\u2032\u2033"
NEGATION = re.compile(r"![^\W\d]")
SUGGESTED = {"&": "`and`", "!": "`!=`"}


class PieceKind(Enum):
    """What a piece of a template is."""

    TEXT = "text"
    RAW = "raw"
    OUTPUT = "output"
    TAG = "tag"


class Piece(NamedTuple):
    """A stretch of the source. For a tag `name` is its name and `text` what follows it."""

    kind: PieceKind
    text: str
    at: int  # offset of `text` (of the opening brace for an empty output)
    name: str = ""
    name_at: int = 0


class Token(NamedTuple):
    """One token of a markup: kind is string, number, name, sign or end."""

    kind: str
    text: str
    at: int


def pieces(source: str, template: str) -> list[Piece]:
    """Cut a template into its pieces. Raises TemplateSyntaxError for a brace that is never closed."""
    return _Cutter(source, template).cut()


class _Cutter:
    def __init__(self, source: str, template: str):
        self.source = source
        self.template = template
        self.found: list[Piece] = []
        self.trim_next = False

    def cut(self) -> list[Piece]:
        at, source = 0, self.source
        output = tag = -1
        while True:
            if output < at:
                output = self._next("{{", at)
            if tag < at:
                tag = self._next("{%", at)
            opening = min(output, tag)
            self._text(at, opening, trim_end=source.startswith("-", opening + 2))
            if opening == len(source):
                return self.found
            at = self._braces(opening, "}}" if opening == output else "%}")

    def _next(self, braces: str, at: int) -> int:
        found = self.source.find(braces, at)
        return found if found >= 0 else len(self.source)

    def _text(self, start: int, end: int, *, trim_end: bool) -> None:
        text = self.source[start:end]
        if self.trim_next:
            stripped = text.lstrip(WHITESPACE)
            start += len(text) - len(stripped)
            text = stripped
        if trim_end:
            text = text.rstrip(WHITESPACE)
        if text:
            self.found.append(Piece(PieceKind.TEXT, text, start))

    def _braces(self, opening: int, closing: str) -> int:
        source = self.source
        end = source.find(closing, opening + 2)
        if end < 0:
            raise TemplateSyntaxError(
                f"`{source[opening : opening + 2]}` is never closed",
                template=self.template,
                source=source,
                at=opening,
                width=2,
                found="the end of the template",
                expected=f"`{closing}`",
            )
        start, stop = opening + 2, end
        if start < stop and source[start] == "-":
            start += 1
        self.trim_next = start < stop and source[stop - 1] == "-"
        stop -= self.trim_next
        if closing == "}}":
            self.found.append(Piece(PieceKind.OUTPUT, source[start:stop], start))
            return end + 2
        return self._tag(start, stop, end + 2)

    def _tag(self, start: int, stop: int, after: int) -> int:
        match = TAG_NAME.match(self.source, start, stop)
        if match is None:
            raise TemplateSyntaxError(
                "a tag without a name",
                template=self.template,
                source=self.source,
                at=start,
                found=shown_start(self.source[start:stop]),
                expected="the name of a tag, such as `if`",
            )
        if match[1] in ENDS:
            return self._verbatim(match[1], match.start(1), match.end(), stop, after)
        self.found.append(Piece(PieceKind.TAG, self.source[match.end() : stop], match.end(), match[1], match.start(1)))
        return after

    def _verbatim(self, name: str, name_at: int, end: int, stop: int, after: int) -> int:
        """`raw` or `doc`, in which nothing is read."""
        source = self.source
        closing = ENDS[name].search(source, after)
        if closing is None:
            raise _never_closed(name, name_at, source, self.template, f"{{% end{name} %}}", "the template")
        if name == "doc":
            self._check_doc(name_at, source[end:stop], end, after, closing.start())
        elif after < closing.start():  # a dash on the inner side changes nothing: raw text is raw
            self.found.append(Piece(PieceKind.RAW, source[after : closing.start()], after))
        self.trim_next = closing[1] == "-"
        return closing.end()

    def _check_doc(self, name_at: int, markup: str, end: int, start: int, stop: int) -> None:
        inner = DOC.search(self.source, start, stop)
        if inner is None and not markup.strip(WHITESPACE):
            return
        at = inner.end() - 3 if inner is not None else end + len(markup) - len(markup.lstrip(WHITESPACE))
        raise TemplateSyntaxError(
            "`doc` inside `doc`" if inner is not None else f"unexpected `{markup.strip()[:20]}`",
            template=self.template,
            source=self.source,
            at=at,
            width=3 if inner is not None else len(markup.strip()),
            found="`doc`" if inner is not None else f"`{markup.strip()[:20]}`",
            expected="`{% enddoc %}`" if inner is not None else "the end of the tag",
        )


def _never_closed(name: str, at: int, source: str, template: str, expected: str, within: str) -> TemplateSyntaxError:
    return TemplateSyntaxError(
        f"`{name}` is never closed",
        template=template,
        source=source,
        at=at,
        width=len(name),
        found=f"the end of {within}",
        expected=f"`{expected}`",
    )


def lines(piece: Piece, source: str, template: str) -> list[Piece]:
    """The tags in a `liquid` tag, one in a line. What stands between `raw` and `endraw`, or in `doc`, is no tag."""
    found: list[Piece] = []
    opened: Piece | None = None  # the `raw` or `doc` around this line
    comments = 0
    after = piece.at
    for line in piece.text.split("\n"):
        at, after = after, after + len(line) + 1
        match = TAG_NAME.match(line)
        name = match[1] if match is not None else ""
        start, end = (match.start(1), match.end()) if match is not None else (len(line) - len(line.lstrip(WHITESPACE)), 0)
        tag = Piece(PieceKind.TAG, line[end:], at + end, name, at + start)
        if opened is not None:
            if name == f"end{opened.name}":
                if opened.name == "raw":
                    found.append(Piece(PieceKind.RAW, source[opened.at : at], opened.at))
                opened = None
        elif name in ENDS and not comments:
            opened = Piece(PieceKind.TAG, "", after, name, at + start)
        elif line.strip(WHITESPACE):
            comments = max(0, comments + {"comment": 1, "endcomment": -1}.get(name, 0))
            found.append(tag)
    if opened is not None:
        raise _never_closed(opened.name, opened.name_at, source, template, f"end{opened.name}", "`liquid`")
    return found


def tokens(piece: Piece, source: str, template: str) -> list[Token]:
    """Tokens of a piece's markup, `end` last. Raises TemplateSyntaxError for a stray character."""
    found: list[Token] = []
    text, at = piece.text, 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            raise _stray(text, at, piece.at, source, template)
        kind = match.lastgroup or ""
        if kind != "space":
            found.append(Token(kind, match[0], piece.at + at))
        at = match.end()
    found.append(Token("end", "", piece.at + len(text.rstrip(WHITESPACE))))
    return found


def _stray(text: str, at: int, offset: int, source: str, template: str) -> TemplateSyntaxError:
    character = text[at]
    message, expected, suggestion = (
        f"unexpected character `{character}`",
        "a name, a number, a text in quotes or an operator",
        SUGGESTED.get(character),
    )
    found = f"`{text[at : at + 20].strip()}`"
    if character in "\"'":
        message, expected = "a text is never closed", f"a closing {character} before the end of the tag"
    elif character in CURLY_QUOTES:
        expected = "straight quotes, `\"` or `'`"
    elif character.isspace() or is_unseen(character):
        found, expected = _described(character), "a plain space, or nothing"
        message = f"unexpected character {code_point(character)}"
    elif NEGATION.match(text, at):
        suggestion = "`unless`, or `== false`"
    return TemplateSyntaxError(
        message,
        template=template,
        source=source,
        at=offset + at,
        found=found,
        expected=expected,
        suggestion=suggestion,
    )


def _described(character: str) -> str:
    name = unicodedata.name(character, "control character").lower()
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name} ({code_point(character)})"


def shown_start(text: str) -> str:
    """The beginning of what was found, or that nothing was."""
    return f"`{text.strip()[:20]}`" if text.strip() else "nothing"
