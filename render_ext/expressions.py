"""Tokens of one markup → expressions and conditions."""

from __future__ import annotations

from typing import NoReturn

from render_ext.errors import FilterError, TemplateSyntaxError, nearest
from render_ext.filters import FILTERS, Filter
from render_ext.lexer import Piece, Token, tokens
from render_ext.nodes import (
    Compare,
    Condition,
    Emptiness,
    Expression,
    FilterCall,
    Filtered,
    Literal,
    Logic,
    Name,
    Path,
    Range,
    Scalar,
)

WORDS: dict[str, Scalar] = {"nil": None, "null": None, "true": True, "false": False}
EMPTINESS = ("empty", "blank")  # a meaning of their own in conditions, the empty text elsewhere
OPERATORS = {"==", "!=", "<>", "<", "<=", ">", ">=", "contains"}
MISUSED = {"=": "`==`", "=>": "`>=`", "=<": "`<=`", "||": "`or`"}  # what other languages write, and what it is here
DEEPEST = 50  # brackets within brackets in one expression


class Markup:
    """A cursor over the tokens of one piece. It raises TemplateSyntaxError where the text does not fit."""

    def __init__(self, piece: Piece, source: str, template: str):
        self.piece = piece
        self.source = source
        self.template = template
        self.tokens = tokens(piece, source, template)
        self.index = 0
        self.depth = 0

    @property
    def token(self) -> Token:
        """The token under the cursor."""
        return self.tokens[self.index]

    def take(self) -> Token:
        """The token under the cursor; moves on."""
        token = self.tokens[self.index]
        if token.kind != "end":
            self.index += 1
        return token

    def accept(self, text: str) -> bool:
        """Move over a sign or word if it is next."""
        token = self.token
        if token.text == text and token.kind in ("sign", "name"):
            self.index += 1
            return True
        return False

    def require(self, text: str) -> Token:
        """Move over a sign or word that must be next."""
        token = self.token
        if not self.accept(text):
            self.fail(f"`{text}`")
        return token

    def name(self, expected: str) -> Token:
        """Move over a name that must be next."""
        if self.token.kind != "name":
            self.fail(expected)
        return self.take()

    def end(self, expected: str = "the end of the tag") -> None:
        """There must be nothing left."""
        if self.token.kind != "end":
            self.fail(expected)

    def fail(
        self,
        expected: str,
        *,
        message: str | None = None,
        token: Token | None = None,
        suggestion: str | None = None,
    ) -> NoReturn:
        """Raise the error for the token under the cursor, or for another one."""
        at = token or self.token
        found = f"`{at.text}`" if at.kind != "end" else "the end of the tag"
        raise TemplateSyntaxError(
            message or f"unexpected {found}",
            template=self.template,
            source=self.source,
            at=at.at,
            width=len(at.text),
            found=found,
            expected=expected,
            suggestion=suggestion,
        )

    # ---- expressions -----------------------------------------------------------------------------

    def filtered(self) -> Expression:
        """An expression with any filters after it."""
        at = self.token.at
        expression = self.expression()
        calls = []
        while self.accept("|"):
            calls.append(self._filter())
        return Filtered(expression, tuple(calls), at) if calls else expression

    def expression(self) -> Expression:
        """A literal, a range or a variable."""
        token = self.token
        if token.kind == "string":
            self.index += 1
            return Literal(token.text[1:-1], token.at)
        if token.kind == "number":
            self.index += 1
            return Literal(self._number(token), token.at)
        if token.kind == "name":
            if not self._goes_on():
                if token.text in WORDS:
                    self.index += 1
                    return Literal(WORDS[token.text], token.at)
                if token.text in EMPTINESS:
                    self.index += 1
                    return Literal("", token.at)
            return self._path()
        if token.text == "[":
            return self._path()
        if token.text == "(":
            return self._range()
        return self.fail("a variable, a number, a text in quotes or a range")

    def _goes_on(self) -> bool:
        following = self.tokens[self.index + 1]
        return following.kind == "sign" and following.text in (".", "[")

    def _number(self, token: Token) -> int | float:
        if len(token.text) > 300:
            self.fail("a number of at most 300 digits", token=token)
        return float(token.text) if "." in token.text else int(token.text)

    def _path(self) -> Path:
        start = self.token.at
        root: Name | Expression = self._bracket() if self.token.text == "[" else Name(self.take().text)
        keys: list[Name | Expression] = []
        while True:
            if self.token.text == "[" and self.token.kind == "sign":
                keys.append(self._bracket())
            elif self.accept("."):
                keys.append(Name(self._key().text))
            else:
                break
        last = self.tokens[self.index - 1]
        return Path(root, tuple(keys), self.source[start : last.at + len(last.text)], start)

    def _key(self) -> Token:
        if self.token.kind == "number":
            self.fail("a name", suggestion=f"`[{self.token.text}]`")
        return self.name("a name after the dot")

    def _bracket(self) -> Expression:
        self._deeper()
        self.require("[")
        inner = self.expression()
        self.require("]")
        self.depth -= 1
        return inner

    def _range(self) -> Range:
        self._deeper()
        at = self.require("(").at
        first = self.expression()
        self.require("..")
        last = self.expression()
        self.require(")")
        self.depth -= 1
        if isinstance(first, Literal) and isinstance(last, Literal):  # a fraction that is written out is cut off
            first, last = _without_fraction(first), _without_fraction(last)
        return Range(first, last, at)

    def _deeper(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            self.fail(f"at most {DEEPEST} brackets within each other")

    # ---- filters ---------------------------------------------------------------------------------

    def _filter(self) -> FilterCall:
        name = self.name("the name of a filter")
        known = FILTERS.get(name.text)
        if known is None:
            self.fail(
                "a filter",
                message=f"unknown filter `{name.text}`",
                token=name,
                suggestion=nearest(name.text, FILTERS),
            )
        arguments: list[Expression] = []
        keywords: list[tuple[str, Expression]] = []
        if self.accept(":"):
            self._argument(known, arguments, keywords)
            while self.accept(","):
                self._argument(known, arguments, keywords)
        if self.token.kind != "end" and self.token.text not in ("|",):
            self.fail("`|`, `,` or the end of the tag")
        if not known.fewest <= len(arguments) <= known.most:
            self.fail(
                _count(known),
                message=f"wrong number of arguments for the filter `{name.text}`: {len(arguments)}",
                token=name,
            )
        return FilterCall(name.text, tuple(arguments), tuple(keywords), name.at)

    def _argument(self, known: Filter, arguments: list[Expression], keywords: list[tuple[str, Expression]]) -> None:
        token, following = self.token, self.tokens[min(self.index + 1, len(self.tokens) - 1)]
        if token.kind == "name" and following.text == ":" and following.kind == "sign":
            if token.text not in known.keywords:
                suggestion = nearest(token.text, known.keywords)
                self.fail(
                    "an argument the filter knows",
                    message=f"unknown argument `{token.text}`",
                    suggestion=suggestion,
                )
            if any(name == token.text for name, _ in keywords):
                self.fail("each argument once", message=f"the argument `{token.text}` is given twice")
            self.index += 2
            keywords.append((token.text, self._checked(known, token.text)))
        else:
            arguments.append(self.expression())

    def _checked(self, known: Filter, name: str) -> Expression:
        """The value of a named argument; one that is written out is looked at here, not only when it is used."""
        start = self.token
        value = self.expression()
        if name in known.checks and isinstance(value, Literal):
            try:
                known.checks[name](value.value)
            except FilterError as error:
                self.fail(f"a known {name}", message=str(error), token=start)
        return value

    # ---- conditions ------------------------------------------------------------------------------

    def condition(self) -> Condition:
        """A condition up to the end of the markup."""
        parts: list[Compare | Expression] = [self._comparison()]
        operators: list[str] = []
        while self.token.kind != "end":
            if self.token.text not in ("and", "or"):
                self._misused_operator()
            operators.append(self.take().text)
            parts.append(self._comparison())
        whole: Condition = parts.pop()
        while parts:
            whole = Logic(operators.pop(), parts.pop(), whole)
        return whole

    def _comparison(self) -> Compare | Expression:
        left = self.operand()
        token = self.token
        if token.text in OPERATORS and token.kind in ("sign", "name"):
            self.index += 1
            operator = "!=" if token.text == "<>" else token.text
            return Compare(operator, left, self.operand(), token.at)
        return left

    def operand(self) -> Expression:
        """One side of a comparison, where `empty` and `blank` have their meaning."""
        token = self.token
        if token.kind == "name" and token.text in EMPTINESS and not self._goes_on():
            self.index += 1
            return Emptiness(token.text, token.at)
        return self.expression()

    def _misused_operator(self) -> NoReturn:
        token, before = self.token, self.tokens[self.index - 1]
        pair = self.source[token.at : token.at + 2]
        suggestion = MISUSED.get(pair) or MISUSED.get(token.text) or nearest(token.text, ["and", "or", "contains"])
        if before.text == "not" and before.kind == "name" and token.kind == "name":
            suggestion = "`unless`, or `== false`"
        if token.text == "|" and pair != "||":
            self.fail("an operator", message="filters do not work in a condition: assign first", token=token)
        self.fail("an operator, `and`, `or` or the end of the tag", suggestion=suggestion)


def _without_fraction(bound: Literal) -> Literal:
    return Literal(int(bound.value), bound.at) if isinstance(bound.value, float) else bound


def _count(known: Filter) -> str:
    if known.fewest == known.most:
        return f"{known.fewest}" if known.fewest else "none"
    return f"{known.fewest} to {known.most}"
