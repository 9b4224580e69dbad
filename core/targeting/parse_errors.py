"""What is wrong with a text that is no expression, in its author's words: what was found, what was expected, a suggestion."""

from __future__ import annotations

from lark import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from core.targeting.errors import SYNTAX, ExpressionError, closest, shown
from core.targeting.language import (
    Place,
    Unit,
)

_WORDS = {
    "NAME": "a field",
    "STRING": "a value",
    "INTEGER": "a value",
    "COMPARATOR": "an operator",
    "_AND": "and",
    "_OR": "or",
    "RPAR": "a closing parenthesis",
    "LPAR": "an opening parenthesis",
    "COMMA": "a comma",
    "COUNT": "a whole number of at most 9 digits",
    "UNIT": "a unit of time",
    "DOT": "",
    "_WHEN": "when",
    "THEN": "then",
    "PER": "per",
    "_END": "end",
    "$END": "the end",
}
_KEYWORDS = {
    "COMPARATOR": ("=",),
    "TEXT_OPERATOR": ("contains", "starts_with", "ends_with"),
    "IN": ("in",),
    "BETWEEN": ("between",),
    "IS_NULL": ("is_null",),
    "_AND": ("and",),
    "_OR": ("or",),
    "NOT": ("not",),
    "UNIT": tuple(unit.value for unit in Unit),
    "_WHEN": ("when",),
    "THEN": ("then",),
    "PER": ("per",),
    "DIRECTION": ("desc", "asc"),
    "_ELSE": ("else",),
    "_END": ("end",),
}
_HABITS = {
    "like": "contains",
    "matches": "contains",
    "includes": "contains",
    "equals": "=",
    "is": "=",
    "eq": "=",
    "isnull": "is_null",
    "empty": "is_null",
    "startswith": "starts_with",
    "begins_with": "starts_with",
    "endswith": "ends_with",
    "&": "and",
    "|": "or",
    "!": "not",
    "=>": ">=",
    "=<": "<=",
}  # what people write from habit, where it is not near enough in letters


def explain(error: UnexpectedInput, source: str) -> ExpressionError:
    """A parser's complaint in an author's words."""
    place, found, terminals = _seen(error, source)
    if found in ("'", '"'):
        return ExpressionError(
            "a text is not closed", code=SYNTAX, place=place, found=f"an opening {found}",
            expected=f"a closing {found}",
        )  # fmt: skip
    suggestion = _suggest(found, terminals)
    message = f"unexpected {shown(found)}" if found else "the expression ends too early"
    if not source.strip():
        message, suggestion = "the expression is empty", "true, which is everybody"
    return ExpressionError(
        message, code=SYNTAX, place=place, found=shown(found) if found else "the end",
        expected=_words(terminals), suggestion=suggestion,
    )  # fmt: skip


def _seen(error: UnexpectedInput, source: str) -> tuple[Place, str, set[str]]:
    """Where it stopped, at what (nothing at the end), and which terminals would have done."""
    if isinstance(error, UnexpectedToken):
        terminals = set(error.accepts or error.expected)
        if error.token.type == "$END":
            return _end_of(source), "", terminals
        place = Place(line=error.line, column=error.column)
        found = str(error.token)
    else:
        assert isinstance(error, UnexpectedCharacters), "the only other complaint of this parser"
        terminals = set(error.allowed or ())
        place, found = Place(line=error.line, column=error.column), source[error.pos_in_stream or 0]
    turned = found in ("<", ">") and source[: error.pos_in_stream].endswith("=")
    return place, f"={found}" if turned else found, terminals


def _end_of(source: str) -> Place:
    lines = source.rstrip().split("\n")
    return Place(line=len(lines), column=len(lines[-1]) + 1)


def _words(terminals: set[str]) -> str:
    if "COMPARATOR" in terminals:
        terminals = terminals - {"LPAR", "RPAR", "COMMA"}
    words = list(dict.fromkeys(word for name, word in _WORDS.items() if name in terminals and word))
    if not words:
        words = ["an operator"] if "IN" in terminals else ["something else"]
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _suggest(found: str, terminals: set[str]) -> str | None:
    known = [word for name in terminals for word in _KEYWORDS.get(name, ())]
    habit = _HABITS.get(found.lower())
    if habit is not None and (habit in known or found in ("=>", "=<")):
        return habit
    return closest(found, known) if found else None
